// What happened between two looks: rates, shares and percentiles. Pure.
import { Histogram } from '../shm/histogram.ts';
import type { Counted, ListenerSample, PoolSample, Sample } from './top-sample.ts';

// Of the time between two samples. Bytes are those received from and sent to clients; of pools and
// backends, those received from and sent to backends.
export interface Rates {
  readonly connections: number;
  readonly inFlight: number;
  readonly connectionsPerSecond: number;
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly sentBytesPerSecond: number;
}
// Milliseconds; absent when nothing was measured.
export interface LatencyFigures {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}
export interface WorkerFigures {
  readonly index: number;
  readonly state: string;
  readonly engine: string;
  readonly connections: number;
  readonly acceptedPerSecond: number;
  // Of one processor; absent when the system does not tell.
  readonly cpuPercent?: number;
  readonly heartbeatAgeMs: number;
}
export interface ListenerFigures extends Rates {
  readonly name: string;
  readonly mode: 'tcp' | 'http';
  readonly address: string;
  readonly latency?: LatencyFigures;
}
export interface PoolFigures extends Rates {
  readonly name: string;
  readonly latency?: LatencyFigures;
  readonly backends: readonly BackendFigures[];
}
export interface BackendFigures extends Omit<Rates, 'inFlight'> {
  readonly id: string;
  readonly state: string;
  readonly health: string;
  readonly weight: number;
}
export interface Figures {
  readonly intervalSeconds: number;
  readonly generation: number;
  // Of all listeners together.
  readonly total: Rates;
  readonly workers: readonly WorkerFigures[];
  readonly listeners: readonly ListenerFigures[];
  readonly pools: readonly PoolFigures[];
}

// Names can be late: what a new owner did before it was known is not of this time.
const risen = (after: number, before: number | undefined): number =>
  before === undefined || before > after ? 0 : after - before;

function rates(after: Counted, before: Counted | undefined, seconds: number): Rates {
  const per = (field: keyof Omit<Counted, 'key'>): number =>
    risen(after[field], before?.[field]) / seconds;
  return {
    connections: after.connections,
    inFlight: after.inFlight,
    connectionsPerSecond: per('connectionsTotal'),
    requestsPerSecond: per('requestsTotal'),
    errorsPerSecond: per('errorsTotal'),
    receivedBytesPerSecond: per('receivedBytes'),
    sentBytesPerSecond: per('sentBytes'),
  };
}

export function between(after: Histogram, before: Histogram | undefined): Histogram {
  const result = new Histogram();
  after.counts.forEach((count, bucket) => {
    const amount = risen(count, before?.counts[bucket]);
    if (amount > 0) result.add(bucket, amount);
  });
  return result;
}

function latency(
  after: ListenerSample | PoolSample,
  before: ListenerSample | PoolSample | undefined,
): { readonly latency?: LatencyFigures } {
  if (before === undefined) return {};
  const measured = between(after.duration, before.duration);
  if (measured.count === 0) return {};
  const at = (q: number): number => measured.quantile(q) / 1000;
  return { latency: { p50: at(0.5), p95: at(0.95), p99: at(0.99) } };
}

const byKey = <T extends Counted>(all: readonly T[] = []): ReadonlyMap<string, T> =>
  new Map(all.map((one) => [one.key, one]));

const none: Rates = {
  connections: 0,
  inFlight: 0,
  connectionsPerSecond: 0,
  requestsPerSecond: 0,
  errorsPerSecond: 0,
  receivedBytesPerSecond: 0,
  sentBytesPerSecond: 0,
};

function sum(all: readonly Rates[]): Rates {
  const keys = Object.keys(none) as (keyof Rates)[];
  const entries = keys.map((key) => [key, all.reduce((total, one) => total + one[key], 0)]);
  return Object.fromEntries(entries) as unknown as Rates;
}

function workers(before: Sample, after: Sample, seconds: number): WorkerFigures[] {
  return after.workers.map(({ report, cpuSeconds }, index) => {
    const former = before.workers[index];
    const { state, engine, totals, heartbeatAgeMs } = report;
    const cpu =
      cpuSeconds === undefined || former?.cpuSeconds === undefined
        ? undefined
        : (risen(cpuSeconds, former.cpuSeconds) / seconds) * 100;
    return {
      index,
      state,
      engine,
      connections: totals.connections,
      acceptedPerSecond: risen(totals.acceptedTotal, former?.report.totals.acceptedTotal) / seconds,
      ...(cpu === undefined ? {} : { cpuPercent: cpu }),
      heartbeatAgeMs: Math.round(heartbeatAgeMs),
    };
  });
}

export function figuresOf(before: Sample, after: Sample): Figures {
  const seconds = Math.max((after.atMs - before.atMs) / 1000, 0.001);
  const [formerListeners, formerPools] = [byKey(before.listeners), byKey(before.pools)];
  const listeners = after.listeners.map((one): ListenerFigures => {
    const former = formerListeners.get(one.key);
    const { name, mode, address } = one;
    return { name, mode, address, ...rates(one, former, seconds), ...latency(one, former) };
  });
  const pools = after.pools.map((one): PoolFigures => {
    const former = formerPools.get(one.key);
    const formerBackends = byKey(former?.backends);
    const backends = one.backends.map((each): BackendFigures => {
      const { id, state, health, weight, key } = each;
      const { inFlight: _, ...own } = rates(each, formerBackends.get(key), seconds);
      return { id, state, health, weight, ...own };
    });
    const own = { ...rates(one, former, seconds), ...latency(one, former) };
    return { name: one.name, ...own, backends };
  });
  return {
    intervalSeconds: seconds,
    generation: after.generation,
    total: sum(listeners),
    workers: workers(before, after, seconds),
    listeners,
    pools,
  };
}
