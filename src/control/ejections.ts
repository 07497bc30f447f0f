// Tells of backends that workers eject: looks at one word of each worker often, and at the backends
// only when that has changed or while some are ejected.
import type { Logger } from '../log.ts';
import { ejectionsOf, ejectionsOfBackend, type WorkerEjection } from '../shm/ejections.ts';
import { HealthState } from '../shm/layout.gen.ts';
import type { EjectionView } from '../shm/read.ts';
import type { Region } from '../shm/region.ts';
import type { Emit } from './events.ts';
import type { BackendRecord, PoolRecord } from './records.ts';

export interface EjectionParts {
  readonly region: Region;
  readonly emit: Emit;
  readonly log: Logger;
  readonly pools: () => Iterable<PoolRecord>;
  // CLOCK_MONOTONIC in nanoseconds.
  readonly monotonic?: () => bigint;
}

const lookMs = 100;

const sum = (found: readonly WorkerEjection[]): number =>
  found.reduce((total, one) => total + one.total, 0);

export class Ejections {
  readonly #parts: EjectionParts;
  readonly #monotonic: () => bigint;
  // Backends with a worker that has not had a success since it ejected them.
  readonly #suspects = new Set<BackendRecord>();
  // How many ejections of a backend have been told.
  readonly #told = new WeakMap<BackendRecord, number>();
  #totals: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: EjectionParts) {
    this.#parts = parts;
    this.#monotonic = parts.monotonic ?? process.hrtime.bigint;
  }

  start(): void {
    this.#plan(lookMs);
  }
  stop(): void {
    clearTimeout(this.#timer);
  }
  // A tenth of the time at most, however many backends fail on however many workers.
  #plan(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const began = performance.now();
      this.look();
      this.#plan(Math.max(lookMs, 10 * (performance.now() - began)));
    }, afterMs).unref();
  }

  look(): void {
    const { region } = this.#parts;
    const totals = Array.from({ length: region.workers }, (_, worker) =>
      ejectionsOf(region, worker),
    );
    const isNew = totals.some((total, worker) => total !== (this.#totals[worker] ?? 0));
    this.#totals = totals;
    if (isNew) {
      for (const pool of this.#parts.pools()) {
        if (pool.settings.ejection.failures === 0) continue;
        for (const record of pool.members) this.#lookAt(record);
      }
    }
    for (const record of this.#suspects) this.#lookForEnd(record);
  }

  // Of a backend that a worker leaves alone now.
  view({ slot, incarnation, pool }: BackendRecord): EjectionView | undefined {
    if (pool.settings.ejection.failures === 0) return undefined;
    const now = this.#monotonic();
    const running = ejectionsOfBackend(this.#parts.region, slot, incarnation).filter(
      ({ untilNs }) => untilNs > now,
    );
    const [first] = running;
    if (first === undefined) return undefined;
    const last = running.reduce((latest, { untilNs }) => (untilNs > latest ? untilNs : latest), 0n);
    return {
      reason: first.reason,
      until: new Date(Date.now() + Number(last - now) / 1e6),
      workers: running.length,
    };
  }

  #lookAt(record: BackendRecord): void {
    const found = ejectionsOfBackend(this.#parts.region, record.slot, record.incarnation);
    const total = sum(found);
    if (total <= (this.#told.get(record) ?? 0)) return;
    this.#told.set(record, total);
    this.#suspects.add(record);
    const view = this.view(record);
    const reason = view?.reason ?? found.at(-1)?.reason ?? 'failures';
    const names = { pool: record.pool.name, backend: record.backend.id, reason };
    const until = view?.until ?? new Date();
    this.#parts.log.warn('backend ejected', { ...names, until: until.toISOString() });
    this.#parts.emit('backend:ejected', { ...names, until, workers: view?.workers ?? 0 });
  }

  // Over when every worker has had a success, or no reason to try for as long as an ejection lasts.
  #lookForEnd(record: BackendRecord): void {
    const { pool, backend, slot, incarnation } = record;
    if (pool.byKey.get(backend.key) !== record) {
      this.#suspects.delete(record);
      return;
    }
    const graceNs = BigInt(pool.settings.ejection.maxMs) * 1_000_000n;
    const now = this.#monotonic();
    const isOver = ejectionsOfBackend(this.#parts.region, slot, incarnation).every(
      ({ untilNs }) => untilNs === 0n || untilNs + graceNs < now,
    );
    if (!isOver && pool.settings.ejection.failures > 0) return;
    this.#suspects.delete(record);
    const { health } = this.#parts.region.readLive(slot);
    // Checks judge it now.
    if (health === ((incarnation << 8) | HealthState.unhealthy) >>> 0) return;
    const names = { pool: pool.name, backend: backend.id, reason: 'no longer ejected' };
    this.#parts.log.info('backend is up', names);
    this.#parts.emit('backend:up', names);
  }
}
