// Checks every #include of native/ and every import of src/ against the tables of lib/layers.ts.
import { checkNative, checkSource } from './lib/layers.ts';
import { listFiles, readText } from './lib/project.ts';
import { main } from './lib/run.ts';

await main(() => {
  const native = listFiles('native', ['.h', '.cc']);
  const source = listFiles('src', ['.ts', '.tsx']);
  const complaints = [
    ...native.flatMap((path) => checkNative(path, readText(path))),
    ...source.flatMap((path) => checkSource(path, readText(path))),
  ];
  for (const complaint of complaints) console.error(complaint);
  const files = native.length + source.length;
  console.log(`layers: ${files} files, ${complaints.length} complaints`);
  process.exitCode = complaints.length > 0 ? 1 : 0;
});
