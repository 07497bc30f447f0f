// The verbs of the native addon. Data crosses by the shared region only; these are all the calls.

// An opaque native object: one region and the workers over it.
export type NativeFleet = object & { readonly __fleet: unique symbol };

export interface NativeAddon {
  // 16 hex digits; compared with `schemaHash` of src/shm/layout.gen.ts before anything else.
  layoutHash(): string;
  version(): string;
  // Processors this process may run on (its affinity mask), ascending.
  processors(): number[];
  // Maps a region for `workers` workers and writes its header. `region` ends where the workers'
  // areas begin; `descriptor` is the memfd that other processes read. `stop` detaches all buffers.
  open(workers: number): {
    readonly fleet: NativeFleet;
    readonly descriptor: number;
    readonly region: ArrayBuffer;
    readonly areas: readonly ArrayBuffer[];
  };
  // Binds and listens. `family`: 1 IPv4, 2 IPv6, 3 Unix. `address`: 16 bytes, network order; IPv4
  // takes the first four. For TCP the first socket is bound exclusively, then `count - 1`
  // SO_REUSEPORT siblings join it; Unix sockets ignore `count` and replace a dead owner's file.
  // Throws an Error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL, …) and `syscall`.
  listen(
    family: number,
    address: Uint8Array,
    port: number,
    scope: number,
    path: string,
    count: number,
    backlog: number,
  ): { readonly descriptors: number[]; readonly port: number };
  // Takes over listening sockets from another process: checks that each listens, makes it
  // non-blocking and close-on-exec. Says where the first one listens; `address` is its host in
  // digits, or the path of a Unix socket. Throws as `listen` does.
  inherit(descriptors: number[]): {
    readonly family: number;
    readonly port: number;
    readonly address: string;
  };
  // Closes descriptors that were never published. Published ones belong to the workers.
  closeDescriptors(descriptors: number[]): void;
  // One datagram to a Unix socket; a leading '@' of `path` means an abstract name. Waits a second
  // at most for the receiver. Throws as `listen` does.
  sendDatagram(path: string, text: string): void;
  // Starts one thread per worker, pinned to `cpus[i]` (-1: not pinned). `engine`: 0 automatic,
  // 1 io_uring, 2 epoll. Workers report through their `state`, `engine` and `engineError` words.
  start(fleet: NativeFleet, engine: number, connectionsMax: number, cpus: number[]): void;
  // Stores both words, sequentially consistent, and wakes every worker.
  notify(fleet: NativeFleet, generation: number, liveSequence: number): void;
  // Opens where the access log goes: a file to append to, made if need be, or standard output when
  // `path` is empty. Makes the thread that writes, if there is none. Returns a descriptor. Throws
  // as `listen` does.
  openLog(fleet: NativeFleet, path: string): number;
  // From now on lines of `format` (0 json, 1 combined) go to the descriptor, which is taken over;
  // -1: requests are not logged. The `sink` word of the logger reaches the returned number once
  // nothing is written to the former one any more.
  switchLog(fleet: NativeFleet, descriptor: number, format: number): number;
  // What the access log calls a listener, route, pool or backend (`kind` 0 to 3) from now on.
  nameSlot(fleet: NativeFleet, kind: number, slot: number, incarnation: number, name: string): void;
  // Ends accepting on every listener (what is queued is still accepted).
  drain(fleet: NativeFleet): void;
  // Ends every connection, joins the workers within `boundMs`, detaches the region's buffers and
  // unmaps it. Returns how many workers did not end in time (their memory is then left mapped).
  stop(fleet: NativeFleet, boundMs: number): number;
}
