// Peers that take long: who still acknowledges is slow, who does not is cut. And bulk, which leaves
// the copying path and comes back to it.
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import { openClient, type Target } from '../fixtures/clients.ts';
import {
  type Compared,
  comparedTimeoutMs,
  expectUnaffected,
  measure,
  type Run,
} from '../fixtures/compared.ts';
import { buildLoad, freePorts } from '../fixtures/load-programs.ts';
import {
  buildOnce,
  type Program,
  runSluice,
  start,
  startOriginProcess,
} from '../fixtures/programs.ts';
import { forEachEngine, pause, root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const exitAtReset = 3; // of the slow reader
const floodBytes = 100 * 1024 * 1024;

async function slowReader(target: Target, bytes: number, everyMs: number): Promise<Program> {
  if (!('port' in target)) throw new Error('the slow reader knows IPv4 only');
  const script = join(root, 'test/fixtures/slow-reader.py');
  const words = [script, target.host, target.port, bytes, everyMs].map(String);
  const program = start(scene, 'python3', words);
  await program.line(/connected/);
  return program;
}

forEachEngine((engine) => {
  const serveFlood = async (idleTimeout: string) => {
    const flood = await startOriginProcess(scene, 'flood');
    return runSluice(scene, simpleConfig(engine, [flood.address], { listener: { idleTimeout } }));
  };

  it('a reader that acknowledges outlives the idle timeout, a stopped one is reset', async () => {
    const served = await serveFlood('600ms');
    const cut = async (): Promise<number> =>
      (await served.metrics()).sum('sluice_worker_stalls_cut_total');
    // So slow that a send completes once in several idle timeouts.
    const slow = await slowReader(served.address(), 32 * 1024, 50);
    const stopped = await slowReader(served.address(), 32 * 1024, 50);
    stopped.child.kill('SIGSTOP');
    await until('it is cut', async () => (await cut()) > 0, 10_000);
    stopped.child.kill('SIGCONT');
    expect((await stopped.exited).code).toBe(exitAtReset);
    await pause(3000);
    expect(slow.hasExited).toBe(false);
    expect(await cut()).toBe(1);
    const metrics = await served.metrics();
    expect(metrics.one('sluice_pool_errors_total', { reason: 'stalled' })).toBe(1);
    expect(metrics.one('sluice_pool_connections_active')).toBe(1);
  });

  it('bulk is spliced, and its pipes are given back', async () => {
    const served = await serveFlood('60s');
    const client = await openClient(scene, served.address());
    await client.ended();
    expect(client.received).toBe(floodBytes);
    client.close();
    const lent = async (): Promise<number> =>
      (await served.metrics()).sum('sluice_worker_pipes_lent');
    await until('no pipe is lent', async () => (await lent()) === 0);
    const metrics = await served.metrics();
    const spliced = metrics.sum('sluice_worker_engine_spliced_bytes_total');
    expect(spliced).toBeGreaterThan(floodBytes / 2);
    expect(metrics.sum('sluice_worker_pipes_refused_total')).toBe(0);
  });

  it(
    'a reader that is slow takes nothing from other traffic',
    async () => {
      const flood = await startOriginProcess(scene, 'flood');
      const origins = await freePorts(2);
      const config = simpleConfig(
        engine,
        origins.map((port) => `127.0.0.1:${port}`),
      );
      const served = await runSluice(scene, {
        ...config,
        listeners: {
          ...config.listeners,
          flood: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'flood' }] },
        },
        pools: { ...config.pools, flood: { backends: [flood.address] } },
      });
      const site = { pid: served.program.pid, target: served.address(), origins };
      const beside = async (): Promise<Run> => {
        const reader = await slowReader(served.address('flood'), 64 * 1024, 50);
        await pause(100);
        const run = await measure(scene, site, 0.7);
        expect(reader.hasExited).toBe(false);
        reader.child.kill('SIGKILL');
        await reader.exited;
        return run;
      };
      await measure(scene, site, 0.5); // The first connections cost more.
      const compare = async (): Promise<Compared> => {
        const usual: Run[] = [];
        const affected: Run[] = [];
        for (let round = 0; round < 2; round++) {
          usual.push(await measure(scene, site, 0.7));
          affected.push(await beside());
        }
        usual.push(await measure(scene, site, 0.7));
        return { usual, affected };
      };
      await expectUnaffected(`${engine}, beside a slow reader`, compare);
    },
    comparedTimeoutMs,
  );
});
