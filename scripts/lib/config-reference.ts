// The table of all keys of a configuration, as Markdown, from the schema that checks them. Pure.
import { alternatives, type SchemaNode } from '../../src/config/schema-walk.ts';
import { durationPattern, sizePattern } from '../../src/config/units.ts';

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  // Modes of listeners that know the key; empty: all, or none is meant.
  readonly modes: ReadonlySet<string>;
  readonly help: string;
}

const code = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `\`${text}\``;
};

function typeOf(node: SchemaNode): string {
  const { pattern } = node as { pattern?: string };
  const choices = node.anyOf ?? node.oneOf;
  if (choices !== undefined) return [...new Set(choices.map(typeOf))].join(' or ');
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(', ');
  if (node.type === 'integer') return `${node.minimum} to ${node.maximum}`;
  if (node.type === 'boolean') return '`true` or `false`';
  if (node.type === 'array') return `list of ${typeOf(node.items ?? {})}`;
  if (node.type === 'object') {
    const keys = Object.keys(node.properties ?? {});
    return keys.length === 0 ? 'by name' : `{ ${keys.join(', ')} }`;
  }
  if (pattern === durationPattern) return 'duration';
  return pattern === sizePattern ? 'size' : 'text';
}

const modeOf = (node: SchemaNode): string => String(node.properties?.['mode']?.const ?? '');

// Keys below a schema, each once: modes that know the same key share its row.
function rowsBelow(node: SchemaNode, prefix: string, mode: string): Row[] {
  const rows: Row[] = [];
  for (const one of alternatives(node)) {
    const own = modeOf(one) || mode;
    for (const [key, value] of Object.entries(one.properties ?? {})) {
      rows.push(...rowsOf(value, `${prefix}${key}`, own));
    }
    if (typeof one.additionalProperties === 'object') {
      rows.push(...rowsBelow(one.additionalProperties, `${prefix}NAME.`, own));
    }
    if (one.items !== undefined) {
      rows.push(...rowsBelow(one.items, `${prefix.replace(/\.$/, '')}[].`, own));
    }
  }
  return rows;
}

function rowsOf(node: SchemaNode, key: string, mode: string): Row[] {
  const own = node.description === undefined ? (node.anyOf ?? []) : [node];
  const help = own.flatMap(({ description }) => description ?? []);
  const row: Row = {
    key,
    type: typeOf(node),
    fallback: node.default === undefined ? '' : code(node.default),
    modes: new Set(mode === '' ? [] : [mode]),
    help: help.join(' '),
  };
  return [row, ...rowsBelow(node, `${key}.`, mode)];
}

const joined = (one: string, other: string, by: string): string =>
  one === other || other === '' ? one : `${one}${by}${other}`;

function shared(rows: readonly Row[]): Row[] {
  const byKey = new Map<string, Row>();
  for (const row of rows) {
    const known = byKey.get(row.key);
    if (known === undefined) byKey.set(row.key, row);
    else {
      byKey.set(row.key, {
        ...known,
        type: joined(known.type, row.type, ' or '),
        help: joined(known.help, row.help, ' '),
        modes: new Set([...known.modes, ...row.modes]),
      });
    }
  }
  return [...byKey.values()];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function referenceTable(root: SchemaNode): string {
  const lines = shared(rowsBelow(root, '', '')).map(({ key, type, fallback, modes, help }) => {
    const mode = modes.size === 1 ? [...modes].join('') : '';
    return `| \`${key}\` | ${[type, fallback, mode, help].map(cell).join(' | ')} |`;
  });
  return ['| key | type | default | mode | what it is |', '|---|---|---|---|---|', ...lines].join(
    '\n',
  );
}

const begin = '<!-- GENERATED from src/config/schema.ts by `npm run gen`. Do not edit. -->';
const end = '<!-- end of what is generated -->';

// The page with the table in its place; undefined when the page has none.
export function withTable(page: string, table: string): string | undefined {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) return undefined;
  return `${page.slice(0, from)}${begin}\n\n${table}\n\n${page.slice(to)}`;
}
