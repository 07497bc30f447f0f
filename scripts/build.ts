// Builds a checkout: the addon (build/Release/sluice.node), dist/, and compile_commands.json for
// clangd. npm runs it as `prepare`, which happens in a checkout only; installing the packed package
// builds nothing. What is up to date is left alone; `--force` rebuilds.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  addonInputs,
  compilerVersion,
  nodeGyp,
  nodePrefix,
  requireToolchain,
} from './lib/addon-build.ts';
import { bundleCommand } from './lib/bundle-command.ts';
import { writeCompileCommands } from './lib/compile-commands.ts';
import { compareGypSources } from './lib/gyp-sources.ts';
import { fingerprint, inRoot, listFiles, readText, root } from './lib/project.ts';
import { main, run, seconds, tool, which } from './lib/run.ts';

const { values: options } = parseArgs({
  options: {
    force: { type: 'boolean', default: false },
    sanitize: { type: 'string' }, // address | thread
    addon: { type: 'boolean', default: false }, // the addon only
  },
});

// Runs `build` unless the stamp says that its result for these inputs exists.
async function step(
  name: string,
  key: string,
  results: readonly string[],
  build: () => void | Promise<void>,
): Promise<void> {
  const stamp = inRoot(`build/stamps/${name}`);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
  if (fresh && !options.force && results.every((path) => existsSync(inRoot(path)))) {
    console.log(`build ${name}: up to date`);
    return;
  }
  const start = performance.now();
  rmSync(stamp, { force: true });
  await build();
  mkdirSync(inRoot('build/stamps'), { recursive: true });
  writeFileSync(stamp, key);
  console.log(`build ${name}: done in ${seconds(start)}`);
}

async function buildAddon(): Promise<void> {
  if (process.platform !== 'linux') {
    console.log('build addon: skipped, the data plane runs on Linux only');
    return;
  }
  const prefix = nodePrefix();
  requireToolchain();
  const sanitize = options.sanitize ?? '';
  const sources = listFiles('native', ['.cc']);
  for (const text of compareGypSources(readText('binding.gyp'), sources)) console.warn(text);
  const key = fingerprint(addonInputs, [prefix, compilerVersion(), sanitize]);
  await step('addon', key, ['build/Release/sluice.node'], () => {
    nodeGyp(['configure', '--loglevel=warn', '--', `-Dsanitize=${sanitize}`], prefix);
    nodeGyp(['build', '--loglevel=warn', `--jobs=${availableParallelism()}`], prefix);
  });
  const commands = fingerprint(
    [
      'binding.gyp',
      'test/native/Makefile',
      'bench/load/Makefile',
      'scripts/lib/compile-commands.ts',
    ],
    [prefix, ...['native', 'test', 'bench'].flatMap((folder) => listFiles(folder, ['.cc']))],
  );
  await step('clangd', commands, ['compile_commands.json'], () => writeCompileCommands(prefix));
}

async function buildDist(): Promise<void> {
  const sources = listFiles('src', ['.ts']).filter((path) => !path.startsWith('src/dashboard/'));
  if (sources.length === 0) return;
  const results = sources
    .filter((path) => !path.startsWith('src/cli/'))
    .map((path) => path.replace(/^src\/(.*)\.ts$/, 'dist/$1.js'));
  const inputs = [
    'src',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
    'scripts/build.ts',
    'scripts/lib/bundle-command.ts',
  ];
  const key = fingerprint([...inputs, 'node_modules/typescript/package.json']);
  await step('dist', key, results, async () => {
    rmSync(inRoot('dist'), { recursive: true, force: true });
    run(tool('tsc'), ['-p', 'tsconfig.build.json']);
    await writeConfigSchema();
    await bundleCommand();
  });
}

// The page at /ui/: one script and one style sheet, with the licences of what is bundled.
async function buildPage(): Promise<void> {
  const inputs = [
    'src/dashboard',
    'src/admin/api-types.ts',
    'package-lock.json',
    'scripts/build.ts',
  ];
  await step('page', fingerprint(inputs), ['dist/ui/index.html'], async () => {
    const { build } = await import('vite');
    await build({
      configFile: false,
      logLevel: 'warn',
      root: inRoot('src/dashboard'),
      // Relative, so that the page also works behind a proxy that adds a prefix.
      base: './',
      build: {
        outDir: inRoot('dist/ui'),
        emptyOutDir: true,
        target: ['chrome123', 'firefox128', 'safari17.5'],
        // The page's security policy has no room for data: addresses and inline scripts.
        assetsInlineLimit: 0,
        modulePreload: false,
        reportCompressedSize: false,
        license: { fileName: 'licenses.md' },
      },
    });
  });
}

// Editors complete and check sluice.yaml by this file.
async function writeConfigSchema(): Promise<void> {
  const module = inRoot('dist/config/json-schema.js');
  if (!existsSync(module)) return;
  const { jsonSchema } = (await import(pathToFileURL(module).href)) as {
    jsonSchema: () => unknown;
  };
  writeFileSync(inRoot('dist/config.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
}

// Two builds in one checkout would write over each other: the second waits, then finds all done.
function holdLock(): boolean {
  if (process.env['SLUICE_BUILD_LOCKED'] === '1' || which('flock') === undefined) return true;
  mkdirSync(inRoot('build'), { recursive: true });
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync('flock', [inRoot('build/.lock'), ...self], {
    cwd: root,
    env: { ...process.env, SLUICE_BUILD_LOCKED: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  process.exitCode = status ?? 1;
  return false;
}

await main(async () => {
  if (!holdLock()) return;
  await buildAddon();
  if (options.addon) return;
  await buildDist();
  await buildPage();
});
