// Log-linear histograms as the workers keep them: 16 linear buckets, then 16 per octave, so a
// bucket is at most 6.25 % wide. Values are microseconds. native/shm/histogram.h counts by the same
// rule.
import { limits } from './schema.ts';

const perOctave = 16;

// First value of a bucket; that of the next bucket is its exclusive end.
export function bucketStart(bucket: number): number {
  if (bucket < perOctave) return bucket;
  const octave = Math.floor(bucket / perOctave) - 1;
  return (perOctave + (bucket % perOctave)) * 2 ** octave;
}

// Bucket of a value; values beyond the last bucket count in it.
export function bucketOf(value: number): number {
  if (value < perOctave) return Math.max(0, Math.floor(value));
  const octave = Math.floor(Math.log2(value));
  const sub = Math.floor(value / 2 ** (octave - 4)) - perOctave;
  return Math.min((octave - 3) * perOctave + sub, limits.histogramBuckets - 1);
}

export class Histogram {
  readonly counts: Float64Array = new Float64Array(limits.histogramBuckets);
  count = 0;
  // Sum of all values.
  sum = 0;

  add(bucket: number, amount: number): void {
    this.counts[bucket] = (this.counts[bucket] ?? 0) + amount;
    this.count += amount;
  }

  // Adds another histogram of the same kind, for example another worker's.
  merge(other: Histogram): void {
    other.counts.forEach((amount, bucket) => {
      if (amount > 0) this.add(bucket, amount);
    });
    this.sum += other.sum;
  }

  // The value below which a share `q` (0 to 1) of all lies, interpolated within its bucket; NaN
  // when nothing was counted.
  quantile(q: number): number {
    if (this.count === 0) return Number.NaN;
    const rank = Math.min(Math.max(q, 0), 1) * this.count;
    let below = 0;
    for (const [bucket, amount] of this.counts.entries()) {
      if (amount > 0 && below + amount >= rank) {
        const start = bucketStart(bucket);
        return start + ((rank - below) / amount) * (bucketStart(bucket + 1) - start);
      }
      below += amount;
    }
    return bucketStart(limits.histogramBuckets);
  }

  // How many values lie at or below each bound, for bounds in ascending order. A bound within a
  // bucket counts the bucket as a whole, so an answer is at most one bucket's width off.
  cumulative(bounds: readonly number[]): number[] {
    let bucket = 0;
    let below = 0;
    return bounds.map((bound) => {
      for (; bucket < this.counts.length && bucketStart(bucket) <= bound; bucket++) {
        below += this.counts[bucket] ?? 0;
      }
      return below;
    });
  }
}
