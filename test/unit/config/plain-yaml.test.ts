// What is read the fast way has the value that the exact way gives it; what is wrong is not read.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { plainYaml } from '../../../src/config/plain-yaml.ts';

const ours = `# a comment: {with} 'signs'!
workers: 2
listeners:
  web: { listen: "127.0.0.1:8080", mode: http, routes: [{ pool: web }] }
pools:
  web:
    backends:
      - 127.0.0.1:9001
      - { address: '127.0.0.1:9002', weight: 3 } # the second
    strategy: round_robin
    connectTimeout: 5s
`;

// undefined: refused.
function exactly(text: string): { readonly value: unknown } | undefined {
  try {
    const document = parseDocument(text, { prettyErrors: false });
    if (document.errors.length + document.warnings.length > 0) return undefined;
    return { value: document.toJS() as unknown };
  } catch {
    return undefined;
  }
}

function difference(text: string): string | undefined {
  const fast = plainYaml(text);
  if (fast === undefined) return undefined;
  const exact = exactly(text);
  if (exact !== undefined && isDeepStrictEqual(fast.value ?? null, exact.value ?? null)) {
    return undefined;
  }
  return `${JSON.stringify(text)}: ${JSON.stringify(fast)}, exactly ${JSON.stringify(exact)}`;
}

it('reads what configurations are made of', () => {
  expect(plainYaml(ours)).toEqual(exactly(ours));
  expect(plainYaml(JSON.stringify(exactly(ours)?.value, null, 2))).toEqual(exactly(ours));
});

it.each([
  'a: ${B}',
  'a: &b 1',
  'a: *b',
  'a: !x 1',
  'a: |\n  b',
  'a: >\n  b',
  '--- 1',
  'a: 1\n...',
  'a: "\\n"',
  '? a',
  'a:\t1',
  'a: 1\r\n',
  'a: 1\na: 2',
  'a: [1',
])('leaves to the exact way: %s', (text) => {
  expect(plainYaml(text)).toBeUndefined();
});

const words = [
  ...['a', 'b', 'x1', 'true', 'False', 'null', '~', 'yes', '0', '-1', '+2', '007', '0x1f', '0o17'],
  ...['1_000', '1e3', '.5', '1.', '-.inf', '.NaN', '0b1', '1:30', '12:30:45', '2026-01-01', '='],
  ...['127.0.0.1:80', ':80', 'a:b', 'a#b', "it's", '(x)', '__proto__', 'constructor', '30s'],
];
const pieces = [
  ...words,
  ...[': ', ':', '- ', '-', ', ', ',', '{', '}', '[', ']', '"', "'", '#', ' # c', '# c!'],
  ...['\n', '\n  ', '\n    ', '\n- ', '\n  - ', ' ', '  ', '/', '+', '~'],
];
const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((all) => all.join(''));
// A good text with pieces put in and taken out.
const edited = fc
  .array(fc.tuple(fc.nat(ours.length), fc.nat(4), fc.constantFrom('', ...pieces)), { maxLength: 4 })
  .map((edits) =>
    edits.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), ours),
  );

it.each([
  ['pieces', soup],
  ['an edited configuration', edited],
] as const)('agrees with the exact way: %s', (_, texts) => {
  let read = 0;
  fc.assert(
    fc.property(texts, (text) => {
      if (plainYaml(text) !== undefined) read++;
      expect(difference(text)).toBeUndefined();
    }),
    { numRuns: 1500 },
  );
  expect(read).toBeGreaterThan(100);
});
