// The only writer of configuration bytes: a plan becomes one snapshot slot. The caller stores the
// generation natively afterwards, which releases everything written here.
//
// A slot is rewritten as a whole and keeps nothing of its former use: arrays by slot are zeroed as
// far as that use reached, dense arrays are bounded by their counts.
import type { Address, Mode as ModeName, Strategy as StrategyName } from '../model/types.ts';
import { AddressFamily, layout, Mode, Strategy } from './layout.gen.ts';
import { generationOf, type Region } from './region.ts';
import { limits } from './schema.ts';

export interface PlanListener {
  readonly slot: number;
  readonly incarnation: number;
  readonly mode: ModeName;
  readonly family: keyof typeof AddressFamily;
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly descriptors: readonly number[];
  // `pool` is the pool's slot.
  readonly routes: readonly { readonly key: string; readonly pool: number }[];
}
export interface PlanPool {
  readonly slot: number;
  readonly incarnation: number;
  readonly strategy: StrategyName;
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly membersVersion: number;
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

type Snapshots = {
  [N in keyof typeof layout]: (typeof layout)[N]['per'] extends 'snapshot' ? N : never;
}[keyof typeof layout];

// Offset and element size of a block, and offsets of its fields, in words.
function words<N extends Snapshots>(name: N) {
  const { offset, size, fields } = layout[name];
  const at = Object.entries(fields).map(([field, { offset: bytes }]) => [field, bytes / 4]);
  return {
    first: offset / 4,
    size: size / 4,
    at: Object.fromEntries(at) as Readonly<Record<keyof (typeof layout)[N]['fields'], number>>,
  };
}
const head = words('snapshot');
const listener = words('snapshotListener');
const descriptor = words('snapshotDescriptor');
const route = words('snapshotRoute');
const table = words('snapshotRouteTable');
const pool = words('snapshotPool');
const member = words('snapshotMember');
const backend = words('snapshotBackend');
const arenaFirst = layout.snapshotArena.offset;

// FNV-1a over seed, listener slot and key, with a final mix; native/shm/snapshot.h has the same.
export function routeHash(seed: number, listenerSlot: number, key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const word of [seed, listenerSlot]) {
    for (let shift = 0; shift < 32; shift += 8) {
      hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
    }
  }
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

// Entries for so many routes: a power of two, at most half full; 0 for none.
export const tableSizeFor = (routes: number): number =>
  routes === 0 ? 0 : 2 ** Math.ceil(Math.log2(routes * 2));

interface Reach {
  listeners: number;
  pools: number;
  backends: number;
}

export class Publisher {
  readonly #region: Region;
  // How far the arrays of each snapshot slot are in use.
  readonly #reach: Reach[];
  readonly #random: () => number;
  readonly #encoder = new TextEncoder();
  #arenaUsed = 0;

  // `random`: 0 to 1, for the seed of each publication's hash table.
  constructor(region: Region, random: () => number = Math.random) {
    this.#region = region;
    this.#random = random;
    this.#reach = Array.from({ length: limits.snapshotSlots }, () => ({
      listeners: 0,
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
    const descriptors = this.#writeListeners(out, plan, reach);
    const { routes, tableSize } = this.#writeRoutes(out, slot, plan, seed);
    const members = this.#writePools(out, slot, plan, reach);
    out[head.at.generation] = generation;
    out[head.at.listenersHigh] = reach.listeners;
    out[head.at.routesCount] = routes;
    out[head.at.poolsHigh] = reach.pools;
    out[head.at.backendsHigh] = reach.backends;
    out[head.at.membersCount] = members;
    out[head.at.descriptorsCount] = descriptors;
    out[head.at.listenersVersion] = plan.listenersVersion;
    out[head.at.routeTableSize] = tableSize;
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
    clear(pool, reach.pools);
    clear(backend, reach.backends);
    reach.listeners = reach.pools = reach.backends = 0;
    return reach;
  }

  #writeListeners(out: Uint32Array, plan: Plan, reach: Reach): number {
    let descriptors = 0;
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
      if (entry.slot >= reach.listeners) reach.listeners = entry.slot + 1;
    }
    return descriptors;
  }

  #writeRoutes(out: Uint32Array, slot: number, plan: Plan, seed: number) {
    const count = plan.listeners.reduce((sum, { routes }) => sum + routes.length, 0);
    const tableSize = tableSizeFor(count);
    out.fill(0, table.first, table.first + tableSize);
    let index = 0;
    for (const entry of plan.listeners) {
      for (const { key, pool: target } of entry.routes) {
        const bytes = this.#encoder.encode(key);
        const base = route.first + index * route.size;
        out[base + route.at.pool] = target;
        out[base + route.at.listener] = entry.slot;
        out[base + route.at.keyOffset] = this.#store(slot, bytes);
        out[base + route.at.keyBytes] = bytes.length;
        let at = routeHash(seed, entry.slot, bytes) & (tableSize - 1);
        while (out[table.first + at] !== 0) at = (at + 1) & (tableSize - 1);
        out[table.first + at] = ++index;
      }
    }
    return { routes: count, tableSize };
  }

  #writePools(out: Uint32Array, slot: number, plan: Plan, reach: Reach): number {
    let members = 0;
    for (const entry of plan.pools) {
      const base = pool.first + entry.slot * pool.size;
      out[base + pool.at.incarnation] = entry.incarnation;
      out[base + pool.at.strategy] = Strategy[entry.strategy];
      out[base + pool.at.memberFirst] = members;
      out[base + pool.at.memberCount] = entry.members.length;
      out[base + pool.at.membersVersion] = entry.membersVersion;
      out[base + pool.at.connectTimeoutMs] = entry.connectTimeoutMs;
      out[base + pool.at.connectRetries] = entry.connectRetries;
      if (entry.slot >= reach.pools) reach.pools = entry.slot + 1;
      for (const one of entry.members) {
        out[member.first + members++] = one.slot;
        if (one.slot >= reach.backends) reach.backends = one.slot + 1;
        this.#writeBackend(out, slot, one, entry.slot);
      }
    }
    return members;
  }

  #writeBackend(out: Uint32Array, slot: number, one: PlanBackend, poolSlot: number): void {
    const base = backend.first + one.slot * backend.size;
    const { address } = one;
    out[base + backend.at.incarnation] = one.incarnation;
    out[base + backend.at.pool] = poolSlot;
    if (address.kind === 'unix') {
      const path = this.#encoder.encode(address.path);
      out[base + backend.at.family] = AddressFamily.unix_socket;
      out[base + backend.at.pathOffset] = this.#store(slot, path);
      out[base + backend.at.pathBytes] = path.length;
      return;
    }
    out[base + backend.at.family] = AddressFamily[address.family];
    out[base + backend.at.port] = address.port;
    const at = base + backend.at.address;
    out[at] = address.words[0];
    out[at + 1] = address.words[1];
    out[at + 2] = address.words[2];
    out[at + 3] = address.words[3];
    out[base + backend.at.scope] = address.scope;
  }

  // Puts bytes into the slot's arena and returns their offset. 16,384 Unix paths of 107 bytes and
  // the keys of 4,096 routes of 64 fit; the model keeps within that.
  #store(slot: number, bytes: Uint8Array): number {
    const offset = this.#arenaUsed;
    if (bytes.length === 0) return offset;
    if (offset + bytes.length > limits.arenaBytes) throw new RangeError('the arena is full');
    this.#region.snapshotBytes(slot).set(bytes, arenaFirst + offset);
    this.#arenaUsed = offset + bytes.length;
    return offset;
  }
}
