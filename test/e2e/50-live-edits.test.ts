// A pool is edited a thousand times while a thousand connections are open: none of them closes.
import { beforeAll, expect, it } from 'vitest';
import { assertServedBy, metricsOf, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, openClients, type Target } from '../fixtures/clients.ts';
import {
  type Compared,
  comparedTimeoutMs,
  expectUnaffected,
  measure,
  type Run,
} from '../fixtures/compared.ts';
import { BalancerProcess, buildLoad, freePorts } from '../fixtures/load-programs.ts';
import { echo, startOrigins } from '../fixtures/origins.ts';
import { buildOnce } from '../fixtures/programs.ts';
import { forEachEngine, root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const connections = 1000;
const edits = 1000;

forEachEngine((engine) => {
  it('closes no connection', async () => {
    const origins = await startOrigins(scene, ['a', 'b', 'c', 'd'], echo);
    const [a = '', b = '', c = '', d = ''] = origins.map(({ address }) => address);
    const config = simpleConfig(engine, [a, b]);
    const lb = await startBalancer(scene, config);
    const target = lb.address('in') as Target;
    const clients = await openClients(scene, target, connections);
    for (const client of clients) client.write('x');
    await Promise.all(clients.map((client) => client.receive(1)));

    const pool = lb.pool('web');
    for (let edit = 0; edit < edits; edit += 4) {
      // What is removed has no connections, or is given the time to lose them.
      await pool.add({ address: c, weight: 1 + (edit % 3) });
      await pool.update(a, { weight: 1 + (edit % 5) });
      const next = edit % 8 === 0 ? [a, b, d] : [a, b];
      await lb.apply({ ...config, pools: { web: { backends: next, drainTimeout: '1h' } } });
      if (pool.backends().some(({ id, removing }) => id === c && !removing)) await pool.remove(c);
      else await pool.update(b, { weight: 1 + (edit % 7) });
      if (edit % 100 === 0) expect((await exchange(target, 'y')).toString()).toBe('y');
    }

    expect(clients.filter((client) => !client.isOpen)).toEqual([]);
    for (const client of clients) client.write('z');
    await Promise.all(clients.map((client) => client.receive(2)));
    const metrics = metricsOf(lb);
    expect(metrics.one('sluice_listener_connections_active')).toBe(connections);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
    expect(metrics.one('sluice_config_generation')).toBeGreaterThan(edits / 20);
    assertServedBy(metrics, engine);
    for (const client of clients) client.close();
    await until('all freed', () => metricsOf(lb).one('sluice_listener_connections_active') === 0);
  }, 60_000);

  it('closes only the connections of what is removed, when their time is over', async () => {
    const [a, b] = await startOrigins(scene, ['a', 'b'], echo);
    const lb = await startBalancer(
      scene,
      simpleConfig(engine, [a?.address ?? '', b?.address ?? '']),
    );
    const target = lb.address('in') as Target;
    const clients = await openClients(scene, target, 40);
    for (const client of clients) client.write('x');
    await Promise.all(clients.map((client) => client.receive(1)));
    const onB = b?.open.size ?? 0;
    expect(onB).toBeGreaterThan(10);
    const { cut } = await lb.pool('web').remove(b?.address ?? '', { timeout: '100ms' });
    expect(cut).toBe(onB);
    await until('ended', () => clients.filter((client) => !client.isOpen).length === onB);
    const left = clients.filter((client) => client.isOpen);
    for (const client of left) client.write('y');
    await Promise.all(left.map((client) => client.receive(2)));
    assertServedBy(metricsOf(lb), engine);
  });

  it(
    'has no effect on traffic beyond noise',
    async () => {
      const origins = await freePorts(2);
      const addresses = origins.map((port) => `127.0.0.1:${port}`);
      const lb = await BalancerProcess.start(scene, simpleConfig(engine, addresses));
      const site = { pid: lb.program.pid, target: lb.target, origins };
      const edited = async (): Promise<Run> => {
        lb.program.out.length = 0;
        lb.program.tell('edit 900');
        const run = await measure(scene, site, 0.7);
        const { edits } = JSON.parse(await lb.program.line(/"edits"/)) as { edits: number };
        expect(edits).toBeGreaterThan(5);
        return run;
      };
      await measure(scene, site, 0.5); // The first connections cost more.
      const compare = async (): Promise<Compared> => {
        const usual: Run[] = [];
        const affected: Run[] = [];
        for (let round = 0; round < 2; round++) {
          usual.push(await measure(scene, site, 0.7));
          affected.push(await edited(), await edited());
          usual.push(await measure(scene, site, 0.7));
        }
        return { usual, affected };
      };
      await expectUnaffected(`${engine}, edited`, compare);
    },
    comparedTimeoutMs,
  );
});
