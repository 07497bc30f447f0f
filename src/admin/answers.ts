// The figures of a balancer in the shapes of api-types. Everything is read from the shared memory
// when somebody asks.
import { readFileSync } from 'node:fs';
import type { Bound } from '../control/records.ts';
import { classCounts, type Latency, latency } from '../metrics/request-stats.ts';
import { Histogram } from '../shm/histogram.ts';
import type { BackendView, ListenerView, MetricsView, PoolView, RouteView } from '../shm/read.ts';
import type {
  BackendAnswer,
  ListenerAnswer,
  Percentiles,
  PoolAnswer,
  RequestCounts,
  RouteAnswer,
  StatsAnswer,
  VersionAnswer,
} from './api-types.ts';
import type { AdminSource } from './source.ts';

export function boundText(bound: Bound): string {
  if ('path' in bound) return `unix:${bound.path}`;
  return `${bound.host.includes(':') ? `[${bound.host}]` : bound.host}:${bound.port}`;
}

// Seconds; undefined while nothing was measured.
function percentiles({ count, p50, p95, p99 }: Latency): Percentiles | undefined {
  return count === 0 ? undefined : { p50: p50 / 1000, p95: p95 / 1000, p99: p99 / 1000 };
}

type Counted = Parameters<typeof classCounts>[0] & { readonly requestsInFlight: number };

// `requestsTotal` where it is counted, otherwise the answers and what is under way.
function counts(
  totals: Counted & { readonly requestsTotal?: number },
  duration: Histogram,
): RequestCounts {
  const classes = { ...classCounts(totals) };
  const answered = Object.values(classes).reduce((sum, count) => sum + count, 0);
  const measured = percentiles(latency(duration));
  return {
    total: totals.requestsTotal ?? answered,
    inFlight: totals.requestsInFlight,
    classes,
    ...(measured === undefined ? {} : { latency: measured }),
  };
}

const ownerOf = (source: AdminSource, what: string): string => source.owners.get(what) ?? 'none';

export function version(source: AdminSource, now: number = Date.now()): VersionAnswer {
  const view = source.view();
  const workers = view.reader.workers();
  return {
    version: view.version,
    node: process.version,
    pid: process.pid,
    engine: workers[0]?.engine ?? 'none',
    workers: workers.length,
    startedAt: new Date(view.startedAtMs).toISOString(),
    uptimeSeconds: Math.max(0, Math.round((now - view.startedAtMs) / 1000)),
  };
}

export function listenerAnswer(
  source: AdminSource,
  { reader }: MetricsView,
  { name, mode, routes, slot, incarnation }: ListenerView,
): ListenerAnswer {
  const totals = reader.listener(slot, incarnation);
  return {
    name,
    source: ownerOf(source, `listener ${name}`),
    mode,
    address: boundText(source.address(name)),
    routes: routes.length,
    connections: totals.connections,
    connectionsTotal: totals.connectionsTotal,
    rejectedTotal: totals.rejectedTotal,
    receivedBytes: totals.receivedBytesTotal,
    sentBytes: totals.sentBytesTotal,
    ...(mode === 'http'
      ? { requests: counts(totals, reader.listenerHistograms(slot, incarnation).requestDuration) }
      : {}),
  };
}

export function routeAnswer(
  source: AdminSource,
  { reader }: MetricsView,
  listener: ListenerView,
  { host, pathPrefix, pool, slot, incarnation }: RouteView,
): RouteAnswer {
  const { name, mode } = listener;
  const owners = source.owners;
  // An attached route's owner and who wants it there; others are the listener's.
  const [owner = '', ...origin] = (owners.get(`route ${name} ${host} ${pathPrefix}`) ?? '').split(
    ' ',
  );
  const id = owner === 'api' && origin[0] === 'route' ? origin.slice(1).join(' ') : undefined;
  return {
    ...(id === undefined ? {} : { id }),
    listener: name,
    host,
    pathPrefix,
    pool,
    source: owner === '' ? ownerOf(source, `listener ${name}`) : owner,
    ...(mode === 'http'
      ? {
          requests: counts(
            reader.route(slot, incarnation),
            reader.routeHistograms(slot, incarnation).duration,
          ),
        }
      : {}),
  };
}

