// What changes from one model to the next. A pool whose backends are the same map object is not
// looked into, so the cost follows what changed.
import type { Backend, Listener, Model, Pool } from './types.ts';

export interface Changed<T> {
  readonly before: T;
  readonly after: T;
}
export interface BackendChanges {
  readonly pool: string;
  readonly added: readonly Backend[];
  readonly removed: readonly Backend[];
  // The same backend with another weight.
  readonly reweighted: readonly Backend[];
}
export interface Changes {
  readonly listenersAdded: readonly Listener[];
  readonly listenersRemoved: readonly Listener[];
  readonly listenersChanged: readonly Changed<Listener>[];
  readonly poolsAdded: readonly Pool[];
  readonly poolsRemoved: readonly Pool[];
  // Settings only; backends are listed apart.
  readonly poolsChanged: readonly Changed<Pool>[];
  // Of all pools, also added and removed ones; without those that have no change.
  readonly backends: readonly BackendChanges[];
  readonly maxConnectionsChanged: boolean;
}

function split<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
) {
  const added: T[] = [];
  const changed: Changed<T>[] = [];
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old === undefined) added.push(value);
    else if (old !== value && !same(old, value)) changed.push({ before: old, after: value });
  }
  const removed = [...before].filter(([name]) => !after.has(name)).map(([, value]) => value);
  return { added, removed, changed };
}

const sameListener = (a: Listener, b: Listener): boolean =>
  a.targetText === b.targetText &&
  a.mode === b.mode &&
  a.maxConnections === b.maxConnections &&
  a.idleTimeoutMs === b.idleTimeoutMs &&
  a.routes.length === b.routes.length &&
  a.routes.every(({ key, pool }, i) => key === b.routes[i]?.key && pool === b.routes[i]?.pool);

const sameSettings = ({ settings: a }: Pool, { settings: b }: Pool): boolean =>
  a.strategy === b.strategy &&
  a.connectTimeoutMs === b.connectTimeoutMs &&
  a.connectRetries === b.connectRetries &&
  a.drainTimeoutMs === b.drainTimeoutMs;

const none: ReadonlyMap<string, Backend> = new Map();

function backendChanges(
  pool: string,
  before: ReadonlyMap<string, Backend>,
  after: ReadonlyMap<string, Backend>,
): BackendChanges[] {
  if (before === after) return [];
  const added: Backend[] = [];
  const removed: Backend[] = [];
  const reweighted: Backend[] = [];
  for (const [id, backend] of after) {
    const old = before.get(id);
    if (old === backend) continue;
    if (old === undefined || old.key !== backend.key) added.push(backend);
    else if (old.weight !== backend.weight) reweighted.push(backend);
  }
  for (const [id, old] of before) {
    if (after.get(id)?.key !== old.key) removed.push(old);
  }
  const empty = added.length + removed.length + reweighted.length === 0;
  return empty ? [] : [{ pool, added, removed, reweighted }];
}

export function diff(before: Model, after: Model): Changes {
  const listeners = split(before.listeners, after.listeners, sameListener);
  const pools = split(before.pools, after.pools, sameSettings);
  const names = new Set([...before.pools.keys(), ...after.pools.keys()]);
  return {
    listenersAdded: listeners.added,
    listenersRemoved: listeners.removed,
    listenersChanged: listeners.changed,
    poolsAdded: pools.added,
    poolsRemoved: pools.removed,
    poolsChanged: pools.changed,
    backends: [...names].flatMap((name) =>
      backendChanges(
        name,
        before.pools.get(name)?.backends ?? none,
        after.pools.get(name)?.backends ?? none,
      ),
    ),
    maxConnectionsChanged: before.settings.maxConnections !== after.settings.maxConnections,
  };
}

export const isEmpty = (changes: Changes): boolean =>
  !changes.maxConnectionsChanged &&
  Object.values(changes).every((value) => !Array.isArray(value) || value.length === 0);
