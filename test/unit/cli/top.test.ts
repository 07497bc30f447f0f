import { describe, expect, it } from 'vitest';
import { between, figuresOf } from '../../../src/cli/top-figures.ts';
import type { PoolSample, Sample } from '../../../src/cli/top-sample.ts';
import { type Head, screen, sorted, type View } from '../../../src/cli/top-screen.ts';
import { Histogram } from '../../../src/shm/histogram.ts';
import type { WorkerReport } from '../../../src/shm/read.ts';

function histogram(...values: readonly [bucket: number, count: number][]): Histogram {
  const made = new Histogram();
  for (const [bucket, count] of values) made.add(bucket, count);
  return made;
}

const counted = (key: string, total: number) => ({
  key,
  connectionsTotal: total,
  requestsTotal: 10 * total,
  errorsTotal: total / 2,
  receivedBytes: 100 * total,
  sentBytes: 1000 * total,
  connections: 3,
  inFlight: 1,
});
const report = (accepted: number): WorkerReport =>
  ({
    index: 0,
    state: 'running',
    engine: 'epoll',
    heartbeatAgeMs: 1.4,
    totals: { connections: 3, acceptedTotal: accepted },
  }) as unknown as WorkerReport;

function sample(atMs: number, total: number, duration = new Histogram()): Sample {
  const backend = {
    ...counted('b 0 1', total),
    id: '127.0.0.1:9001',
    state: 'up',
    health: 'healthy',
    weight: 1,
  } as const;
  const pool: PoolSample = {
    ...counted('web 0 1', total),
    name: 'web',
    takesRequests: true,
    duration,
    backends: [backend],
  };
  const listener = { ...counted('in 0 1', total), name: 'in', mode: 'http' as const, duration };
  return {
    atMs,
    generation: 4,
    workers: [{ report: report(total), cpuSeconds: total / 100 }],
    listeners: [{ ...listener, address: '127.0.0.1:80' }],
    pools: [pool],
  };
}

describe('figures of two samples', () => {
  it('are rates of the time between them', () => {
    const { listeners, pools, total, workers, intervalSeconds } = figuresOf(
      sample(1000, 10),
      sample(3000, 30),
    );
    expect(intervalSeconds).toBe(2);
    const rates = {
      connectionsPerSecond: 10,
      requestsPerSecond: 100,
      errorsPerSecond: 5,
      receivedBytesPerSecond: 1000,
      sentBytesPerSecond: 10_000,
      connections: 3,
    };
    expect(listeners).toMatchObject([{ name: 'in', inFlight: 1, ...rates }]);
    expect(pools).toMatchObject([{ ...rates, backends: [{ ...rates, health: 'healthy' }] }]);
    expect(total).toMatchObject(rates);
    expect(workers).toMatchObject([{ acceptedPerSecond: 10, heartbeatAgeMs: 1 }]);
    expect(workers[0]?.cpuPercent).toBeCloseTo(10);
  });

  it('have percentiles of what was measured between them only', () => {
    // Buckets below 16 are one microsecond wide.
    const before = histogram([15, 1000]);
    const after = histogram([15, 1000], [4, 10]);
    const { listeners, pools } = figuresOf(sample(0, 0, before), sample(1000, 1, after));
    for (const { latency } of [...listeners, ...pools]) {
      expect(latency?.p99).toBeGreaterThanOrEqual(0.004);
      expect(latency?.p99).toBeLessThanOrEqual(0.005);
    }
    const quiet = figuresOf(sample(0, 0, before), sample(1000, 1, before));
    expect(quiet.listeners[0]).not.toHaveProperty('latency');
    expect(between(before, undefined).count).toBe(0);
  });

  it('are nothing for who is new, and for words that were zeroed', () => {
    const fresh = { ...sample(1000, 30) };
    const renamed = {
      ...fresh,
      listeners: fresh.listeners.map((one) => ({ ...one, key: 'in 0 2' })),
    };
    expect(figuresOf(sample(0, 10), renamed).listeners[0]?.requestsPerSecond).toBe(0);
    expect(figuresOf(sample(0, 30), sample(1000, 10)).total.requestsPerSecond).toBe(0);
    expect(figuresOf(sample(5, 1), sample(5, 1)).intervalSeconds).toBeGreaterThan(0);
  });
});

describe('the screen', () => {
  const head: Head = { version: '1.2.3', pid: 7, uptimeSeconds: 61, notice: undefined };
  const plain: View = { width: undefined, height: undefined, colours: false, sort: 'name' };
  const figures = figuresOf(sample(0, 0), sample(1000, 100));

  it('has a head, workers, listeners, pools and backends', () => {
    const lines = screen(figures, head, plain);
    expect(lines[0]).toBe('sluice 1.2.3  pid 7  up 1m 1s  generation 4  1 workers on epoll');
    expect(lines[1]).toBe(
      '3 connections  100 conn/s  1000 req/s  50 errors/s  in 9.77 KiB/s  out 97.7 KiB/s',
    );
    const titles = lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(' ')[0]);
    expect(titles).toEqual(['WORKER', 'LISTENER', 'POOL', 'BACKEND']);
    expect(lines.at(-1)).toMatch(/^web\/127\.0\.0\.1:9001 +up +healthy +1 +3 +100 +1000 /);
  });

  it('is as large as the terminal, and says what is hidden', () => {
    const small = screen(figures, head, { ...plain, width: 40, height: 6 });
    expect(small).toHaveLength(6);
    expect(small.at(-1)).toMatch(/q quit {2}s sort: name {2}\d+ more lines below$/);
    expect(small[0]).toHaveLength(40);
    const large = screen(figures, head, { ...plain, width: 200, height: 40 });
    expect(large).toHaveLength(40);
    expect(large.at(-1)).toBe('q quit  s sort: name');
  });

  it('tells why names are old', () => {
    const lines = screen(figures, { ...head, notice: 'names are old' }, plain);
    expect(lines[2]).toBe('names are old');
  });

  it('sorts by what is asked for, then by name', () => {
    const [pool] = figures.pools;
    if (pool === undefined) throw new Error('no pool');
    const make = (name: string, connections: number, errorsPerSecond: number, rate: number) => ({
      ...pool,
      name,
      connections,
      errorsPerSecond,
      requestsPerSecond: rate,
    });
    const all = [make('b', 1, 5, 1), make('a', 1, 0, 9), make('c', 8, 0, 0)];
    const order = (sort: View['sort']): string =>
      sorted(all, sort, ({ name }) => name)
        .map(({ name }) => name)
        .join('');
    expect(order('name')).toBe('abc');
    expect(order('connections')).toBe('cab');
    expect(order('errors')).toBe('bac');
    expect(order('traffic')).toBe('abc');
  });
});
