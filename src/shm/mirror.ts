// The shared memory of another process, read only: copies of the parts that are in use, made when
// somebody looks. Reading a file of memory that was never written makes nothing resident, and
// whatever happens to the copies cannot reach the balancer.
//
// The kernel copies aligned words as a whole, but not all of them at one moment: sums of several
// words can be off by what happened while they were copied.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SluiceError } from '../errors.ts';
import { layout, workerBase, workerStride } from './layout.gen.ts';
import { Reader } from './read.ts';
import { Region, regionBytes, type WorkerBlockName } from './region.ts';
import { limits } from './schema.ts';

export type SlotBlock = Exclude<WorkerBlockName, 'worker'>;
// First and one past the last slot of a block; what lies between is copied.
export type SlotRange = readonly [number, number];
export type SlotRanges = Readonly<Partial<Record<SlotBlock, SlotRange>>>;

const headBytes = layout.backendLive.offset;
const generationWord = (layout.control.offset + layout.control.fields.generation.offset) / 4;
const phaseWord = (layout.control.offset + layout.control.fields.phase.offset) / 4;
const workersWord = (layout.header.offset + layout.header.fields.workers.offset) / 4;

export class Mirror {
  readonly region: Region;
  readonly reader: Reader;
  readonly #file: number;
  readonly #shared: Uint8Array;
  readonly #head: Uint32Array;
  readonly #areas: readonly Uint8Array[];

  // `path`: of the memory, such as /proc/PID/fd/N. Throws the system's error, or
  // ERR_SLUICE_ADDON_LAYOUT when it is no shared memory of this version.
  constructor(path: string) {
    this.#file = openSync(path, 'r');
    try {
      this.#shared = new Uint8Array(workerBase);
      this.#head = new Uint32Array(this.#shared.buffer, 0, headBytes / 4);
      this.#copy(this.#shared, 0, headBytes, 0);
      const workers = this.#head[workersWord] ?? 0;
      const whole = workers <= limits.workersMax && fstatSync(this.#file).size;
      if (whole !== regionBytes(workers)) {
        throw new SluiceError('ERR_SLUICE_ADDON_LAYOUT', { binary: 'none', expected: 'its own' });
      }
      // Zeroed pages that are never touched take no memory.
      this.#areas = Array.from({ length: workers }, () => new Uint8Array(workerStride));
      const buffers = this.#areas.map(({ buffer }) => buffer as ArrayBuffer);
      this.region = new Region(this.#shared.buffer as ArrayBuffer, buffers);
      this.reader = new Reader(this.region);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  // Of the last copy. 0: nothing was published yet.
  get generation(): number {
    return this.#head[generationWord] ?? 0;
  }
  get phase(): number {
    return this.#head[phaseWord] ?? 0;
  }

  copy(slots: SlotRanges): void {
    this.#copy(this.#shared, 0, headBytes, 0);
    const [first, end] = slots.workerBackend ?? [0, 0];
    const live = layout.backendLive;
    this.#copy(this.#shared, live.offset + first * live.size, (end - first) * live.size, 0);
    for (const [worker, area] of this.#areas.entries()) {
      const base = workerBase + worker * workerStride;
      this.#copy(area, layout.worker.offset, layout.worker.size, base);
      for (const [name, range] of Object.entries(slots) as [SlotBlock, SlotRange][]) {
        const { offset, size } = layout[name];
        this.#copy(area, offset + range[0] * size, (range[1] - range[0]) * size, base);
      }
    }
  }

  close(): void {
    this.region.close();
    closeSync(this.#file);
  }

  // `from`: where the target begins in the file.
  #copy(target: Uint8Array, offset: number, bytes: number, from: number): void {
    for (let done = 0; done < bytes; ) {
      const count = readSync(this.#file, target, offset + done, bytes - done, from + offset + done);
      if (count === 0) throw new SluiceError('ERR_SLUICE_CLOSED');
      done += count;
    }
  }
}
