// `/api/routes`, `/api/containers`, `/api/health`, `/api/metrics`: the balancer as domains and the
// containers that serve them.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readStats } from '../metrics/stats.ts';
import { backendAnswer } from './answers.ts';
import type { BackendAnswer } from './api-types.ts';
import type { Table } from './dialect.ts';
import { bodyOf, type Dialect, type DialectRoute, parameter } from './dialect-http.ts';
import {
  containerPatch,
  containerSchema,
  type Domain,
  domainPatch,
  domainSchema,
  type NamedContainer,
  originOf,
  placed,
  poolOf,
  unplaced,
} from './domains.ts';
import { sendJson } from './http.ts';
import { Refusal } from './problem.ts';
import type { AdminSource } from './source.ts';

// A domain or a container that has a name, by `domain NAME` and `container NAME`.
export type DomainsRow =
  | { readonly kind: 'domain'; readonly value: Domain }
  | { readonly kind: 'container'; readonly value: NamedContainer };
type Rows = ReadonlyMap<string, DomainsRow>;

export const rowsOf = (domains: readonly Domain[], containers: readonly NamedContainer[]): Rows =>
  new Map<string, DomainsRow>([
    ...domains.map((value) => [originOf(value.domain), { kind: 'domain', value }] as const),
    ...containers.map(
      (value) => [`container ${value.name}`, { kind: 'container', value }] as const,
    ),
  ]);
export const domainsIn = (rows: Rows): Domain[] =>
  [...rows.values()].flatMap((row) => (row.kind === 'domain' ? [row.value] : []));
export const containersIn = (rows: Rows): NamedContainer[] =>
  [...rows.values()].flatMap((row) => (row.kind === 'container' ? [row.value] : []));
export const addressesIn = (rows: Rows): Map<string, string> =>
  new Map(containersIn(rows).map(({ name, address }) => [name, address]));

// Throws when a domain names a container that is nowhere.
function withDomain(rows: Rows, domain: Domain): Rows {
  const missing = unplaced(domain, addressesIn(rows));
  if (missing !== undefined) {
    const expected = "expected 'host:port', or the name of a container that is known";
    throw new Refusal(400, `containers: '${missing}' is nowhere: ${expected}`);
  }
  return new Map(rows).set(originOf(domain.domain), { kind: 'domain', value: domain });
}

const noDomain = (name: string): Refusal => new Refusal(404, `there is no route for ${name}`);
const noContainer = (name: string): Refusal => new Refusal(404, `there is no container ${name}`);

function domainRoutes(table: Table<DomainsRow>): DialectRoute[] {
  const url = '/api/routes/:domain';
  const nameOf = (request: FastifyRequest): string => parameter(request, 'domain').toLowerCase();
  const find = (rows: Rows, name: string): Domain => {
    const row = rows.get(originOf(name));
    if (row?.kind !== 'domain') throw noDomain(name);
    return row.value;
  };
  return [
    {
      method: 'GET',
      url: '/api/routes',
      handle: async (_, reply) => sendJson(reply, domainsIn(table.rows)),
    },
    {
      method: 'POST',
      url: '/api/routes',
      handle: async (request, reply) => {
        const made = bodyOf(request, domainSchema);
        const { domain } = made;
        await table.change((rows) => {
          if (rows.has(originOf(domain))) {
            throw new Refusal(409, `there is a route for ${domain} already: PUT changes it`);
          }
          return withDomain(rows, made);
        }, originOf(domain));
        return sendJson(reply.code(201), { message: 'Route created', domain });
      },
    },
    {
      method: 'GET',
      url,
      handle: async (request, reply) => sendJson(reply, find(table.rows, nameOf(request))),
    },
    {
      method: 'PUT',
      url,
      handle: async (request, reply) => {
        const name = nameOf(request);
        find(table.rows, name);
        const { domain = name, ...patch } = bodyOf(request, domainPatch);
        if (domain !== name) throw new Refusal(400, `the path names ${name}, the body ${domain}`);
        const stated = Object.fromEntries(
          Object.entries(patch).filter(([, value]) => value !== undefined),
        );
        const change = (rows: Rows) => withDomain(rows, { ...find(rows, name), ...stated });
        await table.change(change, originOf(name));
        return sendJson(reply, { message: 'Route updated', domain });
      },
    },
    {
      method: 'DELETE',
      url,
      handle: async (request, reply) => {
        const domain = nameOf(request);
        await table.change((rows) => {
          find(rows, domain);
          const left = new Map(rows);
          left.delete(originOf(domain));
          return left;
        }, originOf(domain));
        return sendJson(reply, { message: 'Route deleted', domain });
      },
    },
  ];
}

interface ListedContainer {
  readonly name: string;
  readonly status: string;
  readonly ports: readonly number[];
  readonly health: string;
}

