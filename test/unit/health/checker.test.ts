// The checker over probes that answer when the test says so, in time that the test moves.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { healthCheckOf } from '../../../src/config/health.ts';
import { Checker } from '../../../src/health/checker.ts';
import type { Finding, Probe } from '../../../src/health/probe.ts';
import type { HealthCheck } from '../../../src/model/health.ts';
import type { Address } from '../../../src/model/types.ts';

const address = (port: number): Address => ({
  kind: 'ip',
  family: 'ipv4',
  words: [0x0100007f, 0, 0, 0],
  scope: 0,
  port,
  text: `127.0.0.1:${port}`,
});
const good: Finding = { result: 'success', reason: 'status 200' };
const bad: Finding = { result: 'status', reason: 'status 500' };
const check = (more: object = {}): HealthCheck => {
  const made = healthCheckOf({ interval: '1s', rise: 2, fall: 3, ...more });
  if (made === undefined) throw new Error('a check is stated');
  return made;
};

interface Begun {
  readonly port: number;
  readonly at: number;
  cancelled: boolean;
  answer(finding: Finding): void;
}

// `says`: what a backend answers at once; undefined leaves the check under way.
function bench(says: (port: number) => Finding | undefined) {
  const begun: Begun[] = [];
  const verdicts: string[] = [];
  const probe: Probe = (target, _, done) => {
    const port = target.kind === 'ip' ? target.port : 0;
    const one: Begun = { port, at: performance.now(), cancelled: false, answer: done };
    begun.push(one);
    const finding = says(port);
    if (finding !== undefined) done(finding);
    return () => {
      one.cancelled = true;
    };
  };
  const checker = new Checker<string>({
    probes: { http: probe, tcp: probe },
    setStatus: (key, verdict, { reason }) => verdicts.push(`${key} ${verdict}: ${reason}`),
  });
  const want = (port: number, how: HealthCheck = check()): boolean =>
    checker.want({ key: String(port), address: address(port), check: how });
  return { begun, verdicts, checker, want };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('checks at once, and says healthy with the first success', async () => {
  const { begun, verdicts, checker, want } = bench(() => good);
  expect(want(1)).toBe(true);
  expect(begun).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(begun).toHaveLength(1);
  expect(verdicts).toEqual(['1 healthy: status 200']);
  checker.stop();
});

it('finds a backend that fails unhealthy within fall intervals, and says so once', async () => {
  let says = good;
  const { verdicts, checker, want } = bench(() => says);
  want(1);
  await vi.advanceTimersByTimeAsync(2500);
  says = bad;
  await vi.advanceTimersByTimeAsync(3001);
  expect(verdicts).toEqual(['1 healthy: status 200', '1 unhealthy: status 500']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(verdicts).toHaveLength(2);
  expect(checker.watched('1')?.counts.status).toBeGreaterThanOrEqual(10);
  says = good;
  await vi.advanceTimersByTimeAsync(2001);
  expect(verdicts).toHaveLength(3);
  checker.stop();
});

it('checks once an interval or a little sooner, the second time at any moment of it', async () => {
  const { begun, checker, want } = bench(() => good);
  want(1);
  await vi.advanceTimersByTimeAsync(60_000);
  const gaps = begun.slice(1).map(({ at }, index) => at - (begun[index]?.at ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1002);
  expect(Math.min(...gaps.slice(1))).toBeGreaterThanOrEqual(899);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(99);
  checker.stop();
});

it('spreads the checks of 1,000 backends: no instant has more than a few', async () => {
  const { begun, checker, want } = bench(() => good);
  for (let port = 1; port <= 1000; port++) want(port, check({ interval: '2s' }));
  await vi.advanceTimersByTimeAsync(400);
  expect(new Set(begun.map(({ port }) => port)).size).toBe(1000); // each was checked at once
  const per = new Map<number, number>();
  await vi.advanceTimersByTimeAsync(5000);
  for (const { at } of begun) {
    const bin = Math.floor(at / 10) * 10;
    per.set(bin, (per.get(bin) ?? 0) + 1);
  }
  expect(Math.max(...per.values())).toBeLessThanOrEqual(64);
  checker.stop();
});

it('has no more than 512 under way, and goes on when some have ended', async () => {
  const { begun, checker, want } = bench(() => undefined);
  for (let port = 1; port <= 600; port++) want(port, check({ interval: '60s' }));
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun).toHaveLength(512);
  for (const one of begun.slice(0, 100)) one.answer(bad);
  await vi.advanceTimersByTimeAsync(50);
  expect(begun).toHaveLength(600);
  checker.stop();
});

it('keeps what it knows of an equal target, and checks it no sooner', async () => {
  const { begun, checker, want } = bench(() => good);
  want(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(want(1, check())).toBe(false);
  await vi.advanceTimersByTimeAsync(50);
  expect(begun).toHaveLength(1);
  expect(checker.watched('1')?.verdict).toBe('healthy');
  checker.stop();
});

it('keeps the verdict when the check changes, and checks anew by it', async () => {
  const { begun, verdicts, checker, want } = bench(() => good);
  want(1);
  await vi.advanceTimersByTimeAsync(1);
  want(1, check({ path: '/other' }));
  expect(checker.watched('1')?.verdict).toBe('healthy');
  await vi.advanceTimersByTimeAsync(1);
  expect(begun).toHaveLength(2);
  expect(verdicts).toHaveLength(1);
  checker.stop();
});

it('ends the check of a target that is forgotten, and begins anew when it comes back', async () => {
  const { begun, verdicts, checker, want } = bench(() => undefined);
  want(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(checker.forget('1')).toBe(true);
  expect(checker.forget('1')).toBe(false);
  expect(begun[0]?.cancelled).toBe(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(begun).toHaveLength(1);
  expect(want(1)).toBe(true);
  expect(checker.watched('1')?.verdict).toBe('checking');
  await vi.advanceTimersByTimeAsync(1);
  begun[1]?.answer(good);
  expect(verdicts).toEqual(['1 healthy: status 200']);
  checker.stop();
});

it('does nothing after it was stopped', async () => {
  const { begun, checker, want } = bench((port) => (port === 1 ? good : undefined));
  want(1);
  want(2);
  await vi.advanceTimersByTimeAsync(1);
  checker.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(begun).toHaveLength(2);
  expect(begun[1]?.cancelled).toBe(true);
});
