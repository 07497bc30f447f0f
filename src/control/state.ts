// Slots and what is in them. `apply` follows the model; what is no longer wanted keeps its slot and
// its place in the snapshot (so that workers can still be told to cut it) until `drop`.
import { SluiceError } from '../errors.ts';
import type { BackendChanges, Changes } from '../model/diff.ts';
import { retryAfterSeconds } from '../model/health.ts';
import { limits } from '../model/limits.ts';
import type { Backend, Listener, Pool, Route } from '../model/types.ts';
import type { Plan } from '../shm/publish.ts';
import {
  type BackendRecord,
  type ListenerRecord,
  type OpenedListener,
  type PoolRecord,
  type RouteRecord,
  retirement,
} from './records.ts';
import { Slots } from './slots.ts';

// What `apply` did, for the live words and the drains.
export interface Outcome {
  readonly fresh: BackendRecord[];
  // Wanted again while it was on its way out.
  readonly revived: BackendRecord[];
  readonly retired: BackendRecord[];
  readonly reweighted: BackendRecord[];
}

// What makes a route of a listener the same one.
export const routeKey = ({ host, pathPrefix }: Route): string => `${host} ${pathPrefix}`;

const sameEntry = (a: Listener, b: Listener): boolean =>
  a.mode === b.mode && a.maxConnections === b.maxConnections && a.idleTimeoutMs === b.idleTimeoutMs;

export class State {
  readonly listeners = new Map<string, ListenerRecord>();
  // By the listener's name, then by `routeKey`.
  readonly routes = new Map<string, Map<string, RouteRecord>>();
  readonly pools = new Map<string, PoolRecord>();
  readonly slots = {
    listeners: new Slots(limits.listenersMax),
    routes: new Slots(limits.routesMax),
    pools: new Slots(limits.poolsMax),
    backends: new Slots(limits.backendsMax),
  };
  #listenersVersion = 1;
  // Slots of what left the plan, until the publication that says so has its sequence.
  readonly #left: { readonly from: Slots; readonly slot: number }[] = [];

  // Throws ERR_SLUICE_LIMIT when slots are short: all are in use, or some still cool.
  checkRoom(changes: Changes, taken: ReadonlyMap<string, string>): void {
    const demand = (what: string, wanted: number, available: number): void => {
      if (wanted > available)
        throw new SluiceError('ERR_SLUICE_LIMIT', { what, wanted, available });
    };
    const news = ({ pool, added }: BackendChanges): number =>
      added.filter(({ key }) => !this.pools.get(pool)?.byKey.has(key)).length;
    const { backends, pools, listeners, routes } = this.slots;
    const wanted = changes.backends.reduce((sum, one) => sum + news(one), 0);
    demand('more backends', wanted, backends.available);
    const newPools = changes.poolsAdded.filter(({ name }) => !this.pools.has(name));
    demand('more pools', newPools.length, pools.available);
    // One that moves away from sockets that another takes over needs a slot of its own.
    const displaced = new Set(taken.values());
    const names = changes.listenersChanged
      .map(({ after }) => after.name)
      .filter((name) => displaced.has(name))
      .concat(changes.listenersAdded.map(({ name }) => name))
      .filter((name) => !taken.has(name));
    demand('more listeners', names.length, listeners.available);
    const stated = [...changes.listenersAdded, ...changes.listenersChanged.map((c) => c.after)];
    const newRoutes = stated.reduce((sum, { name, routes: own }) => {
      const known = this.routes.get(name);
      return sum + own.filter((route) => known?.has(routeKey(route)) !== true).length;
    }, 0);
    demand('more routes', newRoutes, routes.available);
  }

