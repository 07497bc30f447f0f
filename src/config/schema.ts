// The shape of a configuration. The schemas check and change nothing: parsing text into addresses
// and milliseconds is `load.ts`'s work, so that JSON Schema and types both describe what people
// write.
import { z } from 'zod';
import { logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import {
  addressExpected,
  listenExpected,
  parseAddress,
  parseBackendAddress,
  parseListenTarget,
} from './address.ts';
import { durationExpected, durationPattern, parseDuration } from './units.ts';

const duration = (help: string, zero: boolean) =>
  z
    .string({ error: `expected ${durationExpected}` })
    .refine((text) => (parseDuration(text) ?? -1) >= (zero ? 0 : 1), {
      error: `expected ${durationExpected}${zero ? '' : ', more than 0'}`,
    })
    .meta({ pattern: durationPattern, description: help, examples: ['5s'] });

const count = (help: string, min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).describe(help);
};

const oneOf = <const T extends readonly [string, ...string[]]>(values: T, help: string) =>
  z
    .enum(values, { error: `expected one of ${values.map((value) => `'${value}'`).join(', ')}` })
    .describe(help);

const name = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, { error: 'expected a name of letters, digits, _ . and -' });

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

const listen = z.union(
  [
    z
      .string()
      .refine((text) => parseListenTarget(text) !== undefined, {
        error: `expected ${listenExpected}`,
      })
      .describe('`:port` listens on all IPv4 and IPv6 addresses, port 0 takes a free one.'),
    z.strictObject({
      descriptors: z
        .array(count('A listening socket of this process.', 0, 2 ** 30))
        .min(1)
        .max(limits.workersMax),
    }),
  ],
  { error: `expected ${listenExpected}, or { descriptors: [3] }` },
);

const connections = (help: string, min: number) => count(help, min, 16_777_216);

const listener = z.strictObject({
  listen,
  mode: oneOf(['tcp'], 'tcp passes bytes both ways.'),
  routes: z
    .array(z.strictObject({ pool: name.describe('The pool that takes the connections.') }), {
      error: "expected a list like [{ pool: 'web' }]",
    })
    .length(1, { error: 'expected exactly one route: tcp has nothing to choose by' }),
  maxConnections: connections('Connections at one time; 0: no limit of its own.', 0).optional(),
  idleTimeout: duration('Ends a connection on which nothing moved. Default 10m.', false).optional(),
});

const pool = z.strictObject({
  strategy: oneOf(
    ['round_robin', 'least_connections', 'p2c'],
    'How a backend is chosen. Default round_robin.',
  ).optional(),
  backends: z
    .array(backendSchema, { error: 'expected a list of addresses' })
    .max(limits.backendsMax)
    .optional(),
  connectTimeout: duration('For each try to connect. Default 5s.', false).optional(),
  drainTimeout: duration('How long a removed backend may finish. Default 30s.', true).optional(),
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
    admin: z
      .strictObject({
        listen: z
          .string()
          .refine((text) => parseAddress(text, '127.0.0.1') !== undefined, {
            error: `expected ${addressExpected}`,
          })
          .describe('Where the admin API answers. `:port` is this host only.'),
      })
      .optional(),
    listeners: named(listener, limits.listenersMax, 'listeners'),
    pools: named(pool, limits.poolsMax, 'pools'),
  })
  .meta({ title: 'Configuration of sluice' });

// What people write.
export type Config = z.input<typeof configSchema>;
export type ListenerConfig = z.input<typeof listener>;
export type PoolConfig = z.input<typeof pool>;
export type BackendConfig = z.input<typeof backendSchema>;
