// The public interface.
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadAddon } from './addon/binding.ts';
import { openFleet } from './addon/fleet.ts';
import { containersAnswer } from './admin/containers.ts';
import { type DialectOptions, type Dialects, openDialects } from './admin/dialects.ts';
import { AdminServer } from './admin/server.ts';
import type { AdminSource, EventListener } from './admin/source.ts';
import { type Difference, differences } from './config/differences.ts';
import { printModel } from './config/print.ts';
import type { Config } from './config/schema.ts';
import {
  automaticWorkers,
  cgroupQuota,
  defaultMaxConnections,
  openFilesLimit,
} from './config/workers.ts';
import type { Applied } from './control/controller.ts';
import { Core } from './control/core.ts';
import type { Events } from './control/events.ts';
import { Overrides } from './control/overrides.ts';
import { Pool, type Waiting } from './control/pool.ts';
import type { Bound } from './control/records.ts';
import { until } from './control/waiting.ts';
import { SluiceError } from './errors.ts';
import { createLogger, type Logger } from './log.ts';
import { type HealthReport, readHealth, stuckAfterMs } from './metrics/health.ts';
import { renderPrometheus } from './metrics/prometheus.ts';
import { readStats, type Stats } from './metrics/stats.ts';
import { build } from './model/build.ts';
import { limits } from './model/limits.ts';
import type { Backend, Desired, Flag, Model, Settings } from './model/types.ts';
import { DockerProvider, type DockerStatus, withFlags } from './providers/docker.ts';
import { FileProvider } from './providers/file.ts';
import { type Duration, desiredFrom, type Lookup, timeoutFrom } from './providers/inputs.ts';
import { merge } from './providers/merge.ts';
import { Names } from './providers/names.ts';
import { StatedProvider } from './providers/stated.ts';
import { FileWatch } from './providers/watch.ts';
import type { MetricsView } from './shm/read.ts';

export type { DialectOptions } from './admin/dialects.ts';
export { type ConfigExport, defineConfig } from './config/define.ts';
export type { Difference } from './config/differences.ts';
export {
  type Domain,
  type DomainBuilder,
  type DomainsOptions,
  domains,
  routeDomain,
} from './config/domains.ts';
export { jsonSchema } from './config/json-schema.ts';
export { loadConfigFile } from './config/load.ts';
export type { BackendConfig, Config, ListenerConfig, PoolConfig } from './config/schema.ts';
export type { Applied } from './control/controller.ts';
export type { Events } from './control/events.ts';
export type { Overrides, Overriding } from './control/overrides.ts';
export type { Changing, Draining, Pool, Waiting } from './control/pool.ts';
export type { Bound, DrainResult } from './control/records.ts';
export { type ErrorCode, errorCodes, type Issue, SluiceError } from './errors.ts';
export { createLogger, type Logger, type LogLevel } from './log.ts';
export type { HealthReport } from './metrics/health.ts';
export type { Stats } from './metrics/stats.ts';
export type { Flag } from './model/types.ts';
export type { ContainerStatus, DockerStatus } from './providers/docker.ts';
export type { Duration } from './providers/inputs.ts';
export type {
  ImageMapping,
  OverridesDocument,
  RouteConfig,
} from './providers/overrides.ts';
export type { BackendView, MetricsView, PoolView } from './shm/read.ts';

// A configuration in a file, which `reload` reads again. With `watch: true` in it, or put there by
// `adjust`, changes of the file are taken over by themselves.
export interface ConfigFile {
  readonly file: string;
  // Settings that win over the file's.
  readonly adjust?: (config: Config) => Config;
}

export interface Options {
  // Ends the start when it is aborted; later it has no effect.
  readonly signal?: AbortSignal | undefined;
  // Otherwise records of `logLevel` and above go to stderr.
  readonly logger?: Logger | undefined;
  // How long a worker may take to follow a change; default 2 s.
  readonly ackTimeout?: Duration | undefined;
  // Of the dialects `/server` and `/api/routes` of the admin API.
  readonly dialects?: DialectOptions | undefined;
}

export interface Configuration {
  readonly config: Readonly<Record<string, unknown>>;
  readonly flags: readonly Flag[];
  // The provider whose definition is in force: by `listener NAME` and `pool NAME`.
  readonly owners: ReadonlyMap<string, string>;
}

export interface Closing extends Waiting {
  // How long connections may go on; the longest drainTimeout of all pools unless stated.
  readonly timeout?: Duration | undefined;
}

