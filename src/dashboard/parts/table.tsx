// A table that becomes a list of cards where it is narrow: each cell then names its column.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { plural } from '../format.ts';

export interface ColumnOf<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  // What a tool tip says of the column.
  readonly hint?: string;
  // Of the width that others leave.
  readonly isWide?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

export interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly ColumnOf<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly tone?: (row: Row) => string;
  // What is said in place of no rows.
  readonly empty: ComponentChildren;
}

// Thousands of rows are drawn only when they are asked for.
const rowsAtOnce = 200;

export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, keyOf, tone, empty } = props;
  const shown = useSignal(rowsAtOnce);
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  const more = rows.length - shown.value;
  const classOf = ({ isNumber, isWide }: ColumnOf<Row>): string =>
    [isNumber ? 'number' : '', isWide ? 'wide' : ''].filter(Boolean).join(' ');
  return (
    <>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)} title={column.hint}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shown.value).map((row) => (
            <tr key={keyOf(row)} class={tone?.(row) ?? ''}>
              {columns.map((column) => (
                <td key={column.title} class={classOf(column)} data-label={column.title}>
                  <div class="cell">{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && (
        <p class="more">
          <button
            type="button"
            onClick={() => {
              shown.value += 5 * rowsAtOnce;
            }}
          >
            Show more ({plural(more, 'row')} left)
          </button>
        </p>
      )}
    </>
  );
}
