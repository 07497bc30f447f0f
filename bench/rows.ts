// What is measured: the load of each row, the figure taken from it, and the limits it is held to.
import type { LoadRequest, LoadResult } from './load.ts';
import type { ContenderName, Engine } from './peers.ts';

export const rowNames = ['roundtrip', 'connect', 'bulk', 'latency', 'idle'] as const;
export type RowName = (typeof rowNames)[number];

export interface Sample {
  readonly contender: ContenderName;
  readonly round: number;
  readonly value: number; // of the row's figure
  readonly balancerShare: number; // its CPU time by wall time
  readonly othersShare: number; // of the same CPU
  readonly load: LoadResult;
  readonly memory?: { engine: number; process: number }; // bytes per pair
}

// `ratio`: sluice's figure by the peer's in the same round, by the better one of several.
// `value`: sluice's figure itself.
export interface Limit {
  readonly kind: 'ratio' | 'value';
  readonly against: readonly ContenderName[];
  readonly bound: 'at least' | 'at most';
  readonly limits: Readonly<Record<Engine, number>>;
}

export interface Row {
  readonly name: RowName;
  readonly title: string;
  readonly load: Pick<LoadRequest, 'mode' | 'connections' | 'rate'>;
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

const perCpuSecond = ({ work, watched_cpu_seconds }: LoadResult): number =>
  work / watched_cpu_seconds;
const asMicroseconds = (perSecond: number): string => (1e6 / perSecond).toFixed(2);
const ratio = (
  against: readonly ContenderName[],
  bound: Limit['bound'],
  io_uring: number,
  epoll: number,
): Limit => ({ kind: 'ratio', against, bound, limits: { io_uring, epoll } });

const table: Readonly<Record<RowName, Omit<Row, 'name'>>> = {
  roundtrip: {
    title: '100 B request and answer, 64 connections',
    load: { mode: 'roundtrip', connections: 64 },
    rounds: 5,
    seconds: 3,
    needs: 'saturation',
    bodies: false,
    better: 'more',
    unit: 'µs of CPU per round trip',
    value: perCpuSecond,
    show: asMicroseconds,
    limits: [ratio(['haproxy'], 'at least', 1.25, 1.05), ratio(['nginx'], 'at least', 1.25, 1.05)],
  },
  connect: {
    title: 'new connection, one round trip, close; 64 at a time',
    load: { mode: 'connect', connections: 64 },
    rounds: 5,
    seconds: 3,
    needs: 'saturation',
    bodies: false,
    better: 'more',
    unit: 'µs of CPU per connection',
    value: perCpuSecond,
    show: asMicroseconds,
    limits: [ratio(['haproxy', 'nginx'], 'at least', 1.1, 1.0)],
  },
  bulk: {
    title: '1 MiB answers, 16 connections (HAProxy with splice-auto)',
    load: { mode: 'bulk', connections: 16 },
    rounds: 5,
    seconds: 3,
    needs: 'nothing',
    bodies: true,
    better: 'more',
    unit: 'GB per CPU second',
    value: ({ bytes, watched_cpu_seconds }) => bytes / watched_cpu_seconds,
    show: (value) => (value / 1e9).toFixed(2),
    limits: [ratio(['haproxy', 'nginx'], 'at least', 3.0, 3.0)],
  },
  latency: {
    title: '10,000 round trips a second, open loop, 64 connections',
    load: { mode: 'open', connections: 64, rate: 10_000 },
    rounds: 7,
    seconds: 3,
    needs: 'quiet',
    bodies: false,
    better: 'less',
    unit: 'µs, p99 from the due time',
    value: ({ p99_us }) => p99_us,
    show: (value) => value.toFixed(0),
    limits: [ratio(['haproxy'], 'at most', 1.05, 1.05)],
  },
  idle: {
    title: 'idle pairs (9,000; small mode 1,000), each after one round trip',
    load: { mode: 'idle', connections: 9000 },
    smallConnections: 1000,
    rounds: 5,
    seconds: 30,
    needs: 'nothing',
    bodies: false,
    better: 'less',
    unit: 'bytes per pair (sluice: engine; peers: process)',
    value: () => Number.NaN, // comes from the memory of the process, not from the load
    show: (value) => value.toFixed(0),
    limits: [
      { kind: 'value', against: [], bound: 'at most', limits: { io_uring: 768, epoll: 768 } },
    ],
  },
};

export const rowsNamed = (names: readonly RowName[]): Row[] =>
  names.map((name) => ({ name, ...table[name] }));
