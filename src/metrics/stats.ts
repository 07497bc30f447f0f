// `lb.stats()`: the same figures as `/metrics`, as a typed value, with percentiles computed from
// the workers' own buckets (each at most 6.25 % wide).
import type {
  BackendView,
  ListenerView,
  MetricsView,
  PoolView,
  WorkerReport,
} from '../shm/read.ts';
import {
  type BackendRequests,
  backendRequests,
  type Latency,
  type ListenerRequests,
  latency,
  listenerRequests,
  type PoolRequests,
  poolRequests,
} from './request-stats.ts';

export interface WorkerStats {
  readonly index: number;
  readonly state: WorkerReport['state'];
  readonly engine: WorkerReport['engine'];
  // Why it does without io_uring, and the errno behind that; `none` and 0 otherwise.
  readonly engineFallback: WorkerReport['engineFallback'];
  readonly engineError: number;
  readonly cpu: number | undefined;
  readonly connections: number;
  readonly accepted: number;
  readonly heartbeatAgeMs: number;
  readonly generation: number;
}

// Connections that ended early, each for one reason.
export interface EarlyEnds {
  readonly noBackend: number;
  readonly clientReset: number;
  readonly backendReset: number;
  readonly idleTimeout: number;
  readonly stalled: number;
  readonly cut: number;
}

// Tries, of which a connection makes up to three.
export interface ConnectFailures {
  readonly connectRefused: number;
  readonly connectTimeout: number;
  readonly connectUnreachable: number;
  readonly connectOther: number;
}

export interface ListenerStats {
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly rejectedTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly errors: EarlyEnds;
  // In mode http.
  readonly requests: ListenerRequests | undefined;
}

export interface BackendStats {
  readonly address: string;
  readonly state: BackendView['state'];
  readonly health: BackendView['health'];
  // Undefined where nobody checks.
  readonly check: BackendView['check'];
  readonly ejection: BackendView['ejection'];
  readonly weight: number;
  // On its way out of the pool.
  readonly removing: boolean;
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly errors: BackendErrors;
  // In pools that take requests.
  readonly requests: BackendRequests | undefined;
}

export type BackendErrors = ConnectFailures & Pick<EarlyEnds, 'backendReset' | 'cut'>;
export type PoolErrors = ConnectFailures & EarlyEnds;

export interface PoolStats {
  readonly strategy: string;
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly retriesTotal: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly errors: PoolErrors;
  readonly connect: Latency;
  readonly firstByte: Latency;
  readonly duration: Latency;
  // Where a listener of mode http has a route to the pool.
  readonly requests: PoolRequests | undefined;
  readonly backends: Readonly<Record<string, BackendStats>>;
}

export interface Stats {
  readonly version: string;
  // That of the workers; `none` before they have started.
  readonly engine: WorkerReport['engine'];
  readonly generation: number;
  readonly startedAt: Date;
  readonly connections: number;
  readonly workers: readonly WorkerStats[];
  readonly listeners: Readonly<Record<string, ListenerStats>>;
  readonly pools: Readonly<Record<string, PoolStats>>;
}

const workerStats = (report: WorkerReport): WorkerStats => ({
  index: report.index,
  state: report.state,
  engine: report.engine,
  engineFallback: report.engineFallback,
  engineError: report.engineError,
  cpu: report.cpu,
  connections: report.totals.connections,
  accepted: report.totals.acceptedTotal,
  heartbeatAgeMs: report.heartbeatAgeMs,
  generation: report.adopted,
});

type Totals<Errors> = { readonly [Name in keyof Errors as `${Name & string}Total`]: number };

const earlyEnds = (totals: Totals<EarlyEnds>): EarlyEnds => ({
  noBackend: totals.noBackendTotal,
  clientReset: totals.clientResetTotal,
  backendReset: totals.backendResetTotal,
  idleTimeout: totals.idleTimeoutTotal,
  stalled: totals.stalledTotal,
  cut: totals.cutTotal,
});

const connectFailures = (totals: Totals<ConnectFailures>): ConnectFailures => ({
  connectRefused: totals.connectRefusedTotal,
  connectTimeout: totals.connectTimeoutTotal,
  connectUnreachable: totals.connectUnreachableTotal,
  connectOther: totals.connectOtherTotal,
});

function listenerStats(view: MetricsView, listener: ListenerView): ListenerStats {
  const totals = view.reader.listener(listener.slot, listener.incarnation);
  return {
    connections: totals.connections,
    connectionsTotal: totals.connectionsTotal,
    rejectedTotal: totals.rejectedTotal,
    receivedBytes: totals.receivedBytesTotal,
    sentBytes: totals.sentBytesTotal,
    errors: earlyEnds(totals),
    requests: listenerRequests(view, listener),
  };
}

function backendStats(
  { reader }: MetricsView,
  { takesRequests }: PoolView,
  backend: BackendView,
): BackendStats {
  const totals = reader.backend(backend.slot, backend.incarnation);
  const { address, state, health, check, ejection, weight, removing, inFlight } = backend;
  return {
    address,
    state,
    health,
    check,
    ejection,
    weight,
    removing,
    connections: inFlight,
    connectionsTotal: totals.connectionsTotal,
    sentBytes: totals.sentBytesTotal,
    receivedBytes: totals.receivedBytesTotal,
    errors: {
      ...connectFailures(totals),
      backendReset: totals.backendResetTotal,
      cut: totals.cutTotal,
    },
    requests: takesRequests ? backendRequests(totals) : undefined,
  };
}

function poolStats(view: MetricsView, pool: PoolView): PoolStats {
  const totals = view.reader.pool(pool.slot, pool.incarnation);
  const measured = view.reader.poolHistograms(pool.slot, pool.incarnation);
  const backends = pool.backends.map(
    (backend) => [backend.id, backendStats(view, pool, backend)] as const,
  );
  return {
    strategy: pool.strategy,
    connections: totals.connections,
    connectionsTotal: totals.connectionsTotal,
    retriesTotal: totals.retriesTotal,
    sentBytes: totals.toBackendBytesTotal,
    receivedBytes: totals.fromBackendBytesTotal,
    errors: { ...connectFailures(totals), ...earlyEnds(totals) },
    connect: latency(measured.connectTime),
    firstByte: latency(measured.firstByteTime),
    duration: latency(measured.duration),
    requests: poolRequests(view, pool),
    backends: Object.fromEntries(backends),
  };
}

export function readStats(view: MetricsView): Stats {
  const workers = view.reader.workers().map(workerStats);
  return {
    version: view.version,
    engine: workers[0]?.engine ?? 'none',
    generation: view.sequence,
    startedAt: new Date(view.startedAtMs),
    connections: workers.reduce((sum, { connections }) => sum + connections, 0),
    workers,
    listeners: Object.fromEntries(
      view.listeners.map((listener) => [listener.name, listenerStats(view, listener)] as const),
    ),
    pools: Object.fromEntries(
      view.pools.map((pool) => [pool.name, poolStats(view, pool)] as const),
    ),
  };
}
