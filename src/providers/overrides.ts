// The provider of what was changed at run time, by the programming interface or the admin API. It
// wins over what others state, stays over reloads, and can be written to a document and read back.
import { SluiceError } from '../errors.ts';
import type { AttachedRoutes, Backend, Desired, DesiredPool, Listener } from '../model/types.ts';
import type { ListenerConfig, PoolConfig } from './inputs.ts';
import { nothing, type Provider } from './provider.ts';

// One thing in two forms: as people wrote it, which the document keeps, and as the model needs it.
export interface Override<C, V> {
  readonly config: C;
  readonly value: V;
}

// A route for a listener that exists.
export interface RouteConfig {
  readonly listener: string;
  readonly hosts?: readonly string[] | undefined;
  readonly pathPrefix?: string | undefined;
  readonly pool: string;
}

// Containers of an image are balanced where `listen` says, by the port they have inside.
export interface ImageMapping {
  readonly image: string;
  // A port, or host:port.
  readonly listen: string;
  readonly port: number;
}

// Changes of one pool's backends, whoever defines the pool.
export interface PoolChanges {
  readonly added: readonly { readonly address: string; readonly weight: number }[];
  readonly removed: readonly string[];
  readonly weights: Readonly<Record<string, number>>;
  readonly drained: readonly string[];
}

export interface OverridesDocument {
  readonly version: 1;
  readonly listeners: Readonly<Record<string, ListenerConfig>>;
  readonly pools: Readonly<Record<string, PoolConfig>>;
  readonly routes: Readonly<Record<string, RouteConfig>>;
  readonly backends: Readonly<Record<string, PoolChanges>>;
  readonly images: readonly ImageMapping[];
}

// One pool's changes while they are being made. `stated`: what they were stated as last, until they
// change.
interface Draft {
  backends: Map<string, Backend>;
  without: Set<string>;
  weights: Map<string, number>;
  stated: DesiredPool<Backend> | undefined;
}

const draftOf = (from?: DesiredPool<Backend>): Draft => ({
  backends: new Map(from?.backends),
  without: new Set(from?.without),
  weights: new Map(from?.weights),
  stated: from,
});

const freeze = (draft: Draft): DesiredPool<Backend> => {
  draft.stated ??= {
    settings: undefined,
    backends: new Map(draft.backends),
    without: new Set(draft.without),
    weights: new Map(draft.weights),
  };
  return draft.stated;
};

// Maps that are replaced whole, so that a checkpoint only has to keep them.
interface Definitions {
  readonly listeners: ReadonlyMap<string, Override<ListenerConfig, Listener>>;
  readonly pools: ReadonlyMap<string, Override<PoolConfig, DesiredPool<Backend>>>;
  readonly routes: ReadonlyMap<string, Override<RouteConfig, AttachedRoutes>>;
  readonly drained: ReadonlyMap<string, ReadonlySet<string>>;
  readonly images: readonly ImageMapping[];
}

const noDefinitions: Definitions = {
  listeners: new Map(),
  pools: new Map(),
  routes: new Map(),
  drained: new Map(),
  images: [],
};

const changed = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): Map<K, V> => {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
};

const byName = <C>(map: ReadonlyMap<string, Override<C, unknown>>): Record<string, C> =>
  Object.fromEntries([...map].map(([name, { config }]) => [name, config]));

type RouteOverride = Override<RouteConfig, AttachedRoutes>;

function sharedRoute(a: RouteOverride, b: RouteOverride): string | undefined {
  if (a.config.listener !== b.config.listener) return undefined;
  const shared = a.value.routes.find(({ host, pathPrefix }) =>
    b.value.routes.some((one) => one.host === host && one.pathPrefix === pathPrefix),
  );
  return shared && `${shared.host || '*'}${shared.pathPrefix || '/'} of ${a.config.listener}`;
}

export class OverridesProvider implements Provider {
  readonly source = 'api';
  // Counts changes: what is written is up to date while it stays the same.
  version = 0;
  #definitions: Definitions = noDefinitions;
  #drafts = new Map<string, Draft>();

  state(): Desired<Backend> {
    const { listeners, pools, routes } = this.#definitions;
    const stated = new Map<string, DesiredPool<Backend>>();
    for (const [name, { value }] of pools) stated.set(name, value);
    for (const [name, draft] of this.#drafts) {
      const own = freeze(draft);
      const definition = pools.get(name)?.value;
      stated.set(name, definition === undefined ? own : this.#joined(definition, own));
    }
    return {
      ...nothing(this.source),
      layer: 'override',
      listeners: new Map([...listeners].map(([name, { value }]) => [name, value])),
      pools: stated,
      attached: [...routes.values()].map(({ value }) => value),
    };
  }

  // The same object while both stay the same.
  readonly #joins = new WeakMap<DesiredPool<Backend>, DesiredPool<Backend>>();
  #joined(definition: DesiredPool<Backend>, own: DesiredPool<Backend>): DesiredPool<Backend> {
    const known = this.#joins.get(own);
    if (known?.settings === definition.settings && known !== undefined) return known;
    const backends = new Map([...definition.backends, ...own.backends]);
    const joined = { ...own, settings: definition.settings, backends };
    this.#joins.set(own, joined);
    return joined;
  }

