// The only writer of configuration bytes: a plan becomes one snapshot slot. The caller stores the
// generation natively afterwards, which releases everything written here.
//
// A slot is rewritten as a whole and keeps nothing of its former use: arrays by slot are zeroed as
// far as that use reached, dense arrays are bounded by their counts.
import type { EjectionSettings } from '../model/health.ts';
import type {
  Address,
  HttpOptions,
  Mode as ModeName,
  PoolHttpOptions,
  Strategy as StrategyName,
} from '../model/types.ts';
import { words } from './fields.ts';
import { AddressFamily, layout, Mode, Strategy } from './layout.gen.ts';
import { generationOf, type Region } from './region.ts';
import { type PlanRoute, RouteWriter } from './route-table.ts';
import { limits } from './schema.ts';

export interface PlanListener {
  readonly slot: number;
  readonly incarnation: number;
  readonly mode: ModeName;
  readonly family: keyof typeof AddressFamily;
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly descriptors: readonly number[];
  readonly routes: readonly PlanRoute[];
  readonly http: HttpOptions;
}
export interface PlanPool {
  readonly slot: number;
  readonly incarnation: number;
  readonly strategy: StrategyName;
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly ejection: EjectionSettings;
  // Of the answer when no backend can take a request; rounded up to what the data plane has.
  readonly retryAfterS: number;
  readonly http: PoolHttpOptions;
  readonly members: readonly PlanBackend[];
}
export interface PlanBackend {
  readonly slot: number;
  readonly incarnation: number;
  readonly address: Address;
}
// Everything that one generation says, by slots.
export interface Plan {
  readonly maxConnections: number;
  readonly listenersVersion: number;
  readonly listeners: readonly PlanListener[];
  readonly pools: readonly PlanPool[];
}

const head = words('snapshot');
const listener = words('snapshotListener');
const descriptor = words('snapshotDescriptor');
const route = words('snapshotRoute');
const trusted = words('snapshotTrusted');
const pool = words('snapshotPool');
const member = words('snapshotMember');
const backend = words('snapshotBackend');
const arenaFirst = layout.snapshotArena.offset;

// A pool's members as they were written last: what stays is copied from here instead of being
// gathered again from objects that are spread over the heap.
interface Packed {
  readonly members: readonly PlanBackend[];
  // As many entries of snapshotBackend, in the order of `members`; paths have no offset yet.
  readonly entries: Uint32Array;
  // Indexes of members with a path in the arena.
  readonly paths: readonly number[];
}

interface Reach {
  listeners: number;
  routes: number;
  pools: number;
  backends: number;
}

// The last word of an entry is reserved; in packed entries it holds the backend's slot.
const slotWord = backend.at.reserved;

function packOne(into: Uint32Array, base: number, one: PlanBackend, poolSlot: number): void {
  const { address } = one;
  into[base + slotWord] = one.slot;
  into[base + backend.at.incarnation] = one.incarnation;
  into[base + backend.at.pool] = poolSlot;
  if (address.kind === 'unix') {
    into[base + backend.at.family] = AddressFamily.unix_socket;
    return;
  }
  into[base + backend.at.family] = AddressFamily[address.family];
  into[base + backend.at.port] = address.port;
  const at = base + backend.at.address;
  into[at] = address.words[0];
  into[at + 1] = address.words[1];
  into[at + 2] = address.words[2];
  into[at + 3] = address.words[3];
  into[base + backend.at.scope] = address.scope;
}

// Members that stay are the same objects in the same order; the others are packed anew.
function pack({ slot, members }: PlanPool, before: Packed | undefined): Packed {
  const { size } = backend;
  const entries = new Uint32Array(members.length * size);
  const paths: number[] = [];
  const known = before?.members ?? [];
  let next = 0;
  for (let index = 0; index < members.length; ) {
    while (next < known.length && known[next] !== members[index]) next++;
    let run = 0;
    while (next + run < known.length && known[next + run] === members[index + run]) run++;
    if (run > 0 && before !== undefined) {
      entries.set(before.entries.subarray(next * size, (next + run) * size), index * size);
      next += run;
      index += run;
      continue;
    }
    const one = members[index];
    if (one !== undefined) packOne(entries, index * size, one, slot);
    index++;
  }
  for (let index = 0; index < members.length; index++) {
    const family = entries[index * size + backend.at.family];
    if (family === AddressFamily.unix_socket) paths.push(index);
  }
  // The controller goes on changing its list in place.
  return { members: members.slice(), entries, paths };
}

