// What changes from one model to the next. A pool whose backends are the same map object is not
// looked into, so the cost follows what changed.
import { sameCheck, sameEjection } from './health.ts';
import type {
  AccessLogSettings,
  Backend,
  HttpOptions,
  Listener,
  Model,
  Pool,
  Route,
} from './types.ts';

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
  readonly accessLogChanged: boolean;
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

// Of flat objects with the same keys.
const sameFields = <T extends object>(a: T, b: T, ...except: (keyof T)[]): boolean =>
  (Object.keys(a) as (keyof T)[]).every((key) => except.includes(key) || a[key] === b[key]);

const sameHttp = (a: HttpOptions, b: HttpOptions): boolean =>
  sameFields(a, b, 'trustedProxies') &&
  a.trustedProxies.length === b.trustedProxies.length &&
  a.trustedProxies.every(({ text }, i) => text === b.trustedProxies[i]?.text);

const sameRoute = (a: Route, b: Route | undefined): boolean =>
  a.host === b?.host && a.pathPrefix === b.pathPrefix && a.pool === b.pool;

const sameListener = (a: Listener, b: Listener): boolean =>
  a.targetText === b.targetText &&
  a.mode === b.mode &&
  a.maxConnections === b.maxConnections &&
  a.idleTimeoutMs === b.idleTimeoutMs &&
  sameHttp(a.http, b.http) &&
  a.routes.length === b.routes.length &&
  a.routes.every((route, i) => sameRoute(route, b.routes[i]));

const sameSettings = ({ settings: a }: Pool, { settings: b }: Pool): boolean =>
  sameFields(a, b, 'http', 'healthCheck', 'ejection') &&
  sameFields(a.http, b.http) &&
  sameCheck(a.healthCheck, b.healthCheck) &&
  sameEjection(a.ejection, b.ejection);

const sameLog = (a: AccessLogSettings | undefined, b: AccessLogSettings | undefined): boolean =>
  a?.format === b?.format && a?.path === b?.path;

const none: ReadonlyMap<string, Backend> = new Map();

interface Lists {
  readonly added: Backend[];
  readonly removed: Backend[];
  readonly reweighted: Backend[];
}

// Both in step, which touches only what differs: false when the order differs as well, and the
// lists are then of no use.
function compareInStep(
  before: ReadonlyMap<string, Backend>,
  after: ReadonlyMap<string, Backend>,
  { added, removed, reweighted }: Lists,
): boolean {
  const olds = before.values();
  const news = after.values();
  let old = olds.next().value;
  let now = news.next().value;
  while (old !== undefined || now !== undefined) {
    if (old === now || (old !== undefined && old.id === now?.id)) {
      if (old !== undefined && now !== undefined && old !== now) {
        if (old.key !== now.key) {
          removed.push(old);
          added.push(now);
        } else if (old.weight !== now.weight) reweighted.push(now);
      }
      old = olds.next().value;
      now = news.next().value;
    } else if (old !== undefined && !after.has(old.id)) {
      removed.push(old);
      old = olds.next().value;
    } else if (now !== undefined && !before.has(now.id)) {
      added.push(now);
      now = news.next().value;
    } else return false;
  }
  return true;
}

function compareByName(
  before: ReadonlyMap<string, Backend>,
  after: ReadonlyMap<string, Backend>,
): Lists {
  const lists: Lists = { added: [], removed: [], reweighted: [] };
  for (const [id, backend] of after) {
    const old = before.get(id);
    if (old === undefined || old.key !== backend.key) lists.added.push(backend);
    else if (old.weight !== backend.weight) lists.reweighted.push(backend);
  }
  for (const [id, old] of before) {
    if (after.get(id)?.key !== old.key) lists.removed.push(old);
  }
  return lists;
}

function backendChanges(
  pool: string,
  before: ReadonlyMap<string, Backend>,
  after: ReadonlyMap<string, Backend>,
): BackendChanges[] {
  if (before === after) return [];
  const inStep: Lists = { added: [], removed: [], reweighted: [] };
  const lists = compareInStep(before, after, inStep) ? inStep : compareByName(before, after);
  const empty = Object.values(lists).every((list) => list.length === 0);
  return empty ? [] : [{ pool, ...lists }];
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
    accessLogChanged: !sameLog(before.settings.accessLog, after.settings.accessLog),
    maxConnectionsChanged: before.settings.maxConnections !== after.settings.maxConnections,
  };
}

export const isEmpty = (changes: Changes): boolean =>
  !changes.maxConnectionsChanged &&
  !changes.accessLogChanged &&
  Object.values(changes).every((value) => !Array.isArray(value) || value.length === 0);
