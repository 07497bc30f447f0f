// Configuration files as people keep them: found by their names, written as programs, with
// variables; changed in every way an editor, a script or Kubernetes changes a file.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { metricsOf, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, type Target } from '../fixtures/clients.ts';
import { nameOnly, type Origin, startOrigins } from '../fixtures/origins.ts';
import {
  buildOnce,
  fetchAdmin,
  mainFile,
  type Served,
  serving,
  sluice,
  start,
  startRun,
} from '../fixtures/programs.ts';
import { forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

// What a new connection is told.
const says = async (served: Served): Promise<string> =>
  (await exchange(served.address())).toString();
const untilSays = (served: Served, name: string): Promise<void> =>
  until(`${name} answers`, async () => (await says(served)) === name);

forEachEngine((engine) => {
  const text = ({ address }: Origin): string => JSON.stringify(simpleConfig(engine, [address]));
  const run = async (file: string, args: readonly string[] = []): Promise<Served> =>
    serving(scene, startRun(scene, file, { args }), engine);
  const origins = async () => {
    const [one, two, three] = await startOrigins(scene, ['one', 'two', 'three'], nameOnly);
    if (!one || !two || !three) throw new Error('not started');
    return { one, two, three };
  };

  it('a file that is written in place or replaced is taken over by itself', async () => {
    const { one, two, three } = await origins();
    const file = join(scene.folder(), 'sluice.json');
    writeFileSync(file, text(one));
    const served = await run(file);
    expect(await says(served)).toBe('one');
    writeFileSync(file, text(two));
    await untilSays(served, 'two');
    writeFileSync(`${file}.new`, text(three));
    renameSync(`${file}.new`, file);
    await untilSays(served, 'three');
  });

  it('a folder that is swapped under a link is taken over, as of a mounted ConfigMap', async () => {
    const { one, two } = await origins();
    const folder = scene.folder();
    const publish = (version: string, origin: Origin): void => {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'sluice.json'), text(origin));
      symlinkSync(version, join(folder, '..tmp'));
      renameSync(join(folder, '..tmp'), join(folder, '..data'));
    };
    publish('..2026_1', one);
    symlinkSync('..data/sluice.json', join(folder, 'sluice.json'));
    const served = await run(join(folder, 'sluice.json'));
    expect(await says(served)).toBe('one');
    publish('..2026_2', two);
    await untilSays(served, 'two');
  });

  it('a wrong file changes nothing, and metrics and log say so', async () => {
    const { one, two } = await origins();
    const file = join(scene.folder(), 'sluice.yaml');
    writeFileSync(file, text(one));
    const served = await run(file);
    const result = async (): Promise<number[]> => {
      const metrics = await served.metrics();
      const applies = (of: string) => metrics.one('sluice_config_applies_total', { result: of });
      const last = metrics.one('sluice_config_last_apply_success');
      return [applies('success'), applies('failure'), last];
    };
    expect(await result()).toEqual([1, 0, 1]);
    writeFileSync(
      file,
      text(two).replace('"pool":"web"', '"pool":"wep"').replace('"tcp"', '"tcpp"'),
    );
    const refused = await served.program.record('configuration not taken over, the old one stays');
    expect(refused).toMatchObject({
      level: 'error',
      error: { message: expect.stringMatching(/line 1:\d+, listeners\.in\.mode: .*'tcp'\?/) },
    });
    expect(await result()).toEqual([1, 1, 0]);
    expect(await says(served)).toBe('one');
    writeFileSync(file, text(two));
    await untilSays(served, 'two');
    expect(await result()).toEqual([2, 1, 1]);
  });

  it('without watching, SIGHUP alone reads the file again', async () => {
    const { one, two } = await origins();
    const file = join(scene.folder(), 'sluice.json');
    writeFileSync(file, text(one));
    const served = await run(file, ['--no-watch']);
    writeFileSync(file, text(two));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await says(served)).toBe('one');
    served.program.child.kill('SIGHUP');
    await untilSays(served, 'two');
    writeFileSync(file, '{');
    served.program.child.kill('SIGHUP');
    await served.program.record('configuration not taken over, the old one stays');
    expect(await says(served)).toBe('two');
  });

  it('a program is run again, with what it imports', async () => {
    const { one, two } = await origins();
    const folder = scene.folder();
    const file = join(folder, 'sluice.config.ts');
    const backends = (origin: Origin): void =>
      writeFileSync(
        join(folder, 'backends.ts'),
        `export const all: string[] = ['${origin.address}'];`,
      );
    backends(one);
    writeFileSync(
      file,
      `import { defineConfig } from 'sluice';
import { all } from './backends.ts';
export default defineConfig(async () => ({
  workers: 2,
  engine: '${engine}',
  listeners: { in: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }] } },
  pools: { web: { backends: all } },
}));
`,
    );
    // Found by its name.
    const args = [mainFile, 'run', '--admin', '127.0.0.1:0'];
    const program = start(scene, process.execPath, args, { cwd: folder });
    const served = await serving(scene, program, engine);
    expect(await says(served)).toBe('one');
    backends(two);
    program.child.kill('SIGHUP');
    await untilSays(served, 'two');
    writeFileSync(join(folder, 'backends.ts'), '\nthrow new Error("out of luck");');
    program.child.kill('SIGHUP');
    const refused = await program.record('configuration not taken over, the old one stays');
    expect(refused).toMatchObject({
      error: { message: expect.stringMatching(/out of luck at .*backends\.ts:2:\d+/) },
    });
    expect(await says(served)).toBe('two');
  });

  it('variables fill in what differs from place to place', async () => {
    const { one } = await origins();
    const file = join(scene.folder(), 'sluice.yaml');
    writeFileSync(
      file,
      `workers: \${WORKERS:-1}
engine: ${engine}
listeners:
  in: { listen: '127.0.0.1:\${PORT:-0}', mode: tcp, routes: [{ pool: web }] }
pools:
  web: { backends: ['\${BACKEND}'] }
`,
    );
    const env = { ...process.env, WORKERS: '2', BACKEND: one.address };
    const program = startRun(scene, file, { spawn: { env } });
    expect(await says(await serving(scene, program, engine))).toBe('one');
    const { status, stderr } = sluice(['validate', '-c', file]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/sluice\.yaml:6:22: .*variable BACKEND/);
  });

  it('what was read last is in force in the end, however long each reading takes', async () => {
    const { one, two } = await origins();
    const file = join(scene.folder(), 'sluice.config.mjs');
    const write = (origin: Origin, delayMs: number): void =>
      writeFileSync(
        file,
        `export default async () => {
  await new Promise((resolve) => setTimeout(resolve, ${delayMs}));
  return ${text(origin)};
};
`,
      );
    write(one, 0);
    const lb = await startBalancer(scene, { file }, engine);
    const target = lb.address('in') as Target;
    write(one, 300);
    const first = lb.reload();
    // It has been read by now, and waits.
    await new Promise((resolve) => setTimeout(resolve, 100));
    write(two, 0);
    await Promise.all([first, lb.reload()]);
    expect((await exchange(target)).toString()).toBe('two');
  });

  it('the library watches a file that asks for it', async () => {
    const { one, two } = await origins();
    const file = join(scene.folder(), 'sluice.json');
    const write = (origin: Origin, watch: boolean): void =>
      writeFileSync(file, JSON.stringify({ watch, ...simpleConfig(engine, [origin.address]) }));
    write(one, true);
    const lb = await startBalancer(scene, { file }, engine);
    const target = lb.address('in') as Target;
    const refused: unknown[] = [];
    lb.on('config:refused', ({ error }) => refused.push(error));
    write(two, true);
    await until('two', async () => (await exchange(target)).toString() === 'two');
    writeFileSync(file, 'nonsense');
    await until('refused', () => refused.length === 1);
    expect(metricsOf(lb).one('sluice_config_last_apply_success')).toBe(0);
    expect((await exchange(target)).toString()).toBe('two');
  });
});