const portOf = (address: string): number[] => {
  const port = /:(\d+)$/.exec(address)?.[1];
  return port === undefined ? [] : [Number(port)];
};

// Every backend of the domains' pools by its id.
function backendsOf(source: AdminSource, domains: readonly Domain[]): Map<string, BackendAnswer> {
  const view = source.view();
  const names = new Set(domains.map(({ domain }) => poolOf(domain)));
  return new Map(
    view.pools
      .filter(({ name }) => names.has(name))
      .flatMap((pool) => pool.backends.map((one) => backendAnswer(source, view, pool, one)))
      .map((backend) => [backend.id, backend]),
  );
}

// Those that domains name, those that were made known, and those of the container engine.
function listed(source: AdminSource, rows: Rows): ListedContainer[] {
  const domains = domainsIn(rows);
  const backends = backendsOf(source, domains);
  const known = addressesIn(rows);
  const addresses = new Map([
    ...domains
      .flatMap((domain) => placed(domain, known))
      .map((one) => [one.name, one.address] as const),
    ...known,
  ]);
  const ours = [...addresses].map(([name, address]) => {
    const backend = backends.get(address);
    return {
      name,
      // A container without a route takes no traffic.
      status:
        backend === undefined ? 'stopped' : backend.state === 'up' ? 'running' : backend.state,
      ports: portOf(address),
      health: backend?.health ?? 'unknown',
    };
  });
  const watched = (source.containers?.()?.containers ?? [])
    .filter(({ name }) => !addresses.has(name))
    .map(({ name, state, address }) => ({
      name,
      status: state === 'balanced' ? 'running' : state,
      ports: address === undefined ? [] : portOf(address),
      health: 'unknown',
    }));
  return [...ours, ...watched];
}

function containerRoutes(source: AdminSource, table: Table<DomainsRow>): DialectRoute[] {
  const url = '/api/containers/:name';
  const keyOf = (request: FastifyRequest): string => `container ${parameter(request, 'name')}`;
  const put = (rows: Rows, value: NamedContainer): Rows =>
    new Map(rows).set(`container ${value.name}`, { kind: 'container', value });
  return [
    {
      method: 'GET',
      url: '/api/containers',
      handle: async (_, reply) => sendJson(reply, listed(source, table.rows)),
    },
    {
      method: 'POST',
      url: '/api/containers',
      handle: async (request, reply) => {
        const made = bodyOf(request, containerSchema);
        const key = `container ${made.name}`;
        await table.change((rows) => {
          if (rows.has(key)) throw new Refusal(409, `there is a container ${made.name} already`);
          return put(rows, made);
        }, key);
        return sendJson(reply.code(201), { message: 'Container created', name: made.name });
      },
    },
    {
      method: 'PUT',
      url,
      handle: async (request, reply) => {
        const key = keyOf(request);
        const name = parameter(request, 'name');
        if (!table.rows.has(key)) throw noContainer(name);
        const patch = bodyOf(request, containerPatch);
        if (patch.name !== undefined && patch.name !== name) {
          throw new Refusal(400, `the path names ${name}, the body ${patch.name}`);
        }
        await table.change((rows) => {
          if (!rows.has(key)) throw noContainer(name);
          return put(rows, { name, address: patch.address });
        }, key);
        return sendJson(reply, { message: 'Container updated', name });
      },
    },
    {
      method: 'DELETE',
      url,
      handle: async (request, reply) => {
        const key = keyOf(request);
        const name = parameter(request, 'name');
        await table.change((rows) => {
          if (!rows.has(key)) throw noContainer(name);
          const user = domainsIn(rows).find(({ containers }) => containers.includes(name));
          if (user !== undefined) throw new Refusal(409, `${user.domain} is served by ${name}`);
          const left = new Map(rows);
          left.delete(key);
          return left;
        }, key);
        return sendJson(reply, { message: 'Container deleted', name });
      },
    },
  ];
}

function figureRoutes(source: AdminSource): DialectRoute[] {
  return [
    {
      method: 'GET',
      url: '/api/health',
      handle: async (_, reply: FastifyReply) => {
        const { status, timestamp } = source.health();
        return sendJson(reply.code(status === 'healthy' ? 200 : 503), { status, timestamp });
      },
    },
    {
      method: 'GET',
      url: '/api/metrics',
      handle: async (_, reply: FastifyReply) => sendJson(reply, readStats(source.view())),
    },
  ];
}

export const domainsDialect = (source: AdminSource, table: Table<DomainsRow>): Dialect => ({
  routes: [...domainRoutes(table), ...containerRoutes(source, table), ...figureRoutes(source)],
  types: ['application/json'],
  errorOf: (error) => ({ error }),
});
