// The native API's endpoints that change definitions. Who is answered has it in force on all
// workers and, with a state file, on disk.
import { z } from 'zod';
import { configSchema } from '../config/schema.ts';
import { listener as listenerSchema } from '../config/schema-listener.ts';
import type { Applied } from '../control/controller.ts';
import type { AppliedAnswer } from './api-types.ts';
import { type Endpoint, endpoint, type Result } from './endpoint.ts';
import { checkPreconditions, configTag, listenerTag, poolTag } from './etags.ts';
import type { Queue } from './queue.ts';
import { listenerParams, poolParams } from './reads.ts';
import { schemas } from './schemas.ts';

const answerOf = ({ sequence, workers }: Applied): AppliedAnswer => ({
  generation: sequence,
  workers,
});
const applied = { description: 'In force on all workers.', schema: schemas.applied };

type Change = (unless: () => void) => Promise<Applied>;

async function make(
  queue: Queue,
  check: () => void,
  change: Change,
  tag?: () => string,
): Promise<Result> {
  const body = answerOf(await queue.add(check, change));
  return { body, etag: tag?.() };
}

const listeners: readonly Endpoint[] = [
  endpoint({
    method: 'PUT',
    path: '/api/v1/listeners/{listener}',
    summary: 'Defines a listener, as `listeners.NAME` of a configuration does.',
    params: listenerParams,
    body: listenerSchema,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { listener }, body, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, listenerTag(source, listener)),
        (unless) => source.overrides.setListener(listener, body, { unless }),
        () => listenerTag(source, listener) ?? '',
      ),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/listeners/{listener}',
    summary: 'Takes back a listener that was defined at run time.',
    params: listenerParams,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { listener }, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, listenerTag(source, listener)),
        (unless) => source.overrides.removeListener(listener, { unless }),
      ),
  }),
];

const pools: readonly Endpoint[] = [
  endpoint({
    method: 'PUT',
    path: '/api/v1/pools/{pool}',
    summary: 'Defines a pool, as `pools.NAME` of a configuration does.',
    params: poolParams,
    body: configSchema.shape.pools.unwrap().valueType,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { pool }, body, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, poolTag(source, pool)),
        (unless) => source.overrides.setPool(pool, body, { unless }),
        () => poolTag(source, pool) ?? '',
      ),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/pools/{pool}',
    summary: 'Takes back a pool that was defined at run time; its backends are drained.',
    params: poolParams,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { pool }, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, poolTag(source, pool)),
        (unless) => source.overrides.removePool(pool, { unless }),
      ),
  }),
];

const routeParams = z.object({ id: z.string().min(1).max(128) });

const routes: readonly Endpoint[] = [
  endpoint({
    method: 'PUT',
    path: '/api/v1/routes/{id}',
    summary: 'A route for a listener that exists, under an id of your choice.',
    params: routeParams,
    body: schemas.routeBody,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { id }, body, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, configTag(source)),
        (unless) => source.overrides.setRoute(id, body, { unless }),
      ),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/routes/{id}',
    summary: 'Takes back a route that was made at run time.',
    params: routeParams,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, queue, params: { id }, request }) =>
      make(
        queue,
        () => checkPreconditions(source, request.headers, configTag(source)),
        (unless) => source.overrides.removeRoute(id, { unless }),
      ),
  }),
];

const others: readonly Endpoint[] = [
  endpoint({
    method: 'POST',
    path: '/api/v1/config/reload',
    summary: 'Reads the configuration file again.',
    answers: { 200: applied },
    handle: ({ source, queue }) =>
      make(
        queue,
        () => {},
        (unless) => {
          unless();
          return source.reload();
        },
      ),
  }),
  endpoint({
    method: 'PUT',
    path: '/api/v1/images',
    summary: 'Balances the containers of an image on a port of their own.',
    body: schemas.image,
    answers: { 200: applied },
    handle: ({ source, queue, body }) =>
      make(
        queue,
        () => {},
        (unless) => source.overrides.mapImage(body, { unless }),
      ),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/images/{listen}',
    summary: 'Ends the mapping of an image to a port.',
    params: z.object({ listen: z.string() }),
    answers: { 200: applied },
    handle: ({ source, queue, params: { listen } }) =>
      make(
        queue,
        () => {},
        (unless) => source.overrides.stopPort(listen, { unless }),
      ),
  }),
];

export const writes: readonly Endpoint[] = [...listeners, ...pools, ...routes, ...others];
