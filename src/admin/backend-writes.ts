// The native API's endpoints that change the backends of a pool. Weights, drains and their end
// change live words alone: they wait for nobody.
import { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { backendAnswer } from './answers.ts';
import { type Endpoint, type Exchange, endpoint } from './endpoint.ts';
import { backendsTag, backendTag, checkPreconditions } from './etags.ts';
import { backendParams, backendView, poolParams, poolView } from './reads.ts';
import { schemas } from './schemas.ts';
import type { AdminSource } from './source.ts';

const draining = z.strictObject({
  timeout: z
    .string()
    .regex(/^[0-9.]+(?:ms|s|m|h)$/, { error: "expected a time like '30s'" })
    .optional(),
  wait: z.enum(['true', 'false'], { error: "expected 'true' or 'false'" }).optional(),
});

const drain = { description: 'How far it is.', schema: schemas.drain };
const backend = { description: 'The backend.', schema: schemas.backend };

type OfBackend = Pick<
  Exchange<{ readonly pool: string; readonly backend: string }, unknown, unknown>,
  'source' | 'params' | 'request'
>;

// Throws 412, and 404 when there is none.
const checkOf =
  ({ source, params, request }: OfBackend) =>
  (): void => {
    backendView(source.view(), params.pool, params.backend);
    checkPreconditions(source, request.headers, backendTag(source, params.pool, params.backend));
  };

function backendNow(source: AdminSource, pool: string, id: string) {
  const view = source.view();
  const found = backendView(view, pool, id);
  return {
    body: backendAnswer(source, view, found.pool, found.backend),
    etag: backendTag(source, pool, id),
  };
}

// Aborted when the client leaves: it waits for an answer no longer.
function untilGone({ request }: OfBackend): AbortSignal {
  const gone = new AbortController();
  request.raw.socket.once('close', () => gone.abort());
  return gone.signal;
}

const added: Endpoint = endpoint({
  method: 'POST',
  path: '/api/v1/pools/{pool}/backends',
  summary: 'Adds a backend to a pool.',
  params: poolParams,
  body: schemas.backendBody,
  tagged: true,
  answers: { 201: backend },
  handle: async ({ source, queue, params, body, request, reply }) => {
    const pool = source.pool(params.pool);
    await queue.add(
      () => checkPreconditions(source, request.headers, backendsTag(source, params.pool)),
      (unless) => pool.add(body, { unless }),
    );
    // Its canonical address is its id: the newest one that was stated like this.
    const { backends } = poolView(source.view(), params.pool);
    const text = body.address.toLowerCase();
    const made = backends.find(({ id }) => id === body.address || id === text) ?? backends.at(-1);
    if (made === undefined) {
      const details = { pool: params.pool, backend: body.address };
      throw new SluiceError('ERR_SLUICE_NO_BACKEND', details);
    }
    const path = `/api/v1/pools/${encodeURIComponent(params.pool)}/backends`;
    reply.header('location', `${path}/${encodeURIComponent(made.id)}`);
    return { status: 201, ...backendNow(source, params.pool, made.id) };
  },
});

const removed: Endpoint = endpoint({
  method: 'DELETE',
  path: '/api/v1/pools/{pool}/backends/{backend}',
  summary: 'Drains a backend and takes it out.',
  params: backendParams,
  query: draining,
  tagged: true,
  answers: { 200: drain },
  handle: async (exchange) => {
    const { source, queue, params, query } = exchange;
    const { timeout } = query;
    const wait = query.wait === 'true';
    const signal = wait ? untilGone(exchange) : undefined;
    const pool = source.pool(params.pool);
    const { cut } = await queue.add(checkOf(exchange), (unless) =>
      pool.remove(params.backend, { timeout, wait, signal, unless }),
    );
    return { body: wait ? { state: 'removed', cut } : { state: 'draining' } };
  },
});

const live: readonly Endpoint[] = [
  endpoint({
    method: 'PATCH',
    path: '/api/v1/pools/{pool}/backends/{backend}',
    summary: "Changes a backend's weight at once.",
    params: backendParams,
    body: schemas.backendPatch,
    tagged: true,
    answers: { 200: backend },
    handle: async (exchange) => {
      const { source, params, body } = exchange;
      const unless = checkOf(exchange);
      await source.pool(params.pool).update(params.backend, body, { unless });
      return backendNow(source, params.pool, params.backend);
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/pools/{pool}/backends/{backend}/drain',
    summary: 'Gives a backend no new work; its connections may end.',
    params: backendParams,
    query: draining,
    tagged: true,
    answers: { 200: drain },
    handle: async (exchange) => {
      const { source, params, query } = exchange;
      const { timeout } = query;
      const wait = query.wait === 'true';
      const signal = wait ? untilGone(exchange) : undefined;
      const unless = checkOf(exchange);
      const pool = source.pool(params.pool);
      const { cut } = await pool.drain(params.backend, { timeout, wait, signal, unless });
      if (wait) return { body: { state: 'drained', cut } };
      const { state } = backendView(source.view(), params.pool, params.backend).backend;
      return { body: { state: state === 'drained' ? 'drained' : 'draining' } };
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/pools/{pool}/backends/{backend}/undrain',
    summary: 'Gives a backend work again.',
    params: backendParams,
    tagged: true,
    answers: { 200: backend },
    handle: async (exchange) => {
      const { source, params } = exchange;
      await source.pool(params.pool).undrain(params.backend, { unless: checkOf(exchange) });
      return backendNow(source, params.pool, params.backend);
    },
  }),
];

export const backendWrites: readonly Endpoint[] = [added, removed, ...live];