  // Whether the changes need a new snapshot; live words alone carry the others.
  needsSnapshot(changes: Changes): boolean {
    const { listenersAdded, listenersRemoved, listenersChanged } = changes;
    const { poolsAdded, poolsRemoved, poolsChanged } = changes;
    const lists = [
      listenersAdded,
      listenersRemoved,
      listenersChanged,
      poolsAdded,
      poolsRemoved,
      poolsChanged,
    ];
    if (changes.maxConnectionsChanged || lists.some((list) => list.length > 0)) return true;
    return changes.backends.some(({ pool, added }) =>
      added.some(({ key }) => !this.pools.get(pool)?.byKey.has(key)),
    );
  }

  // `opened`: sockets of the listeners that are new or listen elsewhere, by name; `taken`: by name,
  // whose sockets a listener takes over.
  apply(
    changes: Changes,
    opened: ReadonlyMap<string, OpenedListener>,
    taken: ReadonlyMap<string, string>,
  ): Outcome {
    const outcome: Outcome = { fresh: [], revived: [], retired: [], reweighted: [] };
    this.#applyListeners(changes, opened, taken);
    this.#applyRoutes(changes);
    for (const pool of changes.poolsAdded) this.#addPool(pool);
    for (const { after } of changes.poolsChanged) {
      const record = this.pools.get(after.name);
      if (record !== undefined) record.settings = after.settings;
    }
    for (const change of changes.backends) this.#applyBackends(change, outcome);
    for (const { name } of changes.poolsRemoved) {
      const record = this.pools.get(name);
      if (record === undefined) continue;
      record.retiring = true;
      this.#dropPoolIfEmpty(record);
    }
    return outcome;
  }

