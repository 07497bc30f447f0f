import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, bucketStart, Histogram } from '../../../src/shm/histogram.ts';
import { limits } from '../../../src/shm/schema.ts';

describe('buckets', () => {
  it('contain their values and are at most 1/16 wide', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 36 - 1 }), (value) => {
        const bucket = bucketOf(value);
        const [start, end] = [bucketStart(bucket), bucketStart(bucket + 1)];
        expect(start).toBeLessThanOrEqual(value);
        expect(value).toBeLessThan(end);
        if (value >= 16) expect((end - start) / start).toBeLessThanOrEqual(1 / 16);
      }),
    );
  });

  it('end with one that takes everything larger', () => {
    expect(bucketStart(limits.histogramBuckets)).toBe(2 ** 36);
    expect(bucketOf(2 ** 36 - 1)).toBe(limits.histogramBuckets - 1);
    expect(bucketOf(2 ** 50)).toBe(limits.histogramBuckets - 1);
  });
});

describe('Histogram', () => {
  const of = (values: readonly number[]): Histogram => {
    const histogram = new Histogram();
    for (const value of values) histogram.add(bucketOf(value), 1);
    histogram.sum = values.reduce((a, b) => a + b, 0);
    return histogram;
  };

  it('gives quantiles within a bucket of the true ones', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i + 1) * 10);
    const histogram = of(values);
    for (const q of [0.5, 0.9, 0.99, 1]) {
      const exact = values[Math.ceil(q * values.length) - 1] ?? 0;
      expect(Math.abs(histogram.quantile(q) - exact) / exact).toBeLessThan(0.07);
    }
    expect(new Histogram().quantile(0.5)).toBeNaN();
  });

  it('counts cumulatively and merges', () => {
    const histogram = of([1, 5, 100, 100_000]);
    histogram.merge(of([5]));
    expect(histogram.count).toBe(5);
    expect(histogram.sum).toBe(100_111);
    expect(histogram.cumulative([0, 5, 1000, 10 ** 9])).toEqual([0, 3, 4, 5]);
  });
});
