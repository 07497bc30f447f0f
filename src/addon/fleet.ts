// The verbs over one region, with types. What tests replace when they need no data plane.
import { AddressFamily } from '../shm/layout.gen.ts';
import type { NativeAddon } from './native.ts';

export interface SocketAddress {
  readonly family: keyof typeof AddressFamily;
  // Network order as four little-endian words; IPv4 in the first. Zeros for a Unix socket.
  readonly words: readonly [number, number, number, number];
  readonly scope: number;
  readonly port: number;
  // Empty but for a Unix socket.
  readonly path: string;
}

export interface StartOptions {
  readonly engine: 'auto' | 'io_uring' | 'epoll';
  // Connections to reserve address space for, all workers together.
  readonly connectionsMax: number;
  // One for each worker; -1 leaves it to the scheduler.
  readonly cpus: readonly number[];
}

export interface Fleet {
  // Of the shared memory's memfd.
  readonly descriptor: number;
  // The shared memory, and the workers' areas where they are not behind it; gone after `stop`.
  readonly region: ArrayBuffer;
  readonly areas?: readonly ArrayBuffer[];
  // Throws the system's error, with `code` and `syscall`.
  listen(
    address: SocketAddress,
    count: number,
    backlog: number,
  ): { readonly descriptors: readonly number[]; readonly port: number };
  inherit(descriptors: readonly number[]): {
    readonly family: keyof typeof AddressFamily;
    readonly port: number;
    // The host in digits, or the path of a Unix socket.
    readonly address: string;
  };
  // Of sockets that were never published; published ones belong to the workers.
  closeDescriptors(descriptors: readonly number[]): void;
  start(options: StartOptions): void;
  notify(generation: number, liveSequence: number): void;
  // Where the access log is to go: a file, or '' for standard output. Throws the system's error.
  openLog(path: string): number;
  // Sends it to a descriptor, -1: nowhere. Returns the `sink` word that says so much is done.
  switchLog(descriptor: number, format: 'json' | 'combined'): number;
  // `kind`: 0 listener, 1 route, 2 pool, 3 backend.
  nameSlot(kind: number, slot: number, incarnation: number, name: string): void;
  drain(): void;
  // Blocks for `boundMs` at most. Returns how many workers did not end.
  stop(boundMs: number): number;
}

const engines = { auto: 0, io_uring: 1, epoll: 2 } as const;

const familyName = (value: number): keyof typeof AddressFamily =>
  (Object.keys(AddressFamily) as (keyof typeof AddressFamily)[]).find(
    (name) => AddressFamily[name] === value,
  ) ?? 'none';

export function openFleet(addon: NativeAddon, workers: number): Fleet {
  const { fleet, descriptor, region, areas } = addon.open(workers);
  return {
    descriptor,
    region,
    areas,
    listen({ family, words, port, scope, path }, count, backlog) {
      const bytes = new Uint8Array(Uint32Array.from(words).buffer);
      return addon.listen(AddressFamily[family], bytes, port, scope, path, count, backlog);
    },
    inherit(descriptors) {
      const { family, ...where } = addon.inherit([...descriptors]);
      return { family: familyName(family), ...where };
    },
    closeDescriptors: (descriptors) => addon.closeDescriptors([...descriptors]),
    start({ engine, connectionsMax, cpus }) {
      addon.start(fleet, engines[engine], connectionsMax, [...cpus]);
    },
    notify: (generation, liveSequence) => addon.notify(fleet, generation, liveSequence),
    openLog: (path) => addon.openLog(fleet, path),
    switchLog: (descriptor, format) =>
      addon.switchLog(fleet, descriptor, format === 'json' ? 0 : 1),
    nameSlot: (kind, slot, incarnation, name) =>
      addon.nameSlot(fleet, kind, slot, incarnation, name),
    drain: () => addon.drain(fleet),
    stop: (boundMs) => addon.stop(fleet, boundMs),
  };
}