  #applyListeners(
    { listenersAdded, listenersRemoved, listenersChanged }: Changes,
    opened: ReadonlyMap<string, OpenedListener>,
    taken: ReadonlyMap<string, string>,
  ): void {
    const before = new Map(this.listeners);
    const free = new Set<ListenerRecord>();
    const wanted = [...listenersAdded, ...listenersChanged.map(({ after }) => after)];
    for (const { name } of [...listenersRemoved, ...wanted]) {
      const record = before.get(name);
      if (record !== undefined) free.add(record);
      this.listeners.delete(name);
    }
    let differs = false;
    const keep = (record: ListenerRecord, listener: Listener): void => {
      differs ||= !sameEntry(record.listener, listener);
      record.listener = listener;
      free.delete(record);
      this.listeners.set(listener.name, record);
    };
    // Those with sockets that are open already choose first.
    for (const listener of wanted) {
      const record = before.get(taken.get(listener.name) ?? listener.name);
      if (record !== undefined && !opened.has(listener.name)) keep(record, listener);
    }
    for (const listener of wanted) {
      const sockets = opened.get(listener.name);
      if (sockets === undefined) continue;
      differs = true;
      const own = before.get(listener.name);
      if (own !== undefined && free.has(own)) {
        own.opened = sockets;
        keep(own, listener);
      } else {
        const made = { ...this.slots.listeners.take(), listener, opened: sockets };
        this.listeners.set(listener.name, made);
      }
    }
    for (const { slot } of free) this.#left.push({ from: this.slots.listeners, slot });
    if (differs || free.size > 0) this.#listenersVersion++;
  }

  // A route keeps its slot, and with it its counters, as long as its listener's name, its host and
  // its path prefix do.
  #applyRoutes({ listenersAdded, listenersRemoved, listenersChanged }: Changes): void {
    const stated = [...listenersAdded, ...listenersChanged.map(({ after }) => after)];
    const gone: RouteRecord[] = [];
    for (const { name } of listenersRemoved) {
      gone.push(...(this.routes.get(name)?.values() ?? []));
      this.routes.delete(name);
    }
    for (const { name, routes } of stated) {
      const before = new Map(this.routes.get(name));
      const after = new Map<string, RouteRecord>();
      for (const route of routes) {
        const key = routeKey(route);
        after.set(key, before.get(key) ?? this.slots.routes.take());
        before.delete(key);
      }
      gone.push(...before.values());
      this.routes.set(name, after);
    }
    for (const { slot } of gone) this.#left.push({ from: this.slots.routes, slot });
  }

  #addPool({ name, settings }: Pool): void {
    const known = this.pools.get(name);
    if (known !== undefined) {
      known.settings = settings;
      known.retiring = false;
      return;
    }
    this.pools.set(name, {
      ...this.slots.pools.take(),
      name,
      settings,
      members: [],
      byKey: new Map(),
      retiring: false,
    });
  }

  #applyBackends({ pool: name, added, removed, reweighted }: BackendChanges, out: Outcome): void {
    const pool = this.pools.get(name);
    if (pool === undefined) return;
    for (const { key } of removed) {
      const record = pool.byKey.get(key);
      if (record === undefined || record.retirement !== undefined) continue;
      record.retirement = retirement();
      out.retired.push(record);
    }
    for (const backend of added) {
      const known = pool.byKey.get(backend.key);
      if (known === undefined) {
        out.fresh.push(this.#addBackend(pool, backend));
      } else {
        out.revived.push(known);
        if (known.weight !== backend.weight) out.reweighted.push(known);
        known.weight = backend.weight;
      }
    }
    for (const { key, weight } of reweighted) {
      const record = pool.byKey.get(key);
      if (record === undefined || record.weight === weight) continue;
      record.weight = weight;
      out.reweighted.push(record);
    }
  }

  #addBackend(pool: PoolRecord, backend: Backend): BackendRecord {
    const record: BackendRecord = {
      ...this.slots.backends.take(),
      address: backend.address,
      pool,
      backend,
      admin: 'up',
      weight: backend.weight,
      retirement: undefined,
      removeTimeoutMs: undefined,
    };
    pool.members.push(record);
    pool.byKey.set(backend.key, record);
    return record;
  }

  // Takes backends out of the plan. Their slots cool from the next publication on.
  drop(records: readonly BackendRecord[]): void {
    const gone = new Set(records);
    for (const pool of new Set(records.map((record) => record.pool))) {
      pool.members = pool.members.filter((record) => !gone.has(record));
      this.#dropPoolIfEmpty(pool);
    }
    for (const { pool, backend, slot } of records) {
      pool.byKey.delete(backend.key);
      this.#left.push({ from: this.slots.backends, slot });
    }
  }

  #dropPoolIfEmpty(pool: PoolRecord): void {
    if (!pool.retiring || pool.members.length > 0) return;
    this.pools.delete(pool.name);
    this.#left.push({ from: this.slots.pools, slot: pool.slot });
  }

  // What has left is not named by the publication `sequence` and later ones.
  published(sequence: number): void {
    for (const { from, slot } of this.#left.splice(0)) from.release(slot, sequence);
  }

  plan(maxConnections: number): Plan {
    return {
      maxConnections,
      listenersVersion: this.#listenersVersion,
      listeners: [...this.listeners.values()].map(({ slot, incarnation, listener, opened }) => ({
        slot,
        incarnation,
        mode: listener.mode,
        family: opened.family,
        maxConnections: listener.maxConnections,
        idleTimeoutMs: listener.idleTimeoutMs,
        descriptors: opened.descriptors,
        http: listener.http,
        routes: listener.routes.flatMap((route) => {
          const { host, pathPrefix, pool } = route;
          const target = this.pools.get(pool);
          const record = this.routes.get(listener.name)?.get(routeKey(route));
          if (target === undefined || record === undefined) return [];
          const { slot: own, incarnation: met } = record;
          return [{ slot: own, incarnation: met, host, pathPrefix, pool: target.slot }];
        }),
      })),
      pools: [...this.pools.values()].map((pool) => ({
        slot: pool.slot,
        incarnation: pool.incarnation,
        strategy: pool.settings.strategy,
        connectTimeoutMs: pool.settings.connectTimeoutMs,
        connectRetries: pool.settings.connectRetries,
        ejection: pool.settings.ejection,
        retryAfterS: retryAfterSeconds(pool.settings.healthCheck),
        http: pool.settings.http,
        members: pool.members,
      })),
    };
  }
}