const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  }
).version;

// Equal when the admin API answers the same way at the same place.
const adminText = ({ adminListen, adminTokens }: Settings): string =>
  JSON.stringify([adminListen?.text, adminTokens]);

// What the admin API's dialects state.
type StatedDialects = Readonly<Record<'servers' | 'domains', StatedProvider>>;

// What states the configuration.
interface Sources {
  readonly file: FileProvider | undefined;
  readonly docker: DockerProvider;
  readonly stated: StatedDialects;
}

class LoadBalancer extends EventEmitter<Events> {
  // Definitions made at run time.
  readonly overrides: Overrides;
  readonly #core: Core;
  readonly #file: FileProvider | undefined;
  readonly #docker: DockerProvider;
  readonly #listeners = new Set<EventListener>();
  readonly #stated: StatedDialects;
  #dialects: Dialects | undefined;
  #admin: AdminServer | undefined;
  #watch: FileWatch | undefined;
  #replaced: Promise<unknown> = Promise.resolve();

  constructor(core: (lb: LoadBalancer) => Core, { file, docker, stated }: Sources) {
    super();
    this.#core = core(this);
    this.#stated = stated;
    this.overrides = new Overrides(this.#core);
    this.#file = file;
    this.#docker = docker;
  }

  get settings(): Settings {
    return this.#core.controller.model.settings;
  }
  get workers(): number {
    return this.#core.workers;
  }
  // Where the admin API answers: `host:port`, or `unix:/path`.
  get adminAddress(): string | undefined {
    return this.#admin?.address;
  }

  // Throws ERR_SLUICE_NO_POOL.
  pool(name: string): Pool {
    return new Pool(this.#core, name);
  }
  pools(): string[] {
    return [...this.#core.controller.model.pools.keys()];
  }

  // Where a listener listens, with the port the system chose. Throws ERR_SLUICE_NO_LISTENER.
  address(listener: string): Bound {
    const record = this.#core.controller.state.listeners.get(listener);
    if (record === undefined) throw new SluiceError('ERR_SLUICE_NO_LISTENER', { listener });
    return record.opened.bound;
  }

  // Replaces the whole configuration. What stays the same keeps its sockets and connections; what
  // is gone is drained in the background. Throws ERR_SLUICE_CONFIG before anything changes.
  async apply(config: Config, { signal }: Waiting = {}): Promise<Applied> {
    const source = this.#file === undefined ? 'config' : 'file';
    const desired = desiredFrom(config, source, this.#core.lookup);
    // It is looked at when its turn has come.
    desired.catch(() => {});
    return this.#replace(() => desired, signal);
  }

  // Reads the file again that the balancer was started from. Changes made to pools at run time
  // stay.
  async reload({ signal }: Waiting = {}): Promise<Applied> {
    const file = this.#file;
    if (file === undefined) throw new SluiceError('ERR_SLUICE_NO_FILE');
    return this.#replace(() => {
      this.#watch?.known();
      return file.load();
    }, signal);
  }

  // One after the other, so that what was read last is in force in the end.
  #replace(
    load: () => Promise<Desired<Backend>>,
    signal: AbortSignal | undefined,
  ): Promise<Applied> {
    const replaced = this.#replaced.then(() => this.#replaceNow(load, signal));
    this.#replaced = replaced.catch(() => {});
    return until(replaced, signal);
  }
  async #replaceNow(
    load: () => Promise<Desired<Backend>>,
    signal: AbortSignal | undefined,
  ): Promise<Applied> {
    const { applies } = this.#core;
    try {
      signal?.throwIfAborted();
      const desired = await until(load(), signal);
      const former = adminText(this.settings);
      this.#docker.check(desired.settings?.docker);
      const applied = await this.#core.replace(desired, {
        signal,
        forgetsOverrides: this.#file === undefined,
      });
      if (adminText(this.settings) !== former) await this.#listenAdmin();
      await this.#docker.configure(this.settings.docker);
      applies.succeeded();
      this.#watchFile();
      return applied;
    } catch (cause) {
      const error = this.#file?.located(cause) ?? cause;
      // Published, though not followed by every worker yet.
      if (error instanceof SluiceError && error.code === 'ERR_SLUICE_WORKER_STUCK') {
        applies.succeeded();
      } else if (!signal?.aborted && !this.#core.isClosed) {
        applies.failed();
        emitter(this)('config:refused', { error });
      }
      throw error;
    }
  }

  // As the file says it now.
  #watchFile(): void {
    const file = this.#file;
    const { log } = this.#core;
    if (file?.watch !== true || this.#core.isClosed) {
      this.#watch?.close();
      this.#watch = undefined;
      return;
    }
    this.#watch ??= new FileWatch(file.path, {
      changed: () => {
        this.reload().then(
          ({ sequence }) => log.info('configuration read again', { generation: sequence }),
          (error) => log.error('configuration not taken over, the old one stays', { error }),
        );
      },
      missing: () => {
        log.warn('the configuration file is missing, what runs stays', { file: file.path });
      },
    });
  }

  // What is in force, whoever stated it, in the language of configuration files; and what is
  // stated and not in force.
  configuration(): Configuration {
    const { model, flags, owners } = this.#core.controller.merged;
    return { config: printModel(model), flags, owners };
  }
  // How what is in force differs from what the file says now. Throws ERR_SLUICE_NO_FILE, and what
  // is wrong with the file.
  async diff({ signal }: Waiting = {}): Promise<Difference[]> {
    if (this.#file === undefined) throw new SluiceError('ERR_SLUICE_NO_FILE');
    const { model } = merge([await until(this.#file.load(), signal)]);
    return differences(printModel(build(model)), this.configuration().config);
  }

  // What is known of the container engine and its containers, those that are skipped with their
  // reason; undefined when none is watched.
  docker(): DockerStatus | undefined {
    const status = this.#docker.status();
    if (status === undefined) return undefined;
    return withFlags(status, this.#core.controller.merged.flags);
  }

  // Opens the file of the access log again, which may have been renamed, and resolves when nothing
  // is written to the former one any more. Throws ERR_SLUICE_ACCESS_LOG; then the former one stays
  // in use. Does nothing where no file is written.
  async reopenLogs(): Promise<void> {
    await this.#core.controller.accessLog.reopen();
  }

  // Figures as of now, from the shared memory. These throw ERR_SLUICE_CLOSED after `close`.
  stats(): Stats {
    return readStats(this.view());
  }
  health(): HealthReport {
    return readHealth(this.view());
  }
  // Text for Prometheus.
  metrics(): string {
    const docker = this.#docker.status();
    const figures = docker === undefined ? [] : [{ provider: 'docker', ...docker }];
    return renderPrometheus(this.view(), figures);
  }
  view(): MetricsView {
    return this.#core.view();
  }

  // Whether the balancer keeps the process alive; it does unless `unref` was called.
  ref(): this {
    this.#core.ref();
    return this;
  }
  unref(): this {
    this.#core.unref();
    return this;
  }

  // Accepts no more, lets connections end, cuts the rest when the time is over. May be called
  // again: the first call decides.
  async close({ timeout, signal }: Closing = {}): Promise<void> {
    this.#watch?.close();
    await this.#core.close(timeout === undefined ? undefined : timeoutFrom(timeout), signal);
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openDialects(options: DialectOptions): Promise<void> {
    const { stateFile } = this.settings;
    const serversFile = stateFile === undefined ? undefined : `${stateFile}.servers`;
    this.#dialects = await openDialects(this.#adminSource(), { serversFile, ...options });
  }

  async #listenAdmin(): Promise<void> {
    const { adminListen: listen, adminTokens: tokens } = this.settings;
    await this.#admin?.close();
    this.#admin = undefined;
    const dialects = this.#dialects;
    if (listen === undefined || dialects === undefined) return;
    const source = this.#adminSource();
    const { log } = this.#core;
    this.#admin = await AdminServer.start({ listen, tokens, source, dialects, log });
  }

  #adminSource(): AdminSource {
    const { controller } = this.#core;
    return {
      get model() {
        return controller.model;
      },
      memoryDescriptor: this.#core.memoryDescriptor,
      get owners() {
        return controller.merged.owners;
      },
      file: this.#file?.path,
      overrides: this.overrides,
      configuration: () => this.configuration(),
      diff: () => this.diff(),
      reload: () => this.reload(),
      statements: (dialect) => ({
        state: (desired) => this.#core.restate(this.#stated[dialect], desired),
        flags: () => controller.merged.flags.filter(({ source }) => source === dialect),
      }),
      containers: () => containersAnswer(this.docker()),
      health: () => this.health(),
      metrics: () => this.metrics(),
      view: () => this.view(),
      address: (listener) => this.address(listener),
      pool: (name) => this.pool(name),
      listen: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  // For `createLoadBalancer` only.
  static tell(lb: LoadBalancer, name: string, detail: Readonly<Record<string, unknown>>): void {
    for (const listener of lb.#listeners) listener(name, detail);
  }

  // For `createLoadBalancer` only.
  static async start(
    lb: LoadBalancer,
    desired: Desired<Backend>,
    dialects: DialectOptions,
    signal?: AbortSignal,
  ) {
    await lb.#core.start(desired, signal);
    try {
      await lb.#openDialects(dialects);
      await lb.#listenAdmin();
      lb.#watchFile();
      lb.#core.applies.succeeded();
    } catch (error) {
      await lb.close({ timeout: 0 });
      throw error;
    }
    return lb;
  }
}

export type { LoadBalancer };

// A listener that throws must not end the controller's work: the error is reported as any other
// that nobody caught.
const emitter =
  (lb: LoadBalancer) =>
  <K extends keyof Events>(event: K, ...args: Events[K]): void => {
    LoadBalancer.tell(lb, event, { ...args[0] });
    queueMicrotask(() =>
      (lb.emit as (event: K, ...args: Events[K]) => boolean).call(lb, event, ...args),
    );
  };

function fileOf(
  source: Config | ConfigFile | string | URL,
  lookup: Lookup,
): FileProvider | undefined {
  if (typeof source === 'string') return new FileProvider(source, { lookup });
  if (source instanceof URL) return new FileProvider(fileURLToPath(source), { lookup });
  if (!('file' in source)) return undefined;
  const { file, adjust } = source;
  return new FileProvider(file, adjust === undefined ? { lookup } : { adjust, lookup });
}

function modelOf(desired: Desired<Backend>, file: FileProvider | undefined): Model {
  try {
    return build(merge([desired]).model);
  } catch (error) {
    throw file?.located(error) ?? error;
  }
}

// Starts a balancer and resolves when every worker takes traffic. `source`: a configuration, or the
// file that holds one. Throws ERR_SLUICE_CONFIG with everything that is wrong, ERR_SLUICE_LISTEN,
// ERR_SLUICE_PLATFORM, ERR_SLUICE_ADDON_NOT_FOUND, ERR_SLUICE_START; then nothing runs.
export async function createLoadBalancer(
  source: Config | ConfigFile | string | URL,
  { signal, logger, ackTimeout = 2000, dialects = {} }: Options = {},
): Promise<LoadBalancer> {
  const names = new Names();
  const { lookup } = names;
  const file = fileOf(source, lookup);
  const loading = file?.load() ?? desiredFrom(source as Config, 'config', lookup);
  const desired = await until(loading, signal);
  const { settings } = modelOf(desired, file);
  signal?.throwIfAborted();
  const addon = loadAddon();
  const processors = addon.processors();
  const workers =
    settings.workers ?? automaticWorkers(processors.length, cgroupQuota(), limits.workersMax);
  // Each worker has a processor of the affinity mask. Where to begin depends on the process, so
  // that several small balancers on a host do not all share its first processor.
  const cpuOf = (worker: number): number =>
    processors[(process.pid + worker) % processors.length] ?? -1;
  const cpus = Array.from({ length: workers }, (_, worker) => cpuOf(worker));
  const fleet = openFleet(addon, workers);
  const log = logger ?? createLogger({ level: settings.logLevel });
  let started: LoadBalancer | undefined;
  const docker = new DockerProvider({
    log,
    mappings: { images: () => started?.overrides.images() ?? [] },
  });
  await docker.configure(settings.docker);
  const stated = { servers: new StatedProvider('servers'), domains: new StatedProvider('domains') };
  const make = (lb: LoadBalancer): Core =>
    new Core({
      fleet,
      engine: settings.engine,
      cpus,
      maxConnections: defaultMaxConnections(workers, openFilesLimit()),
      provider: file ?? new StatedProvider('config'),
      names,
      watchers: [docker],
      stated: Object.values(stated),
      emit: emitter(lb),
      log,
      ackTimeoutMs: timeoutFrom(ackTimeout),
      stuckAfterMs,
      version,
    });
  started = new LoadBalancer(make, { file, docker, stated });
  return LoadBalancer.start(started, desired, dialects, signal);
}
