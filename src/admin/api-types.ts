// What the native dialect of the admin API (`/api/v1`) carries: JSON both ways. The command line
// and the page know a balancer by these types alone. Times are milliseconds unless a name says
// seconds; instants are ISO 8601 in UTC.

// application/problem+json (RFC 9457), the body of every answer that is not 2xx.
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  // ERR_SLUICE_…, where the error is one of the table.
  readonly code?: string;
  // Everything that is wrong with what was sent.
  readonly issues?: readonly ProblemIssue[];
}
export interface ProblemIssue {
  // `pools.web.backends[1].weight`; empty for the whole document.
  readonly path: string;
  readonly message: string;
  readonly expected: string;
}

// GET /api/v1/version
export interface VersionAnswer {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly engine: string;
  readonly workers: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
}

// GET /api/v1/memory: where another process finds the shared memory, and what lies in which slot of
// it; names for `sluice top`, which reads the figures themselves there. They hold for one
// generation.
export interface MemoryAnswer {
  readonly version: string;
  readonly startedAt: string;
  readonly pid: number;
  // Of that process: a memfd, /proc/PID/fd/N.
  readonly descriptor: number;
  // Of the layout of the memory; another one cannot be read.
  readonly layoutHash: string;
  readonly generation: number;
  readonly listeners: readonly MemoryListener[];
  readonly pools: readonly MemoryPool[];
}
export interface MemorySlot {
  readonly slot: number;
  // Counters of a slot belong to it; another one is another owner of the slot.
  readonly incarnation: number;
}
export interface MemoryListener extends MemorySlot {
  readonly name: string;
  readonly mode: 'tcp' | 'http';
  readonly address: string;
}
export interface MemoryPool extends MemorySlot {
  readonly name: string;
  readonly strategy: string;
  readonly takesRequests: boolean;
  readonly backends: readonly MemoryBackend[];
}
export interface MemoryBackend extends MemorySlot {
  readonly id: string;
}

// Answer of every write: the publication in force, and the workers that follow it.
export interface AppliedAnswer {
  readonly generation: number;
  readonly workers: number;
}

// GET /api/v1/config. Answers about what can be written have an ETag: of what is stated, not of the
// figures. `If-Match` of a write takes that of the resource or that of this document; 412 when it
// is another one. POST /api/v1/config/reload reads the file again and answers with AppliedAnswer.
export interface ConfigAnswer {
  readonly generation: number;
  // Where it was read, when there is a file.
  readonly file?: string;
  // What is in force, in the language of configuration files.
  readonly config: Readonly<Record<string, unknown>>;
  // What was changed at run time, in the same language; kept in the state file when there is one.
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly stateFile?: string;
  // Statements of providers that are not in force, and why.
  readonly flags: readonly Flag[];
}
export interface Flag {
  // Provider: `file`, `docker`, `api`.
  readonly source: string;
  // Who within it: `container web1`; empty for the provider as a whole.
  readonly origin: string;
  // `route a.example/api of listener web`.
  readonly what: string;
  readonly reason: string;
}

// GET /api/v1/config/diff: how the live state differs from the file as it is now.
export interface DiffAnswer {
  readonly differences: readonly Difference[];
}
export interface Difference {
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  // In the file; absent when added.
  readonly file?: unknown;
  // In force; absent when removed.
  readonly live?: unknown;
}

// GET /api/v1/listeners and /api/v1/listeners/{listener}
export interface ListenerAnswer {
  readonly name: string;
  readonly source: string;
  readonly mode: 'tcp' | 'http';
  // Where it listens, with the port that was taken: `host:port` or `unix:/path`.
  readonly address: string;
  readonly routes: number;
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly rejectedTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  // In mode http.
  readonly requests?: RequestCounts;
}
export interface RequestCounts {
  readonly total: number;
  readonly inFlight: number;
  // By status class: `1xx` … `5xx`.
  readonly classes: Readonly<Record<string, number>>;
  // Seconds; absent while there was none.
  readonly latency?: Percentiles;
}
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

// GET /api/v1/routes
export interface RouteAnswer {
  // Of those that PUT /api/v1/routes/{id} made.
  readonly id?: string;
  readonly listener: string;
  // Empty: every host, every path.
  readonly host: string;
  readonly pathPrefix: string;
  readonly pool: string;
  readonly source: string;
  readonly requests?: RequestCounts;
}

