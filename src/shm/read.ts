// What the workers report, summed over them when somebody asks. Counters of a listener, pool or
// backend belong to an incarnation of its slot: a worker that has not met that incarnation yet
// counts as zero.
import type { CheckResult } from '../model/health.ts';
import type { Mode } from '../model/types.ts';
import { Histogram } from './histogram.ts';
import { EngineFallback, EngineKind, layout, WorkerState } from './layout.gen.ts';
import type { Region, WorkerBlockName } from './region.ts';
import { sequenceOf } from './region.ts';
import { limits } from './schema.ts';

export type { Histogram } from './histogram.ts';

type Fields<B extends WorkerBlockName> = (typeof layout)[B]['fields'];
type FieldsOf<B extends WorkerBlockName, M extends string> = {
  [K in keyof Fields<B>]: Fields<B>[K] extends { readonly metric: M } ? K : never;
}[keyof Fields<B>];

// The counters and gauges of a block, by their names in the schema.
export type Totals<B extends WorkerBlockName> = Readonly<
  Record<FieldsOf<B, 'counter' | 'gauge'>, number>
>;
export type Histograms<B extends WorkerBlockName> = Readonly<
  Record<FieldsOf<B, 'histogram'>, Histogram>
>;

export type ListenerTotals = Totals<'workerListener'>;
export type ListenerHistograms = Histograms<'workerListener'>;
export type RouteTotals = Totals<'workerRoute'>;
export type RouteHistograms = Histograms<'workerRoute'>;
export type PoolTotals = Totals<'workerPool'>;
export type PoolHistograms = Histograms<'workerPool'>;
export type BackendTotals = Totals<'workerBackend'>;
export type WorkerTotals = Totals<'worker'>;

export interface WorkerReport {
  readonly index: number;
  readonly state: WorkerState;
  readonly engine: EngineKind;
  readonly engineFallback: EngineFallback;
  // errno behind the fallback or the failure, 0 otherwise.
  readonly engineError: number;
  // The processor it is pinned to.
  readonly cpu: number | undefined;
  readonly threadId: number;
  // Since its last turn; a worker turns at least every 250 ms. 0 before the first turn.
  readonly heartbeatAgeMs: number;
  // Sequence of the configuration it follows; 0: none yet.
  readonly adopted: number;
  readonly liveAdopted: number;
  // Connections that hold each snapshot slot.
  readonly snapshotRefs: readonly number[];
  readonly totals: WorkerTotals;
}

// Records of the access log; each was written, dropped, or waits.
export interface AccessLogReport {
  // How many times the destination has been switched; wraps.
  readonly sink: number;
  readonly written: number;
  // The logger could not keep up.
  readonly droppedRingFull: number;
  // The destination took nothing more, or failed.
  readonly droppedNotTaken: number;
  readonly writeErrors: number;
}

interface Scalar {
  readonly name: string;
  readonly wide: boolean;
  readonly at: number; // in words of its width, within the element
}
interface Reading {
  readonly first: number; // bytes
  readonly size: number; // bytes
  readonly scalars: readonly Scalar[];
  // Histograms with the counter that holds their sum.
  readonly histograms: readonly { name: string; at: number; sum: number }[];
}

function readingOf(block: WorkerBlockName): Reading {
  const { offset, size } = layout[block];
  const fields = Object.entries(layout[block].fields) as [
    string,
    { offset: number; type: string; metric?: string },
  ][];
  const at = (name: string): number => (fields.find(([own]) => own === name)?.[1].offset ?? 0) / 8;
  return {
    first: offset,
    size,
    scalars: fields
      .filter(([, { metric }]) => metric === 'counter' || metric === 'gauge')
      .map(([name, field]) => {
        const wide = field.type === 'a64';
        return { name, wide, at: field.offset / (wide ? 8 : 4) };
      }),
    histograms: fields
      .filter(([, { metric }]) => metric === 'histogram')
      .map(([name, field]) => ({ name, at: field.offset / 8, sum: at(`${name}Sum`) })),
  };
}

const readings = {
  worker: readingOf('worker'),
  workerListener: readingOf('workerListener'),
  workerRoute: readingOf('workerRoute'),
  workerPool: readingOf('workerPool'),
  workerBackend: readingOf('workerBackend'),
} as const;
type ReadBlock = keyof typeof readings;

const incarnationWord = layout.workerListener.fields.incarnation.offset / 4;

