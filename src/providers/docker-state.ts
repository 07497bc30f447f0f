// Containers into desired state, and what became of each. Pure: a mistake of one container is a
// reason beside it, and nobody else's trouble.
import { ipAddress } from '../config/address.ts';
import { defaults } from '../config/defaults.ts';
import { ejectionOf, healthCheckOf } from '../config/health.ts';
import { keyOf } from '../config/resolve.ts';
import type {
  AttachedRoutes,
  Backend,
  Desired,
  DesiredPool,
  PoolSettings,
  Route,
} from '../model/types.ts';
import type { Container } from './docker-facts.ts';
import { type Intent, type Rules, wishOf } from './docker-labels.ts';
import { reachOf, type Surroundings } from './docker-network.ts';
import { nothing } from './provider.ts';

export type ContainerState = 'balanced' | 'draining' | 'skipped' | 'ignored';

export interface ContainerStatus {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: ContainerState;
  // Why it is not balanced.
  readonly reason: string | undefined;
  // Where it is reached, by its first port: `172.17.0.2:80`.
  readonly address: string | undefined;
  readonly pools: readonly string[];
  // `http :80 www.example.com/api`, in the order of its wishes.
  readonly routes: readonly string[];
}

export interface Given {
  readonly containers: readonly Container[];
  readonly rules: Rules;
  readonly surroundings: Omit<Surroundings, 'byId'>;
  // Why a container is leaving; undefined when it is not.
  readonly leaving: (id: string) => string | undefined;
}

export interface Stated {
  readonly desired: Desired<Backend>;
  readonly statuses: readonly ContainerStatus[];
}

// Those of one host and path at one place.
interface Member {
  readonly container: Container;
  readonly intent: Intent;
  // undefined: it takes nothing now, and the route stays for its sake.
  readonly backend: Backend | undefined;
}

// `docker:www.example.com/api@:80`. Neither names nor addresses of listeners have an @, so that
// different routes never have one name.
export const poolName = (host: string, pathPrefix: string, place: string): string =>
  `docker:${host || '*'}${pathPrefix}@${place}`;

// Who wants something, in flags.
export const originOf = ({ name }: { readonly name: string }): string => `container ${name}`;

function unready({ status, health }: Container, leaving: string | undefined): string | undefined {
  if (leaving !== undefined) return leaving;
  if (status !== 'running') return `it is ${status}`;
  return health === 'starting' || health === 'unhealthy'
    ? `its health check says ${health}`
    : undefined;
}

// Counters and health belong to a container, not to an address that another one may have had.
function backendOf(
  container: Container,
  host: string,
  { port, weight }: Intent,
): Backend | undefined {
  const address = ipAddress(host, port);
  if (address !== undefined) {
    const id = address.text;
    return { id, address, weight, key: `${keyOf(id, address)} ${container.id}` };
  }
  return undefined;
}

// The youngest decides, so that a replacement brings its settings along; the most patient drain is
// everybody's.
function settingsOf(members: readonly Member[]): PoolSettings {
  const youngest = members.at(-1)?.intent;
  const path = youngest?.healthPath;
  const drains = members.flatMap(({ intent }) => intent.drainTimeoutMs ?? []);
  return {
    strategy: youngest?.strategy ?? 'round_robin',
    connectTimeoutMs: defaults.connectTimeoutMs,
    connectRetries: defaults.connectRetries,
    drainTimeoutMs: drains.length === 0 ? defaults.drainTimeoutMs : Math.max(...drains),
    http: defaults.poolHttp,
    healthCheck: healthCheckOf(path === undefined ? undefined : { path }),
    ejection: ejectionOf(undefined),
  };
}

function poolOf(members: readonly Member[]): DesiredPool<Backend> {
  const backends = members.flatMap(({ backend }) => backend ?? []);
  return {
    settings: settingsOf(members),
    backends: new Map(backends.map((backend) => [backend.id, backend])),
    without: new Set(),
    weights: new Map(),
  };
}

