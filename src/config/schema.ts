// The shape of a configuration. The schemas check and change nothing: parsing text into addresses
// and milliseconds is `load.ts`'s work, so that JSON Schema and types both describe what people
// write.
import { z } from 'zod';
import { logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import { addressExpected, parseBackendAddress } from './address.ts';
import { admin } from './schema-admin.ts';
import { listener } from './schema-listener.ts';
import { connections, count, duration, name, oneOf } from './schema-parts.ts';

const backendAddress = z
  .string({ error: `expected ${addressExpected}` })
  .refine((text) => parseBackendAddress(text) !== undefined, {
    error: `expected ${addressExpected}`,
  })
  .describe('Host names are looked up once, when the configuration is applied.');

export const backendSchema = z.union(
  [
    backendAddress,
    z.strictObject({
      address: backendAddress,
      weight: count('Share of new connections; 0 takes none.', 0, 65_535).optional(),
    }),
  ],
  { error: `expected ${addressExpected}, or { address, weight }` },
);

export const pool = z.strictObject({
  strategy: oneOf(
    ['round_robin', 'least_connections', 'p2c'],
    'How a backend is chosen. Default round_robin.',
  ).optional(),
  backends: z
    .array(backendSchema, { error: 'expected a list of addresses' })
    .max(limits.backendsMax)
    .optional(),
  connectTimeout: duration('For each try to connect. Default 5s.').optional(),
  drainTimeout: duration('How long a removed backend may finish. Default 30s.', true).optional(),
  keepAlive: z
    .strictObject({
      idleTimeout: duration('How long one waits for its next request. Default 4s.').optional(),
      maxRequests: count('Requests of one; 0, the default: no limit.', 0, 2 ** 31 - 1).optional(),
      maxIdle: count('That wait, of each worker and backend. Default 256.', 0, 65_535).optional(),
    })
    .describe('Connections to backends that are used again; mode http.')
    .optional(),
  timeouts: z
    .strictObject({
      responseHead: duration(
        'From a request sent to the head of its answer. Default 60s.',
      ).optional(),
      body: duration('Without progress of a body. Default 60s.').optional(),
    })
    .describe('Of requests; mode http.')
    .optional(),
});

const named = <T extends z.ZodType>(value: T, max: number, what: string) =>
  z
    .record(name, value, { error: `expected ${what} by name` })
    .refine((all) => Object.keys(all).length <= max, { error: `expected at most ${max} ${what}` });

export const configSchema = z
  .strictObject({
    workers: z
      .union([z.literal('auto'), count('Worker threads.', 1, limits.workersMax)], {
        error: `expected 'auto' or a whole number from 1 to ${limits.workersMax}`,
      })
      .describe('auto: one for each processor this process may use.')
      .optional(),
    engine: oneOf(
      ['auto', 'io_uring', 'epoll'],
      'auto: io_uring, or epoll where that is refused.',
    ).optional(),
    maxConnections: connections(
      'Client connections at one time, all workers together. Default: half of the open files ' +
        'this process may have, at most 100000 a worker.',
      1,
    ).optional(),
    logLevel: oneOf(logLevels, 'Default info.').optional(),
    admin: admin.optional(),
    stateFile: z
      .string()
      .regex(/^\//, { error: "expected an absolute path like '/var/lib/sluice/state.json'" })
      .describe('Where changes made at run time are kept. Without: in memory alone.')
      .optional(),
    listeners: named(listener, limits.listenersMax, 'listeners').optional(),
    pools: named(pool, limits.poolsMax, 'pools').optional(),
  })
  .meta({ title: 'Configuration of sluice' });

// What people write.
export type Config = z.input<typeof configSchema>;
export type { ListenerConfig } from './schema-listener.ts';
export type PoolConfig = z.input<typeof pool>;
export type BackendConfig = z.input<typeof backendSchema>;
