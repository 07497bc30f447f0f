import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseText } from '../../../src/config/document.ts';
import { checkConfig } from '../../../src/config/load.ts';
import type { Key } from '../../../src/config/paths.ts';
import type { Environment } from '../../../src/config/variables.ts';
import { type Issue, SluiceError } from '../../../src/errors.ts';

function refused(text: string, env: Environment = {}): SluiceError {
  try {
    parseText(text, 'f.yaml', env);
  } catch (error) {
    expect(error).toBeInstanceOf(SluiceError);
    return error as SluiceError;
  }
  throw new Error('nothing was refused');
}
const places = ({ issues }: SluiceError) => issues.map(({ line, column }) => `${line}:${column}`);

// Line and column of the first occurrence.
function placeOf(text: string, part: string, from = 0) {
  const before = text.slice(0, text.indexOf(part, from)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

describe('a document', () => {
  it('tells every problem of its syntax, with its place', () => {
    const error = refused('a: 1\na: 2\nb: "x\n  c: [1\n');
    expect(error.code).toBe('ERR_SLUICE_CONFIG_FILE');
    expect(error.issues.length).toBeGreaterThan(1);
    expect(places(error)[0]).toBe('2:1');
    expect(error.message).toContain('f.yaml: Map keys must be unique at line 2, column 1');
  });

  it.each([
    ['*nothing', 'alias'],
    [`a: &a [x]\nb: ${'['.repeat(9000)}`, ''],
    ['&a [*a, *b]', 'alias'],
    ['a: 1\n---\nb: 2', 'multiple documents'],
    ['a: !unknown 1', 'tag'],
  ])('refuses %j without a crash', (text, word) => {
    expect(refused(text).message.toLowerCase()).toContain(word);
  });

  it('refuses aliases that multiply without bound', () => {
    const level = (n: number) =>
      `a${n}: &a${n} [${Array(9)
        .fill(`*a${n - 1}`)
        .join(', ')}]`;
    const text = ['a0: &a0 [x]', ...[1, 2, 3, 4, 5, 6, 7].map(level)].join('\n');
    expect(refused(text).message).toContain('alias');
  });

  it('locates values and keys, through aliases and in JSON', () => {
    const yaml = 'base: &base\n  deep: [1, { x: two }]\nother: *base\n';
    const { locate } = parseText(yaml, 'f');
    expect(locate(['base', 'deep', 1, 'x'])).toEqual({ line: 2, column: 18 });
    expect(locate(['base', 'deep', 1, 'x'], 'key')).toEqual({ line: 2, column: 15 });
    expect(locate(['other', 'deep', 0])).toEqual({ line: 2, column: 10 });
    // What is not there: where it would be.
    expect(locate(['other', 'none'])).toEqual(locate(['other']));
    expect(locate([])).toEqual({ line: 1, column: 1 });
    const json = parseText('{\n\t"a": {"b":\r\n null}}', 'f');
    expect(json.locate(['a', 'b'])).toEqual({ line: 3, column: 2 });
    expect(parseText('', 'f').locate(['a'])).toBeUndefined();
  });
});

describe('variables', () => {
  const env = { N: '3', S: 'text', E: '', D: '007', T: 'true' };
  it.each([
    ['a: ${N}', 3],
    ['a: "${N}"', 3],
    ['{"a": "${N}"}', 3],
    ['a: x${N}', 'x3'],
    ['a: "0${N}"', '03'],
    ['a: 1${N}', 13],
    ['a: ${T}', true],
    ['a: ${S}-${N}', 'text-3'],
    ['a: ${NONE:-x y}', 'x y'],
    ['a: ${NONE:-2}', 2],
    ['a: "${NONE:-}"', null],
    ['a: ${E:-x}', 'x'],
    ['a: ${E}', null],
    ['a: $${N}', '${N}'],
    ['a: $$N $ {N} $N', '$$N $ {N} $N'],
    ['a: "$${N}${N}"', '${N}3'],
    ['a: "[${S}]:1"', '[text]:1'],
    // A value is a value, whatever it looks like.
    ['a: ${X:-[1}]', '[1]'],
    ['${N}: 1\na: 2', 2],
  ])('%s', (text, value) => {
    expect((parseText(text, 'f', env).input as { a: unknown }).a).toEqual(value);
  });

  it('that are missing or malformed are problems with their place, all at once', () => {
    const text = 'a: ${NONE}\nb:\n  - "\\u0041 $${N} ${N} x${GONE} ${1} ${N"\n';
    const error = refused(text, env);
    expect(error.issues.map(({ path, message }) => [path, message])).toEqual([
      ['a', 'the environment variable NONE is not set'],
      ['b[0]', 'the environment variable GONE is not set'],
      ['b[0]', expect.stringContaining('found ${1}')],
      ['b[0]', expect.stringContaining('found ${N')],
    ]);
    expect(error.issues.map(({ line, column }) => ({ line, column }))).toEqual(
      ['${NONE}', '${GONE}', '${1}', '${N"'].map((part) => placeOf(text, part)),
    );
  });
});

describe('any text', () => {
  const parts = fc.constantFrom(
    ...['listeners', 'pools', 'web', 'in', ':', ': ', '\n', '  ', '- ', '[', ']', '{', '}', ','],
    ...['"', "'", '&a', '*a', '|', '>', '#', '%', '!', '${', '${N}', '}', '$$', '<<', '---', '...'],
    ...['tcp', 'http', 'mode', 'listen', 'routes', 'backends', '__proto__', 'constructor', '0'],
    ...['%YAML 1.1\n---\n', '\t', '\r', '\0', '\ud800', 'é', '?', '!!set', '!!binary'],
  );
  const text = fc.oneof(
    fc.array(parts, { maxLength: 60 }).map((all) => all.join('')),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.json({ maxDepth: 6 }),
  );

  it('is read or refused, with places inside of it', () => {
    fc.assert(
      fc.property(text, (input) => {
        let issues: readonly Issue[];
        try {
          const document = parseText(input, 'f', { N: '[1]' });
          issues = checkConfig(document.input, 'file', document.locate).issues;
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error;
          expect(error.code).toBe('ERR_SLUICE_CONFIG_FILE');
          issues = error.issues;
          expect(issues.length).toBeGreaterThan(0);
        }
        const lines = input.split('\n');
        for (const { line = 1, column = 1 } of issues) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const key = fc.string({ minLength: 1, maxLength: 6 }).filter((name) => name !== '__proto__');
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constant('leaf'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 3 }),
    ),
  }));

  it('has each value where the place says', () => {
    let count = 0;
    // Each leaf is told from the others, so that its text can be looked for.
    const marked = (value: unknown): unknown => {
      if (value === 'leaf') return `leaf-${++count}-`;
      if (Array.isArray(value)) return value.map(marked);
      return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, marked(v)]));
    };
    const leaves = (value: unknown, path: Key[]): [Key[], string][] => {
      if (typeof value === 'string') return [[path, value]];
      if (Array.isArray(value)) return value.flatMap((one, at) => leaves(one, [...path, at]));
      return Object.entries(value as object).flatMap(([k, v]) => leaves(v, [...path, k]));
    };
    fc.assert(
      fc.property(tree, fc.constantFrom('', ' ', '\t'), (shape, indent) => {
        const value = marked(shape);
        const json = JSON.stringify(value, null, indent);
        const { locate } = parseText(json, 'f', {});
        for (const [path, leaf] of leaves(value, [])) {
          expect(locate(path)).toEqual(placeOf(json, `"${leaf}"`));
        }
      }),
      { numRuns: 500 },
    );
  });
});
