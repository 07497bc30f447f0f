// Whatever is done to a balancer, in whatever order: the model, the bytes of the snapshot and the
// slots agree, and a slot is never given to another while a connection or a worker may mean its
// former holder.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Overrides } from '../../../src/control/overrides.ts';
import type { SluiceError } from '../../../src/errors.ts';
import type { Backend, Desired } from '../../../src/model/types.ts';
import { desiredFrom } from '../../../src/providers/inputs.ts';
import { nothing, type Watcher } from '../../../src/providers/provider.ts';
import { AdminState } from '../../../src/shm/layout.gen.ts';
import { Decoded } from '../../fixtures/decode.ts';
import { address, type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';
import { until } from '../../fixtures/scene.ts';

const poolNames = ['a', 'b', 'c'] as const;
type PoolName = (typeof poolNames)[number];

type Step =
  | { readonly do: 'add' | 'remove' | 'drain' | 'undrain'; pool: PoolName; backend: number }
  | { readonly do: 'weight'; pool: PoolName; backend: number; weight: number }
  | { readonly do: 'connect' | 'disconnect'; pool: PoolName; backend: number }
  | { readonly do: 'apply'; pools: readonly PoolName[]; backends: readonly number[] }
  // Overrides of a pool, and back.
  | { readonly do: 'define'; pool: PoolName; backends: readonly number[]; defined: boolean }
  // A watcher states a pool of its own, or another's, and routes on ports.
  | {
      readonly do: 'discover';
      pool: PoolName | 'd';
      backends: readonly number[];
      ports: readonly number[];
    };

const pool = fc.constantFrom(...poolNames);
const backend = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('add', 'remove', 'drain', 'undrain', 'connect', 'disconnect'),
      pool,
      backend,
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('weight' as const),
      pool,
      backend,
      weight: fc.nat(9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      pools: fc.uniqueArray(pool, { minLength: 1 }),
      backends: fc.uniqueArray(backend),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('define' as const),
      pool,
      backends: fc.uniqueArray(backend),
      defined: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('discover' as const),
      pool: fc.constantFrom(...poolNames, 'd' as const),
      backends: fc.uniqueArray(backend),
      // The first three are those of the stated listeners.
      ports: fc.uniqueArray(fc.constantFrom(8000, 8001, 8002, 9000, 9001)),
    }),
  },
);

class Source implements Watcher {
  readonly source = 'watched';
  #state = nothing('watched');
  #changed: () => void = () => {};

  state(): Desired<Backend> {
    return this.#state;
  }
  start(changed: () => void): void {
    this.#changed = changed;
  }
  async stop(): Promise<void> {}

  async now(name: string, backends: readonly number[], ports: readonly number[]): Promise<void> {
    const stated = await desiredFrom(
      {
        listeners: Object.fromEntries(
          ports.map((port) => [
            `at-${port}`,
            { listen: `127.0.0.1:${port}`, mode: 'tcp' as const, routes: [{ pool: name }] },
          ]),
        ),
        pools: { [name]: { backends: backends.map(address), drainTimeout: '60s' } },
      },
      this.source,
    );
    const attached = [...stated.listeners.values()].map(({ routes, ...listener }) => ({
      origin: listener.name,
      on: { kind: 'open' as const, listener: { ...listener, routes: [] } },
      routes,
    }));
    this.#state = { ...nothing(this.source), pools: stated.pools, attached };
    this.#changed();
  }
}

const config = (pools: readonly PoolName[], backends: readonly number[]) => ({
  listeners: Object.fromEntries(
    pools.map((name, index) => [
      `in-${name}`,
      { listen: `127.0.0.1:${8000 + index}`, mode: 'tcp' as const, routes: [{ pool: name }] },
    ]),
  ),
  pools: Object.fromEntries(
    pools.map((name) => [name, { backends: backends.map(address), drainTimeout: '60s' }]),
  ),
});