  checkpoint(): () => void {
    const definitions = this.#definitions;
    const drafts = [...this.#drafts].map(([name, draft]) => [name, freeze(draft)] as const);
    const { version } = this;
    return () => {
      if (this.version === version) return;
      this.#definitions = definitions;
      this.#drafts = new Map(drafts.map(([name, stated]) => [name, draftOf(stated)]));
      this.version = version;
    };
  }

  clear(): void {
    this.#drafts = new Map();
    this.#define({ ...noDefinitions, drained: this.#definitions.drained });
  }

  // Whether a backend is stated (true), stated to be absent (false), or neither.
  states(pool: string, id: string): boolean | undefined {
    const draft = this.#drafts.get(pool);
    if (draft?.without.has(id)) return false;
    if (draft?.backends.has(id)) return true;
    return this.#definitions.pools.get(pool)?.value.backends.has(id) ? true : undefined;
  }
  defines(what: 'listeners' | 'pools' | 'routes', name: string): boolean {
    return this.#definitions[what].has(name);
  }

  add(pool: string, backend: Backend): void {
    const draft = this.#change(pool);
    draft.backends.set(backend.id, backend);
    draft.without.delete(backend.id);
    draft.weights.delete(backend.id);
  }
  // A backend that somebody else states, or a definition, is stated to be absent.
  remove(pool: string, id: string, statedElsewhere: boolean): void {
    const draft = this.#change(pool);
    draft.backends.delete(id);
    draft.weights.delete(id);
    const defined = this.#definitions.pools.get(pool)?.value.backends.has(id) ?? false;
    if (statedElsewhere || defined) draft.without.add(id);
    if (this.isDrained(pool, id)) this.setDrained(pool, id, false);
  }
  setWeight(pool: string, id: string, weight: number): void {
    this.#change(pool).weights.set(id, weight);
  }

  isDrained(pool: string, id: string): boolean {
    return this.#definitions.drained.get(pool)?.has(id) ?? false;
  }
  setDrained(pool: string, id: string, drained: boolean): void {
    const { drained: before } = this.#definitions;
    const ids = new Set(before.get(pool));
    if (drained) ids.add(id);
    else ids.delete(id);
    this.#define({ drained: changed(before, pool, ids.size > 0 ? ids : undefined) });
  }

  setListener(name: string, value: Override<ListenerConfig, Listener> | undefined): void {
    this.#define({ listeners: changed(this.#definitions.listeners, name, value) });
  }
  // Changes of the pool's backends made before belong to the former definition and go with it.
  setPool(name: string, value: Override<PoolConfig, DesiredPool<Backend>> | undefined): void {
    this.#drafts.delete(name);
    this.#define({ pools: changed(this.#definitions.pools, name, value) });
  }
  // Throws ERR_SLUICE_CONFLICT when another id has one of its routes.
  setRoute(id: string, value: Override<RouteConfig, AttachedRoutes> | undefined): void {
    for (const [other, one] of this.#definitions.routes) {
      const what = value === undefined || other === id ? undefined : sharedRoute(value, one);
      if (what === undefined) continue;
      throw new SluiceError('ERR_SLUICE_CONFLICT', { what, first: other, second: id });
    }
    this.#define({ routes: changed(this.#definitions.routes, id, value) });
  }
  images(): readonly ImageMapping[] {
    return this.#definitions.images;
  }
  setImages(images: readonly ImageMapping[]): void {
    this.#define({ images });
  }

  document(): OverridesDocument {
    const { listeners, pools, routes, drained, images } = this.#definitions;
    const backends: Record<string, PoolChanges> = {};
    for (const name of new Set([...this.#drafts.keys(), ...drained.keys()])) {
      const draft = this.#drafts.get(name);
      backends[name] = {
        added: [...(draft?.backends.values() ?? [])].map(({ id, weight }) => ({
          address: id,
          weight,
        })),
        removed: [...(draft?.without ?? [])],
        weights: Object.fromEntries(draft?.weights ?? []),
        drained: [...(drained.get(name) ?? [])],
      };
    }
    return {
      version: 1,
      listeners: byName(listeners),
      pools: byName(pools),
      routes: byName(routes),
      backends,
      images,
    };
  }

  #define(some: Partial<Definitions>): void {
    this.#definitions = { ...this.#definitions, ...some };
    this.version++;
  }
  #change(name: string): Draft {
    let draft = this.#drafts.get(name);
    if (draft === undefined) {
      draft = draftOf();
      this.#drafts.set(name, draft);
    }
    draft.stated = undefined;
    this.version++;
    return draft;
  }
}
