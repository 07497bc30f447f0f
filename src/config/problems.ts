// What the schema refuses, as issues: with the path, the value, what was expected, the place in the
// file, and what was most likely meant.
import type { z } from 'zod';
import { type Issue, shown } from '../errors.ts';
import type { Locate } from './document.ts';
import { type Key, pathText } from './paths.ts';
import { modesWith } from './schema-listener.ts';
import { knownKeys, knownValues, schemasAt } from './schema-walk.ts';
import { suggestion } from './suggest.ts';

export const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    input,
  );

// With the place of what is wrong, when it is known.
export function placed(
  issue: Issue,
  path: readonly Key[],
  locate: Locate | undefined,
  part: 'key' | 'value' = 'value',
): Issue {
  const place = locate?.(path, part);
  return place === undefined ? issue : { ...issue, ...place };
}

const meaning = (issue: Issue, meant: string | undefined): Issue =>
  meant === undefined ? issue : { ...issue, meant };

// An unknown key, and where it is known: keys of one mode are no use in another.
function unknownKey(input: unknown, path: readonly Key[], key: string): Issue {
  const parent = valueAt(input, path);
  const issue = { path: pathText([...path, key]), value: valueAt(parent, [key]) };
  const { mode } = (parent ?? {}) as { mode?: unknown };
  const others = mode === 'tcp' || mode === 'http' ? modesWith(key) : [];
  if (others.length > 0) {
    const expected = `'${key}' only in mode ${others.join(', ')}`;
    return { ...issue, expected, message: `expected ${expected}` };
  }
  const known = knownKeys(schemasAt(path, input));
  const unknown = { ...issue, expected: 'a known key', message: `unknown key '${key}'` };
  return meaning(unknown, suggestion(key, known));
}

// Of the values the schema has refused.
export function issuesOf(error: z.ZodError, input: unknown, locate?: Locate): Issue[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path as readonly Key[];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) =>
        placed(unknownKey(input, path, key), [...path, key], locate, 'key'),
      );
    }
    const value = valueAt(input, path);
    if (issue.code === 'invalid_key') {
      const message = issue.issues[0]?.message ?? issue.message;
      const expected = message.replace(/^expected /, '');
      return [placed({ path: pathText(path), value, expected, message }, path, locate, 'key')];
    }
    const expected = issue.message.replace(/^expected /, '');
    const message = `${issue.message}, found ${shown(value, 80)}`;
    const meant =
      typeof value === 'string'
        ? suggestion(value, knownValues(schemasAt(path, input)))
        : undefined;
    return [
      placed(meaning({ path: pathText(path), value, expected, message }, meant), path, locate),
    ];
  });
}

// The keys of a path written as text, as the document has them: names may have dots in them.
function keysIn(text: string, locate: Locate): Key[] {
  const keys: Key[] = [];
  let rest = text;
  while (rest !== '') {
    const index = /^\[(\d+)\]\.?/.exec(rest);
    if (index !== null) {
      keys.push(Number(index[1]));
      rest = rest.slice(index[0].length);
      continue;
    }
    const ends = [...rest.matchAll(/[.[]|$/g)].map(({ index: end }) => end).reverse();
    const parent = JSON.stringify(locate(keys));
    const isKey = (end: number): boolean =>
      JSON.stringify(locate([...keys, rest.slice(0, end)], 'key')) !== parent;
    const end = ends.find(isKey) ?? ends.at(-1) ?? rest.length;
    keys.push(rest.slice(0, end));
    rest = rest.slice(rest[end] === '.' ? end + 1 : end);
  }
  return keys;
}

// Places for issues that were found without the document at hand.
export const withPlaces = (issues: readonly Issue[], locate: Locate): Issue[] =>
  issues.map((issue) =>
    issue.line !== undefined ? issue : placed(issue, keysIn(issue.path, locate), locate),
  );

// Names of pools that were most likely meant by routes to pools that are not there.
export const withMeanings = (issues: readonly Issue[], pools: Iterable<string>): Issue[] => {
  const known = [...pools];
  return issues.map((issue) =>
    issue.path.endsWith('.pool') && typeof issue.value === 'string'
      ? meaning(issue, suggestion(issue.value, known))
      : issue,
  );
};
