// The admin API as an HTTP application: who may ask, what there is, how errors are answered. Loaded
// when the socket listens already, because Fastify takes its time.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from '../log.ts';
import { speak } from './dialect-http.ts';
import type { Dialects } from './dialects.ts';
import { domainsDialect } from './domains-dialect.ts';
import { checkedBody, checkedQuery, type Exchange, type Result } from './endpoint.ts';
import { apiDocument, endpoints } from './endpoints.ts';
import type { EventStream } from './event-stream.ts';
import { isSafeHost, isSameOrigin } from './host.ts';
import { acceptJson, refuseOthers, sendJson } from './http.ts';
import { plainRoutes } from './plain.ts';
import { problemOf, problemType, Refusal } from './problem.ts';
import { Queue } from './queue.ts';
import { serversDialect } from './servers-dialect.ts';
import type { AdminSource } from './source.ts';
import type { Tokens } from './tokens.ts';
import { loadUi } from './ui.ts';

export interface AppParts {
  readonly source: AdminSource;
  readonly events: EventStream;
  readonly dialects: Dialects;
  readonly tokens: Tokens;
  // Only names that no stranger can point at this machine are answered.
  readonly onlySafeHosts: boolean;
  readonly log: Logger;
  // With the page's files.
  readonly uiFolder: URL;
}

const bodyBytesMax = 1024 * 1024;
// Longer than every name and address.
const parameterLengthMax = 512;
const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';

export type Guard = (request: FastifyRequest) => void;

// Throws a Refusal. What needs no token: whether the balancer is healthy, and the page, which asks
// people for theirs.
function guardOf({ tokens, onlySafeHosts }: AppParts): Guard {
  return ({ headers, method, url }) => {
    if (onlySafeHosts && !isSafeHost(headers.host)) {
      throw new Refusal(403, 'the host of the request is not one of this machine');
    }
    if (!isRead(method) && !isSameOrigin(headers)) {
      throw new Refusal(403, 'a page of another origin may not change anything here');
    }
    const path = url.split('?', 1)[0] ?? '';
    const isOpen = isRead(method) && (/^\/ui(?:\/|$)/.test(path) || path === '/health');
    if (isOpen || tokens.accepts(headers.authorization)) return;
    const challenge = { 'www-authenticate': 'Bearer realm="sluice"' };
    throw new Refusal(401, 'a token is needed: Authorization: Bearer TOKEN', challenge);
  };
}

function sendResult(reply: FastifyReply, { status = 200, body, etag }: Result) {
  reply.code(status);
  if (etag !== undefined) reply.header('etag', etag);
  if (body !== undefined) return sendJson(reply, body);
  return reply.header('cache-control', 'no-store').send();
}

const routeUrl = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

type Means = Pick<Exchange<unknown, unknown, unknown>, 'source' | 'events' | 'queue'>;

function mount(app: FastifyInstance, means: Means): void {
  for (const one of endpoints) {
    app.route({
      method: one.method,
      url: routeUrl(one.path),
      handler: async (request, reply) => {
        const { query: asked, body: sent } = request;
        const params = one.params?.parse(request.params);
        const query = one.query === undefined ? undefined : checkedQuery(one.query, asked);
        const body = one.body === undefined ? undefined : checkedBody(one.body, sent);
        const result = await one.handle({ ...means, params, query, body, request, reply });
        return result === undefined ? reply : sendResult(reply, result);
      },
    });
  }
  for (const path of new Set(endpoints.map((one) => one.path))) {
    const known = endpoints.filter((one) => one.path === path).map(({ method }) => method);
    refuseOthers(app, routeUrl(path), known);
  }
}

function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const found = problemOf(error);
    if (found.status === 500) {
      log.error('admin: request failed', { method: request.method, url: request.url, error });
    }
    if (error instanceof Refusal) reply.headers(error.headers);
    return sendJson(reply.code(found.status), found, problemType);
  });
  app.setNotFoundHandler(() => {
    throw new Refusal(404, 'there is nothing here; /api/v1/openapi.json lists what there is');
  });
}

export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const { source, events, dialects, log } = parts;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: parameterLengthMax },
  });
  const guard = guardOf(parts);
  app.addHook('onRequest', async (request) => guard(request));
  acceptJson(app, ['application/json']);
  answerErrors(app, log);
  mount(app, { source, events, queue: new Queue() });
  // Made when somebody asks.
  let document: unknown;
  app.get('/api/v1/openapi.json', (_, reply) => {
    document ??= apiDocument(source.view().version);
    return sendJson(reply, document);
  });
  refuseOthers(app, '/api/v1/openapi.json', ['GET']);
  plainRoutes(app, source, parts.tokens);
  const ui = loadUi(parts.uiFolder);
  ui.mount(app);
  speak(app, serversDialect({ table: dialects.servers, hasPage: ui.exists }), log);
  speak(app, domainsDialect(source, dialects.domains), log);
  await app.ready();
  return app;
}