const expected = [
  'ERR_SLUICE_BACKEND_EXISTS',
  'ERR_SLUICE_NO_BACKEND',
  'ERR_SLUICE_NO_POOL',
  'ERR_SLUICE_DRAIN_CANCELLED',
  'ERR_SLUICE_CLOSED',
  'ERR_SLUICE_NOT_OVERRIDDEN',
  // A stated listener has a route to the pool that is taken away.
  'ERR_SLUICE_CONFIG',
];
const tolerate = (error: SluiceError): void => {
  if (!expected.includes(error.code)) throw error;
};

class Run {
  readonly lb: FakeBalancer;
  readonly source: Source;
  readonly overrides: Overrides;
  // Connections by slot, as the incarnation that took them.
  readonly connections = new Map<number, { incarnation: number; count: number }>();
  readonly background: Promise<unknown>[] = [];
  // What the version of the listeners stood for when it was last seen.
  #listeners: { readonly version: number; readonly content: string } | undefined;

  constructor(lb: FakeBalancer, source: Source) {
    this.lb = lb;
    this.source = source;
    this.overrides = new Overrides(lb.core);
  }

  async do(one: Step): Promise<void> {
    const { core, apply } = this.lb;
    if (one.do === 'apply') {
      await apply(config(one.pools, one.backends));
      return;
    }
    if (one.do === 'discover') {
      await this.source.now(one.pool, one.backends, one.ports);
      await core.controller.intend(() => {});
      return;
    }
    if (one.do === 'define') {
      const defined = { backends: one.backends.map(address), drainTimeout: '60s' };
      if (one.defined) await this.overrides.setPool(one.pool, defined);
      else await this.overrides.removePool(one.pool).catch(tolerate);
      return;
    }
    if (!core.controller.model.pools.has(one.pool)) return;
    const target = this.lb.pool(one.pool);
    const id = address(one.backend);
    switch (one.do) {
      case 'add':
        return target.add(id).catch(tolerate);
      case 'undrain':
        return target.undrain(id).catch(tolerate);
      case 'weight':
        return target.update(id, { weight: one.weight }).catch(tolerate);
      case 'remove':
      case 'drain':
        this.background.push(target[one.do](id).catch(tolerate));
        // The first step of it is published before anything else is done.
        await core.controller.intend(() => {});
        return;
      default:
        return this.traffic(one.do, one.pool, id);
    }
  }

  // A worker takes a connection for a backend that may have new work, or loses one of any backend.
  traffic(what: 'connect' | 'disconnect', name: PoolName, id: string): void {
    const record = this.lb
      .pool(name)
      .backends()
      .find((one) => one.id === id);
    if (record === undefined) return;
    const { slot, incarnation } = record;
    const held = this.connections.get(slot) ?? { incarnation, count: 0 };
    if (held.count > 0) expect(held.incarnation).toBe(incarnation);
    if (what === 'connect' && record.state === 'up') held.count++;
    if (what === 'disconnect' && held.count > 0) held.count--;
    held.incarnation = incarnation;
    this.connections.set(slot, held);
    this.lb.fleet.setInFlight(slot, held.count, 1);
  }

  // The version changes exactly when what it stands for does.
  #checkVersion(read: Decoded): void {
    const listeners = read
      .used('snapshotListener')
      .map((slot) => [slot, read.listener(slot, 'incarnation'), read.descriptors(slot)]);
    const version = read.head('listenersVersion');
    const content = JSON.stringify(listeners);
    if (this.#listeners !== undefined) {
      expect(this.#listeners.version === version).toBe(this.#listeners.content === content);
    }
    this.#listeners = { version, content };
  }

