// Unknown data becomes what a provider states: checked as a whole, then parsed. Every problem is
// collected with its path, value and expectation, and nothing is guessed.
import type { z } from 'zod';
import { configError, type Issue } from '../errors.ts';
import type {
  Desired,
  DesiredPool,
  PoolHttpOptions,
  Settings,
  StatedAddress,
  StatedBackend,
} from '../model/types.ts';
import { parseBackendAddress } from './address.ts';
import { accepted, defaults, duration } from './defaults.ts';
import { type Document, type Locate, readDocument } from './document.ts';
import { ejectionOf, healthCheckOf } from './health.ts';
import { listenerOf } from './listener.ts';
import { isModule, runModule } from './module.ts';
import { pathText } from './paths.ts';
import { issuesOf, valueAt, withPlaces } from './problems.ts';

export { issuesOf } from './problems.ts';

import {
  type BackendConfig,
  type Config,
  configSchema,
  type PoolConfig,
  pool as poolSchema,
} from './schema.ts';
import { accessLogOf } from './schema-access-log.ts';
import { adminOf } from './schema-admin.ts';
import { dockerOf } from './schema-docker.ts';
import { listener } from './schema-listener.ts';

export type { Config } from './schema.ts';

export function backendOf(config: BackendConfig): StatedBackend {
  const text = typeof config === 'string' ? config : config.address;
  const weight = typeof config === 'string' ? 1 : (config.weight ?? 1);
  const address: StatedAddress = accepted(parseBackendAddress(text));
  return { id: address.text, address, weight };
}

function poolHttpOf({ keepAlive, timeouts }: PoolConfig): PoolHttpOptions {
  const { poolHttp } = defaults;
  return {
    responseHeadTimeoutMs: duration(timeouts?.responseHead, poolHttp.responseHeadTimeoutMs),
    bodyTimeoutMs: duration(timeouts?.body, poolHttp.bodyTimeoutMs),
    keepAliveIdleMs: duration(keepAlive?.idleTimeout, poolHttp.keepAliveIdleMs),
    keepAliveRequestsMax: keepAlive?.maxRequests ?? poolHttp.keepAliveRequestsMax,
    idleMax: keepAlive?.maxIdle ?? poolHttp.idleMax,
  };
}

function poolOf(name: string, config: PoolConfig, issues: Issue[]): DesiredPool {
  const backends = new Map<string, StatedBackend>();
  for (const [index, stated] of (config.backends ?? []).entries()) {
    const backend = backendOf(stated);
    if (backends.has(backend.id)) {
      issues.push({
        path: pathText(['pools', name, 'backends', index]),
        value: stated,
        expected: 'each backend once',
        message: `${backend.id} is listed twice`,
      });
    }
    backends.set(backend.id, backend);
  }
  return {
    settings: {
      strategy: config.strategy ?? 'round_robin',
      connectTimeoutMs: duration(config.connectTimeout, defaults.connectTimeoutMs),
      connectRetries: defaults.connectRetries,
      drainTimeoutMs: duration(config.drainTimeout, defaults.drainTimeoutMs),
      healthCheck: healthCheckOf(config.healthCheck),
      ejection: ejectionOf(config.ejection),
      http: poolHttpOf(config),
    },
    backends,
    without: new Set(),
    weights: new Map(),
  };
}

function settingsOf(config: Config, issues: Issue[]): Settings {
  return {
    workers: config.workers === 'auto' ? undefined : config.workers,
    engine: config.engine ?? 'auto',
    maxConnections: config.maxConnections,
    logLevel: config.logLevel ?? 'info',
    ...adminOf(config.admin, issues),
    dns: {
      servers: config.dns?.servers ?? defaults.dns.servers,
      refreshMs: duration(config.dns?.refresh, defaults.dns.refreshMs),
    },
    docker: dockerOf(config.providers),
    stateFile: config.stateFile,
    accessLog: accessLogOf(config.accessLog),
  };
}

