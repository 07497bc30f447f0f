import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/log.ts';
import { type Answer, Names } from '../../../src/providers/names.ts';

const dns = { servers: [], refreshMs: 30_000 };
let lines: string[] = [];
const log = createLogger({ format: 'json', write: (line) => lines.push(line) });
const warnings = () => lines.filter((line) => line.includes('"level":"warn"'));

beforeEach(() => {
  lines = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

function given(first: Answer | Error) {
  let next = first;
  const asked: number[] = [];
  const moves: (string | undefined)[] = [];
  const names = new Names(async () => {
    asked.push(Date.now());
    if (next instanceof Error) throw next;
    return next;
  });
  const start = Date.now();
  names.follow({ log, moved: () => void moves.push(names.addressOf('a')) });
  return {
    names,
    moves,
    // Seconds since the start at which it was asked.
    asked: () => asked.map((at) => (at - start) / 1000),
    answers: (answer: Answer | Error) => {
      next = answer;
    },
  };
}
const answer = (addresses: string[], ttl?: number): Answer => ({
  addresses,
  ttlMs: ttl === undefined ? undefined : ttl * 1000,
});

describe('names', () => {
  it('are asked for again after their TTL, within a second and the limit', async () => {
    const { names, asked, answers, moves } = given(answer(['10.0.0.1'], 5));
    expect(await names.lookup('a', dns)).toBe('10.0.0.1');
    names.keep(new Map([['a', '10.0.0.1']]), dns);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked()).toEqual([0, 5]);
    answers(answer(['10.0.0.2'], 0));
    await vi.advanceTimersByTimeAsync(5000);
    answers(answer(['10.0.0.2'], 3600));
    await vi.advanceTimersByTimeAsync(31_000);
    expect(asked()).toEqual([0, 5, 10, 11, 41]);
    answers(answer(['10.0.0.2']));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked().slice(5)).toEqual([71, 101]);
    expect(moves).toEqual(['10.0.0.2']);
    names.close();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(asked()).toHaveLength(7);
  });

  it('keep the address they have while they still stand for it', async () => {
    const { names, answers } = given(answer(['10.0.0.1', '10.0.0.2']));
    expect(await names.lookup('a')).toBe('10.0.0.1');
    answers(answer(['10.0.0.2', '10.0.0.1']));
    expect(await names.lookup('a')).toBe('10.0.0.1');
    answers(answer(['10.0.0.2']));
    expect(await names.lookup('a')).toBe('10.0.0.2');
  });

  it('keep their last address when nobody knows them any more, with one warning', async () => {
    const { names, answers, moves } = given(answer(['10.0.0.1'], 2));
    await names.lookup('a');
    names.keep(new Map([['a', '10.0.0.1']]), dns);
    answers(Object.assign(new Error('queryA ETIMEOUT a'), { code: 'ETIMEOUT' }));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(moves).toEqual([]);
    expect(await names.lookup('a')).toBe('10.0.0.1');
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain('10.0.0.1');
    answers(answer(['10.0.0.9'], 2));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(moves).toEqual(['10.0.0.9']);
    expect(lines.some((line) => line.includes('resolved again'))).toBe(true);
    answers(answer([]));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(warnings()).toHaveLength(2);
  });

  it('that never had an address are refused', async () => {
    const { names } = given(new Error('ENOTFOUND'));
    await expect(names.lookup('a')).rejects.toThrow('ENOTFOUND');
  });

  it('that are in use no more are not asked for', async () => {
    const { names, asked } = given(answer(['10.0.0.1'], 1));
    await names.lookup('a');
    names.keep(new Map([['a', '10.0.0.1']]), dns);
    names.keep(new Map(), dns);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toEqual([0]);
    // One that somebody else has looked up is followed from then on.
    names.keep(new Map([['b', '10.0.0.1']]), { ...dns, refreshMs: 4000 });
    await vi.advanceTimersByTimeAsync(4000);
    expect(asked()).toEqual([0, 64]);
  });
});
