import { describe, expect, it } from 'vitest';
import { configError, errorCodes, reasonOf, SluiceError } from '../../src/errors.ts';

describe('SluiceError', () => {
  it('carries code, status, details and cause', () => {
    const cause = new Error('why');
    const error = new SluiceError(
      'ERR_SLUICE_NO_BACKEND',
      { pool: 'web', backend: 'a' },
      { cause },
    );
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'SluiceError',
      code: 'ERR_SLUICE_NO_BACKEND',
      status: 404,
      message: 'pool web has no backend a',
      details: { pool: 'web', backend: 'a' },
      issues: [],
      cause,
    });
    expect('cause' in new SluiceError('ERR_SLUICE_CLOSED')).toBe(false);
  });

  it('has stable codes', () => {
    for (const code of errorCodes) expect(code).toMatch(/^ERR_SLUICE_[A-Z_]+$/);
  });

  it('lists every issue in its message', () => {
    const error = configError([
      { path: 'a.b', value: 1, expected: 'x', message: 'expected x', line: 3 },
      { path: '', value: 1, expected: 'y', message: 'expected y' },
    ]);
    expect(error.message).toBe(
      'the configuration is not valid: line 3, a.b: expected x; configuration: expected y',
    );
  });
});

it('reasonOf names a code once', () => {
  expect(reasonOf(Object.assign(new Error('bind'), { code: 'EACCES' }))).toBe('EACCES: bind');
  expect(reasonOf(Object.assign(new Error('bind: EACCES'), { code: 'EACCES' }))).toBe(
    'bind: EACCES',
  );
  expect(reasonOf('text')).toBe('text');
});
