// The native API's endpoints that change nothing.
import { z } from 'zod';
import { SluiceError } from '../errors.ts';
import type { MetricsView } from '../shm/read.ts';
import {
  backendAnswer,
  listenerAnswer,
  poolAnswer,
  requestDurations,
  routeAnswer,
  statsAnswer,
  version,
} from './answers.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { backendsTag, backendTag, configTag, listenerTag, poolTag } from './etags.ts';
import { memory } from './memory.ts';
import { schemas } from './schemas.ts';

export const poolParams = z.object({ pool: z.string() });
export const backendParams = z.object({ pool: z.string(), backend: z.string() });
export const listenerParams = z.object({ listener: z.string() });

export function poolView(view: MetricsView, name: string) {
  const found = view.pools.find((pool) => pool.name === name);
  if (found === undefined) throw new SluiceError('ERR_SLUICE_NO_POOL', { pool: name });
  return found;
}
export function backendView(view: MetricsView, name: string, id: string) {
  const pool = poolView(view, name);
  const backend = pool.backends.find((one) => one.id === id);
  if (backend === undefined) {
    throw new SluiceError('ERR_SLUICE_NO_BACKEND', { pool: name, backend: id });
  }
  return { pool, backend };
}

const state: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/version',
    summary: 'What runs, and since when.',
    answers: { 200: { description: 'The version.', schema: schemas.version } },
    handle: ({ source }) => ({ body: version(source) }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/health',
    summary: 'Whether the balancer takes traffic.',
    answers: {
      200: { description: 'It does.', schema: schemas.health },
      503: { description: 'It does not, or not on all workers.', schema: schemas.health },
    },
    handle: ({ source }) => {
      const body = source.health();
      return { status: body.status === 'healthy' ? 200 : 503, body };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/memory',
    summary: 'Where the shared memory is, and what its slots mean: for `sluice top`.',
    answers: { 200: { description: 'Slots.', schema: schemas.memory } },
    handle: ({ source }) => ({ body: memory(source) }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/stats',
    summary: 'Figures of the whole balancer; percentiles since the start.',
    answers: { 200: { description: 'The figures.', schema: schemas.stats } },
    handle: ({ source }) => {
      const view = source.view();
      return { body: statsAnswer(view, requestDurations(view)) };
    },
  }),
];

const configs: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/config',
    summary: 'What is in force, in the language of configuration files.',
    tagged: true,
    answers: { 200: { description: 'The configuration.', schema: schemas.config } },
    handle: ({ source }) => {
      const { config, flags } = source.configuration();
      const { stateFile } = source.model.settings;
      const { version: _, ...overrides } = source.overrides.document();
      const body = {
        generation: source.view().sequence,
        ...(source.file === undefined ? {} : { file: source.file }),
        config,
        overrides,
        ...(stateFile === undefined ? {} : { stateFile }),
        flags: [...flags],
      };
      return { body, etag: configTag(source) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/config/diff',
    summary: 'How what is in force differs from what the file says now.',
    answers: { 200: { description: 'Differences.', schema: schemas.diff } },
    handle: async ({ source }) => {
      const found = await source.diff();
      const differences = found.map(({ path, kind, before, after }) => ({
        path,
        kind,
        ...(kind === 'added' ? {} : { file: before }),
        ...(kind === 'removed' ? {} : { live: after }),
      }));
      return { body: { differences } };
    },
  }),
];

const things: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/listeners',
    summary: 'All listeners.',
    answers: { 200: { description: 'Listeners.', schema: z.array(schemas.listener) } },
    handle: ({ source }) => {
      const view = source.view();
      return { body: view.listeners.map((one) => listenerAnswer(source, view, one)) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/listeners/{listener}',
    summary: 'One listener.',
    params: listenerParams,
    tagged: true,
    answers: { 200: { description: 'The listener.', schema: schemas.listener } },
    handle: ({ source, params: { listener } }) => {
      const view = source.view();
      const found = view.listeners.find(({ name }) => name === listener);
      if (found === undefined) throw new SluiceError('ERR_SLUICE_NO_LISTENER', { listener });
      return { body: listenerAnswer(source, view, found), etag: listenerTag(source, listener) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/routes',
    summary: 'All routes of all listeners.',
    answers: { 200: { description: 'Routes.', schema: z.array(schemas.route) } },
    handle: ({ source }) => {
      const view = source.view();
      return {
        body: view.listeners.flatMap((listener) =>
          listener.routes.map((route) => routeAnswer(source, view, listener, route)),
        ),
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/pools',
    summary: 'All pools with their backends.',
    answers: { 200: { description: 'Pools.', schema: z.array(schemas.pool) } },
    handle: ({ source }) => {
      const view = source.view();
      return { body: view.pools.map((pool) => poolAnswer(source, view, pool)) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/pools/{pool}',
    summary: 'One pool with its backends.',
    params: poolParams,
    tagged: true,
    answers: { 200: { description: 'The pool.', schema: schemas.pool } },
    handle: ({ source, params: { pool } }) => {
      const view = source.view();
      const found = poolView(view, pool);
      return { body: poolAnswer(source, view, found), etag: poolTag(source, pool) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/pools/{pool}/backends',
    summary: 'The backends of a pool.',
    params: poolParams,
    tagged: true,
    answers: { 200: { description: 'Backends.', schema: z.array(schemas.backend) } },
    handle: ({ source, params: { pool } }) => {
      const view = source.view();
      const found = poolView(view, pool);
      return {
        body: found.backends.map((backend) => backendAnswer(source, view, found, backend)),
        etag: backendsTag(source, pool),
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/pools/{pool}/backends/{backend}',
    summary: 'One backend.',
    params: backendParams,
    tagged: true,
    answers: { 200: { description: 'The backend.', schema: schemas.backend } },
    handle: ({ source, params }) => {
      const view = source.view();
      const { pool, backend } = backendView(view, params.pool, params.backend);
      return {
        body: backendAnswer(source, view, pool, backend),
        etag: backendTag(source, pool.name, backend.id),
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/containers',
    summary: 'Containers that are known, and why some are not balanced.',
    answers: { 200: { description: 'Containers.', schema: schemas.containers } },
    handle: ({ source }) => ({ body: source.containers?.() ?? { containers: [] } }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/images',
    summary: 'Images whose containers are balanced on a port of their own.',
    answers: { 200: { description: 'Mappings.', schema: z.array(schemas.image) } },
    handle: ({ source }) => ({ body: [...source.overrides.images()] }),
  }),
];

const whole = z.string().regex(/^\d{1,16}$/, { error: 'expected the id of an event' });

const events: Endpoint = endpoint({
  method: 'GET',
  path: '/api/v1/events',
  summary: 'Events as they happen; with `stats=1` figures each second, percentiles of that second.',
  query: z.strictObject({
    stats: z.enum(['0', '1'], { error: 'expected 0 or 1' }).optional(),
    since: whole.optional(),
  }),
  answers: {
    200: { description: 'Server-sent events.', schema: schemas.event, type: 'text/event-stream' },
  },
  handle: ({ events: stream, query, request, reply }) => {
    const last = request.headers['last-event-id'];
    const since =
      query.since ?? (typeof last === 'string' && /^\d{1,16}$/.test(last) ? last : undefined);
    reply.hijack();
    stream.subscribe(reply.raw, {
      since: since === undefined ? undefined : Number(since),
      stats: query.stats === '1',
    });
    return undefined;
  },
});

export const reads: readonly Endpoint[] = [...state, ...configs, ...things, events];
