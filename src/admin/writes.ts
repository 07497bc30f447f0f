// The native API's endpoints that change definitions. Who is answered has it in force on all
// workers and, with a state file, on disk.
import { z } from 'zod';
import { configSchema } from '../config/schema.ts';
import { listener as listenerSchema } from '../config/schema-listener.ts';
import type { Applied } from '../control/controller.ts';
import type { AppliedAnswer } from './api-types.ts';
import { type Endpoint, endpoint, type Result } from './endpoint.ts';
import { checkPreconditions, configTag, listenerTag, poolTag } from './etags.ts';
import { listenerParams, poolParams } from './reads.ts';
import { schemas } from './schemas.ts';

// Changes of definitions follow one another, so that between the look at an ETag and the change
// nobody else changes anything by this API. The next one may begin as soon as the change is being
// made: the controller takes it in another turn.
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  // `check` throws what prevents the change; `work` has it called in the moment of the change.
  add<T>(check: () => void, work: (unless: () => void) => Promise<T>): Promise<T> {
    let begun = (): void => {};
    const release = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const made = this.#last.then(() =>
      work(() => {
        begun();
        check();
      }),
    );
    this.#last = Promise.race([release, made.catch(() => {})]);
    return made;
  }
}

const answerOf = ({ sequence, workers }: Applied): AppliedAnswer => ({
  generation: sequence,
  workers,
});
const applied = { description: 'In force on all workers.', schema: schemas.applied };

type Change = (unless: () => void) => Promise<Applied>;
type Make = (check: () => void, change: Change, tag?: () => string) => Promise<Result>;

const makeBy =
  (queue: Queue): Make =>
  async (check, change, tag) => {
    const body = answerOf(await queue.add(check, change));
    return { body, etag: tag?.() };
  };

const listeners = (make: Make): Endpoint[] => [
  endpoint({
    method: 'PUT',
    path: '/api/v1/listeners/{listener}',
    summary: 'Defines a listener, as `listeners.NAME` of a configuration does.',
    params: listenerParams,
    body: listenerSchema,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, params: { listener }, body, request }) =>
      make(
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
    handle: ({ source, params: { listener }, request }) =>
      make(
        () => checkPreconditions(source, request.headers, listenerTag(source, listener)),
        (unless) => source.overrides.removeListener(listener, { unless }),
      ),
  }),
];

const pools = (make: Make): Endpoint[] => [
  endpoint({
    method: 'PUT',
    path: '/api/v1/pools/{pool}',
    summary: 'Defines a pool, as `pools.NAME` of a configuration does.',
    params: poolParams,
    body: configSchema.shape.pools.unwrap().valueType,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, params: { pool }, body, request }) =>
      make(
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
    handle: ({ source, params: { pool }, request }) =>
      make(
        () => checkPreconditions(source, request.headers, poolTag(source, pool)),
        (unless) => source.overrides.removePool(pool, { unless }),
      ),
  }),
];

const routeParams = z.object({ id: z.string().min(1).max(128) });

const routes = (make: Make): Endpoint[] => [
  endpoint({
    method: 'PUT',
    path: '/api/v1/routes/{id}',
    summary: 'A route for a listener that exists, under an id of your choice.',
    params: routeParams,
    body: schemas.routeBody,
    tagged: true,
    answers: { 200: applied },
    handle: ({ source, params: { id }, body, request }) =>
      make(
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
    handle: ({ source, params: { id }, request }) =>
      make(
        () => checkPreconditions(source, request.headers, configTag(source)),
        (unless) => source.overrides.removeRoute(id, { unless }),
      ),
  }),
];

const others = (make: Make): Endpoint[] => [
  endpoint({
    method: 'POST',
    path: '/api/v1/config/reload',
    summary: 'Reads the configuration file again.',
    answers: { 200: applied },
    handle: ({ source }) =>
      make(
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
    handle: ({ source, body }) =>
      make(
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
    handle: ({ source, params: { listen } }) =>
      make(
        () => {},
        (unless) => source.overrides.stopPort(listen, { unless }),
      ),
  }),
];

export function writes(queue: Queue): Endpoint[] {
  const make = makeBy(queue);
  return [...listeners(make), ...pools(make), ...routes(make), ...others(make)];
}
