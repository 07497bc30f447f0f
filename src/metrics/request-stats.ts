// What `lb.stats()` says of requests: of listeners of mode http, their routes, and the pools and
// backends that these lead to.

import type {
  BackendTotals,
  Histogram,
  ListenerView,
  MetricsView,
  PoolView,
  RouteView,
} from '../shm/read.ts';

// Milliseconds; NaN while nothing was measured.
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface ClassCounts {
  readonly '1xx': number;
  readonly '2xx': number;
  readonly '3xx': number;
  readonly '4xx': number;
  readonly '5xx': number;
}

export interface RouteStats {
  // Empty for every host.
  readonly host: string;
  // Empty for every path.
  readonly pathPrefix: string;
  readonly pool: string;
  readonly active: number;
  readonly responses: ClassCounts;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly duration: Latency;
}

export interface ListenerRequests {
  readonly active: number;
  readonly total: number;
  readonly responses: ClassCounts;
  // By status: what sluice answered itself.
  readonly answered: Readonly<Record<string, number>>;
  readonly clientAborted: number;
  readonly upgrades: number;
  readonly duration: Latency;
  readonly routes: readonly RouteStats[];
}

export interface PoolRequests {
  readonly active: number;
  readonly total: number;
  readonly responses: ClassCounts;
  readonly retries: number;
  readonly responseTimeout: number;
  readonly responseInvalid: number;
  readonly responseCut: number;
  readonly duration: Latency;
  // From a request sent to the head of its answer.
  readonly response: Latency;
}

export interface BackendRequests {
  readonly total: number;
  readonly failures: number;
  readonly connectionsReused: number;
  readonly connectionsIdle: number;
}

export function latency(histogram: Histogram): Latency {
  const quantile = (q: number): number => histogram.quantile(q) / 1000;
  return {
    count: histogram.count,
    mean: histogram.sum / histogram.count / 1000,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
}

type ByClass = Readonly<Record<`requests${1 | 2 | 3 | 4 | 5}xxTotal`, number>>;

export const classCounts = (totals: ByClass): ClassCounts => ({
  '1xx': totals.requests1xxTotal,
  '2xx': totals.requests2xxTotal,
  '3xx': totals.requests3xxTotal,
  '4xx': totals.requests4xxTotal,
  '5xx': totals.requests5xxTotal,
});

function routeStats({ reader }: MetricsView, route: RouteView): RouteStats {
  const { host, pathPrefix, pool, slot, incarnation } = route;
  const totals = reader.route(slot, incarnation);
  return {
    host,
    pathPrefix,
    pool,
    active: totals.requestsInFlight,
    responses: classCounts(totals),
    requestBytes: totals.requestBytesTotal,
    responseBytes: totals.responseBytesTotal,
    duration: latency(reader.routeHistograms(slot, incarnation).duration),
  };
}

// undefined in other modes.
export function listenerRequests(
  view: MetricsView,
  { slot, incarnation, mode, routes }: ListenerView,
): ListenerRequests | undefined {
  if (mode !== 'http') return undefined;
  const totals = view.reader.listener(slot, incarnation);
  const answered = Object.entries(totals).flatMap(([field, count]) => {
    const status = /^answered(\d+)Total$/.exec(field)?.[1];
    return status === undefined ? [] : [[status, count] as const];
  });
  return {
    active: totals.requestsInFlight,
    total: totals.requestsTotal,
    responses: classCounts(totals),
    answered: Object.fromEntries(answered),
    clientAborted: totals.clientAbortedTotal,
    upgrades: totals.httpUpgradesTotal,
    duration: latency(view.reader.listenerHistograms(slot, incarnation).requestDuration),
    routes: routes.map((route) => routeStats(view, route)),
  };
}

// undefined where no request comes to.
export function poolRequests(
  { reader }: MetricsView,
  { slot, incarnation, takesRequests }: PoolView,
): PoolRequests | undefined {
  if (!takesRequests) return undefined;
  const totals = reader.pool(slot, incarnation);
  const { requestDuration, responseTime } = reader.poolHistograms(slot, incarnation);
  return {
    active: totals.requestsInFlight,
    total: totals.requestsTotal,
    responses: classCounts(totals),
    retries: totals.requestRetriesTotal,
    responseTimeout: totals.responseTimeoutTotal,
    responseInvalid: totals.responseInvalidTotal,
    responseCut: totals.responseCutTotal,
    duration: latency(requestDuration),
    response: latency(responseTime),
  };
}

export const backendRequests = (totals: BackendTotals): BackendRequests => ({
  total: totals.requestsTotal,
  failures: totals.requestFailuresTotal,
  connectionsReused: totals.connectionsReusedTotal,
  connectionsIdle: totals.idleConnections,
});
