// Counting results: what each kind of test program prints, as numbers. Pure.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

export const one = (passed: boolean): Counts => ({
  passed: passed ? 1 : 0,
  failed: passed ? 0 : 1,
});

export const sum = (all: readonly Counts[]): Counts => ({
  passed: all.reduce((total, { passed }) => total + passed, 0),
  failed: all.reduce((total, { failed }) => total + failed, 0),
});

export const closingLine = ({ passed, failed }: Counts): string =>
  `${passed} passed, ${failed} failed`;

// A program that ends badly although it counted no failure (a crash, a leak report) is one failure.
function withStatus(counts: Counts, status: number): Counts {
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

// `[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped`; skipped ones count as failed.
export function countDoctest(output: string, status: number): Counts {
  const line = /test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped/.exec(
    output,
  );
  if (line === null) return { passed: 0, failed: 1 };
  const [, passed = '0', failed = '0', skipped = '0'] = line;
  return withStatus({ passed: Number(passed), failed: Number(failed) + Number(skipped) }, status);
}

// `check tidy: ok (0.3 s)`
export function countChecks(output: string, status: number): Counts {
  const verdicts = [...output.matchAll(/^check .*: (ok|FAILED) \(/gm)].map((found) => found[1]);
  const failed = verdicts.filter((verdict) => verdict === 'FAILED').length;
  return withStatus({ passed: verdicts.length - failed, failed }, status);
}

// `seeds: N passed, M failed`
export function seedsOf(output: string): Counts | undefined {
  const line = /^seeds: (\d+) passed, (\d+) failed$/m.exec(output);
  return line === null ? undefined : { passed: Number(line[1]), failed: Number(line[2]) };
}

// A run of a simulator is one test: every seed ran (`seeds` of them, where that is known), and none
// failed.
export function countSimulator(output: string, status: number, seeds?: number): Counts {
  const found = seedsOf(output);
  if (status !== 0 || found === undefined || found.failed > 0) return one(false);
  // A simulator may run a seed on each of several engines.
  return one(found.passed > 0 && (seeds === undefined || found.passed >= seeds));
}

// A simulator that was broken on purpose must find it: a seed fails, or an assertion of the product
// stops the program.
export function countBroken(output: string, status: number): Counts {
  const found = seedsOf(output);
  return one(
    status !== 0 && (found === undefined ? /assert|Sanitizer/i.test(output) : found.failed > 0),
  );
}

// The command that a simulator prints for a failing seed, as words.
export const replayOf = (output: string): readonly string[] | undefined =>
  /replay: (\S.*)$/m.exec(output)?.[1]?.trim().split(' ');

// A step that must not take longer, as a test of its own.
export function withinTime(
  name: string,
  tookMs: number,
  limitMs: number,
): { readonly line: string; readonly counts: Counts } {
  const met = tookMs <= limitMs;
  const figures = `took ${(tookMs / 1000).toFixed(1)} s, limit ${limitMs / 1000} s`;
  return { line: `${name}: ${figures}: ${met ? 'met' : 'MISSED'}`, counts: one(met) };
}

interface VitestFile {
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

// vitest's JSON report. Whatever is neither passed nor failed did not run, which counts as failed;
// so does a file that could not be loaded.
export function countVitest(report: string, status: number): Counts {
  const { testResults } = JSON.parse(report) as { testResults: readonly VitestFile[] };
  const tests = testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status === 'passed'),
  ).length;
  return withStatus({ passed, failed: tests.length - passed + unloaded }, status);
}
