// `sluice top`: the figures of a balancer that runs, as they change.
import { setTimeout as pause } from 'node:timers/promises';
import { AdminClient, type AdminOptions } from './admin-client.ts';
import { exitCodes, UsageError } from './failure.ts';
import { type OutputOptions, writeJson } from './output.ts';
import type { Terminal } from './terminal.ts';
import { type Figures, figuresOf } from './top-figures.ts';
import { TopMemory } from './top-memory.ts';
import { type Head, type Sort, screen, sorts } from './top-screen.ts';

export interface TopOptions extends AdminOptions, OutputOptions {
  // Seconds.
  readonly interval: string;
  readonly sort: Sort;
  readonly once?: boolean;
  readonly pid?: string;
}

const intervalMin = 0.1;
const intervalMax = 60;

function intervalOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= intervalMin && seconds <= intervalMax) return seconds * 1000;
  throw new UsageError(
    `--interval is '${text}': expected seconds from ${intervalMin} to ${intervalMax}`,
  );
}

function pidOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new UsageError(`--pid is '${text}': expected a process id`);
}

export interface Keyboard {
  // Calls back with each key; returns the end of that.
  listen(key: (name: string) => void): () => void;
}

// Keys one by one, without waiting for the end of a line.
export const keyboardOf = (stdin: NodeJS.ReadStream): Keyboard | undefined =>
  stdin.isTTY !== true
    ? undefined
    : {
        listen(key) {
          const heard = (data: Buffer): void => {
            for (const one of data.toString()) key(one);
          };
          stdin.setRawMode(true).resume().on('data', heard);
          return () => void stdin.off('data', heard).pause().setRawMode(false);
        },
      };

export interface Screen extends Terminal {
  // Lines of a terminal, as it is now.
  readonly height: () => number | undefined;
  readonly keyboard: Keyboard | undefined;
}

const interrupt = '\x03';

class Top {
  readonly #memory: TopMemory;
  readonly #options: TopOptions;
  readonly #screen: Screen;
  #sort: Sort;

  constructor(memory: TopMemory, options: TopOptions, to: Screen) {
    this.#memory = memory;
    this.#options = options;
    this.#screen = to;
    this.#sort = options.sort;
  }

  async run(intervalMs: number, ended: AbortController): Promise<void> {
    const { once, output } = this.#options;
    let before = this.#memory.look();
    for (;;) {
      await pause(intervalMs, undefined, { signal: ended.signal }).catch(() => {});
      if (ended.signal.aborted) return;
      const after = this.#memory.look();
      const figures = figuresOf(before, after);
      before = after;
      const document = output === 'json' ? this.#document(figures) : undefined;
      if (document === undefined) this.#show(figures);
      else if (once) writeJson(this.#screen, document);
      else this.#screen.write(`${JSON.stringify(document)}\n`);
      if (once) return;
    }
  }

  key(name: string, ended: AbortController): void {
    if (name === 'q' || name === interrupt) ended.abort();
    if (name === 's') {
      this.#sort = sorts[(sorts.indexOf(this.#sort) + 1) % sorts.length] ?? 'traffic';
    }
  }

  #head(): Head {
    const { version, startedAt } = this.#memory.names;
    const uptimeSeconds = Math.max(0, (Date.now() - Date.parse(startedAt)) / 1000);
    return { version, pid: this.#memory.pid, uptimeSeconds, notice: this.#memory.notice };
  }
  #document(figures: Figures): object {
    return { at: new Date().toISOString(), ...this.#head(), ...figures };
  }

  #show(figures: Figures): void {
    const { keyboard, width, colours } = this.#screen;
    const isLive = keyboard !== undefined && !this.#options.once;
    const height = isLive ? this.#screen.height() : undefined;
    const view = { width, colours, height, sort: this.#sort };
    const lines = screen(figures, this.#head(), view);
    // Over what is there: clearing the whole screen first would flicker.
    const over = `\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`;
    this.#screen.write(isLive ? over : `${lines.join('\n')}\n\n`);
  }
}

export async function top(options: TopOptions, to: Screen): Promise<number> {
  const intervalMs = intervalOf(options.interval);
  const pid = pidOf(options.pid);
  const memory = await TopMemory.open(new AdminClient(options), pid);
  const ended = new AbortController();
  const shown = new Top(memory, options, to);
  const isLive = to.keyboard !== undefined && !options.once && options.output === 'table';
  // Another screen, without a cursor; the one before comes back.
  if (isLive) to.write('\x1b[?1049h\x1b[?25l');
  const deaf = isLive ? to.keyboard?.listen((name) => shown.key(name, ended)) : undefined;
  const stop = (): void => ended.abort();
  process.once('SIGTERM', stop).once('SIGINT', stop);
  try {
    await shown.run(intervalMs, ended);
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    deaf?.();
    if (isLive) to.write('\x1b[?25h\x1b[?1049l');
    memory.close();
  }
  return exitCodes.ok;
}
