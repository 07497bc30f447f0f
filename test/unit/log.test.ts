import { expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';

it('writes a line of JSON for each record at or above its level', () => {
  const lines: string[] = [];
  const log = createLogger({
    level: 'warn',
    format: 'json',
    now: () => 0,
    write: (line) => lines.push(line),
  });
  log.info('no');
  log.with({ pool: 'web' }).warn('yes', { bytes: 5n, error: new Error('x', { cause: 'y' }) });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      message: 'yes',
      pool: 'web',
      bytes: 5,
      error: { message: 'x', cause: 'y' },
    },
  ]);
});

it('writes text for people', () => {
  const lines: string[] = [];
  const log = createLogger({ format: 'text', now: () => 0, write: (line) => lines.push(line) });
  log.error('went wrong', { pool: 'web', why: 'a "b"', error: new Error('no way') });
  expect(lines).toEqual([
    '1970-01-01T00:00:00.000Z ERROR went wrong pool=web why="a \\"b\\"" error="no way"',
  ]);
});