  check(): void {
    const { fleet, core } = this.lb;
    const { state, model } = core.controller;
    const read = new Decoded(fleet);
    this.#checkVersion(read);
    const listed: number[] = [];
    for (const [name, record] of state.pools) {
      expect(read.pool(record.slot, 'incarnation')).toBe(record.incarnation);
      const members = read.members(record.slot);
      expect(members).toEqual(record.members.map(({ slot }) => slot));
      const wanted = record.members.filter(({ retirement }) => retirement === undefined);
      expect(wanted.map(({ backend }) => backend.id).sort()).toEqual(
        [...(model.pools.get(name)?.backends.keys() ?? [])].sort(),
      );
      for (const { slot, incarnation, backend, admin, weight, retirement } of record.members) {
        expect(read.backendWord(slot, 'incarnation')).toBe(incarnation);
        expect(read.backendWord(slot, 'pool')).toBe(record.slot);
        const decoded = read.backend(slot);
        expect(`${decoded.address}:${decoded.port}`).toBe(backend.address.text);
        expect(fleet.get('backendLive', 'admin', slot)).toBe(AdminState[admin]);
        expect(fleet.get('backendLive', 'weight', slot)).toBe(weight);
        expect(fleet.get('backendLive', 'health', slot) >>> 8).toBe(incarnation);
        if (retirement !== undefined) expect(admin).not.toBe('up');
        else
          expect(model.pools.get(name)?.backends.get(backend.id)?.weight ?? weight).toBeDefined();
      }
      listed.push(...members);
    }
    expect(new Set(listed).size).toBe(listed.length);
    const high = read.head('backendsHigh');
    const used: number[] = [];
    for (let slot = 0; slot < 64; slot++) {
      if (read.backendWord(slot, 'incarnation') !== 0) used.push(slot);
    }
    expect(used).toEqual([...listed].sort((a, b) => a - b));
    expect(high).toBe(used.length === 0 ? 0 : Math.max(...used) + 1);
    for (const [name, { slot, incarnation, listener }] of state.listeners) {
      expect(model.listeners.has(name)).toBe(true);
      expect(read.listener(slot, 'incarnation')).toBe(incarnation);
      const target = state.pools.get(listener.routes[0]?.pool ?? '');
      expect(read.route(slot)).toBe(target?.slot);
    }
    expect(state.listeners.size).toBe(model.listeners.size);
    // A slot with connections belongs to whom they were given, or to nobody.
    for (const [slot, { incarnation, count }] of this.connections) {
      const now = read.backendWord(slot, 'incarnation');
      if (count > 0 && now !== 0) expect(now).toBe(incarnation);
    }
  }

  // All connections end: what was to go is gone, and its slots are free again.
  async finish(): Promise<void> {
    const { fleet, core } = this.lb;
    for (const slot of this.connections.keys()) fleet.setInFlight(slot, 0, 1);
    this.connections.clear();
    await Promise.all(this.background);
    const { state } = core.controller;
    await until('nothing retires', () =>
      [...state.pools.values()].every(
        ({ members, retiring }) => !retiring && members.every((one) => !one.retirement),
      ),
    );
    await core.controller.intend(() => {});
    this.check();
    await this.source.now('d', [], []);
    await this.lb.apply(config(['a'], [0]));
    await this.lb.apply(config(['b'], [1]));
    const left = [...state.pools.values()].reduce((sum, { members }) => sum + members.length, 0);
    const { backends } = state.slots;
    expect(backends.available + backends.cooling + left).toBe(16_384);
  }
}

it('agree after any sequence of operations', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const source = new Source();
      const options = { ackTimeoutMs: 2000, watchers: [source] };
      const lb = await fakeBalancer(config(['a', 'b'], [0, 1]), options);
      // Every snapshot slot has been used, and few are left, so that they are written again soon.
      for (let n = 1; n <= 8; n++) {
        await lb.apply({ ...config(['a', 'b'], [0, 1]), maxConnections: n });
      }
      for (const slot of [3, 4, 5, 6, 7]) lb.fleet.hold(0, slot, 1);
      try {
        const run = new Run(lb, source);
        run.check();
        for (const one of steps) {
          await run.do(one);
          run.check();
        }
        await run.finish();
      } finally {
        await lb.core.close(0);
      }
    }),
    { numRuns: 60 },
  );
});
