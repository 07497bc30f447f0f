// A configuration file in YAML, and with it JSON: its values, and where each of them stands.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Node, Pair, Document as YamlDocument } from 'yaml';
import { type Issue, reasonOf, SluiceError } from '../errors.ts';
import { type Key, pathText } from './paths.ts';
import { plainYaml } from './plain-yaml.ts';
import { type Environment, hasVariables, substitute, typed } from './variables.ts';

type Yaml = typeof import('yaml');

// Loaded when it is needed first: most files are read without it.
let loaded: Yaml | undefined;
function yaml(): Yaml {
  loaded ??= createRequire(import.meta.url)('yaml') as Yaml;
  return loaded;
}

// Both counted from 1; a column is one of UTF-16 code units.
export interface Position {
  readonly line: number;
  readonly column: number;
}

// Where the value at a path stands, or its key; for what is not stated the place that lacks it.
export type Locate = (path: readonly Key[], part?: 'key' | 'value') => Position | undefined;

export interface Document {
  readonly input: unknown;
  readonly locate: Locate;
}

// Throws ERR_SLUICE_CONFIG_FILE; of a file that is not well formed it has every problem.
export const unreadable = (
  path: string,
  reason: string,
  { cause, issues = [] }: { readonly cause?: unknown; readonly issues?: readonly Issue[] } = {},
): SluiceError => new SluiceError('ERR_SLUICE_CONFIG_FILE', { path, reason }, { cause, issues });

const nameOf = (key: unknown): string => String((key as { value?: unknown } | null)?.value ?? key);
const startOf = (node: unknown): number | undefined =>
  (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];

function pairOf(node: unknown, key: Key): Pair | undefined {
  return yaml().isMap(node)
    ? node.items.find((item) => nameOf(item.key) === String(key))
    : undefined;
}

// The node that stands for the value: an alias counts as what it names.
function resolved(node: unknown, document: YamlDocument): unknown {
  return yaml().isAlias(node) ? node.resolve(document) : node;
}

function offsetOf(document: YamlDocument, path: readonly Key[], part: 'key' | 'value') {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const [index, key] of path.entries()) {
    const parent = resolved(node, document);
    const pair = pairOf(parent, key);
    node = yaml().isSeq(parent) ? parent.items[Number(key)] : pair?.value;
    const isKey = pair !== undefined && part === 'key' && index === path.length - 1;
    const own = isKey ? startOf(pair.key) : (startOf(node) ?? startOf(pair?.key));
    if (own === undefined) return offset;
    offset = own;
  }
  return offset;
}

// Puts in the values of variables; returns what is wrong with them, with the offset in `text`.
function fillIn(document: YamlDocument, text: string, env: Environment): [number, Issue][] {
  const problems: [number, Issue][] = [];
  yaml().visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !hasVariables(node.value)) return;
      const { text: value, whole, missing } = substitute(node.value, env);
      const [start = 0, end = 0] = node.range ?? [];
      const raw = [...text.slice(start, end).matchAll(/\$?\$\{/g)].filter(([at]) => at === '${');
      const path = pathText(keysOf(ancestors, node));
      for (const { index, value: stated, expected, message } of missing) {
        const offset = start + (raw[index]?.index ?? 0);
        problems.push([offset, { path, value: stated, expected, message }]);
      }
      node.value = node.type === 'PLAIN' || whole ? typed(value) : value;
    },
  });
  return problems;
}

// The path of a node below its ancestors.
function keysOf(ancestors: readonly unknown[], node: Node): Key[] {
  const chain = [...ancestors, node];
  return chain.flatMap((parent, index): Key[] => {
    const child = chain[index + 1];
    if (yaml().isSeq(parent)) return [parent.items.indexOf(child)];
    const isPair = child === undefined || yaml().isScalar(parent) || yaml().isMap(parent);
    if (isPair || !('key' in (parent as object))) return [];
    return [nameOf((parent as Pair).key)];
  });
}

// What a text says. `path` names it in errors. Throws ERR_SLUICE_CONFIG_FILE.
export function parseText(text: string, path: string, env: Environment = process.env): Document {
  const plain = plainYaml(text);
  if (plain === undefined) return parseExactly(text, path, env);
  let exact: Document | undefined;
  const locate: Locate = (keys, part) => {
    exact ??= parseExactly(text, path, env);
    return exact.locate(keys, part);
  };
  return { input: plain.value ?? null, locate };
}

// The same with places, variables, and everything that is wrong; takes five times as long.
function parseExactly(text: string, path: string, env: Environment): Document {
  const lines = new (yaml().LineCounter)();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refuse = (problems: readonly (readonly [number, Issue])[], cause?: unknown): never => {
    const issues = problems.map(([offset, issue]) => ({ ...issue, ...at(offset) }));
    const [first] = issues;
    const where = first === undefined ? '' : ` at line ${first.line}, column ${first.column}`;
    throw unreadable(path, `${first?.message ?? 'no document'}${where}`, { cause, issues });
  };
  const broken = (offset: number, message: string): [number, Issue] => [
    offset,
    { path: '', value: undefined, expected: 'YAML or JSON', message },
  ];
  let document: YamlDocument.Parsed;
  let input: unknown;
  let problems: [number, Issue][] = [];
  try {
    document = yaml().parseDocument(text, { lineCounter: lines, prettyErrors: false });
    problems = [...document.errors, ...document.warnings].map(({ pos, message }) =>
      broken(pos[0], message),
    );
    if (problems.length === 0) problems = fillIn(document, text, env);
    if (problems.length === 0) input = document.toJS();
  } catch (cause) {
    // Aliases that name nothing or multiply without bound, and nesting too deep to follow.
    return refuse([broken(0, reasonOf(cause))], cause);
  }
  if (problems.length > 0) return refuse(problems.sort(([a], [b]) => a - b));
  const locate: Locate = (keys, part = 'value') => {
    const offset = offsetOf(document, keys, part);
    return offset === undefined ? undefined : at(offset);
  };
  // An empty file states nothing, `{}` states that there is nothing: only that is meant.
  return { input: input ?? null, locate };
}

export async function readDocument(path: string): Promise<Document> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, reasonOf(cause), { cause });
  }
  return parseText(text, path);
}
