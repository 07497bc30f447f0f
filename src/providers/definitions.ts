// Definitions that are made at run time: checked like those of a file, each by itself, and the
// document of all of them.
import { issuesOf, parseConfig } from '../config/load.ts';
import { type Lookup, resolveDesired, systemLookup } from '../config/resolve.ts';
import {
  type ImageMappingConfig,
  imageMapping,
  overridesSchema,
  type RouteOverrideConfig,
  routeOverride,
} from '../config/schema-overrides.ts';
import { configError, type Issue, SluiceError } from '../errors.ts';
import type { AttachedRoutes, Backend, DesiredPool, Listener, Route } from '../model/types.ts';
import { backendFrom, type ListenerConfig, type PoolConfig } from './inputs.ts';
import type { ImageMapping, Override, OverridesProvider, RouteConfig } from './overrides.ts';

const source = 'api';

const missing = (what: string): TypeError => new TypeError(`a ${what} that was stated is missing`);

// Throws ERR_SLUICE_CONFIG.
export async function listenerFrom(
  name: string,
  config: ListenerConfig,
  lookup: Lookup = systemLookup,
): Promise<Override<ListenerConfig, Listener>> {
  const stated = parseConfig({ listeners: { [name]: config }, pools: {} }, source);
  const value = (await resolveDesired(stated, lookup)).listeners.get(name);
  if (value === undefined) throw missing('listener');
  return { config, value };
}

// Throws ERR_SLUICE_CONFIG.
export async function poolFrom(
  name: string,
  config: PoolConfig,
  lookup: Lookup = systemLookup,
): Promise<Override<PoolConfig, DesiredPool<Backend>>> {
  const stated = parseConfig({ listeners: {}, pools: { [name]: config } }, source);
  const value = (await resolveDesired(stated, lookup)).pools.get(name);
  if (value === undefined) throw missing('pool');
  return { config, value };
}

const moved = (issues: readonly Issue[], from: string, to: string): Issue[] =>
  issues.map((issue) => ({ ...issue, path: issue.path.replace(from, to) }));

// The routes of one statement, one for each host. Throws ERR_SLUICE_CONFIG.
export function routesFrom(config: Omit<RouteConfig, 'listener'>, path: string): readonly Route[] {
  const { hosts, pathPrefix, pool } = config;
  const route = {
    pool,
    ...(hosts === undefined ? {} : { hosts: [...hosts] }),
    ...(pathPrefix === undefined ? {} : { pathPrefix }),
  };
  const listener = { listen: ':1', mode: 'http', routes: [route] };
  try {
    const stated = parseConfig({ listeners: { of: listener }, pools: {} }, source);
    return stated.listeners.get('of')?.routes ?? [];
  } catch (error) {
    if (!(error instanceof SluiceError) || error.issues.length === 0) throw error;
    throw configError(moved(error.issues, 'listeners.of.routes[0]', path), error.cause);
  }
}

// Throws ERR_SLUICE_CONFIG.
export function routeFrom(
  id: string,
  config: RouteOverrideConfig,
): Override<RouteConfig, AttachedRoutes> {
  const checked = routeOverride.safeParse(config);
  const path = `routes.${id}`;
  if (!checked.success) {
    const issues = issuesOf(checked.error, config, undefined);
    throw configError(
      issues.map((issue) => ({ ...issue, path: `${path}.${issue.path}`.replace(/\.$/, '') })),
      checked.error,
    );
  }
  const { listener, ...route } = checked.data;
  return {
    config: checked.data,
    value: {
      origin: `route ${id}`,
      on: { kind: 'name', listener },
      routes: routesFrom(route, path),
    },
  };
}

// Throws ERR_SLUICE_CONFIG.
export function imageFrom(config: ImageMappingConfig): ImageMapping {
  const checked = imageMapping.safeParse(config);
  if (checked.success) return checked.data;
  throw configError(issuesOf(checked.error, config, undefined), checked.error);
}

// Fills `provider` with what a document says. Throws ERR_SLUICE_CONFIG with everything that is
// wrong, and then nothing of it is stated.
export async function restoreOverrides(
  provider: OverridesProvider,
  document: unknown,
  lookup: Lookup = systemLookup,
): Promise<void> {
  const checked = overridesSchema.safeParse(document);
  if (!checked.success) {
    throw configError(issuesOf(checked.error, document, undefined), checked.error);
  }
  const { listeners, pools, routes, backends, images } = checked.data;
  const all = <C, V>(of: Record<string, C>, make: (name: string, config: C) => V | Promise<V>) =>
    Promise.all(Object.entries(of).map(async ([name, c]) => [name, await make(name, c)] as const));
  const made = {
    listeners: await all(listeners, (name, config) => listenerFrom(name, config, lookup)),
    pools: await all(pools, (name, config) => poolFrom(name, config, lookup)),
    routes: await all(routes, routeFrom),
    added: await all(backends, (pool, { added }) =>
      Promise.all(added.map((backend) => backendFrom(pool, backend, lookup))),
    ),
  };
  for (const [name, one] of made.listeners) provider.setListener(name, one);
  for (const [name, one] of made.pools) provider.setPool(name, one);
  for (const [id, one] of made.routes) provider.setRoute(id, one);
  for (const [pool, added] of made.added) for (const one of added) provider.add(pool, one);
  for (const [pool, { removed, weights, drained }] of Object.entries(backends)) {
    for (const id of removed) provider.remove(pool, id, true);
    for (const [id, weight] of Object.entries(weights)) provider.setWeight(pool, id, weight);
    for (const id of drained) provider.setDrained(pool, id, true);
  }
  provider.setImages(images);
}
