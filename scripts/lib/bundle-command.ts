// The command in few files: dist/main.js and, loaded when needed, dist/command-*.js. Node reads one
// large file several times as fast as some 250 small ones, and a start is mostly that. Programs
// import the modules that tsc writes.
import { chmodSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import type { Plugin } from 'vite';
import { inRoot, root } from './project.ts';

// What every start needs. Other packages are loaded from where npm puts them, when they are used.
const bundled = ['commander', 'js-yaml', 'leven', 'zod'];

// All files of the bundle lie in dist/ itself. A module that asks where it is gets the answer that
// it has when it stands by itself: from there it looks for other files.
const places: Plugin = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(inRoot('src/')) || !code.includes('import.meta.url')) return undefined;
    const own = relative(inRoot('src'), id).replace(/\.ts$/, '.js');
    const place = `new URL('./${own}', import.meta.url).href`;
    return { code: code.replaceAll('import.meta.url', place), map: null };
  },
};

// To be called when tsc has written dist/.
export async function bundleCommand(): Promise<void> {
  const { build } = await import('vite');
  await build({
    configFile: false,
    logLevel: 'warn',
    root,
    plugins: [places],
    ssr: { noExternal: bundled, target: 'node' },
    build: {
      ssr: true,
      outDir: inRoot('dist'),
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      reportCompressedSize: false,
      license: { fileName: 'command-licenses.md' },
      rollupOptions: {
        input: inRoot('src/main.ts'),
        output: {
          entryFileNames: 'main.js',
          chunkFileNames: 'command-[name].js',
        },
      },
    },
  });
  chmodSync(inRoot('dist/main.js'), 0o755);
  // Nobody imports these: they are the bundle now.
  rmSync(inRoot('dist/cli'), { recursive: true, force: true });
  rmSync(inRoot('dist/main.js.map'), { force: true });
}
