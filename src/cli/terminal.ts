// Where a command prints: how wide it is, and whether it shows colours.

export interface Terminal {
  write(text: string): void;
  // Columns; undefined where lines may be as long as they like.
  readonly width: number | undefined;
  readonly colours: boolean;
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, reverse: 7 } as const;
export type Style = keyof typeof codes;

export function paint(terminal: Pick<Terminal, 'colours'>, style: Style, text: string): string {
  return terminal.colours ? `\x1b[${codes[style]}m${text}\x1b[0m` : text;
}

// NO_COLOR, when it is not empty, switches colours off (no-color.org).
export function terminalOf(stream: NodeJS.WriteStream, env = process.env): Terminal {
  const isTerminal = stream.isTTY === true;
  return {
    write: (text) => void stream.write(text),
    width: isTerminal ? stream.columns : undefined,
    colours: isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  };
}

// `print` of a command: whole lines.
export const printTo =
  (terminal: Terminal) =>
  (line: string): void =>
    terminal.write(`${line}\n`);
