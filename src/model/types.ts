// What the balancer is told to be. `Desired` is what one provider states, checked by itself;
// `Model` is all of them together, cross-checked. Both are immutable, nothing in a model is
// optional. Times are milliseconds.

import type { EjectionSettings, HealthCheck } from './health.ts';

export type Strategy = 'round_robin' | 'least_connections' | 'p2c';
export type Mode = 'tcp' | 'http';
export type EngineChoice = 'auto' | 'io_uring' | 'epoll';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface IpAddress {
  readonly kind: 'ip';
  readonly family: 'ipv4' | 'ipv6';
  // The 16 bytes in network order as four little-endian words; IPv4 in the first.
  readonly words: readonly [number, number, number, number];
  readonly scope: number;
  readonly port: number;
  // `10.0.0.1:80`, `[2001:db8::1]:80`, canonical.
  readonly text: string;
}
export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
  // `unix:/path`.
  readonly text: string;
}
// A host name: looked up when the configuration is applied, and again from time to time.
export interface NameAddress {
  readonly kind: 'name';
  readonly host: string;
  readonly port: number;
  readonly text: string;
}
export type Address = IpAddress | UnixAddress;
export type StatedAddress = Address | NameAddress;

export type ListenTarget =
  // `everywhere`: `:port`, which is IPv4 and, where the system has it, IPv6.
  | { readonly kind: 'address'; readonly address: StatedAddress; readonly everywhere: boolean }
  // Listening sockets made by another process.
  | { readonly kind: 'descriptors'; readonly descriptors: readonly number[] };

// How host names are looked up.
export interface DnsSettings {
  // `10.0.0.53` or `10.0.0.53:5353`; empty: as the system does it.
  readonly servers: readonly string[];
  // A name is looked up again after its TTL, and no later than this.
  readonly refreshMs: number;
}

export interface Settings {
  // undefined: as many as the processors this process may use.
  readonly workers: number | undefined;
  readonly engine: EngineChoice;
  // undefined: as many as the limit of open files allows.
  readonly maxConnections: number | undefined;
  readonly logLevel: LogLevel;
  readonly adminListen: StatedAddress | undefined;
  readonly dns: DnsSettings;
  // undefined: no container engine is watched.
  readonly docker: DockerSettings | undefined;
  // Of which a request of the admin API needs one, when there are any.
  readonly adminTokens: readonly string[];
  // Where changes made at run time are kept; undefined: in memory alone.
  readonly stateFile: string | undefined;
  // undefined: requests are not logged.
  readonly accessLog: AccessLogSettings | undefined;
}

// Of a container engine that is watched.
export interface DockerSettings {
  // undefined: what DOCKER_HOST says, or the usual socket.
  readonly endpoint: string | undefined;
  // Paths of PEM files; undefined: what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say.
  readonly tls:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  // Containers that do not say are balanced too.
  readonly exposedByDefault: boolean;
  // By which containers in several networks are reached.
  readonly network: string | undefined;
  // Where containers are reached that do not say.
  readonly listen: string;
  readonly images: readonly {
    readonly image: string;
    readonly listen: string;
    readonly port: number;
  }[];
}

export interface AccessLogSettings {
  readonly format: 'json' | 'combined';
  // Absolute, or `stdout`.
  readonly path: string;
}

export interface Listener {
  readonly name: string;
  readonly target: ListenTarget;
  // Equal when the sockets are the same ones.
  readonly targetText: string;
  readonly mode: Mode;
  readonly routes: readonly Route[];
  // 0: no limit of its own.
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  // In force in mode http.
  readonly http: HttpOptions;
}

export interface HttpOptions {
  readonly requestHeadTimeoutMs: number;
  // Between two requests of a connection.
  readonly clientIdleTimeoutMs: number;
  // Without progress of a request's body or of its answer's.
  readonly bodyTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  readonly headBytesMax: number;
  readonly targetBytesMax: number;
  readonly fieldsMax: number;
  // 0: no limit.
  readonly bodyBytesMax: number;
  readonly via: boolean;
  readonly serverClose: boolean;
  readonly trustedProxies: readonly AddressRange[];
}

