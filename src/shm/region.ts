// The shared region as JavaScript sees it. The ArrayBuffers never leave this file: others get
// typed accessors, and `publish.ts` gets one snapshot slot's words. Words that change while the
// data plane runs are read and written with Atomics only.
//
// Reading an untouched page makes it resident: callers ask only for slots that are in use.
import { SluiceError } from '../errors.ts';
import {
  layout,
  magic,
  schemaHash,
  snapshotBase,
  snapshotStride,
  workerBase,
  workerStride,
} from './layout.gen.ts';
import { limits } from './schema.ts';

export type BlockName = keyof typeof layout;
export type WorkerBlockName = {
  [N in BlockName]: (typeof layout)[N]['per'] extends 'worker' ? N : never;
}[BlockName];

const live = layout.backendLive;
const liveWords = live.size / 4;
const liveAdmin = (live.offset + live.fields.admin.offset) / 4;
const liveHealth = (live.offset + live.fields.health.offset) / 4;
const liveWeight = (live.offset + live.fields.weight.offset) / 4;
const poolEpoch = layout.poolLive.offset / 4;
const flightFirst = layout.workerInFlight.offset / 4;

const workerWord = (field: keyof typeof layout.worker.fields): number =>
  (layout.worker.offset + layout.worker.fields[field].offset) / 4;
const adoptedWord = workerWord('adopted');
const adoptingWord = workerWord('adopting');
const liveAdoptedWord = workerWord('liveAdopted');
const refsWord = workerWord('snapshotRefs');
const heartbeatWord = workerWord('heartbeat');

export const regionBytes = (workers: number): number => workerBase + workerStride * workers;

export interface LiveWords {
  readonly admin: number;
  // incarnation << 8 | HealthState
  readonly health: number;
  readonly weight: number;
}

interface Area {
  readonly words: Uint32Array;
  readonly longs: BigUint64Array;
}

export class Region {
  readonly workers: number;
  #buffer: ArrayBuffer | undefined;
  #words: Uint32Array;
  // By worker.
  #areas: readonly Area[];

