// Waits for backends to lose their last connection, and has the rest cut when the time is over.
import { SluiceError } from '../errors.ts';
import { type BackendRecord, type DrainResult, type Retirement, retirement } from './records.ts';

// What the drains need of the controller.
export interface DrainSite {
  inFlight(record: BackendRecord): number;
  // Whether every worker knows the live words as of this sequence.
  knowsLive(live: number): boolean;
  // Has the connections of these backends ended at once; the live sequence of it.
  cut(records: readonly BackendRecord[]): number;
  // A drain is over.
  drained(record: BackendRecord, result: DrainResult): void;
}

interface Job {
  readonly record: BackendRecord;
  readonly outcome: Retirement;
  deadline: number; // by `now`
  // Live sequence of the last word to the workers about it.
  live: number;
  cut: number | undefined;
  cutAgainAt: number;
  givenUpAt: number;
}

const pollMs = 5;
// A connection may reach a backend just after the cut, from a connect that was under way.
const cutAgainMs = 100;
const cutBoundMs = 2000;

export class Drains {
  readonly #site: DrainSite;
  readonly #now: () => number;
  readonly #jobs = new Map<BackendRecord, Job>();
  #timer: NodeJS.Timeout | undefined;

  constructor(site: DrainSite, now: () => number = () => performance.now()) {
    this.#site = site;
    this.#now = now;
  }

  get size(): number {
    return this.#jobs.size;
  }

  // The backend takes no new work since the live sequence `live`. A second drain of the same
  // backend gives the first one its deadline.
  start(record: BackendRecord, timeoutMs: number, live: number): Promise<DrainResult> {
    const deadline = this.#now() + timeoutMs;
    const known = this.#jobs.get(record);
    if (known !== undefined) {
      known.deadline = deadline;
      return known.outcome.done;
    }
    const job: Job = {
      record,
      outcome: retirement(),
      deadline,
      live,
      cut: undefined,
      cutAgainAt: 0,
      givenUpAt: Number.POSITIVE_INFINITY,
    };
    this.#jobs.set(record, job);
    this.#timer ??= setTimeout(() => this.#poll(), 0);
    return job.outcome.done;
  }

  cancel(record: BackendRecord, reason: string): void {
    const job = this.#jobs.get(record);
    if (job === undefined) return;
    this.#jobs.delete(record);
    job.outcome.reject(cancelled(record, reason));
  }
  cancelAll(reason: string): void {
    for (const record of [...this.#jobs.keys()]) this.cancel(record, reason);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #poll(): void {
    const now = this.#now();
    const late: Job[] = [];
    for (const job of this.#jobs.values()) {
      if (this.#isOver(job, now)) this.#finish(job);
      else if (job.cut === undefined ? now >= job.deadline : now >= job.cutAgainAt) late.push(job);
    }
    if (late.length > 0) this.#cut(late, now);
    this.#timer = this.#jobs.size > 0 ? setTimeout(() => this.#poll(), pollMs) : undefined;
  }

  #isOver(job: Job, now: number): boolean {
    if (now >= job.givenUpAt) return true;
    return this.#site.inFlight(job.record) === 0 && this.#site.knowsLive(job.live);
  }

  #cut(jobs: readonly Job[], now: number): void {
    for (const job of jobs) {
      if (job.cut === undefined) {
        job.cut = this.#site.inFlight(job.record);
        job.givenUpAt = now + cutBoundMs;
      }
      job.cutAgainAt = now + cutAgainMs;
    }
    const live = this.#site.cut(jobs.map(({ record }) => record));
    for (const job of jobs) job.live = live;
  }

  #finish(job: Job): void {
    this.#jobs.delete(job.record);
    const result = { cut: job.cut ?? 0 };
    job.outcome.resolve(result);
    this.#site.drained(job.record, result);
  }
}

export const cancelled = ({ pool, backend }: BackendRecord, reason: string): SluiceError =>
  new SluiceError('ERR_SLUICE_DRAIN_CANCELLED', { pool: pool.name, backend: backend.id, reason });
