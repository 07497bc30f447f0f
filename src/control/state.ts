// Slots and what is in them. `apply` follows the model; what is no longer wanted keeps its slot and
// its place in the snapshot (so that workers can still be told to cut it) until `drop`.
import { SluiceError } from '../errors.ts';
import type { BackendChanges, Changes } from '../model/diff.ts';
import { limits } from '../model/limits.ts';
import type { Backend, Listener, Pool } from '../model/types.ts';
import type { Plan } from '../shm/publish.ts';
import {
  type BackendRecord,
  type ListenerRecord,
  type OpenedListener,
  type PoolRecord,
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

const sameEntry = (a: Listener, b: Listener): boolean =>
  a.mode === b.mode && a.maxConnections === b.maxConnections && a.idleTimeoutMs === b.idleTimeoutMs;

export class State {
  readonly listeners = new Map<string, ListenerRecord>();
  readonly pools = new Map<string, PoolRecord>();
  readonly slots = {
    listeners: new Slots(limits.listenersMax),
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
    const { backends, pools, listeners } = this.slots;
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
        routes: listener.routes.flatMap(({ key, pool }) => {
          const target = this.pools.get(pool);
          return target === undefined ? [] : [{ key, pool: target.slot }];
        }),
      })),
      pools: [...this.pools.values()].map((pool) => ({
        slot: pool.slot,
        incarnation: pool.incarnation,
        strategy: pool.settings.strategy,
        connectTimeoutMs: pool.settings.connectTimeoutMs,
        connectRetries: pool.settings.connectRetries,
        members: pool.members,
      })),
    };
  }
}
