import { describe, expect, it } from 'vitest';
import { Reader } from '../../../src/shm/read.ts';
import { Region } from '../../../src/shm/region.ts';
import { FakeFleet } from '../../fixtures/fake-fleet.ts';

describe('Reader', () => {
  it('sums the workers that have the incarnation', () => {
    const fleet = new FakeFleet(3);
    const reader = new Reader(new Region(fleet.region));
    for (const [worker, incarnation, total] of [
      [0, 4, 10],
      [1, 4, 5],
      [2, 3, 1000],
    ] as const) {
      fleet.put('workerBackend', 'incarnation', incarnation, 9, worker);
      fleet.put('workerBackend', 'connectionsTotal', total, 9, worker);
    }
    expect(reader.backend(9, 4).connectionsTotal).toBe(15);
    expect(reader.backend(9, 5).connectionsTotal).toBe(0);
    expect(reader.backend(8, 4).connectionsTotal).toBe(0);
  });

  it('reads gauges and counters of listeners and pools', () => {
    const fleet = new FakeFleet(1);
    const reader = new Reader(new Region(fleet.region));
    fleet.put('workerListener', 'incarnation', 1, 255);
    fleet.put('workerListener', 'connections', 3, 255);
    fleet.put('workerListener', 'sentBytesTotal', 2 ** 40, 255);
    expect(reader.listener(255, 1)).toMatchObject({ connections: 3, sentBytesTotal: 2 ** 40 });
    fleet.put('workerPool', 'incarnation', 2, 1023);
    fleet.put('workerPool', 'retriesTotal', 8, 1023);
    fleet.put('workerPool', 'connectTime', 6, 1023);
    fleet.put('workerPool', 'connectTimeSum', 77, 1023);
    expect(reader.pool(1023, 2).retriesTotal).toBe(8);
    const { connectTime, duration } = reader.poolHistograms(1023, 2);
    expect([connectTime.count, connectTime.sum, duration.count]).toEqual([6, 77, 0]);
    expect(Object.keys(reader.pool(1023, 2))).not.toContain('connectTime');
  });

  it('reports workers by names', () => {
    const fleet = new FakeFleet(2);
    const reader = new Reader(new Region(fleet.region), () => 5_000_000_000n);
    fleet.put('worker', 'state', 1, 0, 1);
    fleet.put('worker', 'engine', 2, 0, 1);
    fleet.put('worker', 'engineFallback', 1, 0, 1);
    fleet.put('worker', 'engineError', 1, 0, 1);
    fleet.put('worker', 'cpu', 4, 0, 1);
    fleet.put('worker', 'heartbeat', 4_750_000_000, 0, 1);
    fleet.put('worker', 'adopted', (6 << 3) | 2, 0, 1);
    fleet.put('worker', 'acceptedTotal', 12, 0, 1);
    fleet.hold(1, 2, 3);
    expect(reader.worker(1)).toMatchObject({
      state: 'running',
      engine: 'epoll',
      engineFallback: 'refused_permission',
      engineError: 1,
      cpu: 3,
      heartbeatAgeMs: 250,
      adopted: 6,
      snapshotRefs: [0, 0, 3, 0, 0, 0, 0, 0],
    });
    expect(reader.worker(1).totals.acceptedTotal).toBe(12);
    expect(reader.workers()[0]).toMatchObject({ state: 'starting', cpu: undefined });
  });
});
