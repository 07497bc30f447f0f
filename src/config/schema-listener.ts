// The shape of a listener. What a mode has no use for is unknown to it.
import { z } from 'zod';
import { limits } from '../model/limits.ts';
import { listenExpected, parseListenTarget } from './address.ts';
import { parseRange, rangeExpected } from './range.ts';
import { type Parsed, parseHost, parsePathPrefix } from './route.ts';
import { connections, count, duration, name, size } from './schema-parts.ts';

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

const maxConnections = connections(
  'Connections at one time; 0: no limit of its own.',
  0,
).optional();

const tcp = z.strictObject({
  listen,
  mode: z.literal('tcp').describe('tcp passes bytes both ways.'),
  routes: z
    .array(z.strictObject({ pool: name.describe('The pool that takes the connections.') }), {
      error: "expected a list like [{ pool: 'web' }]",
    })
    .length(1, { error: 'expected exactly one route: tcp has nothing to choose by' }),
  maxConnections,
  idleTimeout: duration('Ends a connection on which nothing moved. Default 10m.').optional(),
});

// Text that `parse` takes; what it expects instead is the complaint.
const parsed = (parse: (text: string) => Parsed, what: string) =>
  z.string({ error: `expected ${what}` }).superRefine((text, context) => {
    const result = parse(text);
    if ('expected' in result) {
      context.addIssue({ code: 'custom', message: `expected ${result.expected}` });
    }
  });

export const route = z.strictObject({
  hosts: z
    .array(parsed(parseHost, 'a host name'), { error: "expected a list like ['www.example.com']" })
    .min(1, { error: 'expected at least one host; without `hosts` a route is for every host' })
    .describe('Names, exact or `*.x` for all names below x. Without: every host.')
    .optional(),
  pathPrefix: parsed(parsePathPrefix, "a path like '/api'")
    .describe('Beginning of the path, by whole segments. Without: every path.')
    .optional(),
  pool: name.describe('The pool that takes the requests.'),
});

const http = z.strictObject({
  listen,
  mode: z.literal('http').describe('http takes HTTP/1.1 requests, each by its host and path.'),
  routes: z
    .array(route, { error: "expected a list like [{ hosts: ['a.example'], pool: 'web' }]" })
    .max(limits.routesMax, { error: `expected at most ${limits.routesMax} routes` }),
  maxConnections,
  timeouts: z
    .strictObject({
      requestHead: duration('To receive the head of a request. Default 10s.').optional(),
      clientIdle: duration('Between the requests of a connection. Default 60s.').optional(),
      body: duration('Without progress of a body. Default 60s.').optional(),
      tunnelIdle: duration('Without progress after an upgrade. Default 1h.').optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      headBytes: size('Of the head of a request. Default 16KiB.', '1KiB', '64KiB').optional(),
      headerCount: count('Header fields of a request. Default 128.', 1, 256).optional(),
      targetBytes: size('Of a request target. Default 8KiB.', '256B', '64KiB').optional(),
      bodyBytes: size('Of the body of a request. Default no limit.', '1B', '4095MiB').optional(),
    })
    .optional(),
  trustedProxies: z
    .array(
      z
        .string({ error: `expected ${rangeExpected}` })
        .refine((text) => parseRange(text) !== undefined, {
          error: `expected ${rangeExpected}, without bits behind the prefix`,
        }),
      { error: `expected a list of ${rangeExpected}` },
    )
    .max(limits.trustedMax, { error: `expected at most ${limits.trustedMax} ranges` })
    .describe('Whose X-Forwarded-* and Forwarded fields are believed.')
    .optional(),
  via: z
    .boolean({ error: 'expected true or false' })
    .describe('Adds a Via field. Default false.')
    .optional(),
  serverClose: z
    .boolean({ error: 'expected true or false' })
    .describe('Closes the connection to the backend after each answer. Default false.')
    .optional(),
});

const modes = [tcp, http] as const;
export const listener = z.discriminatedUnion('mode', modes, {
  error: ({ code }) =>
    code === 'invalid_union'
      ? "expected one of 'tcp', 'http'"
      : 'expected { listen, mode, routes }',
});

// The modes that know a key.
export const modesWith = (key: string): string[] =>
  modes.filter(({ shape }) => key in shape).map(({ shape }) => shape.mode.value);

export type ListenerConfig = z.input<typeof listener>;
export type HttpListenerConfig = z.input<typeof http>;
