// A balancer at work, as programs know it.
import { EventEmitter } from 'node:events';
import { containersAnswer } from './admin/containers.ts';
import { type DialectOptions, type Dialects, openDialects } from './admin/dialects.ts';
import { AdminServer } from './admin/server.ts';
import type { AdminSource, EventListener } from './admin/source.ts';
import { type Difference, differences } from './config/differences.ts';
import { printModel } from './config/print.ts';
import type { Config } from './config/schema.ts';
import type { Applied } from './control/controller.ts';
import type { Core } from './control/core.ts';
import type { Events } from './control/events.ts';
import { Overrides } from './control/overrides.ts';
import { Pool, type Waiting } from './control/pool.ts';
import type { Bound } from './control/records.ts';
import { until } from './control/waiting.ts';
import { SluiceError } from './errors.ts';
import { type HealthReport, readHealth } from './metrics/health.ts';
import { renderPrometheus } from './metrics/prometheus.ts';
import { readStats, type Stats } from './metrics/stats.ts';
import { build } from './model/build.ts';
import type { Backend, Desired, Flag, Settings } from './model/types.ts';
import { type DockerProvider, type DockerStatus, withFlags } from './providers/docker.ts';
import type { FileProvider } from './providers/file.ts';
import { type Duration, desiredFrom, timeoutFrom } from './providers/inputs.ts';
import { merge } from './providers/merge.ts';
import type { StatedProvider } from './providers/stated.ts';
import { FileWatch } from './providers/watch.ts';
import type { MetricsView } from './shm/read.ts';

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

// Equal when the admin API answers the same way at the same place.
const adminText = ({ adminListen, adminTokens }: Settings): string =>
  JSON.stringify([adminListen?.text, adminTokens]);

// What the admin API's dialects state.
type StatedDialects = Readonly<Record<'servers' | 'domains', StatedProvider>>;

// What states the configuration.
export interface Sources {
  readonly file: FileProvider | undefined;
  readonly docker: DockerProvider;
  readonly stated: StatedDialects;
}

export class LoadBalancer extends EventEmitter<Events> {
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

// A listener that throws must not end the controller's work: the error is reported as any other
// that nobody caught.
export const emitter =
  (lb: LoadBalancer) =>
  <K extends keyof Events>(event: K, ...args: Events[K]): void => {
    LoadBalancer.tell(lb, event, { ...args[0] });
    queueMicrotask(() =>
      (lb.emit as (event: K, ...args: Events[K]) => boolean).call(lb, event, ...args),
    );
  };
