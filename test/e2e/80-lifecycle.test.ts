// Balancers that begin and end in every way a program can bring about.
import { copyFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { beforeAll, expect, it } from 'vitest';
import type { NativeAddon } from '../../src/addon/native.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { schemaHash } from '../../src/shm/layout.gen.ts';
import {
  metricsOf,
  proveServed,
  quiet,
  serveByAll,
  simpleConfig,
  startBalancer,
} from '../fixtures/balancers.ts';
import { exchange, openClients, type Target } from '../fixtures/clients.ts';
import { BalancerProcess, buildLoad, freePorts, startLoad } from '../fixtures/load-programs.ts';
import { echo, startOrigin, startOrigins } from '../fixtures/origins.ts';
import { openFiles } from '../fixtures/process-facts.ts';
import { buildOnce, runSluice } from '../fixtures/programs.ts';
import { Metrics } from '../fixtures/prometheus-text.ts';
import { forEachEngine, pause, root, until, useScene } from '../fixtures/scene.ts';
import { proveServing } from '../fixtures/serving.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

forEachEngine((engine) => {
  it('two balancers live in one process, each with its own', async () => {
    const [a, b] = await startOrigins(scene, ['a', 'b'], echo);
    const first = await startBalancer(scene, simpleConfig(engine, [a?.address ?? '']));
    const second = await startBalancer(scene, simpleConfig(engine, [b?.address ?? '']));
    for (const lb of [first, second]) {
      await serveByAll(lb.address('in') as Target, () => metricsOf(lb));
    }
    expect(a?.connections).toBe(metricsOf(first).one('sluice_listener_connections_total'));
    expect(b?.connections).toBe(metricsOf(second).one('sluice_listener_connections_total'));
    const clients = await openClients(scene, second.address('in') as Target, 10);
    for (const client of clients) client.write('x');
    await Promise.all(clients.map((client) => client.receive(1)));
    for (const lb of [first, second]) await proveServed(lb, engine);
    await first.close();
    for (const client of clients) client.write('y');
    await Promise.all(clients.map((client) => client.receive(2)));
    expect(() => first.stats()).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_CLOSED' }));
  });

  it('begins and ends twenty times without leaving a descriptor', async () => {
    const { address } = await startOrigin(scene);
    const once = async (): Promise<void> => {
      await using lb = await createLoadBalancer(simpleConfig(engine, [address]), { logger: quiet });
      const target = lb.address('in') as Target;
      expect((await exchange(target, 'x')).toString()).toBe('x');
      await proveServed(lb, engine);
    };
    await once();
    await pause(50);
    const before = openFiles(process.pid);
    for (let round = 0; round < 20; round++) await once();
    await until('all closed', () => openFiles(process.pid) <= before + 2);
  });

  it('waits for connections to end, and cuts them when the time is over', async () => {
    const { address } = await startOrigin(scene);
    const lb = await startBalancer(scene, simpleConfig(engine, [address]));
    const [patient, stubborn] = await openClients(scene, lb.address('in') as Target, 2);
    for (const client of [patient, stubborn]) {
      client?.write('x');
      await client?.receive(1);
    }
    await proveServed(lb, engine);
    const start = performance.now();
    const closed = lb.close({ timeout: 500 });
    patient?.end('bye');
    expect((await patient?.receive(4))?.toString()).toBe('xbye');
    await closed;
    expect(performance.now() - start).toBeGreaterThan(400);
    expect(await stubborn?.ended()).toMatchObject({ how: expect.stringMatching(/end|reset/) });
  });

  it.each(['exit 0', 'exit 7', 'close'])('ends well under load by `%s`', async (command) => {
    const { balancer, result } = await loaded(engine);
    balancer.program.tell(command);
    const exit = await balancer.program.exited;
    const code = Number(command.split(' ')[1] ?? 0);
    expect({ ...exit, errors: balancer.program.errors }).toEqual({
      code,
      signal: null,
      errors: [],
    });
    expect((await result).work).toBeGreaterThan(0);
  });

  it('SIGTERM under load breaks no exchange', async () => {
    const origins = await freePorts(2);
    const backends = origins.map((port) => `127.0.0.1:${port}`);
    const served = await runSluice(scene, simpleConfig(engine, backends));
    const { result } = startLoad(scene, served.address(), origins, { seconds: 1.5 });
    await pause(800);
    await served.prove(engine);
    served.program.child.kill('SIGTERM');
    await served.program.record('draining');
    // What the kernel had queued meanwhile is still served.
    const isRefused = (): Promise<boolean> =>
      exchange(served.address()).then(
        () => false,
        () => true,
      );
    await until('new connections are refused', isRefused);
    const { errors, first_error, work } = await result;
    expect({ errors, first_error }).toEqual({ errors: 0, first_error: '' });
    expect(work).toBeGreaterThan(1000);
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it('works in a worker thread, and ends with it', async () => {
    const { address } = await startOrigin(scene);
    const config = JSON.stringify(simpleConfig(engine, [address]));
    const source = `
      const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(join(root, 'dist/index.js'))}).then(async (sluice) => {
        const lb = await sluice.createLoadBalancer(${config});
        parentPort.on('message', () => parentPort.postMessage(lb.metrics()));
        parentPort.postMessage(lb.address('in'));
      });`;
    const thread = new Worker(source, { eval: true });
    scene.after(() => thread.terminate());
    const heard = <T>(): Promise<T> =>
      new Promise((resolve, reject) => {
        thread.once('message', resolve);
        thread.once('error', reject);
      });
    const target = await heard<Target>();
    const clients = await openClients(scene, target, 20);
    for (const client of clients) client.write('x');
    await Promise.all(clients.map((client) => client.receive(1)));
    const read = async (): Promise<Metrics> => {
      const answer = heard<string>();
      thread.postMessage('metrics');
      return new Metrics(await answer);
    };
    await proveServing(target, read, engine);
    await thread.terminate();
    await Promise.all(clients.map((client) => client.ended()));
    await expect(exchange(target, 'x')).rejects.toThrow();
  });
});

forEachEngine((engine) => {
  it('the addon may be loaded twice, from two places', async () => {
    const require = createRequire(import.meta.url);
    const built = join(root, 'build/Release/sluice.node');
    expect(existsSync(built)).toBe(true);
    const copy = join(scene.folder(), 'copy.node');
    copyFileSync(built, copy);
    const addons = [built, copy].map((path) => require(path) as NativeAddon);
    expect(addons[0]).not.toBe(addons[1]);
    for (const addon of addons) {
      expect(addon.layoutHash()).toBe(schemaHash);
      const { fleet, region, areas } = addon.open(2);
      addon.start(fleet, engine === 'io_uring' ? 1 : 2, 1000, [-1, -1]);
      expect(region.byteLength).toBeGreaterThan(0);
      expect(addon.stop(fleet, 2000)).toBe(0);
      expect(region.byteLength).toBe(0);
      expect(areas.map(({ byteLength }) => byteLength)).toEqual([0, 0]);
    }
    // And the first one still serves.
    const { address } = await startOrigin(scene);
    const lb = await startBalancer(scene, simpleConfig(engine, [address]));
    expect((await exchange(lb.address('in') as Target, 'x')).toString()).toBe('x');
  });
});

async function loaded(engine: 'io_uring' | 'epoll') {
  const origins = await freePorts(2);
  const backends = origins.map((port) => `127.0.0.1:${port}`);
  const balancer = await BalancerProcess.start(scene, simpleConfig(engine, backends));
  const { result } = startLoad(scene, balancer.target, origins, { seconds: 1.5 });
  await pause(800);
  await balancer.prove(engine);
  return { balancer, result };
}
