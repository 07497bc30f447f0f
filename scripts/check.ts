// Everything that can be said about the sources without running them. `--fix` formats first.
import { listFiles } from './lib/project.ts';
import { capture, Failure, main, seconds, tool, which } from './lib/run.ts';

const fix = process.argv.includes('--fix');

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  // What is worth reading of a failed step's output; all of it by default.
  readonly summary?: (output: string) => string;
}

const tsx = (script: string, ...args: string[]): Omit<Step, 'name'> => ({
  command: tool('tsx'),
  args: [`scripts/${script}`, ...args],
});

function clangFormat(): Omit<Step, 'name'> {
  if (which('clang-format') === undefined) {
    throw new Failure(
      'clang-format is missing: apt-get install --no-install-recommends clang-format',
    );
  }
  const files = ['native', 'test', 'bench']
    .flatMap((folder) => listFiles(folder, ['.h', '.cc']))
    .filter((path) => !/\.gen\.\w+$/.test(path));
  const mode = fix ? ['-i'] : ['--dry-run', '-Werror'];
  return {
    command: 'clang-format',
    args: [...mode, '--style=file', ...files],
    summary: formattedFiles,
  };
}

// clang-format reports every blank it would move: the names of the files say as much.
function formattedFiles(output: string): string {
  const places = [...output.matchAll(/^(\S+?):\d+:\d+: error/gm)];
  const files = [...new Set(places.map((found) => found[1] ?? ''))];
  return `${files.join('\n')}\nnot formatted: npm run format`;
}

const biome = fix ? ['check', '--write', '--error-on-warnings'] : ['check', '--error-on-warnings'];

function steps(): Step[] {
  return [
    { name: 'generated files', ...tsx('gen-layout.ts', ...(fix ? [] : ['--check'])) },
    {
      name: 'reference page',
      ...tsx('gen-config-reference.ts', ...(fix ? [] : ['--check'])),
    },
    { name: 'openapi.json', ...tsx('gen-openapi.ts', ...(fix ? [] : ['--check'])) },
    { name: 'cli.md', ...tsx('gen-cli.ts', ...(fix ? [] : ['--check'])) },
    { name: 'format and lint (biome)', command: tool('biome'), args: [...biome, '.'] },
    { name: 'format (clang-format)', ...clangFormat() },
    { name: 'types (tsc)', command: tool('tsc'), args: ['--noEmit', '-p', 'tsconfig.json'] },
    {
      name: 'types of the page (tsc)',
      command: tool('tsc'),
      args: ['--noEmit', '-p', 'src/dashboard/tsconfig.json'],
    },
    { name: 'tidy', ...tsx('tidy.ts', ...(fix ? ['--fix-gyp'] : [])) },
    { name: 'layers', ...tsx('check-layers.ts') },
  ];
}

await main(() => {
  let failed = 0;
  for (const { name, command, args, summary } of steps()) {
    const start = performance.now();
    const { status, output } = capture(command, args);
    if (status !== 0) console.error((summary?.(output) ?? output).trimEnd());
    failed += status === 0 ? 0 : 1;
    console.log(`check ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds(start)})`);
  }
  process.exitCode = failed > 0 ? 1 : 0;
});
