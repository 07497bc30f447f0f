// A signal that is aborted ends whatever a caller waits for, at once and with its reason: before,
// and while workers, lookups, files or connections let it wait.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, open, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type Config, createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { proveServed, quiet, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, openClient, type Target } from '../fixtures/clients.ts';
import { echo, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, compiled, runSluice, start } from '../fixtures/programs.ts';
import { forEachEngine, pause, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());
const reason = new Error('never mind');
const backend = '127.0.0.1:9';
const abortAfterMs = 50;
// Far below everything that is waited for.
const atOnceMs = 500;

// `wait` goes on when the signal comes, and then ends at once with the signal's reason.
async function expectAborted(wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  let ended = false;
  const outcome = wait(controller.signal).then(
    () => 'resolved',
    (error: unknown) => error,
  );
  void outcome.then(() => {
    ended = true;
  });
  await pause(abortAfterMs);
  expect(ended).toBe(false);
  const start = performance.now();
  controller.abort(reason);
  expect(await outcome).toBe(reason);
  expect(performance.now() - start).toBeLessThan(atOnceMs);
}

// Names are looked up, and files read, by four threads of the process: all of them wait here, for
// pipes that nobody writes to, until the scene ends.
function blockLookups(): () => void {
  const threads = 4;
  const folder = scene.folder();
  const pipes = Array.from({ length: threads }, (_, index) => join(folder, `pipe${index}`));
  execFileSync('mkfifo', pipes);
  for (const pipe of pipes) {
    open(pipe, 'r', (_, descriptor) => {
      if (descriptor !== undefined) closeSync(descriptor);
    });
  }
  let released = false;
  const release = (): void => {
    if (released) return;
    released = true;
    // A pipe opened both ways waits for nobody, and lets the readers go.
    for (const pipe of pipes) closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
  };
  scene.after(async () => {
    release();
    await pause(20); // before the folder goes
  });
  return release;
}

async function freeze(lb: LoadBalancer): Promise<void> {
  const { threadId } = lb.view().reader.worker(1);
  const helper = start(scene, compiled('freeze-thread'), [String(threadId)]);
  await helper.line(/frozen/);
}

forEachEngine((engine) => {
  const byName = (): Config => simpleConfig(engine, ['localhost:9']);

  it('before anything has begun: nothing is done', async () => {
    const lb = await startBalancer(scene, simpleConfig(engine, [backend]));
    const pool = lb.pool('web');
    const before = [lb.view().sequence, pool.backends()[0]];
    const signal = AbortSignal.abort(reason);
    const waits: Record<string, () => Promise<unknown>> = {
      start: () => createLoadBalancer(simpleConfig(engine, []), { signal, logger: quiet }),
      apply: () => lb.apply(simpleConfig(engine, []), { signal }),
      add: () => pool.add('127.0.0.1:10', { signal }),
      remove: () => pool.remove(backend, { signal }),
      update: () => pool.update(backend, { weight: 3 }, { signal }),
      drain: () => pool.drain(backend, { signal }),
      undrain: () => pool.undrain(backend, { signal }),
    };
    for (const [name, wait] of Object.entries(waits)) {
      await expect(wait(), name).rejects.toBe(reason);
    }
    expect([lb.view().sequence, pool.backends()[0]]).toEqual(before);
  });

  it('while a worker does not follow', async () => {
    const config = simpleConfig(engine, [backend]);
    const lb = await startBalancer(scene, config);
    const pool = lb.pool('web');
    await proveServed(lb, engine);
    await freeze(lb);
    await expectAborted((signal) => pool.update(backend, { weight: 3 }, { signal }));
    await expectAborted((signal) => pool.undrain(backend, { signal }));
    await expectAborted((signal) => pool.drain(backend, { signal }));
    await expectAborted((signal) => pool.add('127.0.0.1:10', { signal }));
    await expectAborted((signal) => lb.apply(config, { signal }));
    // What was live is done all the same: only the waiting ended.
    expect(pool.backends()[0]).toMatchObject({ weight: 3 });
  });

  it('while names are looked up', async () => {
    const lb = await startBalancer(scene, simpleConfig(engine, [backend]));
    const before = lb.view().sequence;
    blockLookups();
    await expectAborted((signal) => createLoadBalancer(byName(), { signal, logger: quiet }));
    await expectAborted((signal) => lb.apply(byName(), { signal }));
    await expectAborted((signal) => lb.pool('web').add('localhost:9', { signal }));
    expect(lb.view().sequence).toBe(before);
    expect(lb.pool('web').backends()).toHaveLength(1);
  });

  it('while a file is read', async () => {
    const file = join(scene.folder(), 'sluice.json');
    writeFileSync(file, JSON.stringify(simpleConfig(engine, [backend])));
    const lb = await startBalancer(scene, { file }, engine);
    const release = blockLookups();
    await expectAborted((signal) => lb.reload({ signal }));
    await expectAborted((signal) => createLoadBalancer(file, { signal, logger: quiet }));
    release();
    expect(await lb.reload()).toMatchObject({ workers: 2 });
  });

  it('while connections end: closing then cuts what is left', async () => {
    const { address } = await startOrigin(scene, { serve: echo });
    const lb = await startBalancer(scene, simpleConfig(engine, [address]));
    await proveServed(lb, engine);
    const client = await openClient(scene, lb.address('in') as Target);
    client.write('x');
    await client.receive(1);
    const controller = new AbortController();
    const closed = lb.close({ timeout: '20s', signal: controller.signal });
    await pause(abortAfterMs);
    client.write('y');
    await client.receive(2);
    const start = performance.now();
    controller.abort(reason);
    await closed;
    expect(performance.now() - start).toBeLessThan(atOnceMs);
    expect(['end', 'reset']).toContain((await client.ended()).how);
  });

  it('SIGTERM is followed while the file is read again', async () => {
    const pipe = join(scene.folder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const preload = join(scene.folder(), 'block.cjs');
    const blocking = Array(4).fill(`open('${pipe}', 'r', () => {});`).join(' ');
    writeFileSync(
      preload,
      `const { open } = require('node:fs');
      process.on('SIGUSR2', () => { ${blocking} console.log('blocked'); });\n`,
    );
    const served = await runSluice(scene, simpleConfig(engine, [backend]), {
      spawn: { env: { ...process.env, NODE_OPTIONS: `--require ${preload}` } },
    });
    await served.prove(engine);
    const { child } = served.program;
    child.kill('SIGUSR2');
    await served.program.line(/blocked/);
    child.kill('SIGHUP');
    await pause(abortAfterMs);
    child.kill('SIGTERM');
    await served.program.record('ended', 3000);
    await expect(exchange(served.address())).rejects.toThrow('ECONNREFUSED');
    // Node joins its threads: the process is gone when the system's lookup is over.
    closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
    expect(served.program.records()).not.toContainEqual(
      expect.objectContaining({ message: 'configuration read again' }),
    );
  });
});
