// A pool at run time. Every change resolves when all workers follow it; a signal ends the waiting,
// and prevents the change while it has not been published.
import { SluiceError } from '../errors.ts';
import type { PoolSettings } from '../model/types.ts';
import {
  type BackendConfig,
  backendFrom,
  backendIdFrom,
  type Duration,
  timeoutFrom,
  weightFrom,
} from '../providers/inputs.ts';
import type { BackendView } from '../shm/read.ts';
import type { Core } from './core.ts';
import type { BackendRecord, DrainResult } from './records.ts';
import { until } from './waiting.ts';

export interface Waiting {
  readonly signal?: AbortSignal | undefined;
}
export interface Changing extends Waiting {
  // Called in the moment in which the change would be made; what it throws prevents it.
  readonly unless?: (() => void) | undefined;
}
export interface Draining extends Changing {
  // How long connections may go on; the pool's drainTimeout unless stated.
  readonly timeout?: Duration | undefined;
  // false: resolves when no worker gives the backend new work, with nothing cut yet.
  readonly wait?: boolean | undefined;
}

export class Pool {
  readonly name: string;
  readonly #core: Core;

  // Throws ERR_SLUICE_NO_POOL.
  constructor(core: Core, name: string) {
    this.#core = core;
    this.name = name;
    this.#settings();
  }

  // Backends in the order in which they came, those on their way out included.
  backends(): BackendView[] {
    this.#settings();
    const { controller } = this.#core;
    const members = controller.state.pools.get(this.name)?.members ?? [];
    return members.map((record) => controller.view(record));
  }

  // Throws ERR_SLUICE_BACKEND_EXISTS. One that is on its way out stays instead.
  async add(backend: BackendConfig, { signal, unless }: Changing = {}): Promise<void> {
    const { controller, overrides } = this.#core;
    const made = await until(backendFrom(this.name, backend, this.#core.lookup), signal);
    await controller.intend(() => {
      unless?.();
      this.#settings();
      if (this.#core.isWanted(this.name, made.id)) {
        throw new SluiceError('ERR_SLUICE_BACKEND_EXISTS', { pool: this.name, backend: made.id });
      }
      overrides.add(this.name, made);
    }, signal);
    await this.#core.save();
  }

  // Drains the backend and takes it out. The result says how many connections were cut.
  async remove(
    backend: string,
    { timeout, wait = true, signal, unless }: Draining = {},
  ): Promise<DrainResult> {
    const { controller, overrides } = this.#core;
    const record = this.#record(backend);
    const timeoutMs = timeout === undefined ? undefined : timeoutFrom(timeout);
    const { id } = record.backend;
    await controller.intend(() => {
      unless?.();
      if (!this.#core.isWanted(this.name, id)) {
        throw new SluiceError('ERR_SLUICE_NO_BACKEND', { pool: this.name, backend: id });
      }
      record.removeTimeoutMs = timeoutMs;
      overrides.remove(this.name, id, this.#core.isStatedElsewhere(this.name, id));
    }, signal);
    const done = record.retirement?.done ?? Promise.resolve({ cut: 0 });
    await this.#core.save();
    return wait ? until(done, signal) : { cut: 0 };
  }

  // Live: resolves in well under a millisecond.
  async update(
    backend: string,
    { weight }: { readonly weight: number },
    { signal, unless }: Changing = {},
  ): Promise<void> {
    const record = this.#record(backend);
    const value = weightFrom(weight);
    await this.#core.controller.changeLive((live) => {
      unless?.();
      this.#core.overrides.setWeight(this.name, record.backend.id, value);
      live.weight(record, value);
    }, signal);
    await this.#core.save();
  }

  // Gives the backend no new work and resolves when its last connection has ended, or was cut when
  // the time was over. Ended by a signal, it still takes no new work, and nothing is cut.
  async drain(
    backend: string,
    { timeout, wait = true, signal, unless }: Draining = {},
  ): Promise<DrainResult> {
    const { controller, overrides } = this.#core;
    const record = this.#record(backend);
    const timeoutMs =
      timeout === undefined ? this.#settings().drainTimeoutMs : timeoutFrom(timeout);
    const { live } = await controller.changeLive((words) => {
      unless?.();
      overrides.setDrained(this.name, record.backend.id, true);
      words.admin(record, 'drain');
    }, signal);
    const drained = controller.drains.start(record, timeoutMs, live);
    drained.catch(() => {});
    await this.#core.save();
    if (!wait) return { cut: 0 };
    try {
      return await until(drained, signal);
    } catch (error) {
      if (signal?.aborted) controller.drains.cancel(record, 'the caller gave up');
      throw error;
    }
  }

  // Takes new work again; ends a drain that goes on.
  async undrain(backend: string, { signal, unless }: Changing = {}): Promise<void> {
    const { controller, overrides } = this.#core;
    const record = this.#record(backend);
    await controller.changeLive((words) => {
      unless?.();
      controller.drains.cancel(record, 'the backend was undrained');
      overrides.setDrained(this.name, record.backend.id, false);
      words.admin(record, 'up');
    }, signal);
    await this.#core.save();
  }

  #record(backend: string): BackendRecord {
    return this.#core.controller.backend(this.name, backendIdFrom(backend));
  }
  // Throws ERR_SLUICE_NO_POOL when the pool has gone.
  #settings(): PoolSettings {
    const pool = this.#core.controller.model.pools.get(this.name);
    if (pool === undefined) throw new SluiceError('ERR_SLUICE_NO_POOL', { pool: this.name });
    return pool.settings;
  }
}
