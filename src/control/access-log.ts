// Follows the settings of the access log: opens where it goes, tells the logger of the data plane,
// and says what slots are called. Part of the one writer.
import type { Fleet } from '../addon/fleet.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import type { AccessLogSettings } from '../model/types.ts';
import type { Reader } from '../shm/read.ts';
import type { Taken } from './slots.ts';
import { type Outcome, routeKey, type State } from './state.ts';

// What the logger still has of the former destination is written within this.
const switchTimeoutMs = 5000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// A change that is ready: the destination is open, nobody writes to it yet.
interface Prepared {
  readonly settings: AccessLogSettings | undefined;
  readonly descriptor: number;
}

const kinds = { listener: 0, route: 1, pool: 2, backend: 3 } as const;

export class AccessLog {
  readonly #fleet: Fleet;
  readonly #reader: Reader;
  #settings: AccessLogSettings | undefined;
  #prepared: Prepared | undefined;
  // What the logger knows of all but backends: incarnation and name, by slot.
  readonly #known: readonly Map<number, string>[] = [new Map(), new Map(), new Map()];

  constructor(fleet: Fleet, reader: Reader) {
    this.#fleet = fleet;
    this.#reader = reader;
  }

  // Opens what the settings say, then does the rest of what can fail, before anything changes; when
  // that throws, nothing is left open. Throws ERR_SLUICE_ACCESS_LOG.
  prepare<T>(settings: AccessLogSettings | undefined, rest: () => T): T {
    const { format, path } = this.#settings ?? {};
    if (settings?.format === format && settings?.path === path) return rest();
    const descriptor = settings === undefined ? -1 : this.#open(settings);
    try {
      const result = rest();
      this.#prepared = { settings, descriptor };
      return result;
    } catch (error) {
      if (descriptor >= 0) this.#fleet.closeDescriptors([descriptor]);
      throw error;
    }
  }
  // To be called before what has new names is published.
  commit(state: State, { fresh }: Pick<Outcome, 'fresh'>): void {
    const isNew = this.#settings === undefined;
    if (this.#prepared !== undefined) {
      const { settings, descriptor } = this.#prepared;
      this.#prepared = undefined;
      this.#fleet.switchLog(descriptor, settings?.format ?? 'json');
      this.#settings = settings;
    }
    if (this.#settings === undefined) return;
    for (const [name, record] of state.listeners) {
      this.#name('listener', record, name);
      for (const route of record.listener.routes) {
        const own = state.routes.get(name)?.get(routeKey(route));
        const text = `${route.host || '*'}${route.pathPrefix || '/'}`;
        if (own !== undefined) this.#name('route', own, text);
      }
    }
    for (const record of state.pools.values()) this.#name('pool', record, record.name);
    const backends = isNew ? [...state.pools.values()].flatMap(({ members }) => members) : fresh;
    for (const { slot, incarnation, backend } of backends) {
      this.#fleet.nameSlot(kinds.backend, slot, incarnation, backend.id);
    }
  }

  // Opens the file again, which may have been renamed, and resolves when everything before has been
  // written to the former one. Throws ERR_SLUICE_ACCESS_LOG; then the former one stays in use.
  async reopen(): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined) return;
    const sequence = this.#fleet.switchLog(this.#open(settings), settings.format);
    const end = performance.now() + switchTimeoutMs;
    while (((this.#reader.accessLog().sink - sequence) | 0) < 0) {
      if (performance.now() >= end) {
        const reason = 'the former file takes nothing';
        throw new SluiceError('ERR_SLUICE_ACCESS_LOG', { path: settings.path, reason });
      }
      await pause(5);
    }
  }

  #open({ path }: AccessLogSettings): number {
    try {
      return this.#fleet.openLog(path === 'stdout' ? '' : path);
    } catch (cause) {
      const reason = reasonOf(cause);
      throw new SluiceError('ERR_SLUICE_ACCESS_LOG', { path, reason }, { cause });
    }
  }

  #name(kind: 'listener' | 'route' | 'pool', { slot, incarnation }: Taken, name: string): void {
    const known = this.#known[kinds[kind]];
    const text = `${incarnation} ${name}`;
    if (known?.get(slot) === text) return;
    known?.set(slot, text);
    this.#fleet.nameSlot(kinds[kind], slot, incarnation, name);
  }
}
