// Aligned tables: plain text, as wide as they need to be or as the terminal is.
import { paint, type Terminal } from './terminal.ts';

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number;
  // Numbers stand to the right.
  readonly right?: boolean;
}

const gap = '  ';
const narrowest = 8;

export const cut = (text: string, width: number): string =>
  text.length <= width ? text : width < 1 ? '' : `${text.slice(0, width - 1)}…`;

// Takes from the widest column until the line fits; none becomes narrower than `narrowest`.
function narrowed(widths: readonly number[], width: number | undefined): number[] {
  const fitted = [...widths];
  if (width === undefined) return fitted;
  const total = (): number =>
    fitted.reduce((sum, own) => sum + own, 0) + gap.length * (fitted.length - 1);
  while (total() > width) {
    const widest = Math.max(...fitted);
    if (widest <= narrowest) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}

// Lines with the titles first; without rows there is nothing.
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  terminal: Pick<Terminal, 'width' | 'colours'>,
): string[] {
  if (rows.length === 0) return [];
  // Text of others shall not move the cursor.
  const cells = rows.map((row) => columns.map(({ of }) => printable(String(of(row)))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const fitted = narrowed(widths, terminal.width);
  const lineOf = (texts: readonly string[]): string =>
    texts
      .map((text, index) => {
        const width = fitted[index] ?? 0;
        const shown = cut(text, width);
        return columns[index]?.right ? shown.padStart(width) : shown.padEnd(width);
      })
      .join(gap)
      .trimEnd();
  const titles = lineOf(columns.map(({ title }) => title));
  return [paint(terminal, 'bold', titles), ...cells.map(lineOf)];
}

// Control characters would let a name that somebody else chose write on the terminal.
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '�');
