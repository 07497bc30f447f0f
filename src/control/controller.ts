// The one writer. Intents queue; each turn takes all that wait, has the providers state anew,
// merges, builds, publishes once, and waits until the workers follow. What arrives meanwhile folds
// into the next turn. Changes of live words alone go past the queue.
import type { Fleet } from '../addon/fleet.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Changes, isEmpty } from '../model/diff.ts';
import { limits } from '../model/limits.ts';
import type { Flag, Model } from '../model/types.ts';
import { type Merged, unmerged } from '../providers/merge.ts';
import type { Provider } from '../providers/provider.ts';
import { Publisher } from '../shm/publish.ts';
import type { Reader } from '../shm/read.ts';
import { nextSequence, type Region, sequenceOf } from '../shm/region.ts';
import type { Acks, Target } from './acks.ts';
import { cancelled, Drains } from './drains.ts';
import type { Emit } from './events.ts';
import { removeSocketFile } from './listeners.ts';
import { Live } from './live.ts';
import { prepare } from './preparing.ts';
import type { BackendRecord, DrainResult, OpenedListener } from './records.ts';
import { type Outcome, State } from './state.ts';
import { until } from './waiting.ts';

export interface Applied {
  // Of the publication that is in force.
  readonly sequence: number;
  // Workers that follow it: all.
  readonly workers: number;
}

export interface ControllerParts {
  readonly region: Region;
  readonly fleet: Fleet;
  readonly reader: Reader;
  readonly acks: Acks;
  // In the order in which later ones win.
  readonly providers: readonly Provider[];
  // Whether a backend that comes is drained from the beginning.
  readonly isDrained: (pool: string, backend: string) => boolean;
  // In force when the configuration states none.
  readonly maxConnections: number;
  // After which a port is tried again that somebody else had.
  readonly reopenMs: number;
  readonly emit: Emit;
  readonly log: Logger;
}

interface Intent {
  // Changes what a provider states; throws when it cannot be.
  readonly change: () => void;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

export interface Committed {
  readonly target: Target;
  readonly gone: readonly Gone[];
  readonly outcome: Outcome;
  readonly opened: ReadonlyMap<string, OpenedListener>;
  readonly changes: Changes;
  // Something had to be told to the workers.
  readonly changed: boolean;
}

interface Gone {
  readonly record: BackendRecord;
  readonly result: DrainResult;
}

// A removal that found no snapshot slot is tried again.
const retryMs = 250;

export class Controller {
  readonly state: State = new State();
  readonly live: Live;
  readonly drains: Drains;
  readonly #parts: ControllerParts;
  readonly #publisher: Publisher;
  readonly #queue: Intent[] = [];
  #gone: Gone[] = [];
  #merged: Merged = unmerged;
  // Why listeners that are wanted for attached routes alone could not be opened, by name.
  readonly #refused = new Map<string, string>();
  #running = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  #reopen: NodeJS.Timeout | undefined;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#publisher = new Publisher(parts.region);
    this.live = new Live(parts.region, parts.fleet);
    this.drains = new Drains({
      inFlight: ({ slot }) => parts.region.inFlight(slot),
      knowsLive: (live) => parts.acks.isReachedByAll({ sequence: 0, live }),
      cut: (records) => {
        for (const record of records) this.live.admin(record, 'cut');
        return this.live.post().live;
      },
      drained: (record, result) => this.#drained(record, result),
    });
  }

  get model(): Model {
    return this.#merged.model;
  }
  get merged(): Merged {
    return this.#merged;
  }
  get sequence(): number {
    return sequenceOf(this.live.generation);
  }
  get isClosed(): boolean {
    return this.#closed;
  }

  // The first publication, before any worker runs. Throws and leaves nothing open.
  begin(): Committed {
    return this.#commit(0);
  }

