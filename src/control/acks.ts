// What the workers have taken over: waiting for it, and which slots that makes reusable.
import { SluiceError } from '../errors.ts';
import { limits } from '../model/limits.ts';
import { isLiveReached, isReached, type Region, sequenceOf, slotOf } from '../shm/region.ts';

export interface Target {
  // Sequence of a publication; 0: none yet.
  readonly sequence: number;
  readonly live: number;
}

export interface AckOptions {
  // How long a worker may take, milliseconds.
  readonly timeoutMs: number;
  // Workers that are known not to answer: nobody waits for them to the end.
  readonly isStuck: (worker: number) => boolean;
}

// Workers answer within microseconds when idle: the event loop is turned without a timer at first.
const eagerMs = 2;
const patientAfterMs = 100;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Acks {
  readonly #region: Region;
  readonly #options: AckOptions;
  // Sequence last published in each snapshot slot; 0: never.
  readonly #published: number[] = new Array<number>(limits.snapshotSlots).fill(0);

  constructor(region: Region, options: AckOptions) {
    this.#region = region;
    this.#options = options;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  hasReached(worker: number, { sequence, live }: Target): boolean {
    return (
      (sequence === 0 || isReached(sequenceOf(this.#region.adopted(worker)), sequence)) &&
      isLiveReached(this.#region.liveAdopted(worker), live)
    );
  }
  isReachedByAll(target: Target): boolean {
    return this.#late(target).length === 0;
  }

  // Resolves with the workers that did not answer: none, usually. Throws ERR_SLUICE_CLOSED when the
  // data plane is stopped meanwhile.
  async wait(target: Target): Promise<readonly number[]> {
    const start = performance.now();
    for (;;) {
      if (this.#region.isClosed) throw new SluiceError('ERR_SLUICE_CLOSED');
      const late = this.#late(target);
      const elapsed = performance.now() - start;
      if (late.length === 0 || late.every(this.#options.isStuck)) return late;
      if (elapsed >= this.#options.timeoutMs) return late;
      if (elapsed < eagerMs) await turn();
      else await pause(elapsed < patientAfterMs ? 1 : 5);
    }
  }

  // A snapshot slot that nobody reads; undefined when all are held.
  freeSnapshotSlot(current: number): number | undefined {
    for (let step = 1; step < limits.snapshotSlots; step++) {
      const slot = (slotOf(current) + step) % limits.snapshotSlots;
      if (slot !== slotOf(current) && this.#isFree(slot)) return slot;
    }
    return current === 0 ? 0 : undefined;
  }
  // The same, waiting for one for a while.
  async awaitSnapshotSlot(current: number): Promise<number | undefined> {
    const start = performance.now();
    for (;;) {
      if (this.#region.isClosed) throw new SluiceError('ERR_SLUICE_CLOSED');
      const slot = this.freeSnapshotSlot(current);
      if (slot !== undefined || performance.now() - start >= this.#options.timeoutMs) return slot;
      await pause(5);
    }
  }

  recordPublished(generation: number): void {
    this.#published[slotOf(generation)] = sequenceOf(generation);
  }

  // Whether no worker follows or holds anything older than the publication `sequence`.
  isPast(sequence: number): boolean {
    for (let worker = 0; worker < this.#region.workers; worker++) {
      if (!isReached(sequenceOf(this.#region.adopted(worker)), sequence)) return false;
      for (const [slot, published] of this.#published.entries()) {
        if (published === 0 || isReached(published, sequence)) continue;
        if (this.#region.snapshotRefs(worker, slot) !== 0) return false;
      }
    }
    return true;
  }

  // Whether no worker uses the slot. One that is stuck holds those that its words name and no
  // others: it would compare the generation again before it read a later one.
  #isFree(slot: number): boolean {
    const published = this.#published[slot] ?? 0;
    if (published === 0) return true;
    for (let worker = 0; worker < this.#region.workers; worker++) {
      // In this order: a worker goes from `adopting` to `adopted`, never back.
      if (sequenceOf(this.#region.adopting(worker)) === published) return false;
      if (sequenceOf(this.#region.adopted(worker)) === published) return false;
      if (this.#region.snapshotRefs(worker, slot) !== 0) return false;
    }
    return true;
  }

  #late(target: Target): number[] {
    const late: number[] = [];
    for (let worker = 0; worker < this.#region.workers; worker++) {
      if (!this.hasReached(worker, target)) late.push(worker);
    }
    return late;
  }
}
