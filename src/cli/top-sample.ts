// One look at the figures of a balancer that runs, in its shared memory.
import { readFileSync } from 'node:fs';
import type { MemoryAnswer, MemorySlot } from '../admin/api-types.ts';
import { AdminState, HealthState } from '../shm/layout.gen.ts';
import type { Mirror, SlotRange, SlotRanges } from '../shm/mirror.ts';
import type { Histogram, WorkerReport } from '../shm/read.ts';
import { sequenceOf } from '../shm/region.ts';

// Counters since the owner of the slot began.
export interface Counted {
  // Equal in two samples: it is the same listener, pool or backend.
  readonly key: string;
  readonly connectionsTotal: number;
  readonly requestsTotal: number;
  // Connections that ended early, and answers 5xx.
  readonly errorsTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  // Now.
  readonly connections: number;
  readonly inFlight: number;
}
export interface WorkerSample {
  readonly report: WorkerReport;
  // CPU time of its thread; undefined when the system does not tell.
  readonly cpuSeconds: number | undefined;
}
export interface ListenerSample extends Counted {
  readonly name: string;
  readonly mode: 'tcp' | 'http';
  readonly address: string;
  // Of requests; in mode tcp there are none.
  readonly duration: Histogram;
}
export interface PoolSample extends Counted {
  readonly name: string;
  readonly takesRequests: boolean;
  // Of requests, or of connections where there are no requests.
  readonly duration: Histogram;
  readonly backends: readonly BackendSample[];
}
export interface BackendSample extends Counted {
  readonly id: string;
  readonly state: 'up' | 'draining' | 'drained';
  readonly health: string;
  readonly weight: number;
}
export interface Sample {
  // Monotonic.
  readonly atMs: number;
  readonly generation: number;
  readonly workers: readonly WorkerSample[];
  readonly listeners: readonly ListenerSample[];
  readonly pools: readonly PoolSample[];
}

function rangeOf(slots: readonly MemorySlot[]): SlotRange {
  let [first, end] = [Number.MAX_SAFE_INTEGER, 0];
  for (const { slot } of slots) {
    first = Math.min(first, slot);
    end = Math.max(end, slot + 1);
  }
  return end === 0 ? [0, 0] : [first, end];
}

export function rangesOf({ listeners, pools }: MemoryAnswer): SlotRanges {
  const backends = rangeOf(pools.flatMap((pool) => pool.backends));
  return {
    workerListener: rangeOf(listeners),
    workerPool: rangeOf(pools),
    workerBackend: backends,
    workerInFlight: backends,
  };
}

// Nanoseconds on a processor come first in schedstat.
export function threadCpuSeconds(pid: number, thread: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    return Number(text.split(' ', 1)[0]) / 1e9;
  } catch {
    return undefined;
  }
}

type Numbers = Readonly<Record<string, number>>;

// Why connections ended early, by the names of the counters.
const failures = [
  'noBackendTotal',
  'clientResetTotal',
  'backendResetTotal',
  'idleTimeoutTotal',
  'stalledTotal',
  'cutTotal',
  'requests5xxTotal',
  'requestFailuresTotal',
];
const errorsOf = (totals: Numbers): number =>
  failures.reduce((sum, name) => sum + (totals[name] ?? 0), 0);

const keyOf = (name: string, { slot, incarnation }: MemorySlot): string =>
  `${name} ${slot} ${incarnation}`;

const healthNames = Object.keys(HealthState) as (keyof typeof HealthState)[];

function backend(mirror: Mirror, one: MemoryAnswer['pools'][number]['backends'][number]) {
  const { id, slot, incarnation } = one;
  const totals = mirror.reader.backend(slot, incarnation);
  const { admin, health, weight } = mirror.region.readLive(slot);
  const connections = mirror.reader.inFlight(slot);
  const known = health >>> 8 === incarnation ? health & 0xff : HealthState.unknown;
  const state = admin === AdminState.up ? 'up' : connections > 0 ? 'draining' : 'drained';
  return {
    key: keyOf(id, one),
    id,
    state,
    health: healthNames.find((name) => HealthState[name] === known) ?? 'unknown',
    weight,
    connections,
    inFlight: 0,
    connectionsTotal: totals.connectionsTotal,
    requestsTotal: totals.requestsTotal,
    errorsTotal: errorsOf(totals),
    receivedBytes: totals.receivedBytesTotal,
    sentBytes: totals.sentBytesTotal,
  } as const;
}

// `mirror` has been copied by `rangesOf(names)`.
export function readSample(mirror: Mirror, names: MemoryAnswer, atMs: number): Sample {
  const { reader } = mirror;
  return {
    atMs,
    generation: sequenceOf(mirror.generation),
    workers: reader.workers().map((report) => ({
      report,
      cpuSeconds: threadCpuSeconds(names.pid, report.threadId),
    })),
    listeners: names.listeners.map((one) => {
      const totals = reader.listener(one.slot, one.incarnation);
      return {
        key: keyOf(one.name, one),
        name: one.name,
        mode: one.mode,
        address: one.address,
        connections: totals.connections,
        inFlight: totals.requestsInFlight,
        connectionsTotal: totals.connectionsTotal,
        requestsTotal: totals.requestsTotal,
        errorsTotal: errorsOf(totals),
        receivedBytes: totals.receivedBytesTotal,
        sentBytes: totals.sentBytesTotal,
        duration: reader.listenerHistograms(one.slot, one.incarnation).requestDuration,
      };
    }),
    pools: names.pools.map((one) => {
      const totals = reader.pool(one.slot, one.incarnation);
      const measured = reader.poolHistograms(one.slot, one.incarnation);
      return {
        key: keyOf(one.name, one),
        name: one.name,
        takesRequests: one.takesRequests,
        connections: totals.connections,
        inFlight: totals.requestsInFlight,
        connectionsTotal: totals.connectionsTotal,
        requestsTotal: totals.requestsTotal,
        errorsTotal: errorsOf(totals),
        receivedBytes: totals.fromBackendBytesTotal,
        sentBytes: totals.toBackendBytesTotal,
        duration: one.takesRequests ? measured.requestDuration : measured.duration,
        backends: one.backends.map((each) => backend(mirror, each)),
      };
    }),
  };
}
