// As many workers as there can be: all areas together are more than one buffer may hold.
import { expect, it } from 'vitest';
import { loadAddon } from '../../src/addon/binding.ts';
import { openFleet } from '../../src/addon/fleet.ts';
import { layout, workerStride } from '../../src/shm/layout.gen.ts';
import { Region } from '../../src/shm/region.ts';
import { limits } from '../../src/shm/schema.ts';

it('is read up to its last worker', () => {
  const last = limits.workersMax - 1;
  const fleet = openFleet(loadAddon(), limits.workersMax);
  try {
    const { areas = [] } = fleet;
    expect(areas.map(({ byteLength }) => byteLength)).toEqual(areas.map(() => workerStride));
    const region = new Region(fleet.region, areas);
    expect(region.workers).toBe(limits.workersMax);
    const { offset, size, fields, count } = layout.workerBackend;
    const total = offset + size * (count - 1) + fields.receivedBytesTotal.offset;
    for (const worker of [0, last]) {
      const view = new DataView(areas[worker] ?? new ArrayBuffer(0));
      view.setUint32(layout.worker.offset + layout.worker.fields.adopted.offset, 9 + worker, true);
      view.setBigUint64(total, 2n ** 40n + BigInt(worker), true);
    }
    for (const worker of [0, last]) {
      expect(region.adopted(worker)).toBe(9 + worker);
      expect(region.worker64(worker, total / 8)).toBe(2n ** 40n + BigInt(worker));
    }
  } finally {
    fleet.stop(0);
  }
});
