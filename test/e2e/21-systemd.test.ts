// What systemd is told of `sluice run`, by a receiver in its place, and its unit file.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { threadNamed } from '../fixtures/process-facts.ts';
import {
  buildOnce,
  compiled,
  mainFile,
  type Program,
  serving,
  sluice,
  start,
  startRun,
  writeConfig,
} from '../fixtures/programs.ts';
import { forEachEngine, pause, root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

async function receiver(path: string): Promise<Program> {
  const script = join(root, 'test/fixtures/notify-receiver.py');
  const program = start(scene, 'python3', [script, path]);
  await program.line(/^bound$/);
  return program;
}
const told = (program: Program): string[] =>
  program.out.slice(1).map((line) => JSON.parse(line) as string);

// Whether a count stays what it is for a second.
async function silent(count: () => number): Promise<boolean> {
  const before = count();
  await pause(1000);
  return count() === before;
}

let names = 0;
const abstractName = (): string => `@sluice-test-${process.pid}-${names++}`;

forEachEngine((engine) => {
  it.each(['a path', 'an abstract name'])('is told of each step, over %s', async (kind) => {
    const path = kind === 'a path' ? join(scene.folder(), 'notify') : abstractName();
    const manager = await receiver(path);
    const origin = await startOrigin(scene, { serve: nameOnly });
    const file = writeConfig(scene, simpleConfig(engine, [origin.address]));
    const program = startRun(scene, file, {
      spawn: { env: { ...process.env, NOTIFY_SOCKET: path } },
    });
    const served = await serving(scene, program, engine);
    await manager.line(/READY=1/);
    expect(told(manager)).toEqual([
      `READY=1\nSTATUS=serves in: 2 workers on ${engine}, generation 1`,
    ]);
    await served.prove(engine);

    const before = process.hrtime.bigint() / 1000n;
    program.child.kill('SIGHUP');
    await program.record('configuration read again');
    writeFileSync(file, '{ "listeners": 1 }');
    program.child.kill('SIGHUP');
    await manager.line(/was not taken over/);
    const after = process.hrtime.bigint() / 1000n;
    const [reloading, ready, again, kept, ...more] = told(manager).slice(1);
    for (const text of [reloading, again]) {
      const at = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(text ?? '')?.[1] ?? 0);
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(after);
    }
    expect(ready).toMatch(/^READY=1\nSTATUS=serves in: .*generation \d+$/);
    expect(kept).toMatch(/^READY=1\nSTATUS=the new configuration was not taken over: /);
    expect(more).toEqual([]);

    program.child.kill('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    await manager.line(/STOPPING/);
    expect(told(manager).at(-1)).toBe('STOPPING=1\nSTATUS=connections may end');
    expect(told(manager).filter((text) => text.includes('WATCHDOG'))).toEqual([]);
  });
});

it('is given signs of life while the workers turn, and none while one does not', async () => {
  const path = abstractName();
  const manager = await receiver(path);
  const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '200000' };
  const file = writeConfig(scene, simpleConfig('epoll', []));
  const program = startRun(scene, file, { spawn: { env } });
  const served = await serving(scene, program, 'epoll');
  await served.prove('epoll');
  const beats = (): number => told(manager).filter((text) => text === 'WATCHDOG=1').length;
  await until('signs of life', () => beats() > 3, 10_000);
  const freezer = start(scene, compiled('freeze-thread'), [
    String(threadNamed(program.pid, 'sluice-1')),
  ]);
  await freezer.line(/frozen/);
  // Ten a second as long as there are any; they end when the worker has not turned for 2 s.
  await until('silence', () => silent(beats), 15_000);
  const last = beats();
  freezer.tell('thaw');
  await freezer.exited;
  await until('signs of life again', () => beats() > last, 10_000);
});

it('serves although nobody receives, and says so', async () => {
  const path = join(scene.folder(), 'nobody');
  const env = { ...process.env, NOTIFY_SOCKET: path };
  const file = writeConfig(scene, simpleConfig('epoll', []));
  const program = startRun(scene, file, { spawn: { env } });
  await serving(scene, program, 'epoll');
  const record = await program.record('the service manager was not told');
  expect(record).toMatchObject({ level: 'warn', state: 'READY=1', error: { code: 'ENOENT' } });
});

it('keeps its process id in a file while it serves', async () => {
  const pidfile = join(scene.folder(), 'sluice.pid');
  const file = writeConfig(scene, simpleConfig('epoll', []));
  const program = startRun(scene, file, { args: ['--pidfile', pidfile] });
  const served = await serving(scene, program, 'epoll');
  expect(readFileSync(pidfile, 'utf8')).toBe(`${program.pid}\n`);
  await served.prove('epoll');
  program.child.kill('SIGTERM');
  expect((await program.exited).code).toBe(0);
  expect(existsSync(pidfile)).toBe(false);

  const nowhere = sluice(['run', '-c', file, '--admin', 'off', '--pidfile', '/nowhere/pid']);
  expect(nowhere.status).toBe(1);
  expect(nowhere.stderr).toMatch(/^sluice: cannot write the pidfile \/nowhere\/pid: .*ENOENT/m);
});

it('logs in the form that is asked for', async () => {
  const file = writeConfig(scene, simpleConfig('epoll', []));
  const args = ['--log-format', 'console'];
  const program = startRun(scene, file, { args });
  await expect.poll(() => program.output, { timeout: 10_000 }).toMatch(/INFO +serving listeners=/);
  expect(program.records()).toEqual([]);
  program.child.kill('SIGTERM');
  await program.exited;
});

it('has a unit file that systemd understands', () => {
  const text = readFileSync(join(root, 'examples/sluice.service'), 'utf8');
  // What it starts has to exist.
  const unit = join(scene.folder(), 'sluice.service');
  writeFileSync(unit, text.replace('/usr/bin/sluice', `${process.execPath} ${mainFile}`));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], {
    encoding: 'utf8',
  });
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  const broken = join(scene.folder(), 'broken.service');
  writeFileSync(broken, text.replace('WatchdogSec', 'WatchdogSek'));
  const second = spawnSync('systemd-analyze', ['verify', '--man=no', broken], { encoding: 'utf8' });
  expect(second.stderr).toContain('WatchdogSek');
});