// GET /api/v1/pools and /api/v1/pools/{pool}
export interface PoolAnswer {
  readonly name: string;
  readonly source: string;
  readonly strategy: string;
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly retriesTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  // Connections and requests that failed, by reason.
  readonly errors: Readonly<Record<string, number>>;
  readonly requests?: RequestCounts;
  readonly backends: readonly BackendAnswer[];
}

// GET /api/v1/pools/{pool}/backends and …/backends/{backend}
export interface BackendAnswer {
  // What people call it: its address as stated.
  readonly id: string;
  // What the id stands for.
  readonly address: string;
  readonly pool: string;
  readonly source: string;
  // A container's name, for example.
  readonly label?: string;
  readonly state: 'up' | 'draining' | 'drained';
  readonly health: 'unknown' | 'checking' | 'healthy' | 'unhealthy' | 'ejected';
  readonly lastCheck?: { readonly at: string; readonly ok: boolean; readonly reason: string };
  readonly weight: number;
  readonly removing: boolean;
  // Now.
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly requestsTotal?: number;
}
// POST /api/v1/pools/{pool}/backends
export interface BackendBody {
  readonly address: string;
  readonly weight?: number;
}
// PATCH …/backends/{backend}
export interface BackendPatch {
  readonly weight: number;
}
// POST …/backends/{backend}/drain, DELETE …/backends/{backend}: how long connections may go on,
// such as `30s`, in the query (`?timeout=`). The answer comes at once unless
// `?wait=true`.
export interface DrainAnswer {
  // Connections that were cut because the time was over; with `wait` only.
  readonly cut?: number;
  readonly state: 'draining' | 'drained' | 'removed';
}

// PUT and DELETE /api/v1/listeners/{listener}, /api/v1/pools/{pool}: a body as under
// `listeners.NAME` and `pools.NAME` of a configuration file. PUT and DELETE /api/v1/routes/{id}: a
// route for a listener that exists, under an id of the caller's choice.
export interface RouteBody {
  readonly listener: string;
  readonly hosts?: readonly string[];
  readonly pathPrefix?: string;
  readonly pool: string;
}

// GET /api/v1/containers
export interface ContainersAnswer {
  // Absent when no container engine is watched.
  readonly provider?: {
    readonly endpoint: string;
    readonly connected: boolean;
    readonly lastSyncAt?: string;
    readonly error?: string;
  };
  readonly containers: readonly ContainerAnswer[];
}
export interface ContainerAnswer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: 'balanced' | 'draining' | 'skipped' | 'ignored';
  // Why it is skipped or ignored.
  readonly reason?: string;
  readonly address?: string;
  readonly pools: readonly string[];
  // `http :80 a.example/api`.
  readonly routes: readonly string[];
}

// GET /api/v1/images, PUT /api/v1/images, DELETE /api/v1/images/{listen}: containers of an image
// are balanced on a port of their own.
export interface ImageMapping {
  readonly image: string;
  // Where to listen: a port, or host:port.
  readonly listen: string;
  // Of the containers.
  readonly port: number;
}

// GET /api/v1/health; status 503 unless healthy.
export interface HealthAnswer {
  readonly status: 'healthy' | 'unhealthy' | 'draining';
  readonly reasons: readonly string[];
  readonly version: string;
  readonly generation: number;
  readonly uptimeSeconds: number;
  readonly timestamp: string;
  readonly workers: readonly WorkerHealthAnswer[];
}
export interface WorkerHealthAnswer {
  readonly worker: number;
  readonly condition: 'ok' | 'starting' | 'stuck' | 'ending' | 'failed';
  readonly state: string;
  readonly engine: string;
  readonly heartbeatAgeMs: number;
  readonly generation: number;
}

// GET /api/v1/stats; also, each second, the SSE event `stats` of GET /api/v1/events?stats=1.
export interface StatsAnswer {
  readonly at: string;
  readonly generation: number;
  readonly connections: number;
  readonly connectionsTotal: number;
  // Of all listeners together, in mode http.
  readonly requests: RequestCounts;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly workers: readonly {
    readonly index: number;
    readonly state: string;
    readonly engine: string;
    readonly connections: number;
    // CPU time of its thread.
    readonly cpuSeconds?: number;
  }[];
}

// GET /api/v1/events: text/event-stream, each `data` one of these, `id` counts up, also over a
// restart; `Last-Event-ID` (or `?since=`) gives again what came after it. Names are those
// of the programming interface: `config:applied`, `listener:listening`, `backend:added`, …; and
// `events:missed` when some that came after are no longer kept.
export interface EventMessage {
  readonly id: number;
  readonly at: string;
  readonly name: string;
  readonly detail: Readonly<Record<string, unknown>>;
}
