// Follows the containers of an engine: subscribes first, lists afterwards, and again and again.
// What is known is always a list with inspections, never a sum of events; events say what to look
// at again, and which containers are about to end.
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from '../config/endpoint.ts';
import { reasonOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { DockerClient, type EngineEvent } from './docker-client.ts';
import { remedyFor } from './docker-endpoint.ts';
import { type Container, containerOf, endsContainer } from './docker-facts.ts';
import { Leaving } from './docker-leaving.ts';

export interface WatchFigures {
  readonly connected: boolean;
  // Lists that could not be had, and subscriptions that ended.
  readonly errors: number;
  // Milliseconds since the epoch; undefined before the first list.
  readonly lastSyncMs: number | undefined;
  // Why there is no connection.
  readonly error: string | undefined;
}

export interface WatchOptions {
  readonly endpoint: Endpoint;
  readonly log: Logger;
  // The containers, or those that are leaving, are no longer the same.
  readonly changed: () => void;
  readonly resyncMs?: number;
}

// Events come in flocks; one look serves all of them.
const settleMs = 5;
const resyncDefaultMs = 60_000;
const backoffMs = { first: 200, most: 10_000 };
// How far back the first subscription looks: for containers that have been told to end already.
const lookBackSeconds = 60;
const inspectionsAtOnce = 8;

// Others, such as those of each command that runs in a container, change nothing here.
const relevant = new RegExp(
  '^(?:start|die|kill|stop|pause|unpause|rename|restart|update|destroy|oom|connect|disconnect' +
    '|health_status.*)$',
);

// A row of the list, without what passes with time.
const rowText = (row: Readonly<Record<string, unknown>>): string => {
  const health = /\((?:health: )?(\w+)\)$/.exec(String(row['Status'] ?? ''))?.[1];
  return JSON.stringify({ ...row, Status: health, SizeRw: 0, SizeRootFs: 0 });
};

interface Known {
  readonly row: string;
  readonly container: Container;
}

export class DockerWatch {
  readonly leaving: Leaving;
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  #known: ReadonlyMap<string, Known> = new Map();
  // To be inspected again.
  #dirty = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #session: { client: DockerClient; control: AbortController } | undefined;
  #syncing: Promise<void> | undefined;
  #since: string | undefined;
  #figures: WatchFigures = { connected: false, errors: 0, lastSyncMs: undefined, error: undefined };
  #running: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.leaving = new Leaving((id) => this.#touch(id));
  }

  get figures(): WatchFigures {
    return this.#figures;
  }
  // The last good list.
  containers(): Container[] {
    return [...this.#known.values()].map(({ container }) => container);
  }

  start(): void {
    this.#running ??= this.#run();
  }
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#session?.control.abort();
    clearTimeout(this.#timer);
    this.leaving.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let wait = backoffMs.first;
    while (!signal.aborted) {
      const before = this.#figures.lastSyncMs;
      try {
        await this.#follow();
      } catch (error) {
        if (signal.aborted) break;
        this.#failed(error);
      }
      if (this.#figures.lastSyncMs !== before) wait = backoffMs.first;
      const jittered = wait * (0.5 + Math.random() / 2);
      await pause(jittered, undefined, { signal, ref: false }).catch(() => {});
      wait = Math.min(wait * 2, backoffMs.most);
    }
  }

  // One subscription, from its begin to the error that ends it.
  async #follow(): Promise<void> {
    const { endpoint, log } = this.#options;
    const client = new DockerClient(endpoint);
    const control = new AbortController();
    const { signal } = control;
    this.#session = { client, control };
    const resync = setInterval(() => this.#touchAll(), this.#options.resyncMs ?? resyncDefaultMs);
    resync.unref();
    try {
      const { apiVersion, engineVersion, clockAheadMs } = await client.connect(signal);
      this.leaving.clockAheadMs = clockAheadMs;
      const seconds = Math.floor((Date.now() + clockAheadMs) / 1000) - lookBackSeconds;
      const events = await client.events(this.#since ?? `${seconds}.000000000`, signal);
      this.#dirty = new Set(this.#known.keys());
      await this.#synced();
      if (!this.#figures.connected) {
        log.info('container engine connected', {
          endpoint: endpoint.text,
          engine: engineVersion,
          api: apiVersion,
          containers: this.#known.size,
        });
      }
      this.#figures = { ...this.#figures, connected: true, error: undefined };
      for await (const event of events) this.#take(event);
    } catch (error) {
      // The reason why it was aborted says more than that it was.
      throw signal.aborted && signal.reason instanceof Error ? signal.reason : error;
    } finally {
      clearInterval(resync);
      control.abort();
      client.close();
      this.#session = undefined;
    }
  }

  #failed(error: unknown): void {
    const { endpoint, log } = this.#options;
    const reason = reasonOf(error);
    const about = { endpoint: endpoint.text, reason };
    if (this.#figures.connected) {
      const kept = { containers: this.#known.size };
      log.warn('container engine is lost, its containers stay', { ...about, ...kept });
    } else if (this.#figures.error !== reason) {
      const remedy = remedyFor(endpoint, error);
      log.error('container engine is not reached', { ...about, remedy });
    }
    const errors = this.#figures.errors + 1;
    this.#figures = { ...this.#figures, connected: false, errors, error: reason };
  }

  #take(event: EngineEvent): void {
    const { type, action, container: id, attributes } = event;
    this.#since = event.at;
    if (!relevant.test(action)) return;
    const known = this.#known.get(id)?.container;
    let left = false;
    if (type === 'container' && action === 'start') left = this.leaving.stays(id);
    if (type === 'container' && action === 'die') left = this.leaving.ended(id, event.at);
    if (type === 'container' && action === 'kill') {
      const signal = attributes['signal'] ?? '';
      if (endsContainer(signal, known)) {
        left = this.leaving.told(id, event.at, known?.stopTimeoutMs);
      }
    }
    // From what is known: each request that still goes there may be its last. Events that come
    // together are one change, so that what was stopped and started is not seen to be gone.
    if (left && known !== undefined) setImmediate(this.#options.changed);
    this.#touch(id);
  }

  #touch(id: string): void {
    this.#dirty.add(id);
    this.#soon();
  }
  #touchAll(): void {
    for (const id of this.#known.keys()) this.#dirty.add(id);
    this.#soon();
  }
  #soon(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const session = this.#session;
      if (session === undefined) return;
      // A list that fails ends the session; the next one begins with a list.
      this.#synced().catch((error: unknown) => session.control.abort(error));
    }, settleMs);
    this.#timer.unref();
  }

  // One at a time: what is touched meanwhile is looked at afterwards.
  async #synced(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing.catch(() => {});
    this.#syncing = this.#sync();
    try {
      await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  async #sync(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { signal } = session.control;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    const rows = (await session.client.containers(signal)) as Readonly<Record<string, unknown>>[];
    const next = new Map<string, Known>();
    const open = rows.map((row) => ({ id: String(row['Id'] ?? ''), row: rowText(row) }));
    const look = async (): Promise<void> => {
      for (let one = open.shift(); one !== undefined; one = open.shift()) {
        const { id, row } = one;
        const known = this.#known.get(id);
        if (known?.row === row && !dirty.has(id)) {
          next.set(id, known);
          continue;
        }
        const container = containerOf(await session.client.inspect(id, signal));
        if (container !== undefined) next.set(id, { row, container });
      }
    };
    await Promise.all(Array.from({ length: inspectionsAtOnce }, look));
    // In the order of their age, whatever the order of the answers.
    const sorted = [...next].sort(([, a], [, b]) =>
      a.container.createdAt < b.container.createdAt ? -1 : 1,
    );
    this.#known = new Map(sorted);
    this.leaving.keep((id) => this.#known.has(id));
    this.#figures = { ...this.#figures, lastSyncMs: Date.now() };
    this.#options.changed();
  }
}
