// Why connections end and connects fail: each reason is provoked alone, on a listener and a pool of
// its own, and is then counted once by everybody it concerns and by nobody else.
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { LoadBalancer } from '../../src/index.ts';
import { metricsOf, simpleConfig, startBalancer, type WholeConfig } from '../fixtures/balancers.ts';
import { type Client, openClient, type Target } from '../fixtures/clients.ts';
import { deadPort, echo, startOrigin } from '../fixtures/origins.ts';
import { startOriginProcess } from '../fixtures/programs.ts';
import type { Metrics } from '../fixtures/prometheus-text.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

interface Case {
  readonly backend: string;
  readonly listener?: Partial<WholeConfig['listeners'][string]>;
  // What ends the connection; `client` has had one byte echoed if `served`.
  readonly provoke?: (client: Client, lb: LoadBalancer) => unknown;
  readonly served?: boolean;
  // By reason, for the pool; its listener and its backend count those that concern them.
  readonly expected: Readonly<Record<string, number>>;
}

const connectReasons = ['refused', 'timeout', 'unreachable', 'other'].map(
  (how) => `connect_${how}`,
);
const listenerReasons = [
  'no_backend',
  'client_reset',
  'backend_reset',
  'idle_timeout',
  'stalled',
  'cut',
];
const backendReasons = [...connectReasons, 'backend_reset', 'cut'];

const errorsOf = (metrics: Metrics, of: string, name: string): Record<string, number> =>
  Object.fromEntries(
    metrics
      .all(`sluice_${of}_errors_total`, of === 'listener' ? { listener: name } : { pool: name })
      .map(({ labels, value }) => [labels['reason'] ?? '', value]),
  );

