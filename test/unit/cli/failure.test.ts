import { describe, expect, it } from 'vitest';
import { exitCodeOf, failureLines, UsageError } from '../../../src/cli/failure.ts';
import { configError, SluiceError } from '../../../src/errors.ts';

describe('a failure', () => {
  it('has one line for each problem of a configuration', () => {
    const error = configError([
      { path: 'workers', value: 'many', expected: 'a number', message: 'x', line: 3, column: 9 },
      { path: '', value: 1, expected: 'an object', message: 'y' },
      { path: 'a.b', value: undefined, expected: 'a list', message: 'z' },
      { path: 'c', value: 'x'.repeat(200), expected: 'less', message: 'z' },
      { path: 'd', value: 1, expected: 'a known key', message: "unknown key 'd'", meant: 'e' },
      { path: '', value: undefined, expected: 'x', message: 'it throws', line: 1, file: 'g.ts' },
    ]);
    expect(failureLines(error, 'f.yaml')).toEqual([
      'f.yaml:3:9: workers is "many": expected a number',
      'f.yaml: the configuration is 1: expected an object',
      'f.yaml: a.b is nothing: expected a list',
      `f.yaml: c is "${'x'.repeat(58)}…: expected less`,
      "f.yaml: d: unknown key 'd'; did you mean 'e'?",
      'g.ts:1: the configuration: it throws',
    ]);
    expect(failureLines(error)[1]).toBe('the configuration is 1: expected an object');
    expect(exitCodeOf(error)).toBe(2);
  });

  it('shows the code of other errors, and a stack only for our own mistakes', () => {
    const listen = new SluiceError('ERR_SLUICE_LISTEN', {
      address: '127.0.0.1:80',
      listener: 'listeners.in',
      reason: 'EACCES',
    });
    expect(failureLines(listen)).toEqual([
      'cannot listen on 127.0.0.1:80 (listeners.in): EACCES (ERR_SLUICE_LISTEN)',
    ]);
    expect(exitCodeOf(listen)).toBe(1);
    expect(failureLines(new UsageError('so'))).toEqual(['so']);
    expect(exitCodeOf(new UsageError('so'))).toBe(2);
    expect(failureLines(new TypeError('ours'))[0]).toMatch(/ours\n\s+at /);
    expect(exitCodeOf(new TypeError('ours'))).toBe(1);
  });
});
