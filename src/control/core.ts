// One balancer at work: a region, its fleet of workers, and the controller over both; from start to
// stop.
import type { Fleet } from '../addon/fleet.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Backend, Desired, EngineChoice } from '../model/types.ts';
import { restoreOverrides } from '../providers/definitions.ts';
import { Followed } from '../providers/followed.ts';
import { hostsOf, type Lookup, Names } from '../providers/names.ts';
import { OverridesProvider } from '../providers/overrides.ts';
import { Adopted, type Provider, type Replaceable, type Watcher } from '../providers/provider.ts';
import { type MetricsView, Reader } from '../shm/read.ts';
import { Region } from '../shm/region.ts';
import { Acks } from './acks.ts';
import { Applies } from './applies.ts';
import { type Applied, type Committed, Controller } from './controller.ts';
import type { Emit } from './events.ts';
import { removeSocketFile } from './listeners.ts';
import { Monitor } from './monitor.ts';
import { remedyOf } from './remedy.ts';
import { routeKey } from './state.ts';
import { readState, StateFile } from './state-file.ts';

export interface CoreOptions {
  readonly fleet: Fleet;
  readonly engine: EngineChoice;
  // One for each worker; -1 leaves it to the scheduler.
  readonly cpus: readonly number[];
  // In force when the configuration states none.
  readonly maxConnections: number;
  // Of the configuration.
  readonly provider: Replaceable;
  // Sources whose statements are given to `restate`.
  readonly stated?: readonly Replaceable[];
  readonly watchers?: readonly Watcher[];
  readonly emit: Emit;
  readonly log: Logger;
  readonly names?: Names;
  // How long a worker may take to follow a change.
  readonly ackTimeoutMs: number;
  readonly reopenMs?: number;
  // Without a turn for so long a worker is stuck.
  readonly stuckAfterMs: number;
  readonly version: string;
}

// Address space for connections, which costs nothing until it is used: the limit in force is in the
// snapshot and may be raised at run time. Each worker has as much.
const connectionsReserved = 131_072;
const startTimeoutMs = 10_000;
const heartbeatCheckMs = 500;
const stopBoundMs = 3000;
const defaultReopenMs = 10_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Replacing {
  readonly signal?: AbortSignal | undefined;
  // Whether changes made at run time go with the former configuration.
  readonly forgetsOverrides: boolean;
}

export class Core {
  readonly controller: Controller;
  readonly applies: Applies = new Applies();
  readonly overrides: OverridesProvider = new OverridesProvider();
  readonly reader: Reader;
  readonly log: Logger;
  readonly names: Names;
  readonly #options: CoreOptions;
  readonly #region: Region;
  readonly #acks: Acks;
  readonly #monitor: Monitor;
  readonly #startedAtMs = Date.now();
  readonly #watched: readonly (readonly [Watcher, Adopted])[];
  readonly #providers: readonly Provider[];
  #closing: Promise<void> | undefined;
  #stateFile: StateFile | undefined;

