import { describe, expect, it } from 'vitest';
import {
  ago,
  bytes,
  bytesPerSecond,
  count,
  duration,
  latency,
  nothing,
  percent,
  perSecond,
  plural,
  words,
} from '../../../src/dashboard/format.ts';

// Numbers and units are kept on one line.
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

describe('figures', () => {
  it.each([
    [0, '0'],
    [7, '7'],
    [0.4567, '0.46'],
    [12.34, '12.3'],
    [2178.4, '2,178'],
    [9999, '9,999'],
    [9999.7, '10 k'],
    [12_345, '12.3 k'],
    [999_999, '1 M'],
    [1_234_567, '1.23 M'],
    [5e12, '5 T'],
  ])('counts %d as %s', (value, text) => expect(plain(count(value))).toBe(text));

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [123_456, '123 kB'],
    [40_400_000_000, '40.4 GB'],
  ])('writes %d bytes as %s', (value, text) => expect(plain(bytes(value))).toBe(text));

  it.each([
    [0, '0 ms'],
    [0.000_085, '85 µs'],
    [0.000_999_9, '1 ms'],
    [0.0123, '12.3 ms'],
    [0.9999, '1000 ms'],
    [1.25, '1.25 s'],
    [75, '75 s'],
  ])('writes %d seconds of latency as %s', (value, text) =>
    expect(plain(latency(value))).toBe(text),
  );

  it.each([
    [0, '0 %'],
    [0.000_01, '<0.01 %'],
    [0.0123, '1.23 %'],
    [1, '100 %'],
  ])('writes a share of %d as %s', (value, text) => expect(plain(percent(value))).toBe(text));

  it.each([
    [0, '0s'],
    [59.9, '59s'],
    [3600, '1h'],
    [3725, '1h 2m'],
    [273_600, '3d 4h'],
  ])('writes a duration of %d seconds as %s', (value, text) => expect(duration(value)).toBe(text));

  it('says nothing of what is not known', () => {
    for (const write of [count, perSecond, bytes, bytesPerSecond, latency, percent, duration]) {
      for (const unknown of [undefined, null, Number.NaN]) expect(write(unknown)).toBe(nothing);
    }
    expect(ago(undefined, 0)).toBe(nothing);
    expect(ago('no instant', 0)).toBe(nothing);
  });

  it('says how long ago, never in the future', () => {
    const now = Date.parse('2024-05-01T10:00:12Z');
    expect(ago('2024-05-01T10:00:00Z', now)).toBe('12s ago');
    expect(ago('2024-05-01T10:00:30Z', now)).toBe('just now');
  });

  it('joins numbers and words', () => {
    expect([plural(1, 'pool'), plural(2, 'pool'), plural(0, 'try', 'tries')]).toEqual([
      '1 pool',
      '2 pools',
      '0 tries',
    ]);
    expect(words('connect_refused')).toBe('connect refused');
  });
});
