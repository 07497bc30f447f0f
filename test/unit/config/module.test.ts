import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { loadConfigFile } from '../../../src/config/load.ts';
import { runModule } from '../../../src/config/module.ts';
import type { SluiceError } from '../../../src/errors.ts';
import { useScene } from '../../fixtures/scene.ts';

const scene = useScene();
const files = (all: Readonly<Record<string, string>>, name: string): string => {
  const folder = scene.folder();
  for (const [file, text] of Object.entries(all)) writeFileSync(join(folder, file), text);
  return join(folder, name);
};
const failure = async (path: string): Promise<SluiceError> =>
  runModule(path).then(
    () => Promise.reject(new Error('nothing was refused')),
    (error: SluiceError) => error,
  );

describe('a configuration as a program', () => {
  it.each([
    [
      'a.ts',
      `import { defineConfig } from 'sluice';
const workers: number = 2;
export default defineConfig({ listeners: {}, pools: {}, workers });`,
    ],
    ['a.mts', 'export default async () => ({ listeners: {}, pools: {}, workers: 2 });'],
    [
      'a.js',
      `const workers = 2;
export default { listeners: {}, pools: {}, workers };`,
    ],
    ['a.mjs', 'export default () => ({ listeners: {}, pools: {}, workers: 2 });'],
    ['a.cjs', 'module.exports = { listeners: {}, pools: {}, workers: 2 };'],
  ])('is read from %s', async (name, text) => {
    expect(await loadConfigFile(files({ [name]: text }, name))).toEqual({
      listeners: {},
      pools: {},
      workers: 2,
    });
  });

  it('makes listeners and pools of domains', async () => {
    const text = `
import { defineConfig, domains, routeDomain } from 'sluice';
export default defineConfig(() => ({
  workers: 1,
  ...domains(
    [routeDomain('example.com', (r) => r.container('web1', '127.0.0.1:9001').strategy('p2c'))],
    { listen: '127.0.0.1:0' },
  ),
}));`;
    const config = await loadConfigFile(files({ 'c.ts': text }, 'c.ts'));
    expect(config.pools).toEqual({
      'example.com': { strategy: 'p2c', backends: ['127.0.0.1:9001'] },
    });
  });

  it('names the path of what is wrong in it', async () => {
    const path = files(
      { 'c.ts': 'export default { listeners: {}, pools: {}, wrokers: 2 };' },
      'c.ts',
    );
    await expect(loadConfigFile(path)).rejects.toMatchObject({
      code: 'ERR_SLUICE_CONFIG',
      issues: [{ path: 'wrokers', message: "unknown key 'wrokers'", meant: 'workers' }],
    });
  });

  it('names file, line and column of what it throws, and of wrong syntax', async () => {
    const thrown = files(
      {
        'c.ts':
          'type A = 1;\n\nfunction f(): never {\n  throw new TypeError("no luck");\n}\n' +
          'export default f();\n',
      },
      'c.ts',
    );
    expect((await failure(thrown)).issues).toEqual([
      expect.objectContaining({ line: 4, column: 9, message: 'no luck' }),
    ]);
    expect((await failure(thrown)).message).toContain(`${thrown}:4:9`);
    const later = files(
      { 'c.js': 'export default async () => {\n  await null;\n  return nothing.there;\n};\n' },
      'c.js',
    );
    expect((await failure(later)).issues).toMatchObject([{ line: 3 }]);
    const syntax = files({ 'c.ts': 'export default {\n  a: [1,\n  b: 2 };\n' }, 'c.ts');
    expect((await failure(syntax)).issues).toMatchObject([
      { line: 3, column: 8, message: expect.stringContaining('syntax error: ') },
    ]);
    const other = files(
      { 'c.ts': "import './d.ts';\nexport default {};", 'd.ts': 'const a = ;' },
      'c.ts',
    );
    expect((await failure(other)).issues).toMatchObject([
      { line: 1, column: 11, file: other.replace('c.ts', 'd.ts') },
    ]);
  });

  it('names what it cannot import, and that it exports nothing', async () => {
    const missing = await failure(files({ 'c.ts': "import './none.ts';" }, 'c.ts'));
    expect(missing).toMatchObject({ code: 'ERR_SLUICE_CONFIG_FILE' });
    expect(missing.message).toContain("Cannot find module './none.ts'");
    expect((await failure(files({ 'c.ts': 'export const a = 1;' }, 'c.ts'))).message).toContain(
      'expected a default export',
    );
    expect((await failure('/nowhere/c.ts')).message).toContain('ENOENT');
    expect((await failure(files({ 'c.js': 'throw 5;' }, 'c.js'))).message).toContain('5');
  });

  it.each(['ts', 'mts', 'js', 'mjs', 'cjs'])('.%s runs anew, and what it imports', async (kind) => {
    const folder = scene.folder();
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    const main = `c.${kind}`;
    if (kind === 'js') write('package.json', '{ "type": "module" }');
    for (const n of [1, 2]) {
      write('data.json', `{ "n": ${n} }`);
      write('own.mjs', `export const n = ${n};`);
      write('old.cjs', `exports.n = ${n};`);
      write(
        main,
        kind === 'cjs'
          ? `module.exports = [${n}, require('./data.json').n, ${n}, require('./old.cjs').n];`
          : `import data from './data.json' with { type: 'json' };
import { n } from './own.mjs';
import { n as old } from './old.cjs';
export default [${n}, data.n, n, old];`,
      );
      expect((await runModule(join(folder, main))).input).toEqual([n, n, n, n]);
    }
  });

  it('leaves nothing behind, however often it runs', async () => {
    const path = files({ 'c.ts': "import { n } from './d.ts';\nexport default { n };" }, 'c.ts');
    const run = async (n: number): Promise<void> => {
      const ballast = JSON.stringify('x'.repeat(50_000));
      writeFileSync(
        path.replace('c.ts', 'd.ts'),
        `export const n = ${n};\nexport const b = ${ballast};`,
      );
      expect((await runModule(path)).input).toEqual({ n });
    };
    // V8 keeps what it compiled until it needs the memory, which is not what is looked for here.
    setFlagsFromString('--no-compilation-cache');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    for (let n = 0; n < 10; n++) await run(n);
    const before = used();
    for (let n = 0; n < 50; n++) await run(n);
    // What fifty runs read is 2.5 MB.
    expect(used() - before).toBeLessThan(1e6);
  });
});
