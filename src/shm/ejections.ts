// What the workers say of the backends they ejected. Cheap while there are none: a backend's words
// are read only of workers that ever ejected somebody.
import { EjectionReason, layout } from './layout.gen.ts';
import type { Region } from './region.ts';

// One worker's ejection of a backend, the last one.
export interface WorkerEjection {
  readonly worker: number;
  // Monotonic nanoseconds; may have passed. 0: a try has succeeded since.
  readonly untilNs: bigint;
  readonly reason: 'connect' | 'failures';
  // Of this backend by this worker.
  readonly total: number;
}

const block = layout.workerBackend;
const at = (slot: number, field: keyof typeof block.fields): number =>
  block.offset + slot * block.size + block.fields[field].offset;
const totalWord = (layout.worker.offset + layout.worker.fields.ejectionsTotal.offset) / 8;

// Ejections by a worker, of all backends, ever.
export const ejectionsOf = (region: Region, worker: number): number =>
  Number(region.worker64(worker, totalWord));

// Of the workers that ever ejected this backend.
export function ejectionsOfBackend(
  region: Region,
  slot: number,
  incarnation: number,
): WorkerEjection[] {
  const found: WorkerEjection[] = [];
  for (let worker = 0; worker < region.workers; worker++) {
    if (ejectionsOf(region, worker) === 0) continue;
    if (region.worker32(worker, at(slot, 'incarnation') / 4) !== incarnation) continue;
    const total = Number(region.worker64(worker, at(slot, 'ejectionsTotal') / 8));
    if (total === 0) continue;
    const untilNs = region.worker64(worker, at(slot, 'ejectedUntil') / 8);
    const isRefused =
      region.worker32(worker, at(slot, 'ejectionReason') / 4) === EjectionReason.connect;
    found.push({ worker, untilNs, reason: isRefused ? 'connect' : 'failures', total });
  }
  return found;
}
