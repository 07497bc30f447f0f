// Servers: an address to listen on, a filter, and upstreams with priorities and weights. Pure: what
// is sent, checked, and made into what the model knows.
import { z } from 'zod';
import { parseBackendAddress, parseListenTarget, targetText } from '../config/address.ts';
import { parseHost, parsePathPrefix } from '../config/route.ts';
import type { PoolConfig } from '../config/schema.ts';
import type { AttachedRoutes, Route } from '../model/types.ts';
import { nameFor, openedListener, type Stated } from './dialect.ts';

export const serversSource = 'servers';

export interface Upstream {
  readonly Target: string;
  readonly Port: number;
  // Lower is preferred.
  readonly Priority: number;
  readonly Weight: number;
}
export interface Filter {
  readonly Hosts: readonly string[] | null;
  readonly Schemes: readonly string[];
  readonly PathPrefix: string;
}
export interface Server {
  readonly address: string;
  readonly filter: Filter;
  readonly upstreams: readonly Upstream[];
}

const word = (what: string) =>
  z
    .int({ error: `expected ${what}: a whole number from 0 to 65535` })
    .min(0, { error: `expected ${what}: a whole number from 0 to 65535` })
    .max(65_535, { error: `expected ${what}: a whole number from 0 to 65535` });

const upstreamAddress = ({ Target, Port }: { Target: string; Port: number }): string =>
  `${Target.includes(':') ? `[${Target}]` : Target}:${Port}`;

const upstreamShape = z.strictObject({
  Target: z.string({ error: "expected a Target, such as '127.0.0.1'" }),
  Port: z
    .int({ error: 'expected a Port from 1 to 65535' })
    .min(1, { error: 'expected a Port from 1 to 65535' })
    .max(65_535, { error: 'expected a Port from 1 to 65535' }),
  Priority: word('a Priority').default(0),
  Weight: word('a Weight').default(1),
});

export const upstreamSchema = upstreamShape
  .refine((upstream) => parseBackendAddress(upstreamAddress(upstream)) !== undefined, {
    error: 'expected a Target that is a host name or an IP address',
    path: ['Target'],
  })
  // A number that is left out is 0 in the language this dialect comes from.
  .transform((upstream): Upstream => ({ ...upstream, Weight: upstream.Weight || 1 }));

const hostText = z.string().refine((text) => 'value' in parseHost(text), {
  error: "expected a host name such as 'www.example.com' or '*.example.com'",
});

export const filterSchema = z.strictObject({
  Hosts: z
    .array(hostText, { error: 'expected a list of host names, or null' })
    .nullable()
    .default(null)
    .transform((hosts) => {
      const named = hosts?.filter((host) => host !== '') ?? [];
      return named.length === 0 ? null : named;
    }),
  Schemes: z
    .array(z.enum(['', 'http', 'https'], { error: "expected 'http', 'https' or ''" }), {
      error: "expected a list of 'http' and 'https', or null",
    })
    .max(2, { error: 'expected at most two schemes' })
    .nullable()
    .default(null)
    .transform((schemes): string[] => [schemes?.[0] ?? '', schemes?.[1] ?? '']),
  PathPrefix: z
    .string({ error: "expected a path such as '/api', or ''" })
    .refine((text) => text === '' || 'value' in parsePathPrefix(text), {
      error: "expected a path such as '/api', or ''",
    })
    .default(''),
});

const noFilter: Filter = { Hosts: null, Schemes: ['', ''], PathPrefix: '' };

// `:8080` or `host:port`, canonical; undefined when it is neither.
export function serverAddress(text: string): string | undefined {
  const target = parseListenTarget(text);
  if (target === undefined || target.kind === 'descriptors') return undefined;
  if (target.address.kind === 'unix' || target.address.port === 0) return undefined;
  return targetText(target);
}

const idOf = ({ Target, Port }: Upstream): string => `${Target}-${Port}`;

const upstreams = z
  .array(upstreamSchema, { error: 'expected a list of upstreams' })
  .refine((all) => new Set(all.map(idOf)).size === all.length, {
    error: 'expected each Target and Port once',
  });

