import { expect, it } from 'vitest';
import type { StatsAnswer } from '../../../src/admin/api-types.ts';
import { History, historySeconds } from '../../../src/dashboard/history.ts';
import { Rates } from '../../../src/dashboard/rates.ts';

const startMs = Date.parse('2024-05-01T10:00:00Z');

function stats(
  second: number,
  more: Partial<Omit<StatsAnswer, 'requests'>> & Partial<StatsAnswer['requests']> = {},
): StatsAnswer {
  const { total = 0, inFlight = 0, classes = {}, latency, ...rest } = more;
  const requests = { total, inFlight, classes, ...(latency === undefined ? {} : { latency }) };
  return {
    at: new Date(startMs + second * 1000).toISOString(),
    generation: 1,
    connections: 3,
    connectionsTotal: 0,
    receivedBytes: 0,
    sentBytes: 0,
    workers: [],
    ...rest,
    requests,
  };
}

it('makes rates of the time that passed, not of answers', () => {
  const history = new History();
  history.add(stats(0));
  history.add(stats(2, { total: 100, receivedBytes: 4000, sentBytes: 8000, connectionsTotal: 6 }));
  expect(history.samples).toMatchObject([
    { requests: 50, received: 2000, sent: 4000, opened: 3, connections: 3 },
  ]);
});

it('takes errors as a share of what was answered in that second', () => {
  const history = new History();
  history.add(stats(0, { classes: { '2xx': 900, '5xx': 100 } }));
  history.add(stats(1, { classes: { '1xx': 50, '2xx': 990, '4xx': 5, '5xx': 105 } }));
  expect(history.samples[0]).toMatchObject({ serverErrors: 0.05, clientErrors: 0.05 });
});

it('knows no share and no latency of a second without answers', () => {
  const history = new History();
  history.add(stats(0, { classes: { '5xx': 7 } }));
  history.add(stats(1, { classes: { '5xx': 7 } }));
  expect(history.samples[0]).toMatchObject({ requests: 0, serverErrors: null, p99: null });
});

it('begins anew behind a gap when totals shrink: another process answers', () => {
  const history = new History();
  history.add(stats(0, { total: 10 }));
  history.add(stats(1, { total: 20 }));
  history.add(stats(2, { total: 0 }));
  history.add(stats(3, { total: 5 }));
  expect(history.samples.map(({ requests }) => requests)).toEqual([10, null, 5]);
});

it('leaves one gap where the connection was lost, however often', () => {
  const history = new History();
  history.gap();
  history.add(stats(0));
  history.add(stats(1, { total: 1 }));
  history.gap();
  history.gap();
  history.add(stats(60, { total: 9000 }));
  history.add(stats(61, { total: 9002 }));
  expect(history.samples.map(({ requests }) => requests)).toEqual([1, null, 2]);
});

it('keeps ten minutes', () => {
  const history = new History();
  for (let second = 0; second <= historySeconds * 2; second++) history.add(stats(second));
  expect(history.samples.length).toBe(historySeconds + 1);
  const [at] = history.columns(['at'], 60);
  expect(at?.length).toBe(61);
  expect((at?.at(-1) ?? 0) - (at?.[0] ?? 0)).toBe(60);
});

it('means rates, and takes the newest of percentiles, of the last seconds only', () => {
  const history = new History();
  const latency = { p50: 1, p95: 2, p99: 3 };
  history.add(stats(0));
  history.add(stats(1, { total: 1000, latency }));
  for (let second = 2; second <= 5; second++) history.add(stats(second, { total: 1000 }));
  expect(history.mean('requests', 5)).toBe(200);
  expect(history.mean('requests', 4)).toBe(0);
  expect(history.latest('p99', 5)).toBe(3);
  expect(history.latest('p99', 4)).toBe(null);
  expect(new History().mean('requests', 5)).toBe(null);
});

it('makes rates of totals, and none of one that shrank', () => {
  const rates = new Rates();
  rates.take('a', 10, 1000);
  expect(rates.of('a')).toBeUndefined();
  rates.take('a', 30, 3000);
  expect(rates.of('a')).toBe(10);
  // Read twice at one time: the rate stays.
  rates.take('a', 30, 3000);
  expect(rates.of('a')).toBe(10);
  rates.take('a', 5, 4000);
  expect(rates.of('a')).toBeUndefined();
  rates.take('a', 6, 5000);
  expect(rates.of('a')).toBe(1);
  rates.forget(6000);
  expect(rates.of('a')).toBeUndefined();
});
