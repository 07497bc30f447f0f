import { describe, expect, it } from 'vitest';
import { otherCommands, parseMakeCommands } from '../../../scripts/lib/compile-commands.ts';
import { inRoot, listFiles } from '../../../scripts/lib/project.ts';
import {
  closingLine,
  countBroken,
  countChecks,
  countDoctest,
  countSimulator,
  countVitest,
  replayOf,
  sum,
  withinTime,
} from '../../../scripts/lib/results.ts';

describe('counting results', () => {
  it('reads the summary of doctest, and counts what was skipped as failed', () => {
    const line = '[doctest] test cases:  12 |  10 passed | 1 failed | 1 skipped\n';
    expect(countDoctest(line, 1)).toEqual({ passed: 10, failed: 2 });
  });

  it('counts a crash, a leak report and a missing summary as a failure', () => {
    const line = '[doctest] test cases: 3 | 3 passed | 0 failed | 0 skipped\n';
    expect(countDoctest(line, 0)).toEqual({ passed: 3, failed: 0 });
    expect(countDoctest(line, 23)).toEqual({ passed: 3, failed: 1 });
    expect(countDoctest('Segmentation fault', 139)).toEqual({ passed: 0, failed: 1 });
  });

  it('counts the verdicts of the checks', () => {
    const output = 'check tidy: ok (0.1 s)\nnoise\ncheck types (tsc): FAILED (2.0 s)\n';
    expect(countChecks(output, 1)).toEqual({ passed: 1, failed: 1 });
    expect(countChecks('', 1)).toEqual({ passed: 0, failed: 1 });
  });

  it('passes a simulator that ran every seed', () => {
    expect(countSimulator('seeds: 40 passed, 0 failed\n', 0, 40).passed).toBe(1);
    expect(countSimulator('seeds: 39 passed, 0 failed\n', 0, 40).failed).toBe(1);
    expect(countSimulator('seeds: 39 passed, 1 failed\n', 1, 40).failed).toBe(1);
    expect(countSimulator('seeds: 40 passed, 0 failed\n', 1, 40).failed).toBe(1);
    expect(countSimulator('', 0, 40).failed).toBe(1);
  });

  it('passes a broken simulator only when it found the fault', () => {
    expect(countBroken('seeds: 39 passed, 1 failed\n', 1).passed).toBe(1);
    expect(countBroken('native/io/a.cc:3: assertion failed: x\n', 134).passed).toBe(1);
    expect(countBroken('seeds: 40 passed, 0 failed\n', 0).failed).toBe(1);
    expect(countBroken('unknown option --seeds\n', 2).failed).toBe(1);
  });

  it('finds the command that replays a failing seed', () => {
    const output = 'FAILED seed 7: x\n  replay: /b/proxy_sim --seed 7 --verbose\nseeds: 6 passed';
    expect(replayOf(output)).toEqual(['/b/proxy_sim', '--seed', '7', '--verbose']);
    expect(replayOf('the run aborted; replay: /b/io_sim --seed 2\n')).toEqual([
      '/b/io_sim',
      '--seed',
      '2',
    ]);
    expect(replayOf('seeds: 40 passed, 0 failed\n')).toBeUndefined();
  });

  it('says how long a step took and whether that is within its limit', () => {
    const inTime = { line: 'x: took 59.9 s, limit 60 s: met', counts: { passed: 1, failed: 0 } };
    const late = { line: 'x: took 61.2 s, limit 60 s: MISSED', counts: { passed: 0, failed: 1 } };
    expect(withinTime('x', 59_900, 60_000)).toEqual(inTime);
    expect(withinTime('x', 61_240, 60_000)).toEqual(late);
  });

  it("reads vitest's report: what did not run or did not load has failed", () => {
    const file = (status: string, ...tests: string[]): object => ({
      status,
      assertionResults: tests.map((test) => ({ status: test })),
    });
    const report = (...testResults: object[]): string => JSON.stringify({ testResults });
    expect(countVitest(report(file('passed', 'passed', 'passed')), 0)).toEqual({
      passed: 2,
      failed: 0,
    });
    expect(countVitest(report(file('failed', 'passed', 'failed')), 1)).toEqual({
      passed: 1,
      failed: 1,
    });
    expect(countVitest(report(file('passed', 'passed', 'pending')), 0)).toEqual({
      passed: 1,
      failed: 1,
    });
    expect(countVitest(report(file('failed')), 1)).toEqual({ passed: 0, failed: 1 });
    expect(countVitest(report(file('passed', 'passed')), 1)).toEqual({ passed: 1, failed: 1 });
  });

  it('adds up and says so in one line', () => {
    const total = sum([
      { passed: 2, failed: 0 },
      { passed: 3, failed: 1 },
    ]);
    expect(closingLine(total)).toBe('5 passed, 1 failed');
  });
});

describe('compile_commands.json', () => {
  it("takes compiler lines from make's dry run", () => {
    const output =
      "make: Entering directory 'x'\nmkdir -p /o\ng++ -O1 -MMD -c -o /o/a.o /r/a.cc\nrm x\n";
    expect(parseMakeCommands(output, '/r')).toEqual([
      { directory: '/r', command: 'g++ -O1 -MMD -c -o /o/a.o /r/a.cc', file: '/r/a.cc' },
    ]);
  });

  it('has every file outside of the addon once', () => {
    const files = ['test', 'bench'].flatMap((folder) => listFiles(folder, ['.cc']));
    const named = otherCommands().map(({ file }) => file);
    expect(named.sort()).toEqual(files.map(inRoot).sort());
  });
});