// Reasons as in the metrics: `connect_refused`, `client_reset`. Only those that occurred.
function errors(totals: Readonly<Record<string, number>>): Record<string, number> {
  const reasons = [
    'connectRefused',
    'connectTimeout',
    'connectUnreachable',
    'connectOther',
    'noBackend',
    'clientReset',
    'backendReset',
    'idleTimeout',
    'stalled',
    'cut',
    'responseTimeout',
    'responseInvalid',
    'responseCut',
    'requestFailures',
  ];
  return Object.fromEntries(
    reasons.flatMap((reason) => {
      const count = totals[`${reason}Total`] ?? 0;
      const name = reason.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return count > 0 ? [[name, count] as const] : [];
    }),
  );
}

export function backendAnswer(
  source: AdminSource,
  { reader }: MetricsView,
  pool: PoolView,
  backend: BackendView,
): BackendAnswer {
  const totals = reader.backend(backend.slot, backend.incarnation);
  const { id, address, state, health, check, weight, removing, inFlight } = backend;
  const last = check?.last;
  return {
    id,
    address,
    pool: pool.name,
    source: ownerOf(source, `pool ${pool.name}`),
    state,
    health,
    ...(last === undefined
      ? {}
      : { lastCheck: { at: last.at.toISOString(), ok: last.ok, reason: last.reason } }),
    weight,
    removing,
    connections: inFlight,
    connectionsTotal: totals.connectionsTotal,
    receivedBytes: totals.receivedBytesTotal,
    sentBytes: totals.sentBytesTotal,
    errors: errors(totals),
    ...(pool.takesRequests ? { requestsTotal: totals.requestsTotal } : {}),
  };
}

export function poolAnswer(source: AdminSource, view: MetricsView, pool: PoolView): PoolAnswer {
  const { name, strategy, slot, incarnation, takesRequests } = pool;
  const totals = view.reader.pool(slot, incarnation);
  return {
    name,
    source: ownerOf(source, `pool ${name}`),
    strategy,
    connections: totals.connections,
    connectionsTotal: totals.connectionsTotal,
    retriesTotal: totals.retriesTotal + totals.requestRetriesTotal,
    receivedBytes: totals.fromBackendBytesTotal,
    sentBytes: totals.toBackendBytesTotal,
    errors: errors(totals),
    ...(takesRequests
      ? {
          requests: counts(totals, view.reader.poolHistograms(slot, incarnation).requestDuration),
        }
      : {}),
    backends: pool.backends.map((backend) => backendAnswer(source, view, pool, backend)),
  };
}

// The times of all requests since the start.
export function requestDurations({ reader, listeners }: MetricsView): Histogram {
  const all = new Histogram();
  for (const { mode, slot, incarnation } of listeners) {
    if (mode !== 'http') continue;
    all.merge(reader.listenerHistograms(slot, incarnation).requestDuration);
  }
  return all;
}

// USER_HZ, which is 100 on every architecture of Linux.
const ticksPerSecond = 100;

// Of one thread of this process (proc(5), fields 14 and 15); undefined when it has ended.
function threadCpuSeconds(threadId: number): number | undefined {
  try {
    const text = readFileSync(`/proc/self/task/${threadId}/stat`, 'latin1');
    // The name in brackets may hold blanks and brackets itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isFinite(ticks) ? ticks / ticksPerSecond : undefined;
  } catch {
    return undefined;
  }
}

// `duration`: which times the percentiles are of.
export function statsAnswer(
  view: MetricsView,
  duration: Histogram,
  now: number = Date.now(),
): StatsAnswer {
  const totals = view.listeners.map((one) => view.reader.listener(one.slot, one.incarnation));
  const sum = (pick: (one: (typeof totals)[number]) => number): number =>
    totals.reduce((all, one) => all + pick(one), 0);
  const workers = view.reader.workers();
  const classes: Record<string, number> = {};
  for (const one of totals) {
    for (const [name, count] of Object.entries(classCounts(one))) {
      classes[name] = (classes[name] ?? 0) + count;
    }
  }
  const measured = percentiles(latency(duration));
  return {
    at: new Date(now).toISOString(),
    generation: view.sequence,
    connections: workers.reduce((all, { totals: { connections } }) => all + connections, 0),
    connectionsTotal: sum((one) => one.connectionsTotal),
    requests: {
      total: sum((one) => one.requestsTotal),
      inFlight: sum((one) => one.requestsInFlight),
      classes,
      ...(measured === undefined ? {} : { latency: measured }),
    },
    receivedBytes: sum((one) => one.receivedBytesTotal),
    sentBytes: sum((one) => one.sentBytesTotal),
    workers: workers.map(({ index, state, engine, threadId, totals: { connections } }) => {
      const cpuSeconds = threadCpuSeconds(threadId);
      return {
        index,
        state,
        engine,
        connections,
        ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
      };
    }),
  };
}
