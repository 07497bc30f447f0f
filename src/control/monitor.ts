// Watches the workers' heartbeats. A worker is stuck when it has not turned for a while, twice in a
// row: once may be the whole process having been stopped.
import type { Logger } from '../log.ts';
import type { Reader, WorkerReport } from '../shm/read.ts';
import type { Emit } from './events.ts';

export interface MonitorOptions {
  readonly stuckAfterMs: number;
  readonly intervalMs: number;
}

export const isAlive = (report: WorkerReport, stuckAfterMs: number): boolean =>
  report.heartbeatAgeMs < stuckAfterMs &&
  (report.state === 'running' || report.state === 'draining');

export class Monitor {
  readonly #reader: Reader;
  readonly #emit: Emit;
  readonly #log: Logger;
  readonly #options: MonitorOptions;
  readonly #suspected = new Set<number>();
  readonly #stuck = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(reader: Reader, emit: Emit, log: Logger, options: MonitorOptions) {
    this.#reader = reader;
    this.#emit = emit;
    this.#log = log;
    this.#options = options;
  }

  readonly isStuck = (worker: number): boolean => this.#stuck.has(worker);

  // The timer also keeps the process alive, as a listening server does.
  start(): void {
    this.#timer = setInterval(() => this.check(), this.#options.intervalMs);
  }
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
  ref(): void {
    this.#timer?.ref();
  }
  unref(): void {
    this.#timer?.unref();
  }

  check(): void {
    for (const report of this.#reader.workers()) {
      const worker = report.index;
      if (isAlive(report, this.#options.stuckAfterMs)) {
        this.#suspected.delete(worker);
        if (!this.#stuck.delete(worker)) continue;
        this.#log.info('worker answers again', { worker });
        this.#emit('worker:recovered', { worker });
      } else if (!this.#suspected.has(worker)) {
        this.#suspected.add(worker);
      } else if (!this.#stuck.has(worker)) {
        this.#stuck.add(worker);
        const heartbeatAgeMs = Math.round(report.heartbeatAgeMs);
        this.#log.error('worker does not answer', { worker, state: report.state, heartbeatAgeMs });
        this.#emit('worker:stuck', { worker, heartbeatAgeMs });
      }
    }
  }
}