const only = (reasons: readonly string[], counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(reasons.map((reason) => [reason, counts[reason] ?? 0]));

// Sends without end to whoever connects, and reads nothing.
function flood(socket: Socket): void {
  const block = Buffer.alloc(64 * 1024);
  const write = (): void => {
    while (socket.writable && socket.write(block));
  };
  socket.on('drain', write);
  write();
}

// A backend whose queue of connects is full.
async function silentOrigin(): Promise<string> {
  const { address } = await startOriginProcess(scene, 'silent');
  const [host = '', port] = address.split(':');
  for (let index = 0; index < 4; index++) {
    void openClient(scene, { host, port: Number(port) }).catch(() => {});
  }
  await pause(100);
  return address;
}

async function cases(): Promise<Readonly<Record<string, Case>>> {
  const plain = await startOrigin(scene, { serve: echo });
  const resetting = await startOrigin(scene, {
    serve: (socket) => socket.once('data', () => socket.resetAndDestroy()),
  });
  const flooding = await startOrigin(scene, { serve: flood });
  const idling = await startOrigin(scene, { serve: echo });
  const drained = await startOrigin(scene, { serve: echo });
  const file = join(scene.folder(), 'file');
  writeFileSync(file, '');
  const failed = (reason: string) => ({ [`connect_${reason}`]: 1, no_backend: 1 });
  return {
    calm: {
      backend: plain.address,
      served: true,
      provoke: (client) => client.end(),
      expected: {},
    },
    client_reset: {
      backend: plain.address,
      served: true,
      provoke: (client) => client.reset(),
      expected: { client_reset: 1 },
    },
    backend_reset: {
      backend: resetting.address,
      provoke: (client) => client.write('x'),
      expected: { backend_reset: 1 },
    },
    idle_timeout: {
      backend: idling.address,
      listener: { idleTimeout: '300ms' },
      served: true,
      expected: { idle_timeout: 1 },
    },
    stalled: {
      backend: flooding.address,
      listener: { idleTimeout: '300ms' },
      provoke: (client) => client.socket.pause(),
      expected: { stalled: 1 },
    },
    cut: {
      backend: drained.address,
      served: true,
      provoke: (_, lb) => lb.pool('cut').drain(drained.address, { timeout: 0 }),
      expected: { cut: 1 },
    },
    refused: { backend: `127.0.0.1:${await deadPort()}`, expected: failed('refused') },
    timeout: { backend: await silentOrigin(), expected: failed('timeout') },
    // Nobody can be connected to at a broadcast address.
    unreachable: { backend: '127.255.255.255:80', expected: failed('unreachable') },
    // A path that leads through a file.
    other: { backend: `unix:${join(file, 'x.sock')}`, expected: failed('other') },
  };
}

async function play(lb: LoadBalancer, name: string, { served, provoke }: Case): Promise<void> {
  const client = await openClient(scene, lb.address(name) as Target);
  if (served === true) {
    client.write('x');
    await client.receive(1);
  }
  await provoke?.(client, lb);
  await until(
    `the connection of ${name} has ended`,
    () => {
      const { connections, connectionsTotal } = lb.stats().listeners[name] ?? {};
      return connectionsTotal === 1 && connections === 0;
    },
    10_000,
  );
}

forEachEngine((engine) => {
  it('are counted once each by listener, pool and backend', async () => {
    const table = await cases();
    const names = Object.keys(table);
    const entries = <T>(make: (name: string, one: Case) => T): Record<string, T> =>
      Object.fromEntries(Object.entries(table).map(([name, one]) => [name, make(name, one)]));
    const lb = await startBalancer(scene, {
      workers: 2,
      engine,
      listeners: entries((name, { listener }) => ({
        listen: '127.0.0.1:0',
        mode: 'tcp' as const,
        routes: [{ pool: name }],
        ...listener,
      })),
      pools: entries((_, { backend }) => ({ backends: [backend], connectTimeout: '300ms' })),
    });
    await Promise.all(Object.entries(table).map(([name, one]) => play(lb, name, one)));

    const metrics = metricsOf(lb);
    for (const [name, { expected }] of Object.entries(table)) {
      const counted = (of: string) => errorsOf(metrics, of, name);
      const all = [...connectReasons, ...listenerReasons];
      expect(counted('pool'), `pool ${name}`).toEqual(only(all, expected));
      expect(counted('listener'), `listener ${name}`).toEqual(only(listenerReasons, expected));
      expect(counted('backend'), `backend of ${name}`).toEqual(only(backendReasons, expected));
      expect(metrics.one('sluice_pool_retries_total', { pool: name }), name).toBe(0);
    }
    expect(metrics.sum('sluice_worker_stalls_cut_total')).toBe(1);
    expect(metrics.sum('sluice_worker_connections_rejected_total')).toBe(0);
    for (const [of, reasons] of [
      ['listener', listenerReasons],
      ['backend', backendReasons],
    ] as const) {
      for (const reason of reasons) {
        const by = metrics.sum(`sluice_${of}_errors_total`, { reason });
        expect(by, reason).toBe(metrics.sum('sluice_pool_errors_total', { reason }));
      }
    }

    const { listeners, pools } = lb.stats();
    const total = (errors: object | undefined): number =>
      Object.values(errors ?? {}).reduce((sum: number, count: number) => sum + count, 0);
    for (const name of names) {
      const backend = Object.values(pools[name]?.backends ?? {})[0];
      expect(total(listeners[name]?.errors), name).toBe(name === 'calm' ? 0 : 1);
      expect(total(pools[name]?.errors)).toBe(total(errorsOf(metrics, 'pool', name)));
      expect(total(backend?.errors)).toBe(total(errorsOf(metrics, 'backend', name)));
    }
  });

  it('are the first of several', async () => {
    // Its buffers are of one size and full soon.
    const path = join(scene.folder(), 'x.sock');
    const deaf = await startOrigin(scene, { path, serve: (socket) => socket.pause() });
    const lb = await startBalancer(
      scene,
      simpleConfig(engine, [deaf.address], { listener: { idleTimeout: '500ms' } }),
    );
    const client = await openClient(scene, lb.address('in') as Target);
    const stats = () => ({ in: lb.stats().listeners['in'], web: lb.stats().pools['web'] });
    const held = (): number => (stats().in?.receivedBytes ?? 0) - (stats().web?.sentBytes ?? 0);
    // In small pieces: bulk is moved without a receive that could notice the reset.
    for (let stuck = 0, written = 0; stuck < 20; written++) {
      if (written > 5000) throw new Error('the backend takes everything');
      stuck = held() > 0 ? stuck + 1 : 0;
      if (stuck < 2) client.write(Buffer.alloc(1024));
      await pause(1);
    }
    client.reset();
    await until('the reset is noticed', () => stats().in?.errors.clientReset === 1);
    expect(stats().in?.connections).toBe(1);
    // What the backend does not take keeps the connection until nothing has moved for its time.
    await until('it has ended', () => stats().in?.connections === 0);
    const expected = only(listenerReasons, { client_reset: 1 });
    expect(errorsOf(metricsOf(lb), 'listener', 'in')).toEqual(expected);
    expect(errorsOf(metricsOf(lb), 'pool', 'web')).toMatchObject(expected);
    expect(metricsOf(lb).sum('sluice_worker_stalls_cut_total')).toBe(0);
  });

  it('tell the limit of all listeners from that of one', async () => {
    const { address } = await startOrigin(scene, { serve: echo });
    const listener = { listen: '127.0.0.1:0', mode: 'tcp' as const, routes: [{ pool: 'web' }] };
    const lb = await startBalancer(scene, {
      workers: 2,
      engine,
      maxConnections: 2,
      listeners: { one: { ...listener, maxConnections: 1 }, other: listener },
      pools: { web: { backends: [address] } },
    });
    const open = async (name: string): Promise<Client> => {
      const client = await openClient(scene, lb.address(name) as Target);
      client.write('x');
      return client;
    };
    await (await open('one')).receive(1);
    await (await open('one')).ended();
    await (await open('other')).receive(1);
    await (await open('other')).ended();
    const metrics = metricsOf(lb);
    const name = 'connections_rejected_total';
    expect(metrics.one(`sluice_listener_${name}`, { listener: 'one' })).toBe(1);
    expect(metrics.one(`sluice_listener_${name}`, { listener: 'other' })).toBe(0);
    expect(metrics.sum(`sluice_worker_${name}`, { reason: 'connections_max' })).toBe(1);
    expect(metrics.sum(`sluice_worker_${name}`, { reason: 'listener_gone' })).toBe(0);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
  });
});