// IPv4 is mapped into IPv6, so that there is one kind of range.
export interface AddressRange {
  // The 16 bytes in network order as four little-endian words; beyond the prefix 0.
  readonly words: readonly [number, number, number, number];
  readonly prefixBits: number;
  readonly text: string;
}

export interface Route {
  // Lower case; `*.x` for all names below x; empty for every one.
  readonly host: string;
  // Normalised, without a closing slash; empty for every path.
  readonly pathPrefix: string;
  readonly pool: string;
  // Which of the stated routes it comes from, and which of its hosts.
  readonly stated: number;
  readonly statedHost: number;
}

export interface PoolSettings {
  readonly strategy: Strategy;
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly drainTimeoutMs: number;
  // undefined: nobody checks.
  readonly healthCheck: HealthCheck | undefined;
  readonly ejection: EjectionSettings;
  // In force for requests; connections that are passed through have no use for it.
  readonly http: PoolHttpOptions;
}

export interface PoolHttpOptions {
  readonly responseHeadTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  // Of connections that wait for their next request.
  readonly keepAliveIdleMs: number;
  // 0: no limit.
  readonly keepAliveRequestsMax: number;
  // Connections kept for each backend and worker.
  readonly idleMax: number;
}

export interface StatedBackend {
  // The address as stated, canonical: what people call the backend.
  readonly id: string;
  readonly address: StatedAddress;
  readonly weight: number;
}
export interface Backend extends StatedBackend {
  readonly address: Address;
  // Equal when it is the same backend: its id, and what the id was resolved to.
  readonly key: string;
}

// What one provider states of a pool.
export interface DesiredPool<B extends StatedBackend = StatedBackend> {
  // undefined: another provider defines the pool, this one adds to it.
  readonly settings: PoolSettings | undefined;
  readonly backends: ReadonlyMap<string, B>;
  // Ids that other providers state and that shall not be.
  readonly without: ReadonlySet<string>;
  // Weights that take the place of the stated ones, by id.
  readonly weights: ReadonlyMap<string, number>;
}

// Routes that a provider wants beside those of the listener's definition.
export interface AttachedRoutes {
  // Who wants them, for messages: `container web1`.
  readonly origin: string;
  readonly on:
    | { readonly kind: 'name'; readonly listener: string }
    // The listener that listens there already, whoever defines it; otherwise this one is opened,
    // for as long as somebody wants routes of it. It has no routes itself.
    | { readonly kind: 'open'; readonly listener: Listener };
  readonly routes: readonly Route[];
}

export interface Desired<B extends StatedBackend = StatedBackend> {
  // Name of the provider.
  readonly source: string;
  // What an override defines takes the place of what others define under the same name.
  readonly layer: 'intent' | 'override';
  readonly settings: Settings | undefined;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly pools: ReadonlyMap<string, DesiredPool<B>>;
  readonly attached: readonly AttachedRoutes[];
}

// Something that is stated and not in force.
export interface Flag {
  readonly source: string;
  // Who within the provider; empty for itself.
  readonly origin: string;
  // `listener web`, `route a.example/api of listener web`.
  readonly what: string;
  readonly reason: string;
}

export interface Pool {
  readonly name: string;
  readonly settings: PoolSettings;
  // By id, in the order stated. The same map object as before means: unchanged.
  readonly backends: ReadonlyMap<string, Backend>;
}

export interface Model {
  readonly settings: Settings;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly pools: ReadonlyMap<string, Pool>;
}

export const emptyModel: Model = {
  settings: {
    workers: undefined,
    engine: 'auto',
    maxConnections: undefined,
    logLevel: 'info',
    adminListen: undefined,
    dns: { servers: [], refreshMs: 30_000 },
    docker: undefined,
    adminTokens: [],
    stateFile: undefined,
    accessLog: undefined,
  },
  listeners: new Map(),
  pools: new Map(),
};
