import { expect, it } from 'vitest';
import { referenceTable, withTable } from '../../../scripts/lib/config-reference.ts';
import { rootSchema } from '../../../src/config/schema-walk.ts';

it('has a row for each key, with type, default and mode', () => {
  const table = referenceTable(rootSchema());
  const rows = table.split('\n').slice(2);
  const keys = rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1]);
  expect(new Set(keys).size).toBe(rows.length);
  expect(
    rows.find((row) => row.startsWith('| `listeners.NAME.idleTimeout` | duration | `10m` | tcp |')),
  ).not.toBeUndefined();
  expect(
    rows.find((row) => row.startsWith('| `pools.NAME.backends[].weight` | 0 to 65535 | `1`')),
  ).not.toBeUndefined();
  // A key of both modes is of none in particular.
  expect(
    rows.find((row) => row.startsWith('| `listeners.NAME.mode` | `tcp` or `http` |  |  |')),
  ).not.toBeUndefined();
  for (const row of rows) expect(row).toMatch(/\| [^|]+\.? \|$/);
});

it('puts the table in its place alone, again and again', () => {
  const table = '| key |';
  expect(withTable('nothing here', table)).toBeUndefined();
  const empty =
    'a\n<!-- GENERATED from src/config/schema.ts by `npm run gen`. Do not edit. -->\n' +
    '<!-- end of what is generated -->\nb\n';
  const page = withTable(empty, table) ?? '';
  expect(page).toMatch(/^a\n<!-- GENERATED.*-->\n\n\| key \|\n\n<!-- end.*\nb\n$/);
  expect(withTable(page, table)).toBe(page);
});
