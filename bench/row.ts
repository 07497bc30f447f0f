// What a row of the comparison is, and the figures rows are made of.
import type { LoadRequest, LoadResult } from './load.ts';
import type { ContenderName, Engine } from './peers.ts';

export const tcpRowNames = ['roundtrip', 'connect', 'bulk', 'latency', 'idle'] as const;
export const httpRowNames = [
  'http',
  'http256',
  'httpwrk',
  'httpbulk',
  'httpconnect',
  'httplatency',
  'httpunix',
  'httplog',
  'httpidle',
] as const;
export const rowNames = [...tcpRowNames, ...httpRowNames] as const;
export type RowName = (typeof rowNames)[number];

export interface Sample {
  readonly contender: ContenderName;
  readonly round: number;
  readonly value: number; // of the row's figure
  // A figure to hold it against: over TCP, where the row's origins are Unix sockets; without a log,
  // where the row has one.
  readonly baseline?: number;
  readonly workerCosts?: { logging: number; silent: number }; // ns of sluice's worker per request
  readonly balancerShare: number; // its CPU time by wall time
  readonly othersShare: number; // of the same CPU
  readonly load: LoadResult;
  readonly memory?: { engine: number; process: number }; // bytes per pair
}

// `ratio`: sluice's figure by the peer's in the same round, by the better one of several.
// `baseline`: sluice's figure by its own baseline in the same round.
// `worker`: what a request costs sluice's worker, by what it costs without a log.
// `value`: sluice's figure itself.
export interface Limit {
  readonly kind: 'ratio' | 'baseline' | 'worker' | 'value';
  readonly against: readonly ContenderName[];
  readonly bound: 'at least' | 'at most';
  readonly limits: Readonly<Record<Engine, number>>;
}

export interface Row {
  readonly name: RowName;
  readonly http: boolean; // otherwise TCP
  readonly title: string;
  readonly load: Pick<LoadRequest, 'mode' | 'connections' | 'rate'>;
  // The clients are wrk; the load program has only the origins.
  readonly wrk?: boolean;
  // The origins are Unix sockets; each sample is measured beside one whose origins are not.
  readonly unixOrigins?: boolean;
  // Everybody logs to a file; each sample of sluice is measured beside one without a log.
  readonly logs?: boolean;
  readonly smallConnections?: number;
  readonly rounds: number;
  readonly seconds: number;
  // What a verdict of this row presupposes. saturation: the balancer's CPU did nothing else, not
  // even rest. quiet: nobody else used that CPU, which a tail latency shows first.
  readonly needs: 'saturation' | 'quiet' | 'nothing';
  readonly bodies: boolean;
  readonly better: 'more' | 'less';
  readonly unit: string;
  readonly value: (result: LoadResult) => number;
  readonly show: (value: number) => string;
  readonly limits: readonly Limit[];
}

export type RowTable<Name extends RowName> = Readonly<Record<Name, Omit<Row, 'name' | 'http'>>>;

// Work by CPU time, shown as its inverse.
export const costOf = (work: string) =>
  ({
    better: 'more',
    unit: `µs of CPU per ${work}`,
    value: ({ work, watched_cpu_seconds }: LoadResult) => work / watched_cpu_seconds,
    show: (perSecond: number) => (1e6 / perSecond).toFixed(2),
  }) as const;

export const throughput = {
  better: 'more',
  unit: 'GB per CPU second',
  value: ({ bytes, watched_cpu_seconds }: LoadResult) => bytes / watched_cpu_seconds,
  show: (value: number) => (value / 1e9).toFixed(2),
} as const;

export const tailLatency = {
  better: 'less',
  unit: 'µs, p99 from the due time',
  value: ({ p99_us }: LoadResult) => p99_us,
  show: (value: number) => value.toFixed(0),
} as const;

export const memoryPer = (what: string) =>
  ({
    better: 'less',
    unit: `bytes per ${what} (sluice: engine; peers: process)`,
    value: () => Number.NaN, // comes from the memory of the process, not from the load
    show: (value: number) => value.toFixed(0),
  }) as const;

export const ratio = (
  against: readonly ContenderName[],
  bound: Limit['bound'],
  io_uring: number,
  epoll: number,
): Limit => ({ kind: 'ratio', against, bound, limits: { io_uring, epoll } });

export const bytesAtMost = (bytes: number): Limit => ({
  kind: 'value',
  against: [],
  bound: 'at most',
  limits: { io_uring: bytes, epoll: bytes },
});
