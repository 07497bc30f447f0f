// What the two foreign dialects share: a table of things that people state, made into a statement
// of what is desired, and changed one after the other.
import { createHash } from 'node:crypto';
import { parseConfig } from '../config/load.ts';
import { resolveDesired } from '../config/resolve.ts';
import type { PoolConfig } from '../config/schema.ts';
import type { AttachedRoutes, Backend, Desired, Flag, Listener } from '../model/types.ts';
import { Refusal } from './problem.ts';

// Of the balancer, for one dialect. The dialect is a source of desired state like any other.
export interface Statements {
  // Resolves when all workers follow; what is refused leaves the former statement.
  state(desired: Desired<Backend>): Promise<unknown>;
  // What of the last statement is not in force.
  flags(): readonly Flag[];
}

// A name as configurations have it, for something that people named in another way.
export function nameFor(kind: string, text: string): string {
  // The port of an address; it comes last, so that no two addresses become one name.
  const joined = text.replace(/:(?=\d+$)/, '-').replace(/^-/, '');
  const plain = `${kind}-${joined.replace(/[^A-Za-z0-9._-]+/g, '')}`;
  if (plain === `${kind}-${joined}` && plain.length <= 63) return plain;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return `${plain.slice(0, 50)}-${hash}`;
}

export interface Stated {
  readonly pools: Readonly<Record<string, PoolConfig>>;
  readonly attached: readonly AttachedRoutes[];
}

// Throws ERR_SLUICE_CONFIG, ERR_SLUICE_RESOLVE.
export async function desiredOf(
  source: string,
  { pools, attached }: Stated,
): Promise<Desired<Backend>> {
  const parsed = parseConfig({ pools }, source);
  return { ...(await resolveDesired(parsed)), settings: undefined, attached };
}

// A listener of mode http that is open while somebody wants routes of it. Throws ERR_SLUICE_CONFIG.
export function openedListener(source: string, name: string, listen: string): Listener {
  const listener = { listen, mode: 'http' as const, routes: [] };
  const parsed = parseConfig({ listeners: { [name]: listener } }, source);
  const found = parsed.listeners.get(name);
  if (found === undefined) throw new TypeError('a listener that was stated is missing');
  return found;
}

type Rows<T> = ReadonlyMap<string, T>;

export interface TableParts<T> {
  readonly compile: (rows: Rows<T>) => Promise<Desired<Backend>>;
  readonly statements: Statements;
  // Resolves when they are kept.
  readonly save: (rows: Rows<T>, before: Rows<T>) => Promise<void>;
}

// A table whose changes follow one another: each is made into a statement, put in force and saved
// before the next one begins.
export class Table<T> {
  readonly #parts: TableParts<T>;
  #rows: Rows<T> = new Map();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: TableParts<T>) {
    this.#parts = parts;
  }

  get rows(): Rows<T> {
    return this.#rows;
  }

  // `change` makes the next rows of the present ones; `origin` names what it is about in flags.
  // Throws what `change` throws, ERR_SLUICE_CONFIG, and a Refusal when something else has what is
  // wanted; nothing has changed then. Throws ERR_SLUICE_STATE_FILE when it is in force, not kept.
  change(change: (rows: Rows<T>) => Rows<T>, origin: string): Promise<void> {
    const made = this.#last.then(() => this.#change(change, origin));
    this.#last = made.catch(() => {});
    return made;
  }

  // What was kept; flags do not refuse it.
  async restore(rows: Rows<T>): Promise<void> {
    const { compile, statements } = this.#parts;
    await statements.state(await compile(rows));
    this.#rows = rows;
  }

  async #change(change: (rows: Rows<T>) => Rows<T>, origin: string): Promise<void> {
    const { compile, statements, save } = this.#parts;
    const before = this.#rows;
    const rows = change(before);
    await statements.state(await compile(rows));
    const refused = statements.flags().find((flag) => flag.origin === origin || flag.origin === '');
    if (refused !== undefined && rows.has(origin)) {
      await statements.state(await compile(before));
      throw new Refusal(409, `${refused.what}: ${refused.reason}`);
    }
    this.#rows = rows;
    await save(rows, before);
  }
}
