// Domains: a host name, the containers that serve it, and how. Pure: what is sent or was saved,
// checked, and made into what the model knows.
import { z } from 'zod';
import { parseBackendAddress } from '../config/address.ts';
import { parseHost } from '../config/route.ts';
import type { PoolConfig } from '../config/schema.ts';
import type { AttachedRoutes } from '../model/types.ts';
import { nameFor, openedListener, type Stated } from './dialect.ts';

export const domainsSource = 'domains';

// `host:port`, the name of a container that was made known, or both.
export type DomainContainer =
  | string
  | { readonly name: string; readonly address: string; readonly weight?: number };

export interface Domain {
  readonly domain: string;
  readonly containers: readonly DomainContainer[];
  readonly strategy: 'round_robin' | 'least_connections' | 'weighted_round_robin';
  // The path that is asked; null: nothing is.
  readonly health_check: string | null;
  readonly status: 'active' | 'inactive' | 'maintenance';
}
export interface NamedContainer {
  readonly name: string;
  readonly address: string;
}

const address = z
  .string({ error: "expected an address such as 'web1:8080'" })
  .refine((text) => !text.startsWith('unix:') && parseBackendAddress(text) !== undefined, {
    error: "expected an address such as 'web1:8080'",
  });
const containerName = z
  .string({ error: 'expected the name of a container' })
  .regex(/^[A-Za-z0-9][\w.-]{0,127}$/, {
    error: 'expected the name of a container: letters, digits, _ . and -',
  });
const weight = z
  .int({ error: 'expected a whole number from 0 to 65535' })
  .min(0, { error: 'expected a whole number from 0 to 65535' })
  .max(65_535, { error: 'expected a whole number from 0 to 65535' });

const container = z.union(
  [
    z.string().min(1),
    z.strictObject({ name: containerName, address, weight: z.exactOptional(weight) }),
  ],
  { error: "expected 'host:port', the name of a container, or { name, address }" },
);

const strategy = z.enum(['round_robin', 'least_connections', 'weighted_round_robin'], {
  error: ({ input }) =>
    input === 'ip_hash'
      ? "there is no ip_hash: expected 'round_robin', 'least_connections' or 'weighted_round_robin'"
      : "expected 'round_robin', 'least_connections' or 'weighted_round_robin'",
});

const domainName = z
  .string({ error: "expected a host name such as 'www.example.com'" })
  .refine((text) => 'value' in parseHost(text), {
    error: "expected a host name such as 'www.example.com' or '*.example.com'",
  })
  .transform((text) => text.toLowerCase());

const fields = {
  containers: z
    .array(container, { error: "expected a list of containers, such as ['web1:8080']" })
    .max(4096),
  strategy,
  health_check: z
    .string({ error: "expected a path such as '/health', or null" })
    .regex(/^\/[\x21-\x7e]*$/, { error: "expected a path such as '/health', or null" })
    .nullable(),
  status: z.enum(['active', 'inactive', 'maintenance'], {
    error: "expected 'active', 'inactive' or 'maintenance'",
  }),
};

export const domainSchema = z
  .strictObject({
    domain: domainName,
    containers: fields.containers,
    strategy: fields.strategy.default('round_robin'),
    health_check: fields.health_check.default(null),
    status: fields.status.default('active'),
  })
  .transform((domain): Domain => domain);

// What an update leaves out stays.
export const domainPatch = z.strictObject({
  domain: domainName.optional(),
  containers: fields.containers.optional(),
  strategy: fields.strategy.optional(),
  health_check: fields.health_check.optional(),
  status: fields.status.optional(),
});

export const containerSchema = z.strictObject({ name: containerName, address });
export const containerPatch = z.strictObject({ name: containerName.optional(), address });

export const domainsFile = z.array(domainSchema);
export const containersFile = z.array(containerSchema);

export interface Placed {
  readonly name: string;
  readonly address: string;
  readonly weight: number;
}

// undefined: no address, and no container of that name is known.
function place(one: DomainContainer, known: ReadonlyMap<string, string>): Placed | undefined {
  if (typeof one !== 'string') return { ...one, weight: one.weight ?? 1 };
  const named = known.get(one);
  if (named !== undefined) return { name: one, address: named, weight: 1 };
  const isAddress = !one.startsWith('unix:') && parseBackendAddress(one) !== undefined;
  return isAddress ? { name: one, address: one, weight: 1 } : undefined;
}

export const placed = (domain: Domain, known: ReadonlyMap<string, string>): Placed[] =>
  domain.containers.flatMap((one) => place(one, known) ?? []);

// The first container that is nowhere.
export const unplaced = (domain: Domain, known: ReadonlyMap<string, string>): string | undefined =>
  domain.containers.find(
    (one): one is string => typeof one === 'string' && place(one, known) === undefined,
  );

export const originOf = (domain: string): string => `domain ${domain}`;
export const poolOf = (domain: string): string => nameFor('domain', domain);

// `inactive` has no route, so that the answer is 404; `maintenance` has one to a pool without
// backends, so that it is 503. Weights are those of the containers under every strategy that has
// them.
export function statedDomains(
  domains: Iterable<Domain>,
  known: ReadonlyMap<string, string>,
  listen: string,
): Stated {
  const pools: Record<string, PoolConfig> = {};
  const attached: AttachedRoutes[] = [];
  const listener = openedListener(domainsSource, nameFor('domains', listen), listen);
  for (const domain of domains) {
    const { status, strategy: wanted, health_check: path } = domain;
    if (status === 'inactive') continue;
    const pool = poolOf(domain.domain);
    const active = status === 'active' ? placed(domain, known) : [];
    pools[pool] = {
      strategy: wanted === 'least_connections' ? 'least_connections' : 'round_robin',
      ...(path === null ? {} : { healthCheck: { path } }),
      backends: active.map((one) => ({ address: one.address, weight: one.weight })),
    };
    const route = { host: domain.domain, pathPrefix: '', pool, stated: 0, statedHost: 0 };
    attached.push({
      origin: originOf(domain.domain),
      on: { kind: 'open', listener },
      routes: [route],
    });
  }
  return { pools, attached };
}