// A copy without the keys that are not known; what else is wrong with the rest shows then, too.
function withoutUnknown(input: unknown, error: z.ZodError): unknown {
  try {
    const copy = structuredClone(input);
    for (const issue of error.issues) {
      if (issue.code !== 'unrecognized_keys') continue;
      const parent = valueAt(copy, issue.path) as Record<string, unknown>;
      for (const key of issue.keys) delete parent[key];
    }
    return copy;
  } catch {
    // It holds functions, which a program can export.
    return input;
  }
}

// The listeners and pools that are well formed, of a configuration that is not. Of a pool that is
// not, the name is left, so that routes to it are no mistake of their own.
function wellFormed(input: unknown): Config {
  const all = (input ?? {}) as Readonly<Record<string, unknown>>;
  const entries = (value: unknown): [string, unknown][] =>
    typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const listeners = entries(all['listeners']).flatMap(([name, one]) => {
    const checked = listener.safeParse(one);
    return checked.success ? [[name, checked.data] as const] : [];
  });
  const pools = entries(all['pools']).map(([name, one]) => {
    const checked = poolSchema.safeParse(one);
    return [name, checked.success ? checked.data : {}] as const;
  });
  return { listeners: Object.fromEntries(listeners), pools: Object.fromEntries(pools) };
}

export interface Checked {
  // What is well formed; all of it when there are no issues.
  readonly desired: Desired;
  // In the order of the document where it has lines.
  readonly issues: readonly Issue[];
}

// Everything that is wrong with what one provider states, and what is not. `source` names it.
export function checkConfig(input: unknown, source: string, locate?: Locate): Checked {
  const checked = configSchema.safeParse(input);
  const issues = checked.success ? [] : issuesOf(checked.error, input, locate);
  const config = checked.success ? checked.data : wellFormed(withoutUnknown(input, checked.error));
  const found: Issue[] = [];
  const desired: Desired = {
    source,
    layer: 'intent',
    attached: [],
    settings: settingsOf(config, issues),
    listeners: new Map(
      Object.entries(config.listeners ?? {}).map(([name, one]) => [
        name,
        listenerOf(name, one, found),
      ]),
    ),
    pools: new Map(
      Object.entries(config.pools ?? {}).map(([name, one]) => [name, poolOf(name, one, found)]),
    ),
  };
  const all = locate === undefined ? found : withPlaces(found, locate);
  return { desired, issues: inOrder([...issues, ...all]) };
}

export const inOrder = (issues: readonly Issue[]): Issue[] => {
  const place = ({ line = Number.POSITIVE_INFINITY, column = 0 }: Issue) => [line, column] as const;
  return [...issues].sort((one, other) => {
    const [[lineA, columnA], [lineB, columnB]] = [place(one), place(other)];
    return lineA === lineB ? columnA - columnB : lineA - lineB;
  });
};

// Throws ERR_SLUICE_CONFIG with all issues. `source` names who states it.
export function parseConfig(input: unknown, source: string, locate?: Locate): Desired {
  const { desired, issues } = checkConfig(input, source, locate);
  if (issues.length > 0) throw configError(issues);
  return desired;
}

// What a file says, be it data or a program. Throws ERR_SLUICE_CONFIG_FILE with the place.
export const readConfig = (path: string): Promise<Document> =>
  isModule(path) ? runModule(path) : readDocument(path);

// What a file states. Throws ERR_SLUICE_CONFIG_FILE or ERR_SLUICE_CONFIG.
export async function loadDesired(path: string, source: string): Promise<Desired> {
  const { input, locate } = await readConfig(path);
  return parseConfig(input, source, locate);
}

// Reads and checks a file and returns what it says.
export async function loadConfigFile(path: string): Promise<Config> {
  const { input, locate } = await readConfig(path);
  parseConfig(input, 'file', locate);
  return input as Config;
}