function writeHttp(out: Uint32Array, base: number, http: HttpOptions): void {
  out[base + listener.at.requestHeadTimeoutMs] = http.requestHeadTimeoutMs;
  out[base + listener.at.clientIdleTimeoutMs] = http.clientIdleTimeoutMs;
  out[base + listener.at.bodyTimeoutMs] = http.bodyTimeoutMs;
  out[base + listener.at.tunnelIdleTimeoutMs] = http.tunnelIdleTimeoutMs;
  out[base + listener.at.headBytesMax] = http.headBytesMax;
  out[base + listener.at.targetBytesMax] = http.targetBytesMax;
  out[base + listener.at.fieldsMax] = http.fieldsMax;
  out[base + listener.at.bodyBytesMax] = http.bodyBytesMax;
  out[base + listener.at.via] = http.via ? 1 : 0;
  out[base + listener.at.serverClose] = http.serverClose ? 1 : 0;
}

export class Publisher {
  readonly #region: Region;
  // How far the arrays of each snapshot slot are in use.
  readonly #reach: Reach[];
  readonly #random: () => number;
  readonly #encoder = new TextEncoder();
  #arenaUsed = 0;
  // By pool slot.
  #packed: ReadonlyMap<number, Packed> = new Map();

  // `random`: 0 to 1, for the seed of each publication's hash table.
  constructor(region: Region, random: () => number = Math.random) {
    this.#region = region;
    this.#random = random;
    this.#reach = Array.from({ length: limits.snapshotSlots }, () => ({
      listeners: 0,
      routes: 0,
      pools: 0,
      backends: 0,
    }));
  }

  // Writes the plan to a snapshot slot that nobody reads and returns the generation to publish.
  write(plan: Plan, slot: number, sequence: number): number {
    const out = this.#region.snapshotWords(slot);
    const reach = this.#clear(out, slot);
    this.#arenaUsed = 0;
    const generation = generationOf(sequence, slot);
    const seed = Math.floor(this.#random() * 2 ** 32) >>> 0;
    const { descriptors, trusted } = this.#writeListeners(out, plan, reach);
    const store = (bytes: Uint8Array): number => this.#store(slot, bytes);
    const routes = new RouteWriter(out, seed, store).write(plan.listeners);
    reach.routes = routes.routesHigh;
    const members = this.#writePools(out, slot, plan, reach);
    out[head.at.generation] = generation;
    out[head.at.listenersHigh] = reach.listeners;
    out[head.at.routesHigh] = routes.routesHigh;
    out[head.at.hostsCount] = routes.hosts;
    out[head.at.trustedCount] = trusted;
    out[head.at.poolsHigh] = reach.pools;
    out[head.at.backendsHigh] = reach.backends;
    out[head.at.membersCount] = members;
    out[head.at.descriptorsCount] = descriptors;
    out[head.at.listenersVersion] = plan.listenersVersion;
    out[head.at.hostTableSize] = routes.hostTableSize;
    out[head.at.routeTableSize] = routes.routeTableSize;
    out[head.at.hashSeed] = seed;
    out[head.at.arenaUsed] = this.#arenaUsed;
    out[head.at.maxConnections] = plan.maxConnections;
    return generation;
  }

  #clear(out: Uint32Array, slot: number): Reach {
    const reach = this.#reach[slot];
    if (reach === undefined) throw new RangeError(`snapshot slot ${slot}`);
    const clear = ({ first, size }: { first: number; size: number }, count: number): void => {
      out.fill(0, first, first + size * count);
    };
    clear(listener, reach.listeners);
    clear(route, reach.routes);
    clear(pool, reach.pools);
    clear(backend, reach.backends);
    reach.listeners = reach.routes = reach.pools = reach.backends = 0;
    return reach;
  }

  #writeListeners(out: Uint32Array, plan: Plan, reach: Reach) {
    let descriptors = 0;
    let ranges = 0;
    for (const entry of plan.listeners) {
      const base = listener.first + entry.slot * listener.size;
      out[base + listener.at.mode] = Mode[entry.mode];
      out[base + listener.at.incarnation] = entry.incarnation;
      out[base + listener.at.descriptorFirst] = descriptors;
      out[base + listener.at.descriptorCount] = entry.descriptors.length;
      out[base + listener.at.maxConnections] = entry.maxConnections;
      out[base + listener.at.idleTimeoutMs] = entry.idleTimeoutMs;
      out[base + listener.at.family] = AddressFamily[entry.family];
      for (const fd of entry.descriptors) out[descriptor.first + descriptors++] = fd;
      writeHttp(out, base, entry.http);
      out[base + listener.at.trustedFirst] = ranges;
      out[base + listener.at.trustedCount] = entry.http.trustedProxies.length;
      for (const { words: address, prefixBits } of entry.http.trustedProxies) {
        const at = trusted.first + ranges++ * trusted.size;
        out.set(address, at + trusted.at.address);
        out[at + trusted.at.prefixBits] = prefixBits;
      }
      if (entry.slot >= reach.listeners) reach.listeners = entry.slot + 1;
    }
    return { descriptors, trusted: ranges };
  }

  #writePools(out: Uint32Array, slot: number, plan: Plan, reach: Reach): number {
    let members = 0;
    const packed = new Map<number, Packed>();
    for (const entry of plan.pools) {
      const base = pool.first + entry.slot * pool.size;
      out[base + pool.at.incarnation] = entry.incarnation;
      out[base + pool.at.strategy] = Strategy[entry.strategy];
      out[base + pool.at.memberFirst] = members;
      out[base + pool.at.memberCount] = entry.members.length;
      out[base + pool.at.connectTimeoutMs] = entry.connectTimeoutMs;
      out[base + pool.at.connectRetries] = entry.connectRetries;
      out[base + pool.at.ejectionFailures] = entry.ejection.failures;
      out[base + pool.at.ejectionBaseMs] = entry.ejection.baseMs;
      out[base + pool.at.ejectionMaxMs] = entry.ejection.maxMs;
      out[base + pool.at.retryAfterS] = entry.retryAfterS;
      const { http } = entry;
      out[base + pool.at.responseHeadTimeoutMs] = http.responseHeadTimeoutMs;
      out[base + pool.at.bodyTimeoutMs] = http.bodyTimeoutMs;
      out[base + pool.at.keepAliveIdleMs] = http.keepAliveIdleMs;
      out[base + pool.at.keepAliveRequestsMax] = http.keepAliveRequestsMax;
      out[base + pool.at.idleMax] = http.idleMax;
      if (entry.slot >= reach.pools) reach.pools = entry.slot + 1;
      const known = pack(entry, this.#packed.get(entry.slot));
      packed.set(entry.slot, known);
      this.#writeMembers(out, slot, known, members, reach);
      members += entry.members.length;
    }
    this.#packed = packed;
    return members;
  }

  #writeMembers(out: Uint32Array, slot: number, from: Packed, at: number, reach: Reach): void {
    const { entries, members, paths } = from;
    const { size } = backend;
    for (let index = 0; index < members.length; index++) {
      const source = index * size;
      const own = entries[source + slotWord] ?? 0;
      out[member.first + at + index] = own;
      if (own >= reach.backends) reach.backends = own + 1;
      const target = backend.first + own * size;
      for (let word = 0; word < slotWord; word++) out[target + word] = entries[source + word] ?? 0;
    }
    for (const index of paths) {
      const one = members[index];
      if (one?.address.kind !== 'unix') continue;
      const path = this.#encoder.encode(one.address.path);
      const target = backend.first + one.slot * size;
      out[target + backend.at.pathOffset] = this.#store(slot, path);
      out[target + backend.at.pathBytes] = path.length;
    }
  }

  // Puts bytes into the slot's arena and returns their offset. 16,384 Unix paths of 107 bytes and
  // `routeBytesMax` of routes fit; the model keeps within that.
  #store(slot: number, bytes: Uint8Array): number {
    const offset = this.#arenaUsed;
    if (bytes.length === 0) return offset;
    if (offset + bytes.length > limits.arenaBytes) throw new RangeError('the arena is full');
    this.#region.snapshotBytes(slot).set(bytes, arenaFirst + offset);
    this.#arenaUsed = offset + bytes.length;
    return offset;
  }
}
