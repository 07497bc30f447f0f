// Rules about the source text that no compiler or formatter knows. `--fix-gyp` rewrites the list of
// sources in binding.gyp.
import { writeFileSync } from 'node:fs';
import { compareGypSources, writeGypSources } from './lib/gyp-sources.ts';
import { inRoot, listFiles, readText } from './lib/project.ts';
import { main } from './lib/run.ts';
import { complaintsAbout, isGenerated, limits, lineCount } from './lib/tidy-rules.ts';

const folders = ['native', 'src', 'scripts', 'bench', 'test', 'examples'];
const endings = ['.h', '.cc', '.ts', '.tsx', '.mjs', '.js', '.css'];

await main(() => {
  const sources = listFiles('native', ['.cc']);
  if (process.argv.includes('--fix-gyp')) {
    writeFileSync(inRoot('binding.gyp'), writeGypSources(readText('binding.gyp'), sources));
  }
  const complaints = compareGypSources(readText('binding.gyp'), sources);
  const noted: string[] = [];
  const files = folders.flatMap((folder) => listFiles(folder, endings));
  for (const path of files.filter((file) => !file.startsWith('bench/results/'))) {
    const text = readText(path);
    const lines = lineCount(text);
    if (!isGenerated(path) && lines > limits.fileLinesNoted && lines <= limits.fileLines) {
      noted.push(`${path} (${lines})`);
    }
    for (const found of complaintsAbout(path, text)) {
      complaints.push(`${found.path}:${found.line}: ${found.text}`);
    }
  }
  if (noted.length > 0) console.log(`over ${limits.fileLinesNoted} lines: ${noted.join(', ')}`);
  for (const complaint of complaints) console.error(complaint);
  console.log(`tidy: ${files.length} files, ${complaints.length} complaints`);
  process.exitCode = complaints.length > 0 ? 1 : 0;
});
