// The shapes of api-types as schemas: bodies are checked by them, the OpenAPI document is made of
// them. Each is held against its type by the compiler, both ways, at the end of the file.
import { z } from 'zod';
import type * as Api from './api-types.ts';

const text = z.string();
const whole = z.int().min(0);
const figure = z.number();
const optional = z.exactOptional;
const named = <S extends z.core.$ZodLooseShape>(id: string, shape: S) =>
  z.strictObject(shape).meta({ id });
const byName = z.record(z.string(), whole);
const document = z.record(z.string(), z.unknown());

const problem = named('Problem', {
  type: z.literal('about:blank'),
  title: text,
  status: z.int(),
  detail: text,
  code: optional(text),
  issues: optional(z.array(named('ProblemIssue', { path: text, message: text, expected: text }))),
});

const version = named('Version', {
  version: text,
  node: text,
  pid: whole,
  engine: text,
  workers: whole,
  startedAt: z.iso.datetime(),
  uptimeSeconds: whole,
});

const slot = { slot: whole, incarnation: whole };
const memory = named('Memory', {
  version: text,
  startedAt: z.iso.datetime(),
  pid: whole,
  descriptor: z.int(),
  layoutHash: text,
  generation: whole,
  listeners: z.array(
    named('MemoryListener', { ...slot, name: text, mode: z.enum(['tcp', 'http']), address: text }),
  ),
  pools: z.array(
    named('MemoryPool', {
      ...slot,
      name: text,
      strategy: text,
      takesRequests: z.boolean(),
      backends: z.array(named('MemoryBackend', { ...slot, id: text })),
    }),
  ),
});

const applied = named('Applied', { generation: whole, workers: whole });

const config = named('ConfigState', {
  generation: whole,
  file: optional(text),
  config: document,
  overrides: document,
  stateFile: optional(text),
  flags: z.array(named('Flag', { source: text, origin: text, what: text, reason: text })),
});
const diff = named('Diff', {
  differences: z.array(
    named('Difference', {
      path: text,
      kind: z.enum(['added', 'removed', 'changed']),
      file: optional(z.unknown()),
      live: optional(z.unknown()),
    }),
  ),
});

const requestCounts = named('RequestCounts', {
  total: whole,
  inFlight: whole,
  classes: byName,
  latency: optional(named('Percentiles', { p50: figure, p95: figure, p99: figure })),
});
const listener = named('ListenerState', {
  name: text,
  source: text,
  mode: z.enum(['tcp', 'http']),
  address: text,
  routes: whole,
  connections: whole,
  connectionsTotal: whole,
  rejectedTotal: whole,
  receivedBytes: whole,
  sentBytes: whole,
  requests: optional(requestCounts),
});
const route = named('RouteState', {
  id: optional(text),
  listener: text,
  host: text,
  pathPrefix: text,
  pool: text,
  source: text,
  requests: optional(requestCounts),
});
const backend = named('BackendState', {
  id: text,
  address: text,
  pool: text,
  source: text,
  label: optional(text),
  state: z.enum(['up', 'draining', 'drained']),
  health: z.enum(['unknown', 'checking', 'healthy', 'unhealthy', 'ejected']),
  lastCheck: optional(z.strictObject({ at: z.iso.datetime(), ok: z.boolean(), reason: text })),
  weight: whole,
  removing: z.boolean(),
  connections: whole,
  connectionsTotal: whole,
  receivedBytes: whole,
  sentBytes: whole,
  errors: byName,
  requestsTotal: optional(whole),
});
const pool = named('PoolState', {
  name: text,
  source: text,
  strategy: text,
  connections: whole,
  connectionsTotal: whole,
  retriesTotal: whole,
  receivedBytes: whole,
  sentBytes: whole,
  errors: byName,
  requests: optional(requestCounts),
  backends: z.array(backend),
});

const weight = z
  .int({ error: 'expected a whole number from 0 to 65535' })
  .min(0, { error: 'expected a whole number from 0 to 65535' })
  .max(65_535, { error: 'expected a whole number from 0 to 65535' });
const backendBody = named('BackendBody', {
  address: z.string({ error: "expected an address like '127.0.0.1:9001'" }),
  weight: optional(weight),
});
const backendPatch = named('BackendPatch', { weight });
const drain = named('Drain', {
  cut: optional(whole),
  state: z.enum(['draining', 'drained', 'removed']),
});
const routeBody = named('RouteBody', {
  listener: text,
  hosts: optional(z.array(text)),
  pathPrefix: optional(text),
  pool: text,
});

