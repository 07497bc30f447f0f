// A listener goes while connections are queued that cannot be accepted, for want of descriptors:
// the kernel resets them, and they are counted.
import { beforeAll, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import { openClients } from '../fixtures/clients.ts';
import { BalancerProcess } from '../fixtures/load-programs.ts';
import { startOrigin } from '../fixtures/origins.ts';
import { buildOnce } from '../fixtures/programs.ts';
import type { Metrics } from '../fixtures/prometheus-text.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const accepted = (metrics: Metrics): number =>
  metrics.sum('sluice_worker_connections_accepted_total');

forEachEngine((engine) => {
  it('counts what the kernel resets', async () => {
    const queued = 20;
    const { address } = await startOrigin(scene);
    const config = simpleConfig(engine, [address]);
    const lb = await BalancerProcess.start(scene, config, ['prlimit', '--nofile=200:200']);
    await lb.prove(engine);
    const active = async (): Promise<number> =>
      (await lb.metrics()).one('sluice_listener_connections_active');
    await until('no descriptor comes back', async () => (await active()) === 0);
    for (let round = 0; round < 2; round++) {
      await pause(50); // A descriptor is closed a little after its connection has ended.
      lb.program.out.length = 0;
      lb.program.tell('fill');
      expect(await lb.program.line(/"full"/)).toContain('EMFILE');
    }
    const before = accepted(await lb.metrics());
    const clients = await openClients(scene, lb.target, queued);
    const shortOf = { reason: 'descriptors' };
    const refused = async (): Promise<number> =>
      (await lb.metrics()).sum('sluice_worker_accept_errors_total', shortOf);
    await until('accepting fails', async () => (await refused()) > 0);
    lb.program.tell(`apply ${JSON.stringify({ ...config, listeners: {} })}`);
    await lb.program.line(/"applied"/);
    const metrics = await lb.metrics();
    const reset = metrics.sum('sluice_worker_connections_reset_at_stop_total');
    expect(reset).toBeGreaterThan(0);
    // The worker that closes its socket first gives the other a descriptor to accept with.
    expect(reset + accepted(metrics) - before).toBe(queued);
    const ends = await Promise.all(clients.map((client) => client.ended()));
    expect(ends.filter(({ how }) => how === 'reset').length).toBeGreaterThanOrEqual(reset);
  });
});