describe('the environment', () => {
  const config: Config = {
    workers: 1,
    engine: 'epoll',
    logLevel: 'error',
    admin: { listen: '127.0.0.1:1' },
    listeners: {},
    pools: {},
  };
  const runWith = async (env: Record<string, string>, args: readonly string[]) => {
    const file = join(scene.folder(), 'sluice.json');
    writeFileSync(file, JSON.stringify(config));
    const command = [mainFile, 'run', '-c', file, ...args];
    const program = start(scene, process.execPath, command, { env: { ...process.env, ...env } });
    return program.record('serving');
  };

  it('wins over the file, and a flag over it', async () => {
    const env = { SLUICE_WORKERS: '2', SLUICE_ENGINE: 'io_uring', SLUICE_LOG_LEVEL: 'info' };
    const flags = ['--engine', 'epoll', '--admin', '127.0.0.1:0'];
    expect(await runWith(env, flags)).toMatchObject({ workers: 2, engine: 'epoll' });
  });

  it('has the variables of other balancers, with less weight', async () => {
    const others = { LOAD_BALANCER_LOG_LEVEL: 'notice', LOAD_BALANCER_WEB_PORT: '0' };
    const serving = await runWith(others, []);
    expect(serving['admin']).toMatch(/^127\.0\.0\.1:\d{2,}$/);
    const own = { ...others, LOAD_BALANCER_LOG_LEVEL: 'error', SLUICE_LOG_LEVEL: 'info' };
    expect(await runWith(own, [])).toMatchObject({ workers: 1 });
  });

  it.each([
    ['SLUICE_WORKERS', 'x'],
    ['SLUICE_ADMIN', 'x'],
    ['SLUICE_WATCH', 'x'],
    ['LOAD_BALANCER_WEB_PORT', 'x'],
    ['LOAD_BALANCER_LOG_LEVEL', 'x'],
  ])('is refused by the name of the variable: %s=%s', (name, value) => {
    const { status, stderr } = sluice(['run'], { [name]: value });
    expect(status).toBe(2);
    expect(stderr).toContain(name);
  });
});

describe('without a file', () => {
  it('there is the admin API alone', async () => {
    const args = [mainFile, 'run', '--admin', '127.0.0.1:0'];
    const program = start(scene, process.execPath, args, { cwd: scene.folder() });
    const { admin, listeners } = await program.record('serving');
    expect(listeners).toEqual([]);
    const [host = '', port] = String(admin).split(':');
    expect((await fetchAdmin({ host, port: Number(port) }, '/health')).status).toBe(200);
    program.child.kill('SIGHUP');
    await program.record('there is no configuration file to read again');
    program.child.kill('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});