const containers = named('Containers', {
  provider: optional(
    z.strictObject({
      endpoint: text,
      connected: z.boolean(),
      lastSyncAt: optional(z.iso.datetime()),
      error: optional(text),
    }),
  ),
  containers: z.array(
    named('Container', {
      id: text,
      name: text,
      image: text,
      state: z.enum(['balanced', 'draining', 'skipped', 'ignored']),
      reason: optional(text),
      address: optional(text),
      pools: z.array(text),
      routes: z.array(text),
    }),
  ),
});
const image = named('ImageMapping', {
  image: z.string().min(1, { error: "expected the name of an image, such as 'nginx:1'" }),
  listen: z.string().min(1, { error: 'expected a port, or host:port' }),
  port: z
    .int({ error: 'expected a port from 1 to 65535' })
    .min(1, { error: 'expected a port from 1 to 65535' })
    .max(65_535, { error: 'expected a port from 1 to 65535' }),
});

const health = named('Health', {
  status: z.enum(['healthy', 'unhealthy', 'draining']),
  reasons: z.array(text),
  version: text,
  generation: whole,
  uptimeSeconds: whole,
  timestamp: z.iso.datetime(),
  workers: z.array(
    named('WorkerHealth', {
      worker: whole,
      condition: z.enum(['ok', 'starting', 'stuck', 'ending', 'failed']),
      state: text,
      engine: text,
      heartbeatAgeMs: whole,
      generation: whole,
    }),
  ),
});
const stats = named('Stats', {
  at: z.iso.datetime(),
  generation: whole,
  connections: whole,
  connectionsTotal: whole,
  requests: requestCounts,
  receivedBytes: whole,
  sentBytes: whole,
  workers: z.array(
    z.strictObject({
      index: whole,
      state: text,
      engine: text,
      connections: whole,
      cpuSeconds: optional(figure),
    }),
  ),
});
const event = named('Event', { id: whole, at: z.iso.datetime(), name: text, detail: document });

export const schemas = {
  problem,
  version,
  memory,
  applied,
  config,
  diff,
  listener,
  route,
  backend,
  pool,
  backendBody,
  backendPatch,
  drain,
  routeBody,
  containers,
  image,
  health,
  stats,
  event,
};

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
type Equal<A, B> = [A, B] extends [B, A] ? true : never;
type Shape<K extends keyof typeof schemas> = DeepReadonly<z.infer<(typeof schemas)[K]>>;

// A `never` here: the schema and the type of api-types differ.
export const sameAsTypes: {
  readonly problem: Equal<Shape<'problem'>, Api.Problem>;
  readonly version: Equal<Shape<'version'>, Api.VersionAnswer>;
  readonly memory: Equal<Shape<'memory'>, Api.MemoryAnswer>;
  readonly applied: Equal<Shape<'applied'>, Api.AppliedAnswer>;
  readonly config: Equal<Shape<'config'>, Api.ConfigAnswer>;
  readonly diff: Equal<Shape<'diff'>, Api.DiffAnswer>;
  readonly listener: Equal<Shape<'listener'>, Api.ListenerAnswer>;
  readonly route: Equal<Shape<'route'>, Api.RouteAnswer>;
  readonly backend: Equal<Shape<'backend'>, Api.BackendAnswer>;
  readonly pool: Equal<Shape<'pool'>, Api.PoolAnswer>;
  readonly backendBody: Equal<Shape<'backendBody'>, Api.BackendBody>;
  readonly backendPatch: Equal<Shape<'backendPatch'>, Api.BackendPatch>;
  readonly drain: Equal<Shape<'drain'>, Api.DrainAnswer>;
  readonly routeBody: Equal<Shape<'routeBody'>, Api.RouteBody>;
  readonly containers: Equal<Shape<'containers'>, Api.ContainersAnswer>;
  readonly image: Equal<Shape<'image'>, Api.ImageMapping>;
  readonly health: Equal<Shape<'health'>, Api.HealthAnswer>;
  readonly stats: Equal<Shape<'stats'>, Api.StatsAnswer>;
  readonly event: Equal<Shape<'event'>, Api.EventMessage>;
} = {
  problem: true,
  version: true,
  memory: true,
  applied: true,
  config: true,
  diff: true,
  listener: true,
  route: true,
  backend: true,
  pool: true,
  backendBody: true,
  backendPatch: true,
  drain: true,
  routeBody: true,
  containers: true,
  image: true,
  health: true,
  stats: true,
  event: true,
};