  constructor(options: CoreOptions) {
    this.#options = options;
    this.log = options.log;
    this.names = options.names ?? new Names();
    this.#region = new Region(options.fleet.region, options.fleet.areas);
    this.reader = new Reader(this.#region);
    const { emit, log, stuckAfterMs } = options;
    const watch = { stuckAfterMs, intervalMs: heartbeatCheckMs };
    this.#monitor = new Monitor(this.reader, emit, log, watch);
    const { isStuck } = this.#monitor;
    this.#acks = new Acks(this.#region, { timeoutMs: options.ackTimeoutMs, isStuck });
    this.#watched = (options.watchers ?? []).map((one) => [one, new Adopted(one)] as const);
    const adopted = this.#watched.map(([, one]) => one);
    this.#providers = [options.provider, ...(options.stated ?? []), ...adopted];
    this.controller = new Controller({
      region: this.#region,
      fleet: options.fleet,
      reader: this.reader,
      acks: this.#acks,
      providers: [...this.#providers, this.overrides].map((one) => new Followed(one, this.names)),
      isDrained: (pool, id) => this.overrides.isDrained(pool, id),
      maxConnections: options.maxConnections,
      reopenMs: options.reopenMs ?? defaultReopenMs,
      emit: (event, ...args) => {
        if (event === 'config:applied') this.#followNames();
        emit(event, ...args);
      },
      log,
    });
  }

  // The address to use of a host name.
  get lookup(): Lookup {
    return this.names.lookup;
  }
  get workers(): number {
    return this.#region.workers;
  }
  get isClosed(): boolean {
    return this.#closing !== undefined;
  }
  // What other processes map.
  get memoryDescriptor(): number {
    return this.#options.fleet.descriptor;
  }

  // Publishes what `desired` says, starts the workers and waits for them. When anything fails,
  // nothing is left behind.
  async start(desired: Desired<Backend>, signal: AbortSignal | undefined): Promise<void> {
    const { fleet, engine, cpus, provider } = this.#options;
    try {
      await this.#readState(desired.settings?.stateFile);
      provider.replace(desired);
      const committed = this.controller.begin();
      try {
        const connectionsMax = connectionsReserved * this.workers;
        fleet.start({ engine, connectionsMax, cpus });
        await this.#running(signal);
        await this.#adopted(committed, signal);
      } catch (error) {
        this.#abandon(committed);
        throw error;
      }
      this.#monitor.start();
      const moved = (): void => {
        this.controller
          .intend(() => {})
          .catch((error: unknown) => {
            if (!this.isClosed) this.log.error('a backend did not follow its name', { error });
          });
      };
      this.names.follow({ log: this.log, moved });
      this.#followNames();
      this.controller.ejections.start();
      setImmediate(() => this.#announce(committed));
      for (const [watcher, adopted] of this.#watched) {
        watcher.start(() => void this.#adopt(watcher, adopted));
      }
    } catch (error) {
      if (!this.#region.isClosed) this.#stop(stopBoundMs);
      throw error;
    }
  }

  async #readState(path: string | undefined): Promise<void> {
    if (path === undefined) return;
    const document = await readState(path);
    try {
      if (document !== undefined) {
        await restoreOverrides(this.overrides, document, this.lookup);
      }
    } catch (cause) {
      const details = { path, reason: reasonOf(cause) };
      throw new SluiceError('ERR_SLUICE_STATE_FILE', details, { cause });
    }
    this.#stateFile = new StateFile(path, this.overrides);
  }

  // As the providers state it now, published or not.
  isWanted(pool: string, id: string): boolean {
    return this.overrides.states(pool, id) ?? this.isStatedElsewhere(pool, id);
  }
  // By another provider than the overrides.
  isStatedElsewhere(pool: string, id: string): boolean {
    return this.#providers.some((one) => one.state().pools.get(pool)?.backends.has(id) ?? false);
  }

  // Whether images are mapped differently now, watchers look.
  overridden(): void {
    for (const [watcher] of this.#watched) watcher.overridden?.();
  }
  // Resolves when the state file has what was changed until now. Throws ERR_SLUICE_STATE_FILE.
  async save(): Promise<void> {
    await this.#stateFile?.save();
  }

  // A watcher states something new. What cannot be published leaves its last good statement.
  async #adopt(watcher: Watcher, adopted: Adopted): Promise<void> {
    try {
      await this.controller.intend(() => adopted.take());
    } catch (error) {
      if (this.isClosed) return;
      this.log.error('provider: not taken over, its former state stays', {
        provider: watcher.source,
        error,
      });
    }
  }

  // Replaces all that the configuration's provider states.
  replace(desired: Desired<Backend>, { signal, forgetsOverrides }: Replacing): Promise<Applied> {
    const { provider } = this.#options;
    return this.controller.intend(() => {
      const before = this.controller.model.settings;
      for (const key of ['workers', 'engine', 'stateFile'] as const) {
        const to = desired.settings?.[key];
        if (to === before[key]) continue;
        const details = { key, from: before[key] ?? 'auto', to: to ?? 'auto' };
        throw new SluiceError('ERR_SLUICE_RESTART_NEEDED', details);
      }
      provider.replace({ ...desired, source: provider.source });
      if (forgetsOverrides) this.overrides.clear();
    }, signal);
  }

  // The host names of the backends that are there are followed, and no others.
  #followNames(): void {
    if (this.isClosed) return;
    const { pools, settings } = this.controller.model;
    this.names.keep(hostsOf(pools.values()), settings.dns);
  }
  // Puts into force what one of the `stated` sources says; refused, its former statement stays.
  restate(provider: Replaceable, desired: Desired<Backend>): Promise<Applied> {
    return this.controller.intend(() => provider.replace(desired));
  }

  view(): MetricsView {
    const { state, sequence } = this.controller;
    const requested = new Set<string>();
    const listeners = [...state.listeners].map(([name, { slot, incarnation, listener }]) => {
      const { mode } = listener;
      const routes = listener.routes.flatMap((route) => {
        const { host, pathPrefix, pool } = route;
        const record = state.routes.get(name)?.get(routeKey(route));
        if (mode === 'http') requested.add(pool);
        return record === undefined ? [] : [{ host, pathPrefix, pool, ...record }];
      });
      return { name, mode, slot, incarnation, routes };
    });
    return {
      version: this.#options.version,
      sequence,
      startedAtMs: this.#startedAtMs,
      applies: this.applies.view,
      reader: this.reader,
      listeners,
      pools: [...state.pools.values()].map(({ name, slot, incarnation, settings, members }) => ({
        name,
        strategy: settings.strategy,
        takesRequests: requested.has(name),
        slot,
        incarnation,
        backends: members.map((record) => this.controller.view(record)),
      })),
    };
  }

  ref(): void {
    this.#monitor.ref();
  }
  unref(): void {
    this.#monitor.unref();
  }

  // Accepts no more, waits until the last connection has ended or the time is over, then ends the
  // rest. The first call decides. A signal ends the waiting: what is left is then cut.
  close(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(timeoutMs, signal);
    return this.#closing;
  }

  async #close(timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    const drainTimeouts = [...this.controller.model.pools.values()].map(
      ({ settings }) => settings.drainTimeoutMs,
    );
    const longest = timeoutMs ?? Math.max(0, ...drainTimeouts);
    const end = performance.now() + longest;
    this.names.close();
    this.controller.close();
    for (const [watcher] of this.#watched) {
      watcher.stop().catch((error: unknown) => this.log.warn('provider: stop', { error }));
    }
    this.#options.fleet.drain();
    // Workers that answer tell when they have taken what is queued and have nothing left.
    while (performance.now() < end && !signal?.aborted && this.#isBusy()) await pause(5);
    this.#monitor.stop();
    this.#stop(stopBoundMs);
    this.#options.emit('closed');
  }

  #isBusy(): boolean {
    return this.reader
      .workers()
      .some(
        ({ index, state, totals }) =>
          !this.#monitor.isStuck(index) && (state === 'running' || totals.connections > 0),
      );
  }

  #stop(boundMs: number): void {
    const left = this.#options.fleet.stop(boundMs);
    this.#region.close();
    for (const { opened } of this.controller.state.listeners.values()) removeSocketFile(opened);
    if (left > 0) this.log.error('workers did not end in time', { workers: left });
  }

