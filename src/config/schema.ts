// The shape of a configuration. The schemas check and change nothing: parsing text into addresses
// and milliseconds is `load.ts`'s work, so that JSON Schema and types both describe what people
// write.
import { z } from 'zod';
import { logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import { addressExpected, ipAddress, parseAddress, parseBackendAddress } from './address.ts';
import { accessLog } from './schema-access-log.ts';
import { admin } from './schema-admin.ts';
import { providers } from './schema-docker.ts';
import { ejection, healthCheck } from './schema-health.ts';
import { listener } from './schema-listener.ts';
import { connections, count, duration, name, oneOf } from './schema-parts.ts';
import { parseDuration } from './units.ts';

const dnsServerExpected = "an address like '10.0.0.53' or '10.0.0.53:5353'";
function isDnsServer(text: string): boolean {
  if (ipAddress(text, 53) !== undefined) return true;
  const address = parseAddress(text, '');
  return address?.kind === 'ip' && address.port > 0;
}

const backendAddress = z
  .string({ error: `expected ${addressExpected}` })
  .refine((text) => parseBackendAddress(text) !== undefined, {
    error: `expected ${addressExpected}`,
  })
  .describe(
    'Host names are looked up when the configuration is applied, and again after their TTL.',
  );

export const backendSchema = z.union(
  [
    backendAddress,
    z.strictObject({
      address: backendAddress,
      weight: count('Share of new connections; 0 takes none.', 0, 65_535)
        .meta({ default: 1 })
        .optional(),
    }),
  ],
  { error: `expected ${addressExpected}, or { address, weight }` },
);

export const pool = z.strictObject({
  strategy: oneOf(['round_robin', 'least_connections', 'p2c'], 'How a backend is chosen.')
    .meta({ default: 'round_robin' })
    .optional(),
  backends: z
    .array(backendSchema, { error: 'expected a list of addresses' })
    .max(limits.backendsMax)
    .describe('The servers of the pool.')
    .meta({ default: [] })
    .optional(),
  connectTimeout: duration('For each try to connect.').meta({ default: '5s' }).optional(),
  drainTimeout: duration('How long a removed backend may finish.', true)
    .meta({ default: '30s' })
    .optional(),
  healthCheck: healthCheck.optional(),
  ejection: ejection.optional(),
  keepAlive: z
    .strictObject({
      idleTimeout: duration('How long one waits for its next request.')
        .meta({ default: '4s' })
        .optional(),
      maxRequests: count('Requests of one; 0: no limit.', 0, 2 ** 31 - 1)
        .meta({ default: 0 })
        .optional(),
      maxIdle: count('That wait, of each worker and backend.', 0, 65_535)
        .meta({ default: 256 })
        .optional(),
    })
    .describe('Connections to backends that are used again; mode http.')
    .optional(),
  timeouts: z
    .strictObject({
      responseHead: duration('From a request sent to the head of its answer.')
        .meta({ default: '60s' })
        .optional(),
      body: duration('Without progress of a body.').meta({ default: '60s' }).optional(),
    })
    .describe('Of requests; mode http.')
    .optional(),
});

const dns = z
  .strictObject({
    servers: z
      .array(
        z.string().refine((text) => isDnsServer(text), { error: `expected ${dnsServerExpected}` }),
        { error: `expected a list of ${dnsServerExpected}` },
      )
      .max(8, { error: 'expected at most 8 servers' })
      .describe("Asked for the addresses of host names. Without: the system's way.")
      .optional(),
    refresh: duration('Names are looked up again after their TTL, and no later than this.')
      .refine((text) => (parseDuration(text) ?? 0) >= 1000, { error: 'expected at least 1s' })
      .meta({ default: '30s' })
      .optional(),
  })
  .describe('How the host names of backends are looked up.');

const named = <T extends z.ZodType>(value: T, max: number, what: string) =>
  z
    .record(name, value, { error: `expected ${what} by name` })
    .refine((all) => Object.keys(all).length <= max, { error: `expected at most ${max} ${what}` });

export const configSchema = z
  .strictObject({
    $schema: z.string().describe('Where editors find the JSON Schema of this file.').optional(),
    workers: z
      .union([z.literal('auto'), count('Worker threads.', 1, limits.workersMax)], {
        error: `expected 'auto' or a whole number from 1 to ${limits.workersMax}`,
      })
      .describe(
        'Worker threads. auto: one for each processor this process may use. Cannot change while ' +
          'running.',
      )
      .meta({ default: 'auto' })
      .optional(),
    engine: oneOf(
      ['auto', 'io_uring', 'epoll'],
      'auto: io_uring, or epoll where that is refused. Cannot change while running.',
    )
      .meta({ default: 'auto' })
      .optional(),
    maxConnections: connections(
      'Client connections at one time, all workers together. Default: half of the open files ' +
        'this process may have, at most 100000 a worker.',
      1,
    ).optional(),
    logLevel: oneOf(logLevels, 'What is logged; read at start.')
      .meta({ default: 'info' })
      .optional(),
    accessLog: accessLog.optional(),
    admin: admin
      .describe('The admin API; without it there is none. The command opens it at 127.0.0.1:9123.')
      .optional(),
    watch: z
      .boolean({ error: 'expected true or false' })
      .describe(
        'Changes of the file are taken over by themselves. Default true for `sluice run`, false ' +
          'for a program.',
      )
      .optional(),
    dns: dns.optional(),
    stateFile: z
      .string()
      .regex(/^\//, { error: "expected an absolute path like '/var/lib/sluice/state.json'" })
      .describe('Where changes made at run time are kept. Without: in memory alone.')
      .optional(),
    providers: providers.optional(),
    listeners: named(listener, limits.listenersMax, 'listeners')
      .describe('Addresses that accept.')
      .meta({ default: {} })
      .optional(),
    pools: named(pool, limits.poolsMax, 'pools')
      .describe('Backends that share a purpose.')
      .meta({ default: {} })
      .optional(),
  })
  .meta({ title: 'Configuration of sluice' });

// What people write.
export type Config = z.input<typeof configSchema>;
export type { ListenerConfig } from './schema-listener.ts';
export type PoolConfig = z.input<typeof pool>;
export type BackendConfig = z.input<typeof backendSchema>;
