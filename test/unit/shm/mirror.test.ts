// The memory of another process, from a file in its place.
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  layout,
  magic,
  schemaHash,
  workerBase,
  workerStride,
} from '../../../src/shm/layout.gen.ts';
import { Mirror } from '../../../src/shm/mirror.ts';
import { generationOf, regionBytes } from '../../../src/shm/region.ts';

let folder = '';
let path = '';
let file = -1;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  path = join(folder, 'memory');
  file = openSync(path, 'w+');
});
afterEach(() => {
  closeSync(file);
  rmSync(folder, { recursive: true });
});

function put(place: number, value: number | bigint): void {
  const bytes = Buffer.alloc(typeof value === 'bigint' ? 8 : 4);
  if (typeof value === 'bigint') bytes.writeBigUInt64LE(value);
  else bytes.writeUInt32LE(value);
  writeSync(file, bytes, 0, bytes.length, place);
}

// The header of a region; a sparse file, as the memory is.
function header(workers: number, hash = schemaHash): void {
  const { offset, fields } = layout.header;
  ftruncateSync(file, regionBytes(workers));
  put(offset + fields.magic.offset, magic);
  put(offset + fields.schemaHashHigh.offset, Number.parseInt(hash.slice(0, 8), 16));
  put(offset + fields.schemaHashLow.offset, Number.parseInt(hash.slice(8), 16));
  put(offset + fields.workers.offset, workers);
}

describe('a mirror', () => {
  it('shows the words of the slots that are in use, as they are when it is asked', () => {
    header(2);
    const { control, workerBackend, workerInFlight, backendLive } = layout;
    put(control.offset + control.fields.generation.offset, generationOf(9, 1));
    const counters = (worker: number, slot: number): number =>
      workerBase + worker * workerStride + workerBackend.offset + slot * workerBackend.size;
    for (const worker of [0, 1]) {
      put(counters(worker, 5) + workerBackend.fields.incarnation.offset, 3);
      put(counters(worker, 5) + workerBackend.fields.requestsTotal.offset, 20n);
      put(workerBase + worker * workerStride + workerInFlight.offset + 5 * workerInFlight.size, 4);
    }
    put(backendLive.offset + 5 * backendLive.size + backendLive.fields.weight.offset, 7);
    const mirror = new Mirror(path);
    const slots = { workerBackend: [5, 6], workerInFlight: [5, 6] } as const;
    mirror.copy(slots);
    expect(mirror.generation).toBe(generationOf(9, 1));
    expect(mirror.reader.backend(5, 3).requestsTotal).toBe(40);
    expect(mirror.reader.inFlight(5)).toBe(8);
    expect(mirror.region.readLive(5).weight).toBe(7);
    expect(mirror.reader.backend(5, 2).requestsTotal).toBe(0);

    put(counters(0, 5) + workerBackend.fields.requestsTotal.offset, 21n);
    expect(mirror.reader.backend(5, 3).requestsTotal).toBe(40);
    mirror.copy(slots);
    expect(mirror.reader.backend(5, 3).requestsTotal).toBe(41);
    mirror.close();
    expect(() => mirror.copy(slots)).toThrow();
  });

  it('adds nothing to a file that was never written', () => {
    header(1);
    const { blocks } = statSync(path);
    const mirror = new Mirror(path);
    mirror.copy({ workerListener: [0, 100], workerPool: [0, 100], workerBackend: [0, 1000] });
    expect(statSync(path).blocks).toBe(blocks);
    mirror.close();
  });

  it('refuses what is no memory of this version', () => {
    expect(() => new Mirror(join(folder, 'none'))).toThrow(/ENOENT/);
    expect(() => new Mirror(path)).toThrow();
    header(1, '0123456789abcdef');
    expect(() => new Mirror(path)).toThrow(/layout 0123456789abcdef/);
    header(2);
    ftruncateSync(file, regionBytes(1));
    expect(() => new Mirror(path)).toThrow(/layout/);
    put(layout.header.offset + layout.header.fields.workers.offset, 4_000_000);
    expect(() => new Mirror(path)).toThrow(/layout/);
  });
});
