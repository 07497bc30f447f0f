import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { SluiceError } from '../../../src/errors.ts';

const parsed = (accessLog?: unknown) =>
  parseConfig(
    { listeners: {}, pools: {}, ...(accessLog === undefined ? {} : { accessLog }) },
    'file',
  ).settings?.accessLog;

function issue(accessLog: unknown): string {
  try {
    parsed(accessLog);
  } catch (error) {
    if (error instanceof SluiceError) {
      return error.issues.map(({ path, expected }) => `${path}: ${expected}`).join('; ');
    }
  }
  return 'accepted';
}

describe('accessLog', () => {
  it('is off unless stated, and JSON to stdout unless stated otherwise', () => {
    expect(parsed()).toBeUndefined();
    expect(parsed({})).toEqual({ format: 'json', path: 'stdout' });
    expect(parsed({ format: 'combined', path: '/var/log/a.log' })).toEqual({
      format: 'combined',
      path: '/var/log/a.log',
    });
  });

  it.each([
    [{ path: 'logs/a.log' }, "accessLog.path: 'stdout' or an absolute path"],
    [{ path: '/a\0b' }, "accessLog.path: 'stdout' or an absolute path"],
    [{ path: 1 }, "accessLog.path: 'stdout' or an absolute path"],
    [{ format: 'common' }, "accessLog.format: one of 'json', 'combined'"],
    [{ file: '/a' }, 'accessLog.file: a known key'],
    [true, 'accessLog: { format, path }'],
  ])('refuses %j', (value, expected) => {
    expect(issue(value)).toBe(expected);
  });
});