  // Resolves when all workers follow the change. Rejects with what `change` throws or with a code
  // of its own; a signal ends the waiting, and prevents the change while it has not been published.
  intend(change: () => void, signal?: AbortSignal): Promise<Applied> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new SluiceError('ERR_SLUICE_CLOSED');
      signal?.throwIfAborted();
      const abort = (): void => reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      const end = (): void => signal?.removeEventListener('abort', abort);
      this.#queue.push({
        change,
        resolve: (applied) => {
          end();
          resolve(applied);
        },
        reject: (error) => {
          end();
          reject(error);
        },
        signal,
      });
      this.#wake();
    });
  }

  // The record of a backend that is wanted. Throws ERR_SLUICE_NO_POOL or ERR_SLUICE_NO_BACKEND.
  backend(pool: string, id: string): BackendRecord {
    const model = this.model.pools.get(pool);
    if (model === undefined) throw new SluiceError('ERR_SLUICE_NO_POOL', { pool });
    const key = model.backends.get(id)?.key;
    const record = key === undefined ? undefined : this.state.pools.get(pool)?.byKey.get(key);
    if (record === undefined) throw new SluiceError('ERR_SLUICE_NO_BACKEND', { pool, backend: id });
    return record;
  }

  // Writes live words by `write` and resolves when all workers look at them.
  async changeLive(write: (live: Live) => void, signal?: AbortSignal): Promise<Target> {
    if (this.#closed) throw new SluiceError('ERR_SLUICE_CLOSED');
    signal?.throwIfAborted();
    write(this.live);
    const target = this.live.post();
    const late = until(this.#parts.acks.wait({ sequence: 0, live: target.live }), signal);
    this.#refuseLate(await late);
    return target;
  }

  // Ends all waiting; nothing is changed any more.
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#reopen);
    for (const intent of this.#queue.splice(0)) intent.reject(new SluiceError('ERR_SLUICE_CLOSED'));
    this.drains.cancelAll('the balancer closes');
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#closed && (this.#queue.length > 0 || this.#gone.length > 0)) {
      const stalled = await this.#turn(this.#queue.splice(0));
      if (!stalled) continue;
      this.#retry = setTimeout(() => this.#wake(), retryMs);
      break;
    }
    this.#running = false;
    if (this.#queue.length > 0 && !this.#closed) this.#wake();
  }

  // True when backends that are gone have to wait for a snapshot slot.
  async #turn(batch: readonly Intent[]): Promise<boolean> {
    const { acks, providers } = this.#parts;
    const accepted: Intent[] = [];
    let committed: Committed;
    try {
      const slot = await acks.awaitSnapshotSlot(this.live.generation);
      const restore = providers.map((provider) => provider.checkpoint());
      for (const intent of batch) {
        if (!intent.signal?.aborted && accept(intent)) accepted.push(intent);
      }
      try {
        committed = this.#commit(slot);
      } catch (error) {
        for (const back of restore) back();
        throw error;
      }
    } catch (error) {
      return this.#fail(accepted, batch, error);
    }
    try {
      const late = await acks.wait(committed.target);
      this.#settle(accepted, committed, late);
    } catch (error) {
      for (const intent of accepted) intent.reject(error);
    }
    return false;
  }

  async #fail(
    accepted: readonly Intent[],
    batch: readonly Intent[],
    error: unknown,
  ): Promise<boolean> {
    if (this.#closed || accepted.length <= 1) {
      for (const intent of accepted.length > 0 ? accepted : batch) intent.reject(error);
      return this.#gone.length > 0;
    }
    // One of them is to blame, and the others shall not suffer.
    for (const intent of accepted) await this.#turn([intent]);
    return false;
  }

  // Everything between the providers' statements and the workers' wake-up. Throws before anything
  // has changed, or not at all.
  #commit(snapshotSlot: number | undefined): Committed {
    const { region, acks, providers, fleet } = this.#parts;
    const prepared = prepare({
      fleet,
      workers: region.workers,
      state: this.state,
      states: providers.map((provider) => provider.state()),
      before: this.#merged,
      refused: this.#refused,
      needsSnapshot: (changes) => this.#needsSnapshot(changes, snapshotSlot),
      collect: () => this.#collect(),
    });
    const { changes, structural, taken, former, opened, model } = prepared;
    const flags = this.#merged.flags;
    this.#merged = { ...prepared.merged, model };
    this.#tellFlags(flags);
    const outcome = this.state.apply(changes, opened, taken);
    this.#writeLive(outcome);
    const gone = this.#gone.filter(({ record }) => record.retirement !== undefined);
    this.#gone = [];
    this.state.drop(gone.map(({ record }) => record));
    const changed = structural || !isEmpty(changes);
    if (structural && snapshotSlot !== undefined) {
      const sequence = nextSequence(this.sequence);
      const plan = this.state.plan(model.settings.maxConnections ?? this.#parts.maxConnections);
      const generation = this.#publisher.write(plan, snapshotSlot, sequence);
      acks.recordPublished(generation);
      this.state.published(sequence);
      this.live.post(generation);
    } else if (changed) {
      this.live.post();
    }
    const target = this.live.target;
    for (const record of outcome.retired) {
      void this.drains
        .start(record, record.removeTimeoutMs ?? record.pool.settings.drainTimeoutMs, target.live)
        .catch(() => {});
    }
    for (const one of former) removeSocketFile(one);
    return { target, gone, outcome, opened, changes, changed };
  }

  #needsSnapshot(changes: Changes, slot: number | undefined): boolean {
    const structural =
      this.#gone.length > 0 || this.state.needsSnapshot(changes) || this.sequence === 0;
    if (structural && slot === undefined) {
      throw new SluiceError('ERR_SLUICE_NO_SNAPSHOT_SLOT', { slots: limits.snapshotSlots });
    }
    return structural;
  }

  // Logs what is newly left out. Listeners that could not be opened are tried again later.
  #tellFlags(before: readonly Flag[]): void {
    const known = new Set(before.map((flag) => JSON.stringify(flag)));
    for (const flag of this.#merged.flags) {
      if (!known.has(JSON.stringify(flag))) this.#parts.log.warn('not in force', { ...flag });
    }
    clearTimeout(this.#reopen);
    if (this.#refused.size === 0) return;
    this.#reopen = setTimeout(() => {
      this.#refused.clear();
      this.intend(() => {}).catch(() => {});
    }, this.#parts.reopenMs);
    this.#reopen.unref();
  }

  #writeLive({ fresh, revived, retired, reweighted }: Outcome): void {
    for (const record of fresh) {
      this.live.begin(record);
      const isDrained = this.#parts.isDrained(record.pool.name, record.backend.id);
      if (isDrained) this.live.admin(record, 'drain');
    }
    for (const record of revived) {
      this.drains.cancel(record, 'the backend was added again');
      record.retirement?.reject(cancelled(record, 'the backend was added again'));
      record.retirement = undefined;
      record.removeTimeoutMs = undefined;
      this.live.admin(record, 'up');
    }
    for (const record of reweighted) this.live.weight(record, record.weight);
    for (const record of retired) {
      if (record.admin === 'up') this.live.admin(record, 'drain');
    }
  }

  // Frees the slots that nobody can mean any more.
  #collect(): void {
    const { acks, region } = this.#parts;
    const { listeners, routes, pools, backends } = this.state.slots;
    const known = new Map<number, boolean>();
    const isPast = (_: number, sequence: number): boolean => {
      const past = known.get(sequence) ?? acks.isPast(sequence);
      known.set(sequence, past);
      return past;
    };
    listeners.collect(isPast);
    routes.collect(isPast);
    pools.collect(isPast);
    backends.collect((slot, sequence) => isPast(slot, sequence) && region.inFlight(slot) === 0);
  }

  #drained(record: BackendRecord, result: DrainResult): void {
    const names = { pool: record.pool.name, backend: record.backend.id };
    this.#parts.log.info('backend drained', { ...names, cut: result.cut });
    this.#parts.emit('backend:drained', { ...names, cut: result.cut });
    if (record.retirement === undefined || this.#closed) return;
    this.#gone.push({ record, result });
    this.#wake();
  }

  #settle(accepted: readonly Intent[], committed: Committed, late: readonly number[]): void {
    const { emit, log, region } = this.#parts;
    const { target, gone, changed } = committed;
    const applied = { sequence: target.sequence, workers: region.workers - late.length };
    const error = late.length > 0 ? this.#stuck(late) : undefined;
    if (changed) {
      if (error === undefined) log.debug('configuration applied', { ...applied });
      else log.error('configuration not adopted by all workers', { error });
      emit('config:applied', applied);
    }
    this.announce(committed);
    for (const { record, result } of gone) {
      const names = { pool: record.pool.name, backend: record.backend.id };
      emit('backend:removed', names);
      if (error === undefined) record.retirement?.resolve(result);
      else record.retirement?.reject(error);
    }
    for (const intent of accepted) {
      if (error === undefined) intent.resolve(applied);
      else intent.reject(error);
    }
  }

  // Events of what came and went.
  announce({ outcome, opened, changes }: Pick<Committed, 'outcome' | 'opened' | 'changes'>): void {
    const { emit } = this.#parts;
    for (const [listener, { bound }] of opened) {
      emit('listener:listening', { listener, address: bound });
    }
    for (const { name } of changes.listenersRemoved) emit('listener:closed', { listener: name });
    for (const { pool, backend } of outcome.fresh) {
      emit('backend:added', { pool: pool.name, backend: backend.id });
    }
  }

  #refuseLate(late: readonly number[]): void {
    if (late.length > 0) throw this.#stuck(late);
  }
  #stuck(late: readonly number[]): SluiceError {
    const ages = late.map((worker) => {
      const { heartbeatAgeMs } = this.#parts.reader.worker(worker);
      return { worker, heartbeatAgeMs: Math.round(heartbeatAgeMs) };
    });
    const text = ages.map(
      ({ worker, heartbeatAgeMs }) => `worker ${worker} (last seen ${heartbeatAgeMs} ms ago)`,
    );
    return new SluiceError('ERR_SLUICE_WORKER_STUCK', {
      workers: text.join(', '),
      timeout: this.#parts.acks.timeoutMs,
      stuck: ages,
    });
  }
}

function accept(intent: Intent): boolean {
  try {
    intent.change();
    return true;
  } catch (error) {
    intent.reject(error);
    return false;
  }
}
