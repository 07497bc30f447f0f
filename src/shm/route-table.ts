// Routes as the data plane looks them up: native/proxy/router.cc finds what is written here. Hosts
// and routes have a table each, both ready made: the hash of an entry stands beside its index, so
// that a probe that fails touches nothing else.
//
// A request is matched host by host, the most specific first, and within a host prefix by prefix,
// the longest first. `hostLabelMask` and `prefixDepthMask` say which lengths there are at all.
import { words } from './fields.ts';

export interface PlanRoute {
  readonly slot: number;
  readonly incarnation: number;
  // Lower case; `*.x` for all names below x; empty for every one.
  readonly host: string;
  // Normalised, without a closing slash; empty for every path.
  readonly pathPrefix: string;
  // The pool's slot.
  readonly pool: number;
}
export interface RoutedListener {
  readonly slot: number;
  readonly routes: readonly PlanRoute[];
}
export interface RoutesWritten {
  readonly hosts: number;
  readonly hostTableSize: number;
  readonly routeTableSize: number;
  // One past the highest route slot.
  readonly routesHigh: number;
}

const listener = words('snapshotListener');
const host = words('snapshotHost');
const hostTable = words('snapshotHostTable');
const route = words('snapshotRoute');
const routeTable = words('snapshotRouteTable');

const basis = 0x811c9dc5;
const prime = 0x01000193;
// Routes without a host belong to their listener.
const listenerScope = 0x80000000;
const encoder = new TextEncoder();

function hashWord(hash: number, word: number): number {
  let next = hash;
  for (let shift = 0; shift < 32; shift += 8) {
    next = Math.imul(next ^ ((word >>> shift) & 0xff), prime);
  }
  return next;
}
function finish(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

// FNV-1a from the last byte to the first: on the way over a name the hashes of all its endings,
// which wildcards are, come for nothing.
export function hostHash(seed: number, listenerSlot: number, name: Uint8Array): number {
  let hash = hashWord(hashWord(basis, seed), listenerSlot);
  for (let at = name.length - 1; at >= 0; at--) {
    hash = Math.imul(hash ^ (name[at] ?? 0), prime);
  }
  return finish(hash);
}
// FNV-1a from the first byte on, and the scope last: the hashes of a path's beginnings serve every
// host that is tried.
export function routeHash(seed: number, scope: number, prefix: Uint8Array): number {
  let hash = hashWord(basis, seed);
  for (const byte of prefix) hash = Math.imul(hash ^ byte, prime);
  return finish(hash ^ Math.imul(scope, 0x9e3779b1));
}

// Entries for so many: a power of two, at most half full; 0 for none.
export const tableSizeFor = (count: number): number =>
  count === 0 ? 0 : 2 ** Math.ceil(Math.log2(count * 2));

const depthOf = (pathPrefix: string): number => pathPrefix.split('/').length - 1;
const labelsOf = (wildcard: string): number => Math.min(wildcard.split('.').length - 1, 31);

export class RouteWriter {
  readonly #out: Uint32Array;
  readonly #seed: number;
  readonly #store: (bytes: Uint8Array) => number;
  #hosts = 0;
  #hostTableSize = 0;
  #routeTableSize = 0;
  #routesHigh = 0;

  // `store` puts bytes into the snapshot's arena and returns their offset.
  constructor(out: Uint32Array, seed: number, store: (bytes: Uint8Array) => number) {
    this.#out = out;
    this.#seed = seed;
    this.#store = store;
  }

  // The listeners' own words have been written, and the routes are empty.
  write(listeners: readonly RoutedListener[]): RoutesWritten {
    let hosts = 0;
    let prefixes = 0;
    for (const { routes } of listeners) {
      hosts += new Set(routes.map((one) => one.host)).size;
      prefixes += routes.filter(({ pathPrefix }) => pathPrefix !== '').length;
    }
    this.#hostTableSize = tableSizeFor(hosts);
    this.#routeTableSize = tableSizeFor(prefixes);
    const clear = ({ first, size }: { first: number; size: number }, count: number): void => {
      this.#out.fill(0, first, first + size * count);
    };
    clear(hostTable, this.#hostTableSize);
    clear(routeTable, this.#routeTableSize);
    for (const one of listeners) this.#writeListener(one);
    return {
      hosts: this.#hosts,
      hostTableSize: this.#hostTableSize,
      routeTableSize: this.#routeTableSize,
      routesHigh: this.#routesHigh,
    };
  }

  #writeListener({ slot, routes }: RoutedListener): void {
    const base = listener.first + slot * listener.size;
    const hosts = new Map<string, number>();
    for (const one of routes) {
      const known = hosts.get(one.host);
      const index = known ?? (one.host === '' ? 0 : this.#writeHost(slot, base, one.host));
      hosts.set(one.host, index);
      const scope = one.host === '' ? (listenerScope | slot) >>> 0 : index + 1;
      this.#writeRoute(slot, one, scope);
      const holder = one.host === '' ? listener : host;
      const at = one.host === '' ? base : host.first + index * host.size;
      if (one.pathPrefix === '') this.#out[at + holder.at.anyRoute] = one.slot + 1;
      else this.#mark(at + holder.at.prefixDepthMask, depthOf(one.pathPrefix) - 1);
    }
  }

  #writeHost(listenerSlot: number, base: number, name: string): number {
    const wild = name.startsWith('*.');
    const key = encoder.encode(wild ? name.slice(1) : name);
    this.#mark(base + listener.at.hostLabelMask, wild ? labelsOf(name) : 0);
    const index = this.#hosts++;
    const at = host.first + index * host.size;
    this.#out.fill(0, at, at + host.size);
    this.#out[at + host.at.listener] = listenerSlot;
    this.#out[at + host.at.keyOffset] = this.#store(key);
    this.#out[at + host.at.keyBytes] = key.length;
    const hash = hostHash(this.#seed, listenerSlot, key);
    const entry = this.#free(hostTable, hostTable.at.host, this.#hostTableSize, hash);
    this.#out[entry + hostTable.at.hash] = hash;
    this.#out[entry + hostTable.at.host] = index + 1;
    return index;
  }

  #writeRoute(listenerSlot: number, one: PlanRoute, scope: number): void {
    const at = route.first + one.slot * route.size;
    const key = encoder.encode(one.pathPrefix);
    this.#out[at + route.at.incarnation] = one.incarnation;
    this.#out[at + route.at.pool] = one.pool;
    this.#out[at + route.at.listener] = listenerSlot;
    this.#out[at + route.at.scope] = scope;
    this.#out[at + route.at.prefixOffset] = this.#store(key);
    this.#out[at + route.at.prefixBytes] = key.length;
    if (one.slot >= this.#routesHigh) this.#routesHigh = one.slot + 1;
    if (key.length === 0) return;
    const hash = routeHash(this.#seed, scope, key);
    const entry = this.#free(routeTable, routeTable.at.route, this.#routeTableSize, hash);
    this.#out[entry + routeTable.at.hash] = hash;
    this.#out[entry + routeTable.at.route] = one.slot + 1;
  }

  #mark(word: number, bit: number): void {
    this.#out[word] = ((this.#out[word] ?? 0) | (1 << bit)) >>> 0;
  }

  // Word of the entry that takes the next one with this hash.
  #free(
    table: { readonly first: number; readonly size: number },
    used: number,
    size: number,
    hash: number,
  ): number {
    let at = hash & (size - 1);
    while (this.#out[table.first + at * table.size + used] !== 0) at = (at + 1) & (size - 1);
    return table.first + at * table.size;
  }
}
