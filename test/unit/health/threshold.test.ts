import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judge, type Standing, unjudged } from '../../../src/health/threshold.ts';

const limits = fc.record({
  rise: fc.integer({ min: 1, max: 6 }),
  fall: fc.integer({ min: 1, max: 6 }),
});
const checks = fc.array(fc.boolean(), { maxLength: 60 });

const after = (results: readonly boolean[], by: { rise: number; fall: number }): Standing =>
  results.reduce((standing, isGood) => judge(standing, isGood, by), unjudged);

it('finds the first success enough for one that was never judged', () => {
  expect(after([false, false, true], { rise: 5, fall: 3 }).verdict).toBe('healthy');
});

it('finds one that was never judged unhealthy after so many failures', () => {
  expect(after([false, false], { rise: 2, fall: 3 }).verdict).toBe('checking');
  expect(after([false, false, false], { rise: 2, fall: 3 }).verdict).toBe('unhealthy');
});

// The rule said otherwise: the verdict changes exactly at the end of a run that is long enough.
it('changes its verdict when a run is long enough, and never else', () => {
  fc.assert(
    fc.property(limits, checks, (by, results) => {
      let standing = unjudged;
      let run = 0;
      let last: boolean | undefined;
      for (const isGood of results) {
        run = isGood === last ? run + 1 : 1;
        last = isGood;
        const { verdict } = standing;
        standing = judge(standing, isGood, by);
        const runNeeded = isGood ? (verdict === 'checking' ? 1 : by.rise) : by.fall;
        const wanted = isGood ? 'healthy' : 'unhealthy';
        expect(standing.verdict).toBe(run >= runNeeded ? wanted : verdict);
      }
    }),
  );
});

it('never goes back to checking', () => {
  fc.assert(
    fc.property(limits, checks, (by, results) => {
      const standing = after([true, ...results], by);
      expect(standing.verdict).not.toBe('checking');
      expect(standing.against).toBeLessThan(Math.max(by.rise, by.fall));
    }),
  );
});
