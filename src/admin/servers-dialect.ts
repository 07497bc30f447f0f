// `/` and `/server`: the balancer as a list of servers. `curl --data` sends JSON as a form, so this
// dialect takes that too; a form of a foreign page is stopped by its origin.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Table } from './dialect.ts';
import { bodyOf, type Dialect, type DialectRoute, parameter } from './dialect-http.ts';
import { sendJson } from './http.ts';
import { Refusal } from './problem.ts';
import {
  filterSchema,
  findUpstream,
  originOf,
  type Server,
  serverAddress,
  serverOf,
  serverSchema,
  upstreamId,
  upstreamSchema,
  withoutUpstream,
  withUpstream,
} from './servers.ts';

export interface ServersParts {
  readonly table: Table<Server>;
  readonly hasPage: boolean;
}

const noServer = (address: string): Refusal => new Refusal(404, `there is no server ${address}`);
const noUpstream = (id: string): Refusal => new Refusal(404, `there is no upstream ${id}`);
const done = (reply: FastifyReply) => reply.code(204).send();

const keyOf = (request: FastifyRequest): string => {
  const address = parameter(request, 'address');
  return serverAddress(address) ?? address;
};

class Servers {
  readonly #table: Table<Server>;

  constructor(table: Table<Server>) {
    this.#table = table;
  }

  all(): Server[] {
    return [...this.#table.rows.values()];
  }
  find(key: string): Server {
    const server = this.#table.rows.get(originOf(key));
    if (server === undefined) throw noServer(key);
    return server;
  }
  put(server: Server): Promise<void> {
    const { address } = server;
    const origin = originOf(address);
    return this.#table.change((rows) => new Map(rows).set(origin, server), origin);
  }
  change(key: string, change: (server: Server) => Server): Promise<void> {
    const origin = originOf(key);
    return this.#table.change((rows) => {
      const server = rows.get(origin);
      if (server === undefined) throw noServer(key);
      return new Map(rows).set(origin, change(server));
    }, origin);
  }
  remove(key: string): Promise<void> {
    const origin = originOf(key);
    return this.#table.change((rows) => {
      const left = new Map(rows);
      if (!left.delete(origin)) throw noServer(key);
      return left;
    }, origin);
  }
}

// The path names the upstream; what the body says of it must be the same.
function upstreamOf(request: FastifyRequest) {
  const id = parameter(request, 'id');
  const named = upstreamId(id);
  if (named === undefined) throw new Refusal(400, `'${id}' is no upstream: expected TARGET-PORT`);
  const { body } = request;
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  request.body = isObject ? { ...named, ...body } : body;
  const upstream = bodyOf(request, upstreamSchema);
  if (upstream.Target === named.Target && upstream.Port === named.Port) return upstream;
  throw new Refusal(400, `the path names ${id}, the body ${upstream.Target}-${upstream.Port}`);
}

const wantsPage = ({ headers: { accept = '' } }: FastifyRequest): boolean =>
  /(?:^|,)\s*text\/html\s*(?:;|,|$)/i.test(accept);

function serverRoutes(servers: Servers, hasPage: boolean): DialectRoute[] {
  return [
    {
      method: 'GET',
      url: '/',
      handle: async (request, reply) =>
        hasPage && wantsPage(request)
          ? reply.header('vary', 'accept').redirect('/ui/', 302)
          : sendJson(reply.header('vary', 'accept'), servers.all()),
    },
    {
      method: 'POST',
      url: '/server',
      handle: async (request, reply) => {
        await servers.put(serverOf(bodyOf(request, serverSchema)));
        return done(reply);
      },
    },
    {
      method: 'GET',
      url: '/server/:address',
      handle: async (request, reply) => sendJson(reply, servers.find(keyOf(request))),
    },
    {
      method: 'DELETE',
      url: '/server/:address',
      handle: async (request, reply) => {
        await servers.remove(keyOf(request));
        return done(reply);
      },
    },
  ];
}

function filterRoutes(servers: Servers): DialectRoute[] {
  const url = '/server/:address/filter';
  const write = async (request: FastifyRequest, reply: FastifyReply) => {
    const filter = bodyOf(request, filterSchema);
    await servers.change(keyOf(request), (server) => ({ ...server, filter }));
    return done(reply);
  };
  return [
    {
      method: 'GET',
      url,
      handle: async (request, reply) => sendJson(reply, servers.find(keyOf(request)).filter),
    },
    { method: 'POST', url, handle: write },
    { method: 'PUT', url, handle: write },
  ];
}

function upstreamRoutes(servers: Servers): DialectRoute[] {
  const url = '/server/:address/upstream/:id';
  const all = '/server/:address/upstream';
  const writeNamed = async (request: FastifyRequest, reply: FastifyReply) => {
    servers.find(keyOf(request));
    const upstream = upstreamOf(request);
    await servers.change(keyOf(request), (server) => withUpstream(server, upstream));
    return done(reply);
  };
  const write = async (request: FastifyRequest, reply: FastifyReply) => {
    const upstream = bodyOf(request, upstreamSchema);
    await servers.change(keyOf(request), (server) => withUpstream(server, upstream));
    return done(reply);
  };
  return [
    {
      method: 'GET',
      url,
      handle: async (request, reply) => {
        const id = parameter(request, 'id');
        const upstream = findUpstream(servers.find(keyOf(request)), id);
        if (upstream === undefined) throw noUpstream(id);
        return sendJson(reply, upstream);
      },
    },
    { method: 'POST', url, handle: writeNamed },
    { method: 'PUT', url, handle: writeNamed },
    {
      method: 'DELETE',
      url,
      handle: async (request, reply) => {
        const id = parameter(request, 'id');
        await servers.change(keyOf(request), (server) => {
          if (findUpstream(server, id) === undefined) throw noUpstream(id);
          return withoutUpstream(server, id);
        });
        return done(reply);
      },
    },
    { method: 'POST', url: all, handle: write },
    { method: 'PUT', url: all, handle: write },
  ];
}

export function serversDialect({ table, hasPage }: ServersParts): Dialect {
  const servers = new Servers(table);
  return {
    routes: [
      ...serverRoutes(servers, hasPage),
      ...filterRoutes(servers),
      ...upstreamRoutes(servers),
    ],
    types: ['application/json', 'application/x-www-form-urlencoded'],
    errorOf: (message) => ({ message }),
  };
}
