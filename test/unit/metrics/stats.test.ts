import { describe, expect, it } from 'vitest';
import { readHealth } from '../../../src/metrics/health.ts';
import { readStats } from '../../../src/metrics/stats.ts';
import { bucketOf } from '../../../src/shm/histogram.ts';
import { EngineKind, WorkerState } from '../../../src/shm/layout.gen.ts';
import type { MetricsView } from '../../../src/shm/read.ts';
import { FakeRegion } from '../../fixtures/fake-region.ts';

function running(fake: FakeRegion, workers: readonly number[]): void {
  for (const worker of workers) {
    fake.putAll(worker, 'worker', 0, {
      state: WorkerState.running,
      engine: EngineKind.epoll,
      heartbeat: fake.nowNs - 100_000_000n,
      connections: 3,
      adopted: 2 << 3,
    });
  }
}

const viewOf = ({ reader }: FakeRegion): MetricsView => ({
  version: '1.2.3',
  sequence: 2,
  startedAtMs: 1_000,
  applies: { succeeded: 1, failed: 0, lastSucceeded: true, lastSuccessMs: 1_000 },
  reader,
  listeners: [
    {
      name: 'in',
      mode: 'http',
      slot: 0,
      incarnation: 1,
      routes: [{ host: 'a.example', pathPrefix: '/x', pool: 'web', slot: 9, incarnation: 1 }],
    },
    { name: 'plain', mode: 'tcp', slot: 1, incarnation: 1, routes: [] },
  ],
  pools: [
    { name: 'web', strategy: 'p2c', takesRequests: true, slot: 0, incarnation: 1, backends: [] },
    { name: 'raw', strategy: 'p2c', takesRequests: false, slot: 1, incarnation: 1, backends: [] },
  ],
});

describe('statistics', () => {
  it('have percentiles within a bucket’s width, in milliseconds', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    const counts = new Map<number, number>();
    for (let value = 1; value <= 100_000; value += 10) {
      const bucket = bucketOf(value);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    fake.put(1, 'workerPool', 0, 'incarnation', 1);
    fake.put(1, 'workerPool', 0, 'firstByteTimeSum', 50_000n * 10_000n);
    for (const [bucket, count] of counts) {
      fake.put(1, 'workerPool', 0, 'firstByteTime', count, bucket);
    }
    const { firstByte, connect } = readStats(viewOf(fake)).pools['web'] ?? {};
    expect(firstByte?.count).toBe(10_000);
    expect(firstByte?.mean).toBe(50);
    expect(Math.abs((firstByte?.p50 ?? 0) / 50 - 1)).toBeLessThan(0.0625);
    expect(Math.abs((firstByte?.p95 ?? 0) / 95 - 1)).toBeLessThan(0.0625);
    expect(Math.abs((firstByte?.p99 ?? 0) / 99 - 1)).toBeLessThan(0.0625);
    expect(connect?.count).toBe(0);
    expect(connect?.p50).toBeNaN();
  });

  it('name the engine and sum connections', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    const stats = readStats(viewOf(fake));
    expect(stats.engine).toBe('epoll');
    expect(stats.connections).toBe(6);
    expect(stats.workers.map(({ generation }) => generation)).toEqual([2, 2]);
    expect(Object.keys(stats.listeners)).toEqual(['in', 'plain']);
  });
});

describe('statistics of requests', () => {
  it('are those of listeners of mode http, their routes and pools', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    for (const worker of [0, 1]) {
      fake.putAll(worker, 'workerListener', 0, {
        incarnation: 1,
        requestsInFlight: 2,
        requestsTotal: 10,
        requests2xxTotal: 7,
        answered404Total: 3,
        clientAbortedTotal: 1,
        httpUpgradesTotal: 4,
      });
      fake.putAll(worker, 'workerRoute', 9, {
        incarnation: 1,
        requests5xxTotal: 6,
        requestBytesTotal: 100,
        responseBytesTotal: 200,
      });
      fake.putAll(worker, 'workerPool', 0, {
        incarnation: 1,
        requestsTotal: 5,
        requestRetriesTotal: 1,
        responseCutTotal: 2,
      });
    }
    fake.put(1, 'workerRoute', 9, 'duration', 8, bucketOf(3000));
    fake.put(1, 'workerPool', 0, 'responseTime', 4, bucketOf(1000));
    const { listeners, pools } = readStats(viewOf(fake));
    expect(listeners['plain']?.requests).toBeUndefined();
    expect(pools['raw']?.requests).toBeUndefined();
    const requests = listeners['in']?.requests;
    expect(requests).toMatchObject({
      active: 4,
      total: 20,
      responses: { '1xx': 0, '2xx': 14, '3xx': 0, '4xx': 0, '5xx': 0 },
      clientAborted: 2,
      upgrades: 8,
    });
    expect(requests?.answered).toMatchObject({ 400: 0, 404: 6, 505: 0 });
    expect(requests?.routes).toMatchObject([
      { host: 'a.example', pathPrefix: '/x', pool: 'web', requestBytes: 200, responseBytes: 400 },
    ]);
    expect(requests?.routes[0]?.responses['5xx']).toBe(12);
    expect(requests?.routes[0]?.duration.count).toBe(8);
    expect(pools['web']?.requests).toMatchObject({ total: 10, retries: 2, responseCut: 4 });
    expect(pools['web']?.requests?.response.count).toBe(4);
  });
});

describe('health', () => {
  it('is good while every worker turns', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    const report = readHealth(viewOf(fake), () => 61_000);
    expect(report.status).toBe('healthy');
    expect(report.uptimeSeconds).toBe(60);
    expect(report.workers.map(({ condition }) => condition)).toEqual(['ok', 'ok']);
  });

  it('names a worker that does not turn', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    fake.put(1, 'worker', 0, 'heartbeat', fake.nowNs - 3_000_000_000n);
    const report = readHealth(viewOf(fake));
    expect(report.status).toBe('unhealthy');
    expect(report.reasons).toEqual(['worker 1 is stuck: no turn for 3000 ms']);
  });

  it('is bad while a worker has not started, and when one failed', () => {
    const fake = new FakeRegion(2);
    running(fake, [0]);
    expect(readHealth(viewOf(fake)).reasons).toEqual(['worker 1 is starting']);
    fake.put(1, 'worker', 0, 'state', WorkerState.failed);
    expect(readHealth(viewOf(fake)).reasons).toEqual(['worker 1 is failed']);
  });

  it('tells draining from being ill', () => {
    const fake = new FakeRegion(2);
    running(fake, [0, 1]);
    fake.put(0, 'worker', 0, 'state', WorkerState.draining);
    expect(readHealth(viewOf(fake)).status).toBe('draining');
  });
});