  async #running(signal: AbortSignal | undefined): Promise<void> {
    const end = performance.now() + startTimeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      const reports = this.reader.workers();
      const failed = reports.find(({ state }) => state === 'failed' || state === 'stopped');
      if (failed !== undefined) {
        const { index, engineFallback, engineError } = failed;
        const { cause, remedy } = remedyOf(engineFallback, engineError);
        const reason = `worker ${index} could not set up its engine: ${cause}; remedy: ${remedy}`;
        throw new SluiceError('ERR_SLUICE_START', { reason, engineFallback, engineError });
      }
      if (reports.every(({ state }) => state === 'running')) return;
      if (performance.now() >= end) {
        throw new SluiceError('ERR_SLUICE_START', { reason: 'workers did not start in time' });
      }
      await pause(1);
    }
  }

  async #adopted({ target }: Committed, signal: AbortSignal | undefined): Promise<void> {
    const late = await this.#acks.wait(target);
    signal?.throwIfAborted();
    if (late.length === 0) return;
    const reason = `workers ${late.join(', ')} did not take over the configuration`;
    throw new SluiceError('ERR_SLUICE_START', { reason });
  }

  // Ends a start that failed. Sockets of workers that took nothing over are closed here.
  #abandon({ opened }: Committed): void {
    const orphaned = new Set<number>();
    for (let worker = 0; worker < this.workers; worker++) {
      if (this.#region.adopted(worker) === 0) orphaned.add(worker);
    }
    this.controller.close();
    this.#stop(stopBoundMs);
    const { listeners } = this.controller.state;
    for (const [name, { descriptors }] of opened) {
      if (listeners.get(name)?.listener.target.kind === 'descriptors') continue;
      const left = descriptors.filter((_, index) => orphaned.has(index % this.workers));
      try {
        this.#options.fleet.closeDescriptors(left);
      } catch (error) {
        this.log.warn('sockets were left open', { reason: reasonOf(error) });
      }
    }
  }

  #announce(committed: Committed): void {
    if (this.isClosed) return;
    this.controller.announce(committed);
    let isLogged = false;
    for (const { index, engineFallback, engineError } of this.reader.workers()) {
      if (engineFallback === 'none') continue;
      const reason = engineFallback;
      // One line: the workers' reasons are the same.
      if (!isLogged) {
        const why = { reason, ...remedyOf(reason, engineError) };
        this.log.warn('io_uring is not available, epoll is used', why);
      }
      isLogged = true;
      this.#options.emit('engine:fallback', { worker: index, reason, error: engineError });
    }
  }
}
