import { describe, expect, it } from 'vitest';
import type { ContenderName } from '../../../bench/peers.ts';
import type { Limit, Row, Sample } from '../../../bench/row.ts';
import { rowsNamed } from '../../../bench/rows.ts';
import { verdictsOf } from '../../../bench/verdict.ts';

const [http] = rowsNamed(['http']) as [Row];
const load = {
  work: 1,
  bytes: 1,
  seconds: 1,
  errors: 0,
  first_error: '',
  p50_us: 1,
  p99_us: 1,
  p999_us: 1,
  watched_cpu_seconds: 1,
  watched_cpu_busy: 1,
  load_busy: 1,
};

const sample = (
  contender: ContenderName,
  round: number,
  value: number,
  more: Partial<Sample> = {},
): Sample => ({ contender, round, value, balancerShare: 1, othersShare: 0, load, ...more });

const rowWith = (limits: readonly Limit[], more: Partial<Row> = {}): Row => ({
  ...http,
  limits,
  ...more,
});
const over = (against: readonly ContenderName[], limit: number): Limit => ({
  kind: 'ratio',
  against,
  bound: 'at least',
  limits: { io_uring: limit, epoll: limit },
});

describe('a ratio', () => {
  const samples = [
    sample('sluice-epoll', 0, 30),
    sample('haproxy', 0, 20),
    sample('nginx', 0, 10),
    sample('haproxy', 1, 40), // another mood of the machine, for all of that round
    sample('sluice-epoll', 1, 80),
    sample('nginx', 1, 50),
    sample('nginx', 2, 10),
    sample('haproxy', 2, 10),
    sample('sluice-epoll', 2, 10),
  ];

  it('is taken within each round, and its median is held to the limit', () => {
    const [verdict] = verdictsOf(rowWith([over(['haproxy'], 1.5)]), samples);
    expect(verdict).toMatchObject({
      engine: 'epoll',
      against: 'haproxy',
      measured: { median: 1.5, min: 1, max: 2 },
      result: 'met',
    });
    const [missed] = verdictsOf(rowWith([over(['haproxy'], 1.51)]), samples);
    expect(missed?.result).toBe('missed');
  });

  it('against several is against the better of each round', () => {
    const [verdict] = verdictsOf(rowWith([over(['haproxy', 'nginx'], 1)]), samples);
    expect(verdict).toMatchObject({
      against: 'the better of haproxy and nginx',
      measured: { median: 1.5, min: 1, max: 1.6 },
    });
  });

  it('is not given when a peer is missing', () => {
    const without = samples.filter(({ contender }) => contender !== 'nginx');
    expect(verdictsOf(rowWith([over(['haproxy', 'nginx'], 1)]), without)).toEqual([]);
  });
});

describe('the presuppositions', () => {
  const of = (needs: Row['needs'], peer: Partial<Sample>) =>
    verdictsOf(rowWith([over(['haproxy'], 1)], { needs }), [
      sample('sluice-io_uring', 0, 2),
      sample('haproxy', 0, 1, peer),
    ]).map(({ result }) => result);

  it('let sluice rest where it meets its limit all the same', () => {
    const of = (value: number) =>
      verdictsOf(rowWith([over(['haproxy'], 2)]), [
        sample('sluice-io_uring', 0, value, { balancerShare: 0.7 }),
        sample('haproxy', 0, 1),
      ])[0]?.result;
    expect(of(2)).toBe('met');
    expect(of(1.9)).toBe('not saturated');
  });

  it('are held to both sides of a ratio', () => {
    expect(of('saturation', { balancerShare: 0.94 })).toEqual(['not saturated']);
    expect(of('saturation', { balancerShare: 0.95 })).toEqual(['met']);
    expect(of('quiet', { othersShare: 0.06 })).toEqual(['disturbed']);
    expect(of('quiet', { othersShare: 0.05 })).toEqual(['met']);
    expect(of('nothing', { balancerShare: 0.1, othersShare: 0.9 })).toEqual(['met']);
  });
});

describe('the row of Unix sockets', () => {
  it("compares sluice with itself over TCP, by each engine's limit", () => {
    const [row] = rowsNamed(['httpunix']) as [Row];
    const verdicts = verdictsOf(row, [
      sample('sluice-io_uring', 0, 118, { baseline: 100 }),
      sample('sluice-epoll', 0, 118, { baseline: 100 }),
    ]);
    expect(verdicts).toMatchObject([
      { engine: 'io_uring', against: 'TCP backends', limit: 1.2, result: 'missed' },
      { engine: 'epoll', against: 'TCP backends', limit: 1.15, result: 'met' },
    ]);
    expect(verdicts[0]?.measured.median).toBeCloseTo(1.18);
    const resting = sample('sluice-epoll', 0, 118, { baseline: 100, balancerShare: 0.9 });
    expect(verdictsOf(row, [resting])).toMatchObject([{ result: 'not saturated' }]);
  });
});

describe('the row of idle clients', () => {
  it("holds sluice's own figure to a limit", () => {
    const [row] = rowsNamed(['httpidle']) as [Row];
    const of = (bytes: number) => verdictsOf(row, [sample('sluice-epoll', 0, bytes)])[0]?.result;
    expect(of(384)).toBe('met');
    expect(of(385)).toBe('missed');
  });
});
