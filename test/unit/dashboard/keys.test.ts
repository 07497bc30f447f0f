import { describe, expect, it } from 'vitest';
import { fits } from '../../../src/dashboard/filter.ts';
import { Keys, shortcuts } from '../../../src/dashboard/keys.ts';

describe('keys', () => {
  const pressed = (...keys: string[]) => {
    const read = new Keys();
    return keys.map((key, place) => read.press(key, place * 100)).at(-1);
  };

  it('opens a view by g and its letter', () => {
    expect(pressed('g', 'p')).toEqual({ do: 'open', view: 'pools' });
    expect(pressed('g', 'g', 'e')).toEqual({ do: 'open', view: 'events' });
  });

  it('means nothing by a letter alone, or after something else', () => {
    expect(pressed('p')).toBeUndefined();
    expect(pressed('g', 'x', 'p')).toBeUndefined();
    const slow = new Keys();
    slow.press('g', 0);
    expect(slow.press('p', 1001)).toBeUndefined();
  });

  it('does every shortcut that the help lists', () => {
    const listed = shortcuts.map(([keys]) => keys).filter((keys) => keys !== 'Esc');
    for (const keys of listed) expect(pressed(...keys.split(' ')), keys).toBeDefined();
  });
});

describe('search', () => {
  it('finds rows with all of its words, anywhere, in any case', () => {
    expect(fits('WEB 10.0', ['pool web', '10.0.0.1:80'])).toBe(true);
    expect(fits('web 10.1', ['pool web', '10.0.0.1:80'])).toBe(false);
    expect(fits('', [undefined])).toBe(true);
    expect(fits('  ', ['x'])).toBe(true);
  });

  it('takes no character as a pattern', () => {
    expect(fits('.*', ['abc'])).toBe(false);
    expect(fits('[', ['a[b'])).toBe(true);
  });
});