  // Throws ERR_SLUICE_ADDON_LAYOUT when the header is not that of this version's layout.
  // `areas`: of the workers, by index, where they are not in `buffer`; the data plane gives each a
  // buffer of its own, because all together can be more than one may have.
  constructor(buffer: ArrayBuffer, areas?: readonly ArrayBuffer[]) {
    this.#buffer = buffer;
    this.#words = new Uint32Array(buffer, 0, buffer.byteLength / 4);
    const { fields, offset } = layout.header;
    const word = (at: number): number => this.#words[(offset + at) / 4] ?? 0;
    const hash = [word(fields.schemaHashHigh.offset), word(fields.schemaHashLow.offset)]
      .map((half) => half.toString(16).padStart(8, '0'))
      .join('');
    this.workers = word(fields.workers.offset);
    const bytes = areas === undefined ? regionBytes(this.workers) : workerBase;
    if (word(fields.magic.offset) !== magic || hash !== schemaHash || buffer.byteLength !== bytes) {
      throw new SluiceError('ERR_SLUICE_ADDON_LAYOUT', { binary: hash, expected: schemaHash });
    }
    this.#areas = Array.from({ length: this.workers }, (_, worker) => {
      const [own, first] =
        areas === undefined ? [buffer, workerBase + worker * workerStride] : [areas[worker], 0];
      if (own === undefined) throw new RangeError(`no area of worker ${worker}`);
      return {
        words: new Uint32Array(own, first, workerStride / 4),
        longs: new BigUint64Array(own, first, workerStride / 8),
      };
    });
  }

  // After the data plane has stopped the memory is gone; every later access throws.
  close(): void {
    this.#buffer = undefined;
    this.#words = new Uint32Array(0);
    this.#areas = [];
  }
  get isClosed(): boolean {
    return this.#buffer === undefined;
  }

  // The words of one snapshot slot, for the publisher only. Plain memory: nothing in a slot that is
  // written is read by anybody else.
  snapshotWords(slot: number): Uint32Array {
    return new Uint32Array(this.#open(), snapshotBase + slot * snapshotStride, snapshotStride / 4);
  }
  snapshotBytes(slot: number): Uint8Array {
    return new Uint8Array(this.#open(), snapshotBase + slot * snapshotStride, snapshotStride);
  }

  readLive(backend: number): LiveWords {
    this.#open();
    const at = backend * liveWords;
    return {
      admin: Atomics.load(this.#words, liveAdmin + at),
      health: Atomics.load(this.#words, liveHealth + at),
      weight: Atomics.load(this.#words, liveWeight + at),
    };
  }
  writeAdmin(backend: number, admin: number): void {
    this.#open();
    Atomics.store(this.#words, liveAdmin + backend * liveWords, admin);
  }
  writeHealth(backend: number, incarnation: number, state: number): void {
    this.#open();
    Atomics.store(this.#words, liveHealth + backend * liveWords, (incarnation << 8) | state);
  }
  writeWeight(backend: number, weight: number): void {
    this.#open();
    Atomics.store(this.#words, liveWeight + backend * liveWords, weight);
  }
  // To be called after live words of the pool's backends were written.
  bumpPool(pool: number): void {
    this.#open();
    Atomics.add(this.#words, poolEpoch + pool, 1);
  }

  adopted(worker: number): number {
    return this.worker32(worker, adoptedWord);
  }
  // The generation a worker may be reading although it has not adopted it.
  adopting(worker: number): number {
    return this.worker32(worker, adoptingWord);
  }
  liveAdopted(worker: number): number {
    return this.worker32(worker, liveAdoptedWord);
  }
  snapshotRefs(worker: number, slot: number): number {
    return this.worker32(worker, refsWord + slot);
  }
  // Monotonic nanoseconds.
  heartbeat(worker: number): bigint {
    return this.worker64(worker, heartbeatWord / 2);
  }
  // Connections on a backend slot now, over all workers.
  inFlight(backend: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) {
      sum += this.worker32(worker, flightFirst + backend);
    }
    return sum;
  }

  // A word of the logger, by its index in 32-bit or 64-bit words from the region's start.
  logger32(word: number): number {
    this.#open();
    return Atomics.load(this.#words, word);
  }
  logger64(word: number): bigint {
    return Atomics.load(new BigUint64Array(this.#open(), 8 * word, 1), 0);
  }

  // A word of a worker's area, by its index in 32-bit or 64-bit words from the area's start.
  worker32(worker: number, word: number): number {
    return Atomics.load(this.#area(worker).words, word);
  }
  worker64(worker: number, word: number): bigint {
    return Atomics.load(this.#area(worker).longs, word);
  }

  #area(worker: number): Area {
    this.#open();
    const area = this.#areas[worker];
    if (area === undefined) throw new RangeError(`worker ${worker}`);
    return area;
  }
  #open(): ArrayBuffer {
    if (this.#buffer === undefined) throw new SluiceError('ERR_SLUICE_CLOSED');
    return this.#buffer;
  }
}

// Generations: sequence << 3 | snapshot slot. Sequences are 29 bits, wrap, and are never 0.
const sequenceBits = 29;
const sequenceMask = 2 ** sequenceBits - 1;

export const slotOf = (generation: number): number => generation & (limits.snapshotSlots - 1);
export const sequenceOf = (generation: number): number => generation >>> 3;
export const nextSequence = (sequence: number): number =>
  sequence === sequenceMask ? 1 : sequence + 1;
export const generationOf = (sequence: number, slot: number): number =>
  ((sequence << 3) | slot) >>> 0;
// Whether `a` is `b` or a later one, across the wrap.
export const isReached = (a: number, b: number): boolean =>
  a !== 0 && ((a - b) & sequenceMask) < 2 ** (sequenceBits - 1);
// The same for live sequences, which are 32 bits.
export const isLiveReached = (a: number, b: number): boolean => ((a - b) | 0) >= 0;