const nameOf = <T extends string>(values: Readonly<Record<T, number>>, value: number): T =>
  ((Object.keys(values) as T[]).find((key) => values[key] === value) ??
    Object.keys(values)[0]) as T;

const wordOf = (field: keyof typeof layout.worker.fields): number =>
  (layout.worker.offset + layout.worker.fields[field].offset) / 4;

export class Reader {
  readonly #region: Region;
  readonly #monotonic: () => bigint;

  // `monotonic`: CLOCK_MONOTONIC in nanoseconds.
  constructor(region: Region, monotonic: () => bigint = process.hrtime.bigint) {
    this.#region = region;
    this.#monotonic = monotonic;
  }

  get workersCount(): number {
    return this.#region.workers;
  }
  listener(slot: number, incarnation: number): ListenerTotals {
    return this.#sum('workerListener', slot, incarnation);
  }
  route(slot: number, incarnation: number): RouteTotals {
    return this.#sum('workerRoute', slot, incarnation);
  }
  pool(slot: number, incarnation: number): PoolTotals {
    return this.#sum('workerPool', slot, incarnation);
  }
  backend(slot: number, incarnation: number): BackendTotals {
    return this.#sum('workerBackend', slot, incarnation);
  }
  // Connections on a backend now.
  inFlight(slot: number): number {
    return this.#region.inFlight(slot);
  }

  listenerHistograms(slot: number, incarnation: number): ListenerHistograms {
    return this.#histograms('workerListener', slot, incarnation);
  }
  routeHistograms(slot: number, incarnation: number): RouteHistograms {
    return this.#histograms('workerRoute', slot, incarnation);
  }
  poolHistograms(slot: number, incarnation: number): PoolHistograms {
    return this.#histograms('workerPool', slot, incarnation);
  }

