import { afterEach, describe, expect, it } from 'vitest';
import { AdminState } from '../../../src/shm/layout.gen.ts';
import { Decoded } from '../../fixtures/decode.ts';
import { address, config, type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';
import { FakeFleet } from '../../fixtures/fake-fleet.ts';
import { pause, until } from '../../fixtures/scene.ts';

const open: FakeBalancer[] = [];
afterEach(async () => {
  for (const { core } of open.splice(0)) await core.close(0);
});
async function start(...args: Parameters<typeof fakeBalancer>): Promise<FakeBalancer> {
  const made = await fakeBalancer(...args);
  open.push(made);
  return made;
}
const addresses = (fleet: FakeFleet, pool = 0): string[] => {
  const read = new Decoded(fleet);
  return read.members(pool).map((slot) => {
    const { address: host, port } = read.backend(slot);
    return `${host}:${port}`;
  });
};
const publications = ({ fleet }: FakeBalancer): number =>
  fleet.calls.filter((call) => call === 'publish').length;
const code = (value: string) => expect.objectContaining({ code: value });

describe('start', () => {
  it('publishes before the workers run and waits until all follow', async () => {
    const { fleet, core } = await start(config([address(1)]));
    expect(core.controller.sequence).toBe(1);
    expect(addresses(fleet)).toEqual([address(1)]);
    const read = new Decoded(fleet);
    expect(read.descriptors(0)).toEqual([100, 101]);
    expect(read.route(0, '')).toBe(0);
    expect(read.head('maxConnections')).toBe(5000);
    expect(fleet.started).toMatchObject({ engine: 'auto', cpus: [-1, -1] });
  });

  it('leaves nothing behind when an address is taken', async () => {
    const fleet = new FakeFleet(2);
    fleet.listenError = Object.assign(new Error('bind: EADDRINUSE'), { code: 'EADDRINUSE' });
    const two = {
      ...config([]),
      listeners: {
        a: { listen: 'fd:9', mode: 'tcp' as const, routes: [{ pool: 'web' }] },
        b: { listen: ':80', mode: 'tcp' as const, routes: [{ pool: 'web' }] },
      },
    };
    await expect(fakeBalancer(two, {}, fleet)).rejects.toMatchObject({
      code: 'ERR_SLUICE_LISTEN',
      message: 'cannot listen on :80 (listeners.b): bind: EADDRINUSE',
      cause: { code: 'EADDRINUSE' },
    });
    expect(fleet.started).toBeUndefined();
    expect(fleet.calls).toContain('stop');
    expect(fleet.closed).not.toContain(9); // inherited sockets stay their maker's
  });

  it('stops everything when a worker fails', async () => {
    const fleet = new FakeFleet(2);
    fleet.failedWorker = 1;
    fleet.put('worker', 'engineError', 12, 0, 1);
    await expect(fakeBalancer(config([]), {}, fleet)).rejects.toMatchObject({
      code: 'ERR_SLUICE_START',
      message: expect.stringContaining('worker 1'),
    });
    expect(fleet.calls.at(-1)).toBe('stop');
  });
});

describe('changes', () => {
  it('keep slots, and give new ones the lowest that is free', async () => {
    const { fleet, pool, core } = await start(config([address(1), address(2)]));
    await pool().add({ address: address(3), weight: 4 });
    expect(addresses(fleet)).toEqual([1, 2, 3].map(address));
    expect(fleet.get('backendLive', 'weight', 2)).toBe(4);
    await pool().remove(address(1));
    expect(addresses(fleet)).toEqual([2, 3].map(address));
    await pool().add(address(4));
    expect(
      pool()
        .backends()
        .map(({ slot, incarnation }) => [slot, incarnation]),
    ).toEqual([
      [1, 1],
      [2, 1],
      [0, 2],
    ]);
    expect(fleet.get('backendLive', 'health', 0)).toBe(2 << 8);
    expect(core.controller.state.slots.backends.available).toBe(16_384 - 3);
  });

  it('fold while a publication is pending', async () => {
    const lb = await start(config([]));
    const before = publications(lb);
    await Promise.all(Array.from({ length: 100 }, (_, i) => lb.pool().add(address(i))));
    expect(lb.pool().backends()).toHaveLength(100);
    expect(publications(lb) - before).toBeLessThanOrEqual(3);
  });

  it('are judged one by one when they fold', async () => {
    const { pool } = await start(config([address(1)]));
    const results = await Promise.allSettled([
      pool().add(address(2)),
      pool().add(address(2)),
      pool().remove(address(1)),
      pool().remove(address(1)),
      pool().add(address(1)),
    ]);
    expect(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok')),
    ).toEqual([
      'ok',
      'ERR_SLUICE_BACKEND_EXISTS',
      'ERR_SLUICE_DRAIN_CANCELLED', // by the addition at the end
      'ERR_SLUICE_NO_BACKEND',
      'ok',
    ]);
  });

  it('that are none publish nothing', async () => {
    const lb = await start(config([address(1)]));
    const before = lb.fleet.calls.length;
    await lb.apply(config([address(1)]));
    expect(lb.fleet.calls.length).toBe(before);
  });

  it('of live words publish nothing and tell the pool', async () => {
    const lb = await start(config([address(1), address(2)]));
    const before = publications(lb);
    const epoch = lb.fleet.get('poolLive', 'epoch', 0);
    await lb.pool().update(address(2), { weight: 0 });
    expect(lb.fleet.get('backendLive', 'weight', 1)).toBe(0);
    expect(lb.fleet.get('poolLive', 'epoch', 0)).toBe(epoch + 1);
    expect(publications(lb)).toBe(before);
    await lb.pool().add(address(3));
    expect(lb.fleet.get('backendLive', 'weight', 1)).toBe(0);
    expect(lb.core.controller.model.pools.get('web')?.backends.get(address(2))?.weight).toBe(0);
  });

  it('of the whole configuration keep the sockets of listeners that stay', async () => {
    const lb = await start(config([address(1)]));
    const read = () => new Decoded(lb.fleet);
    const version = read().head('listenersVersion');
    await lb.apply({
      ...config([address(1)]),
      pools: { web: { backends: [address(1)], strategy: 'p2c' } },
    });
    expect(read().head('listenersVersion')).toBe(version);
    expect(read().pool(0, 'strategy')).toBe(2);
    // A new name keeps slot, incarnation and sockets.
    const web = { listen: '127.0.0.1:8080', mode: 'tcp' as const, routes: [{ pool: 'web' }] };
    await lb.apply({ ...config([address(1)]), listeners: { other: web } });
    expect(read().descriptors(0)).toEqual([100, 101]);
    // Another address has other sockets in the same slot.
    await lb.apply({
      ...config([address(1)]),
      listeners: { other: { ...web, listen: '127.0.0.1:8081' } },
    });
    expect(read().descriptors(0)).toEqual([102, 103]);
    expect(read().head('listenersVersion')).not.toBe(version);
    expect(lb.fleet.closed).toEqual([]); // published sockets are the workers'
  });

  it('let listeners swap their sockets', async () => {
    const listener = (port: number, pool = 'web') => ({
      listen: `127.0.0.1:${port}`,
      mode: 'tcp' as const,
      routes: [{ pool }],
    });
    const lb = await start(config([], { listeners: { a: listener(1), b: listener(2) } }));
    await lb.apply(config([], { listeners: { a: listener(2), b: listener(3), c: listener(1) } }));
    const where = (name: string) => {
      const record = lb.core.controller.state.listeners.get(name);
      return [record?.slot, record?.opened.descriptors];
    };
    expect(['a', 'b', 'c'].map(where)).toEqual([
      [1, [102, 103]],
      [2, [104, 105]],
      [0, [100, 101]],
    ]);
    expect(new Decoded(lb.fleet).used('snapshotListener')).toEqual([0, 1, 2]);
    // Only the one address that is new was opened.
    expect(lb.fleet.listening.map(({ port }) => port)).toEqual([1, 2, 3]);
  });

  it('of what is fixed at start are refused as a whole', async () => {
    const lb = await start(config([address(1)]));
    await expect(lb.apply({ ...config([]), workers: 5 })).rejects.toThrow(
      'workers cannot change from auto to 5 while running',
    );
    expect(addresses(lb.fleet)).toEqual([address(1)]);
  });

  it('beyond the slots are refused, and nothing changes', async () => {
    const lb = await start(config([address(1)]));
    const all = Array.from({ length: 16_384 }, (_, i) => address(i + 5));
    // The one backend that goes still has its slot.
    await expect(lb.apply(config(all))).rejects.toEqual(code('ERR_SLUICE_LIMIT'));
    expect(
      lb
        .pool()
        .backends()
        .map(({ id }) => id),
    ).toEqual([address(1)]);
    await lb.pool().add(address(2));
    expect(addresses(lb.fleet)).toEqual([1, 2].map(address));
  });

  it('follow their signal', async () => {
    const { pool } = await start(config([]));
    const reason = new Error('enough');
    await expect(pool().add(address(1), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const later = new AbortController();
    const adding = pool().add(address(2), { signal: later.signal });
    later.abort(reason);
    await expect(adding).rejects.toBe(reason);
    await pool().add(address(3));
    expect(
      pool()
        .backends()
        .map(({ id }) => id),
    ).toEqual([address(3)]);
  });
});

describe('drain', () => {
  it('resolves when the last connection is gone', async () => {
    const { fleet, pool, events } = await start(config([address(1)]));
    fleet.setInFlight(0, 2, 1);
    const draining = pool().drain(address(1));
    await until('the word', () => fleet.get('backendLive', 'admin', 0) === AdminState.drain);
    expect(pool().backends()[0]).toMatchObject({ state: 'draining', inFlight: 2 });
    await pause(20);
    fleet.setInFlight(0, 0, 1);
    expect(await draining).toEqual({ cut: 0 });
    expect(pool().backends()[0]?.state).toBe('drained');
    expect(events).toContain(`backend:drained ${address(1)}`);
    await pool().undrain(address(1));
    expect(fleet.get('backendLive', 'admin', 0)).toBe(AdminState.up);
  });

  it('cuts what is left when the time is over, and says how much', async () => {
    const { fleet, pool } = await start(config([address(1)]));
    fleet.setInFlight(0, 3);
    const draining = pool().drain(address(1), { timeout: 20 });
    await until('the word', () => fleet.get('backendLive', 'admin', 0) === AdminState.cut);
    fleet.setInFlight(0, 0);
    expect(await draining).toEqual({ cut: 3 });
  });

  it('ends by undrain and by its signal, and cuts nothing then', async () => {
    const { fleet, pool } = await start(config([address(1)]));
    fleet.setInFlight(0, 1);
    const draining = pool().drain(address(1));
    const refused = expect(draining).rejects.toEqual(code('ERR_SLUICE_DRAIN_CANCELLED'));
    await pause(5);
    await pool().undrain(address(1));
    await refused;
    const reason = new Error('enough');
    const stop = new AbortController();
    const second = pool().drain(address(1), { timeout: 30, signal: stop.signal });
    setTimeout(() => stop.abort(reason), 10);
    await expect(second).rejects.toBe(reason);
    await pause(40);
    expect(fleet.get('backendLive', 'admin', 0)).toBe(AdminState.drain);
  });
});

describe('removal', () => {
  it('keeps the slot until the last connection has ended', async () => {
    const { fleet, pool, apply, core } = await start(config([address(1), address(2)]));
    fleet.setInFlight(0, 1);
    await apply(config([address(2)]));
    expect(addresses(fleet)).toEqual([1, 2].map(address));
    expect(pool().backends()[0]).toMatchObject({ state: 'draining', removing: true });
    await expect(pool().drain(address(1))).rejects.toEqual(code('ERR_SLUICE_NO_BACKEND'));
    fleet.setInFlight(0, 0);
    await until('it is gone', () => addresses(fleet).length === 1);
    expect(core.controller.state.slots.backends.cooling).toBe(1);
  });

  it('is undone by adding again: same slot, same incarnation', async () => {
    const { fleet, pool } = await start(config([address(1)]));
    fleet.setInFlight(0, 1);
    const removing = pool().remove(address(1));
    const refused = expect(removing).rejects.toEqual(code('ERR_SLUICE_DRAIN_CANCELLED'));
    await until('it drains', () => pool().backends()[0]?.removing === true);
    await pool().add({ address: address(1), weight: 3 });
    await refused;
    expect(pool().backends()[0]).toMatchObject({
      slot: 0,
      incarnation: 1,
      state: 'up',
      weight: 3,
      removing: false,
    });
  });

  it('does not give the slot away under a connection that will not end', async () => {
    const { fleet, pool } = await start(config([address(1)]));
    fleet.setInFlight(0, 1);
    expect(await pool().remove(address(1), { timeout: 0 })).toEqual({ cut: 1 });
    await pool().add(address(2));
    expect(pool().backends()).toMatchObject([{ slot: 1 }]);
    fleet.setInFlight(0, 0);
    await pool().add(address(3));
    expect(pool().backends()[1]).toMatchObject({ slot: 0, incarnation: 2 });
  });

  it('of a pool ends with its last backend', async () => {
    const { fleet, apply, core } = await start(config([address(1)]));
    fleet.setInFlight(0, 1);
    const rest = { listeners: {}, pools: { api: { backends: [address(9)] } } };
    await apply(rest);
    expect(new Decoded(fleet).used('snapshotPool')).toEqual([0, 1]);
    fleet.setInFlight(0, 0);
    await until('the pool is gone', () => new Decoded(fleet).used('snapshotPool').length === 1);
    expect([...core.controller.state.pools.keys()]).toEqual(['api']);
    // Slots follow the same rule as backends: a new incarnation.
    await apply(config([address(1)]));
    expect(core.controller.state.pools.get('web')).toMatchObject({ slot: 0, incarnation: 2 });
  });
});

describe('a stuck worker', () => {
  it('is named, holds its slots, and stops nobody else', async () => {
    const { fleet, pool, events, core } = await start(config([address(1)]));
    fleet.stuck.add(1);
    await expect(pool().add(address(2))).rejects.toMatchObject({
      code: 'ERR_SLUICE_WORKER_STUCK',
      status: 503,
      message: expect.stringMatching(/worker 1 \(last seen \d+ ms ago\)/),
    });
    expect(addresses(fleet)).toEqual([1, 2].map(address));
    expect(fleet.get('worker', 'adopted', 0, 0)).toBe(fleet.generation);
    await until('it is reported', () => events.includes('worker:stuck 1'));
    // Known to be stuck: no waiting to the deadline, and live words go on.
    const begin = performance.now();
    await expect(pool().update(address(1), { weight: 5 })).rejects.toEqual(
      code('ERR_SLUICE_WORKER_STUCK'),
    );
    expect(performance.now() - begin).toBeLessThan(50);
    expect(fleet.get('backendLive', 'weight', 0)).toBe(5);
    // More changes than there are slots: the stuck worker keeps only its own.
    for (let index = 3; index < 20; index++) {
      await expect(pool().add(address(index))).rejects.toEqual(code('ERR_SLUICE_WORKER_STUCK'));
    }
    expect(addresses(fleet)).toHaveLength(19);
    // Without any slot to write nothing changes.
    for (let slot = 0; slot < 8; slot++) fleet.hold(1, slot, 1);
    await expect(pool().add(address(99))).rejects.toEqual(code('ERR_SLUICE_NO_SNAPSHOT_SLOT'));
    expect(
      pool()
        .backends()
        .some(({ id }) => id === address(99)),
    ).toBe(false);
    for (let slot = 0; slot < 8; slot++) fleet.hold(1, slot, 0);
    fleet.stuck.clear();
    await until('it is back', () => events.includes('worker:recovered 1'));
    await pool().add(address(99));
    expect(core.controller.sequence).toBeGreaterThan(5);
  });
});

describe('close', () => {
  it('waits for connections, once', async () => {
    const { fleet, core, pool, events } = await start(config([address(1)]));
    fleet.put('worker', 'connections', 1, 0, 1);
    const closing = core.close(undefined);
    expect(core.close(0)).toBe(closing);
    await expect(pool().add(address(2))).rejects.toEqual(code('ERR_SLUICE_CLOSED'));
    await pause(30);
    expect(fleet.calls).not.toContain('stop');
    fleet.put('worker', 'connections', 0, 0, 1);
    await closing;
    expect(fleet.calls.filter((call) => call === 'stop')).toHaveLength(1);
    expect(events.at(-1)).toBe('closed');
    expect(() => core.view()).toThrow(code('ERR_SLUICE_CLOSED'));
  });
});
