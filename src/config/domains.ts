// Configurations by domain: `routeDomain` says which containers serve one, `domains` makes a
// listener and pools of them.
import { SluiceError } from '../errors.ts';
import { environment } from './environment.ts';
import { parseHost } from './route.ts';
import type { BackendConfig, Config, PoolConfig } from './schema.ts';

export interface DomainBuilder {
  // A backend: its name, which is unique within the domain, and `host:port`.
  container(name: string, address: string, options?: { readonly weight?: number }): DomainBuilder;
  strategy(strategy: NonNullable<PoolConfig['strategy']>): DomainBuilder;
  // The path that is asked how they are, or all of `pools.NAME.healthCheck`.
  healthCheck(check: string | NonNullable<PoolConfig['healthCheck']>): DomainBuilder;
}

export interface Domain {
  readonly host: string;
  readonly pool: PoolConfig;
}

const refused = (argument: string, value: unknown, expected: string): SluiceError =>
  new SluiceError('ERR_SLUICE_ARGUMENT', { argument, value: JSON.stringify(value), expected });

// The host as the name of a pool, which has no star, a letter or digit first, and 63 characters; a
// number tells those apart that are the same then.
function poolName(host: string, taken: Readonly<Record<string, PoolConfig>>): string {
  const plain = host.replace(/^\*\./, 'wildcard.').replace(/^_/, 'x_');
  let name = plain.slice(0, 63);
  for (let number = 2; Object.hasOwn(taken, name); number++) {
    name = `${plain.slice(0, 58)}-${number}`;
  }
  return name;
}

// A domain, exact or `*.example.com`, and what serves it. Throws ERR_SLUICE_ARGUMENT.
export function routeDomain(
  host: string,
  build: (domain: DomainBuilder) => DomainBuilder | undefined,
): Domain {
  const parsed = parseHost(host);
  if ('expected' in parsed) throw refused('domain', host, parsed.expected);
  const containers = new Map<string, BackendConfig>();
  let strategy: PoolConfig['strategy'];
  let healthCheck: PoolConfig['healthCheck'];
  const builder: DomainBuilder = {
    container(name, address, { weight } = {}) {
      if (containers.has(name)) throw refused('container', name, `each name once in ${host}`);
      containers.set(name, weight === undefined ? address : { address, weight });
      return builder;
    },
    strategy(stated) {
      strategy = stated;
      return builder;
    },
    healthCheck(check) {
      healthCheck = typeof check === 'string' ? { path: check } : check;
      return builder;
    },
  };
  build(builder);
  const backends = [...containers.values()];
  const pool = {
    ...(strategy === undefined ? {} : { strategy }),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    backends,
  };
  return { host: parsed.value, pool };
}

export interface DomainsOptions {
  // Default `:PORT`, PORT as LOAD_BALANCER_PORT says, else 8080.
  readonly listen?: string;
  // Name of the listener; default `domains`.
  readonly listener?: string;
}

// A listener of mode http that routes each domain to a pool of its own. To be spread into a
// configuration, or to be one. Throws ERR_SLUICE_ARGUMENT when a domain is stated twice.
export function domains(
  all: readonly Domain[],
  { listen = `:${environment().port}`, listener = 'domains' }: DomainsOptions = {},
): Pick<Config, 'listeners' | 'pools'> {
  const pools: Record<string, PoolConfig> = {};
  const names = new Map<string, string>();
  for (const { host, pool } of all) {
    if (names.has(host)) throw refused('domain', host, 'each domain once');
    const name = poolName(host, pools);
    names.set(host, name);
    pools[name] = pool;
  }
  const routes = [...names].map(([host, pool]) => ({ hosts: [host], pool }));
  return { listeners: { [listener]: { listen, mode: 'http', routes } }, pools };
}
