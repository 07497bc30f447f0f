// What is changed at run time beside the backends of pools: whole listeners and pools, routes for
// listeners that exist, ports for images of containers. Every change resolves when all workers
// follow it and, with a state file, when it is in the file.
import { SluiceError } from '../errors.ts';
import {
  imageFrom,
  imagePlace,
  listenerFrom,
  poolFrom,
  routeFrom,
} from '../providers/definitions.ts';
import type { ListenerConfig, PoolConfig } from '../providers/inputs.ts';
import type { ImageMapping, OverridesDocument, RouteConfig } from '../providers/overrides.ts';
import type { Applied } from './controller.ts';
import type { Core } from './core.ts';
import type { Changing } from './pool.ts';
import { until } from './waiting.ts';

export type Overriding = Changing;

type Kind = 'listeners' | 'pools' | 'routes';

export class Overrides {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  // As the state file keeps them.
  document(): OverridesDocument {
    return this.#core.overrides.document();
  }

  // Takes the place of what others define under the name. These throw ERR_SLUICE_CONFIG with
  // everything that is wrong; nothing changes then.
  async setListener(
    name: string,
    config: ListenerConfig,
    options: Overriding = {},
  ): Promise<Applied> {
    const made = await until(listenerFrom(name, config, this.#core.lookup), options.signal);
    return this.#change(() => this.#core.overrides.setListener(name, made), options);
  }
  async setPool(name: string, config: PoolConfig, options: Overriding = {}): Promise<Applied> {
    const made = await until(poolFrom(name, config, this.#core.lookup), options.signal);
    return this.#change(() => this.#core.overrides.setPool(name, made), options);
  }
  // One with the same id is replaced; two ids cannot have the same host and path. Throws
  // ERR_SLUICE_CONFLICT then, ERR_SLUICE_NO_LISTENER and ERR_SLUICE_NO_POOL.
  async setRoute(id: string, config: RouteConfig, options: Overriding = {}): Promise<Applied> {
    const made = routeFrom(id, config as Parameters<typeof routeFrom>[1]);
    return this.#change(() => {
      const { listener, pool } = made.config;
      const { listeners, pools } = this.#core.controller.model;
      if (!listeners.has(listener)) throw new SluiceError('ERR_SLUICE_NO_LISTENER', { listener });
      if (!pools.has(pool)) throw new SluiceError('ERR_SLUICE_NO_POOL', { pool });
      this.#core.overrides.setRoute(id, made);
    }, options);
  }

  // What others define under the name is in force again. These throw ERR_SLUICE_NOT_OVERRIDDEN
  // when somebody else defines it and there is nothing to take back.
  removeListener(name: string, options: Overriding = {}): Promise<Applied> {
    const { overrides, controller } = this.#core;
    return this.#change(() => {
      if (!controller.model.listeners.has(name)) {
        throw new SluiceError('ERR_SLUICE_NO_LISTENER', { listener: name });
      }
      this.#checkOwn('listeners', name);
      overrides.setListener(name, undefined);
    }, options);
  }
  removePool(name: string, options: Overriding = {}): Promise<Applied> {
    const { overrides, controller } = this.#core;
    return this.#change(() => {
      if (!controller.model.pools.has(name)) {
        throw new SluiceError('ERR_SLUICE_NO_POOL', { pool: name });
      }
      this.#checkOwn('pools', name);
      overrides.setPool(name, undefined);
    }, options);
  }
  removeRoute(id: string, options: Overriding = {}): Promise<Applied> {
    const { overrides } = this.#core;
    return this.#change(() => {
      if (!overrides.defines('routes', id)) throw new SluiceError('ERR_SLUICE_NO_ROUTE', { id });
      overrides.setRoute(id, undefined);
    }, options);
  }

  images(): readonly ImageMapping[] {
    return this.#core.overrides.images();
  }
  // One that listens at the same place is replaced.
  mapImage(mapping: ImageMapping, options: Overriding = {}): Promise<Applied> {
    const made = imageFrom(mapping);
    const { overrides } = this.#core;
    return this.#change(() => {
      const others = overrides.images().filter((one) => imagePlace(one.listen) !== made.listen);
      overrides.setImages([...others, made]);
    }, options);
  }
  stopPort(listen: string, options: Overriding = {}): Promise<Applied> {
    const { overrides } = this.#core;
    const place = imagePlace(listen);
    return this.#change(() => {
      const others = overrides.images().filter((one) => imagePlace(one.listen) !== place);
      if (others.length === overrides.images().length) {
        throw new SluiceError('ERR_SLUICE_NO_IMAGE', { listen });
      }
      overrides.setImages(others);
    }, options);
  }

  #checkOwn(kind: Kind, name: string): void {
    if (this.#core.overrides.defines(kind, name)) return;
    const what = kind.slice(0, -1);
    const source = this.#core.controller.merged.owners.get(`${what} ${name}`) ?? 'nobody';
    throw new SluiceError('ERR_SLUICE_NOT_OVERRIDDEN', { what, name, source });
  }

  async #change(make: () => void, { signal, unless }: Overriding): Promise<Applied> {
    const applied = await this.#core.controller.intend(() => {
      unless?.();
      make();
    }, signal);
    this.#core.overridden();
    await this.#core.save();
    return applied;
  }
}
