import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseSize } from '../../../src/config/units.ts';

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['5s', 5000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '5', 's', '5 s', '-1s', '5S', '1e3s', '25d', '5s5', 'five'])('refuses %j', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it('reads what it wrote', () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => parseDuration(`${ms}ms`) === ms));
  });
});

describe('parseSize', () => {
  it.each([
    ['0B', 0],
    ['16KiB', 16_384],
    ['1.5MiB', 1_572_864],
    ['2GiB', 2 ** 31],
  ])('reads %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', '5', 'KiB', '5KB', '5k', '-1B', '99999999999GiB'])('refuses %j', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
});
