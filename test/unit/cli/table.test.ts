import { describe, expect, it } from 'vitest';
import { type Column, table } from '../../../src/cli/table.ts';
import { terminalOf } from '../../../src/cli/terminal.ts';
import {
  bytesText,
  countText,
  millisecondsText,
  rateText,
  secondsText,
} from '../../../src/cli/units.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}
const columns: Column<Row>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'COUNT', of: ({ count }) => count, right: true },
];
const plain = { width: undefined, colours: false };
const rows = [
  { name: 'a', count: 7 },
  { name: 'a-long-name-of-thirty-letters-', count: 12345 },
];

describe('a table', () => {
  it('is aligned: text to the left, numbers to the right', () => {
    expect(table(rows, columns, plain)).toEqual([
      'NAME                            COUNT',
      'a                                   7',
      'a-long-name-of-thirty-letters-  12345',
    ]);
    expect(table([], columns, plain)).toEqual([]);
  });

  it('fits the terminal by cutting the widest column', () => {
    const lines = table(rows, columns, { width: 24, colours: false });
    expect(lines[2]).toBe('a-long-name-of-t…  12345');
    expect(Math.max(...lines.map((line) => line.length))).toBe(24);
    // Nothing is left of a column that is cut to nothing.
    expect(table(rows, columns, { width: 3, colours: false })[2]).toBe('a-long-…  12345');
  });

  it('shows control characters of names as such', () => {
    const evil = [{ name: '\x1b[2Jx\n', count: 1 }];
    expect(table(evil, columns, plain)[1]).toBe('�[2Jx�      1');
  });

  it('has bold titles where there are colours', () => {
    const [title] = table(rows.slice(0, 1), columns, { width: undefined, colours: true });
    expect(title).toBe('\x1b[1mNAME  COUNT\x1b[0m');
  });
});

describe('a terminal', () => {
  const stream = (isTTY: boolean) =>
    ({ isTTY, columns: 80, write: () => true }) as unknown as NodeJS.WriteStream;

  it.each([
    [true, {}, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, {}, false],
  ])('that is one: %s, with %j has colours: %s', (isTTY, env, colours) => {
    expect(terminalOf(stream(isTTY), env)).toMatchObject({
      colours,
      width: isTTY ? 80 : undefined,
    });
  });
});

describe('figures', () => {
  it.each([
    [bytesText, 0, '0 B'],
    [bytesText, 1023, '1023 B'],
    [bytesText, 1024, '1.00 KiB'],
    [bytesText, 123 * 2 ** 20, '123 MiB'],
    [countText, 99_999, '99999'],
    [countText, 12_345_678, '12.3M'],
    [rateText, 0, '0'],
    [rateText, 0.25, '0.3'],
    [rateText, 1234.6, '1235'],
    [millisecondsText, Number.NaN, '-'],
    [millisecondsText, 0.0427, '43µs'],
    [millisecondsText, 4.27, '4.3ms'],
    [millisecondsText, 427.3, '427ms'],
    [millisecondsText, 42_700, '42.7s'],
    [secondsText, 59.9, '59s'],
    [secondsText, 3700, '1h 1m'],
    [secondsText, 90_000, '1d 1h'],
  ])('%o of %s is %s', (text, value, wanted) => expect(text(value)).toBe(wanted));
});