export const serverSchema = z.strictObject({
  address: z
    .string({ error: "expected an address such as ':8080' or '127.0.0.1:8080'" })
    .refine((text) => serverAddress(text) !== undefined, {
      error: "expected an address such as ':8080' or '127.0.0.1:8080'",
      abort: true,
    })
    .transform((text) => serverAddress(text) ?? text),
  filter: filterSchema
    .nullable()
    .default(null)
    .transform((filter): Filter => filter ?? noFilter),
  upstreams: upstreams
    .nullable()
    .default(null)
    .transform((all) => all ?? []),
  fallbacks: z
    .record(z.string(), z.unknown())
    .nullable()
    .optional()
    .refine((all) => Object.keys(all ?? {}).length === 0, {
      error: 'expected none: state a fallback as an upstream with a higher Priority',
    }),
});

export const serversFile = z.array(serverSchema);

export const serverOf = ({
  address,
  filter,
  upstreams: all,
}: z.output<typeof serverSchema>): Server => ({
  address,
  filter,
  upstreams: all,
});

// `{target}-{port}`; undefined when it is none.
export function upstreamId(text: string): Pick<Upstream, 'Target' | 'Port'> | undefined {
  const found = /^(.+)-(\d{1,5})$/.exec(text);
  return found === null ? undefined : { Target: found[1] ?? '', Port: Number(found[2]) };
}

export const findUpstream = (server: Server, id: string): Upstream | undefined =>
  server.upstreams.find((upstream) => idOf(upstream) === id);

export function withUpstream(server: Server, upstream: Upstream): Server {
  const at = server.upstreams.findIndex((one) => idOf(one) === idOf(upstream));
  const all = [...server.upstreams];
  if (at < 0) all.push(upstream);
  else all[at] = upstream;
  return { ...server, upstreams: all };
}

export const withoutUpstream = (server: Server, id: string): Server => ({
  ...server,
  upstreams: server.upstreams.filter((upstream) => idOf(upstream) !== id),
});

// The best tier alone takes traffic. Whether one is up is not looked at: upstreams of other tiers
// wait until those of the best one are taken out.
export function bestTier(all: readonly Upstream[]): readonly Upstream[] {
  const best = Math.min(...all.map(({ Priority }) => Priority));
  return all.filter(({ Priority }) => Priority === best);
}

// Without TLS there is nothing that comes by https.
const takesHttp = ({ Schemes }: Filter): boolean => {
  const stated = Schemes.filter((scheme) => scheme !== '');
  return stated.length === 0 || stated.includes('http');
};

export const originOf = (address: string): string => `server ${address}`;

function routesOf({ filter, address }: Server): Route[] {
  if (!takesHttp(filter)) return [];
  const pool = nameFor('server', address);
  const prefix = filter.PathPrefix === '' ? undefined : parsePathPrefix(filter.PathPrefix);
  const pathPrefix = prefix !== undefined && 'value' in prefix ? prefix.value : '';
  const hosts = filter.Hosts?.map((host) => {
    const parsed = parseHost(host);
    return 'value' in parsed ? parsed.value : host;
  });
  const names = [...new Set(hosts ?? [''])];
  return names.map((host, statedHost) => ({ host, pathPrefix, pool, stated: 0, statedHost }));
}

export function statedServers(servers: Iterable<Server>): Stated {
  const pools: Record<string, PoolConfig> = {};
  const attached: AttachedRoutes[] = [];
  for (const server of servers) {
    const { address } = server;
    const name = nameFor('server', address);
    pools[name] = {
      backends: bestTier(server.upstreams).map((upstream) => ({
        address: upstreamAddress(upstream),
        weight: upstream.Weight,
      })),
    };
    const routes = routesOf(server);
    if (routes.length === 0) continue;
    const listener = openedListener(serversSource, name, address);
    attached.push({ origin: originOf(address), on: { kind: 'open', listener }, routes });
  }
  return { pools, attached };
}
