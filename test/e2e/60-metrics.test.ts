// What /metrics says equals what clients and backends counted, exactly.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import {
  assertServedBy,
  metricsOf,
  serveByAll,
  simpleConfig,
  startBalancer,
} from '../fixtures/balancers.ts';
import { exchange, openClient, openClients, type Target } from '../fixtures/clients.ts';
import { deadPort, echo, startOrigins } from '../fixtures/origins.ts';
import { forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

forEachEngine((engine) => {
  it('counts every connection and byte', async () => {
    const origins = await startOrigins(scene, ['a', 'b', 'c'], echo);
    const lb = await startBalancer(
      scene,
      simpleConfig(
        engine,
        origins.map(({ address }) => address),
      ),
    );
    const target = lb.address('in') as Target;
    // One byte each.
    let connections = await serveByAll(target, () => metricsOf(lb));
    let bytes = connections;
    for (let round = 0; round < 10; round++) {
      const sizes = [0, 1, 1000, 65_536, 300_000 + round];
      const answers = await Promise.all(sizes.map((size) => exchange(target, Buffer.alloc(size))));
      expect(answers.map(({ length }) => length)).toEqual(sizes);
      connections += sizes.length;
      bytes += sizes.reduce((sum, size) => sum + size, 0);
    }
    const open = await openClients(scene, target, 7);
    for (const client of open) client.write('12345');
    await Promise.all(open.map((client) => client.receive(5)));
    connections += open.length;
    bytes += open.length * 5;
    await until('all counted', () => metricsOf(lb).one('sluice_pool_connections_active') === 7);

    const metrics = metricsOf(lb);
    assertServedBy(metrics, engine);
    expect(metrics.one('sluice_listener_connections_total')).toBe(connections);
    expect(metrics.one('sluice_listener_connections_active')).toBe(7);
    expect(metrics.one('sluice_listener_received_bytes_total')).toBe(bytes);
    expect(metrics.one('sluice_listener_sent_bytes_total')).toBe(bytes);
    expect(metrics.one('sluice_pool_connections_total')).toBe(connections);
    expect(metrics.one('sluice_pool_sent_bytes_total')).toBe(bytes);
    expect(metrics.one('sluice_pool_received_bytes_total')).toBe(bytes);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
    expect(metrics.sum('sluice_worker_connections_accepted_total')).toBe(connections);
    expect(metrics.sum('sluice_worker_connections_active')).toBe(7);
    for (const origin of origins) {
      const backend = { backend: origin.address };
      const took = metrics.one('sluice_backend_connections_total', backend);
      expect(took).toBe(origin.connections);
      const active = metrics.one('sluice_backend_connections_active', backend);
      expect(active).toBe(origin.open.size);
    }
    expect(metrics.sum('sluice_backend_sent_bytes_total')).toBe(bytes);
    expect(metrics.sum('sluice_backend_received_bytes_total')).toBe(bytes);
    for (const [name, count] of [
      ['connect_duration_seconds', connections],
      ['connection_duration_seconds', connections - 7],
    ] as const) {
      expect(metrics.one(`sluice_pool_${name}_count`), name).toBe(count);
    }
  });

  it('counts failures by their reason', async () => {
    const [origin] = await startOrigins(scene, ['a'], echo);
    const dead = `127.0.0.1:${await deadPort()}`;
    const lb = await startBalancer(scene, {
      ...simpleConfig(engine, [origin?.address ?? '']),
      listeners: {
        in: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }] },
        out: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'gone' }] },
        few: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }], maxConnections: 1 },
      },
      pools: { web: { backends: [origin?.address ?? ''] }, gone: { backends: [dead] } },
    });
    const read = (): number =>
      metricsOf(lb).one('sluice_pool_errors_total', { pool: 'web', reason: 'client_reset' });
    const client = await openClient(scene, lb.address('in') as Target);
    client.write('x');
    await client.receive(1);
    client.reset();
    await until('the reset is counted', () => read() === 1);

    await exchange(lb.address('out') as Target, 'x').catch(() => {});
    const gone = (reason: string): number =>
      metricsOf(lb).one('sluice_pool_errors_total', { pool: 'gone', reason });
    await until('the refusal is counted', () => gone('connect_refused') === 1);
    await until('the end is counted', () => gone('no_backend') === 1);
    const failures = { pool: 'gone', backend: dead, reason: 'connect_refused' };
    expect(metricsOf(lb).one('sluice_backend_errors_total', failures)).toBe(1);

    const first = await openClient(scene, lb.address('few') as Target);
    first.write('x');
    await first.receive(1);
    const second = await openClient(scene, lb.address('few') as Target);
    await second.ended();
    const rejected = { listener: 'few' };
    expect(metricsOf(lb).one('sluice_listener_connections_rejected_total', rejected)).toBe(1);
  });

  it('keeps totals while a listener and a pool are changed', async () => {
    const origins = await startOrigins(scene, ['a', 'b'], echo);
    const [a = '', b = ''] = origins.map(({ address }) => address);
    const config = simpleConfig(engine, [a]);
    const lb = await startBalancer(scene, config);
    const target = lb.address('in') as Target;
    for (let asked = 0; asked < 10; asked++) await exchange(target, 'x');
    await lb.apply({ ...config, pools: { web: { strategy: 'p2c', backends: [b] } } });
    for (let asked = 0; asked < 10; asked++) await exchange(target, 'x');
    const metrics = metricsOf(lb);
    expect(metrics.one('sluice_listener_connections_total')).toBe(20);
    expect(metrics.one('sluice_pool_connections_total')).toBe(20);
    expect(metrics.one('sluice_backend_connections_total', { backend: b })).toBe(10);
    expect(metrics.one('sluice_config_generation')).toBeGreaterThan(1);
  });

  it('satisfies promtool', async () => {
    const [origin] = await startOrigins(scene, ['a'], echo);
    const lb = await startBalancer(scene, simpleConfig(engine, [origin?.address ?? '']));
    await exchange(lb.address('in') as Target, 'x');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: lb.metrics(),
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
    expect(status).toBe(0);
  });

  it('measures what clients measure', async () => {
    const delayMs = 60;
    const [origin] = await startOrigins(scene, ['slow'], (socket) => {
      socket.once('data', (chunk) => void setTimeout(() => socket.end(chunk), delayMs));
    });
    const lb = await startBalancer(scene, simpleConfig(engine, [origin?.address ?? '']));
    const target = lb.address('in') as Target;
    await Promise.all(Array.from({ length: 20 }, () => exchange(target, 'x')));
    const pool = lb.stats().pools['web'];
    expect(pool?.firstByte.count).toBe(20);
    expect(pool?.firstByte.p50).toBeGreaterThan(delayMs * 0.9);
    expect(pool?.firstByte.p50).toBeLessThan(delayMs * 4);
    expect(pool?.connect.p99).toBeLessThan(delayMs);
    expect(pool?.connectionsTotal).toBe(20);
  });
});