  accessLog(): AccessLogReport {
    const { offset, fields } = layout.logger;
    const word = (field: 'writtenTotal' | 'droppedTotal' | 'writeErrorsTotal'): number =>
      Number(this.#region.logger64((offset + fields[field].offset) / 8));
    const { offset: own, fields: counted } = layout.workerLog;
    let ringFull = 0;
    for (let worker = 0; worker < this.#region.workers; worker++) {
      ringFull += Number(this.#region.worker64(worker, (own + counted.droppedTotal.offset) / 8));
    }
    return {
      sink: this.#region.logger32((offset + fields.sink.offset) / 4),
      written: word('writtenTotal'),
      droppedRingFull: ringFull,
      droppedNotTaken: word('droppedTotal'),
      writeErrors: word('writeErrorsTotal'),
    };
  }

  worker(index: number): WorkerReport {
    const word = (field: keyof typeof layout.worker.fields): number =>
      this.#region.worker32(index, wordOf(field));
    const heartbeat = this.#region.heartbeat(index);
    const age = heartbeat === 0n ? 0 : Number(this.#monotonic() - heartbeat) / 1e6;
    const cpu = word('cpu');
    return {
      index,
      state: nameOf(WorkerState, word('state')),
      engine: nameOf(EngineKind, word('engine')),
      engineFallback: nameOf(EngineFallback, word('engineFallback')),
      engineError: word('engineError'),
      cpu: cpu === 0 ? undefined : cpu - 1,
      threadId: word('threadId'),
      heartbeatAgeMs: Math.max(0, age),
      adopted: sequenceOf(this.#region.adopted(index)),
      liveAdopted: this.#region.liveAdopted(index),
      snapshotRefs: Array.from({ length: limits.snapshotSlots }, (_, slot) =>
        this.#region.snapshotRefs(index, slot),
      ),
      totals: this.#totals('worker', [{ worker: index, base: layout.worker.offset }]),
    };
  }
  workers(): WorkerReport[] {
    return Array.from({ length: this.#region.workers }, (_, index) => this.worker(index));
  }

  #histograms<B extends ReadBlock>(block: B, slot: number, incarnation: number): Histograms<B> {
    const reading = readings[block];
    const result = reading.histograms.map(({ name }) => [name, new Histogram()] as const);
    for (const { worker, base } of this.#holders(block, slot, incarnation)) {
      for (const [index, { at, sum }] of reading.histograms.entries()) {
        const into = result[index]?.[1];
        if (into === undefined) continue;
        for (let bucket = 0; bucket < limits.histogramBuckets; bucket++) {
          const amount = Number(this.#region.worker64(worker, base / 8 + at + bucket));
          if (amount > 0) into.add(bucket, amount);
        }
        into.sum += Number(this.#region.worker64(worker, base / 8 + sum));
      }
    }
    return Object.fromEntries(result) as unknown as Histograms<B>;
  }

  #sum<B extends Exclude<ReadBlock, 'worker'>>(
    block: B,
    slot: number,
    incarnation: number,
  ): Totals<B> {
    return this.#totals(block, this.#holders(block, slot, incarnation));
  }

  #totals<B extends ReadBlock>(
    block: B,
    places: readonly { worker: number; base: number }[],
  ): Totals<B> {
    const result: Record<string, number> = {};
    for (const { name, wide, at } of readings[block].scalars) {
      let sum = 0;
      for (const { worker, base } of places) {
        sum += wide
          ? Number(this.#region.worker64(worker, base / 8 + at))
          : this.#region.worker32(worker, base / 4 + at);
      }
      result[name] = sum;
    }
    return result as Totals<B>;
  }

  // The workers whose counters of this slot belong to the incarnation.
  #holders(block: ReadBlock, slot: number, incarnation: number) {
    const base = readings[block].first + slot * readings[block].size;
    const holders: { worker: number; base: number }[] = [];
    for (let worker = 0; worker < this.#region.workers; worker++) {
      const found = this.#region.worker32(worker, base / 4 + incarnationWord);
      if (found === incarnation) holders.push({ worker, base });
    }
    return holders;
  }
}

// How often configurations were taken over, and how often one was refused.
export interface AppliesView {
  readonly succeeded: number;
  readonly failed: number;
  // Whether the last one was taken over, and when one was, since the epoch.
  readonly lastSucceeded: boolean;
  readonly lastSuccessMs: number;
}

// Who reads what under which name: everything that metrics and statistics need.
export interface MetricsView {
  readonly version: string;
  // Sequence of the published configuration.
  readonly sequence: number;
  readonly startedAtMs: number; // since the epoch
  readonly applies: AppliesView;
  readonly reader: Reader;
  readonly listeners: readonly ListenerView[];
  readonly pools: readonly PoolView[];
}
export interface ListenerView {
  readonly name: string;
  readonly mode: Mode;
  readonly slot: number;
  readonly incarnation: number;
  readonly routes: readonly RouteView[];
}
export interface RouteView {
  // Empty for every host.
  readonly host: string;
  // Empty for every path.
  readonly pathPrefix: string;
  // The pool's name.
  readonly pool: string;
  readonly slot: number;
  readonly incarnation: number;
}
export interface PoolView {
  readonly name: string;
  readonly strategy: string;
  // A listener of mode http has a route to it.
  readonly takesRequests: boolean;
  readonly slot: number;
  readonly incarnation: number;
  readonly backends: readonly BackendView[];
}
export interface CheckView {
  // The last one; undefined before there was any.
  readonly last:
    | {
        readonly at: Date;
        readonly ok: boolean;
        readonly result: CheckResult;
        // In words: `status 500`, `no answer within 2000 ms`.
        readonly reason: string;
        readonly durationMs: number;
      }
    | undefined;
  // By result, since the backend is checked.
  readonly counts: Readonly<Record<CheckResult, number>>;
}
export interface EjectionView {
  readonly reason: 'connect' | 'failures';
  // Of the worker that leaves it alone for longest.
  readonly until: Date;
  // That leave it alone now.
  readonly workers: number;
}
export type BackendHealth = 'unknown' | 'checking' | 'healthy' | 'unhealthy' | 'ejected';
export interface BackendView {
  readonly id: string;
  // What the id stands for: differs from it for a host name.
  readonly address: string;
  readonly slot: number;
  readonly incarnation: number;
  // Intent: what people asked for. `draining` has connections left, `drained` has none.
  readonly state: 'up' | 'draining' | 'drained';
  // Observation: what checks found; `unknown` where there are none. `ejected`: what else takes
  // traffic is left alone for a while by at least one worker.
  readonly health: BackendHealth;
  readonly check: CheckView | undefined;
  readonly ejection: EjectionView | undefined;
  readonly weight: number;
  // Connections now.
  readonly inFlight: number;
  // No longer wanted: it goes when its connections have ended.
  readonly removing: boolean;
}