// Collects what all containers want.
class Collection {
  readonly members = new Map<string, Member[]>();
  readonly attached: AttachedRoutes[] = [];
  readonly statuses: ContainerStatus[] = [];
  readonly #given: Given;
  readonly #surroundings: Surroundings;

  constructor(given: Given) {
    this.#given = given;
    const byId = new Map(given.containers.map((container) => [container.id, container]));
    this.#surroundings = { ...given.surroundings, byId };
  }

  add(container: Container): void {
    const wish = wishOf(container, this.#given.rules);
    if (wish.kind !== 'intents') {
      this.#tell(container, { state: wish.kind, reason: wish.reason });
      return;
    }
    const leaving = this.#given.leaving(container.id);
    const reaches = wish.intents.map((intent) => {
      return { intent, reach: reachOf(container, intent.network, this.#surroundings) };
    });
    const problem = reaches.find(({ reach }) => reach.kind === 'problem')?.reach;
    if (problem?.kind === 'problem') {
      this.#tell(container, { state: 'skipped', reason: problem.reason });
      return;
    }
    let reason = unready(container, leaving);
    const backends: Backend[] = [];
    const made = reaches.map(({ intent, reach }) => {
      if (reach.kind !== 'address') {
        reason ??= reach.reason;
        return { container, intent, backend: undefined };
      }
      const backend = backendOf(container, reach.host, intent);
      if (backend === undefined) reason ??= `'${reach.host}' is no IP address`;
      else backends.push(backend);
      return { container, intent, backend };
    });
    const ready = reason === undefined;
    for (const member of made) this.#join(ready ? member : { ...member, backend: undefined });
    const state = ready ? 'balanced' : leaving === undefined ? 'skipped' : 'draining';
    this.#tell(container, { state, reason, address: backends[0]?.id, intents: wish.intents });
  }

  #join(member: Member): void {
    const { container, intent } = member;
    const { place, hosts, pathPrefix } = intent;
    const routes = hosts.map((host, statedHost): Route => {
      const pool = poolName(host, pathPrefix, place.text);
      const others = this.members.get(pool);
      if (others === undefined) this.members.set(pool, [member]);
      else others.push(member);
      return { host, pathPrefix, pool, stated: 0, statedHost };
    });
    this.attached.push({ origin: originOf(container), on: place.on, routes });
  }

  #tell(
    { id, name, image }: Container,
    told: {
      readonly state: ContainerState;
      readonly reason: string | undefined;
      readonly address?: string | undefined;
      readonly intents?: readonly Intent[];
    },
  ): void {
    const { state, reason, address, intents = [] } = told;
    const all = intents.flatMap(({ place, hosts, pathPrefix }) =>
      hosts.map((host) => ({ place: place.text, host, pathPrefix })),
    );
    this.statuses.push({
      id,
      name,
      image,
      state,
      reason,
      address,
      pools: [...new Set(all.map((one) => poolName(one.host, one.pathPrefix, one.place)))],
      routes: all.map(({ place, host, pathPrefix }) => `http ${place} ${host}${pathPrefix || '/'}`),
    });
  }
}

const isSamePool = (a: DesiredPool<Backend>, b: DesiredPool<Backend>): boolean =>
  JSON.stringify([a.settings, [...a.backends.values()]]) ===
  JSON.stringify([b.settings, [...b.backends.values()]]);

const isSame = (a: Desired<Backend>, b: Desired<Backend>): boolean =>
  a.pools.size === b.pools.size &&
  [...a.pools].every(([name, pool]) => b.pools.get(name) === pool) &&
  JSON.stringify(a.attached) === JSON.stringify(b.attached);

// What is the same as in `former` is the same object.
export function stateOf(given: Given, former: Desired<Backend> = nothing('docker')): Stated {
  const collection = new Collection(given);
  for (const container of given.containers) collection.add(container);
  const pools = [...collection.members].map(([name, members]) => {
    const made = poolOf(members);
    const known = former.pools.get(name);
    return [name, known !== undefined && isSamePool(known, made) ? known : made] as const;
  });
  const made = { ...nothing('docker'), pools: new Map(pools), attached: collection.attached };
  return { desired: isSame(made, former) ? former : made, statuses: collection.statuses };
}
