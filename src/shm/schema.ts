// The one place where the layout of the shared memory is written. Plain data; imports nothing.
// `npm run gen` makes native/shm/layout.gen.h and src/shm/layout.gen.ts from it.
//
// Every block names its writer, and only the writer may store to it:
//   addon    the native code that maps the region, once, before any worker starts
//   control  the TypeScript controller (through src/shm/publish.ts), single-threaded; the words
//            `generation`, `liveSequence` and `phase` are stored natively with release order on its
//            behalf, because JavaScript has no release store on a plain ArrayBuffer
//   worker   the worker thread whose index is the block's first dimension
//
// Field types: u32, i32, u64 are plain (published by a later release store); a32, a64 are atomic
// words that are read while their writer runs. `bytes(n)` is raw. A `count` gives an array.
// Arrays of blocks are indexed by stable slot numbers, never by position in a configuration.

export const limits = {
  workersMax: 128,
  listenersMax: 256,
  routesMax: 4096,
  poolsMax: 1024,
  backendsMax: 16384,
  // All listeners' descriptors together: 256 listeners of 16, or 32 of 128.
  descriptorsMax: 4096,
  snapshotSlots: 8,
  // Open addressing at a load of at most one half.
  routeTableMax: 8192,
  // Unix paths of backends, host names of routes.
  arenaBytes: 2097152,
  // 16 linear buckets and 32 octaves of 16: 0 to 2^36 microseconds (19 hours).
  histogramBuckets: 528,
} as const;

export const enums = {
  Phase: ['starting', 'running', 'draining', 'stopping'],
  WorkerState: ['starting', 'running', 'draining', 'stopped', 'failed'],
  EngineKind: ['none', 'io_uring', 'epoll', 'simulated'],
  EngineFallback: ['none', 'refused_permission', 'not_supported', 'no_memory', 'probe_failed'],
  Mode: ['none', 'tcp'],
  Strategy: ['round_robin', 'least_connections', 'p2c'],
  AddressFamily: ['none', 'ipv4', 'ipv6', 'unix_socket'],
  // Administrative state of a backend. `cut`: its remaining connections are ended at once.
  AdminState: ['up', 'drain', 'cut'],
  // Observed state; the low 8 bits of a backend's health word. Unknown takes traffic.
  HealthState: ['unknown', 'healthy', 'unhealthy'],
} as const;

export type FieldType = 'u32' | 'i32' | 'u64' | 'a32' | 'a64' | 'bytes';
export type Writer = 'addon' | 'control' | 'worker';

export interface Field {
  readonly type: FieldType;
  // Array length; for bytes, the number of bytes. A number or the name of a limit.
  readonly count?: number | keyof typeof limits;
  // How metrics treat the word. `gauge` may fall, `counter` only rises.
  readonly metric?: 'counter' | 'gauge' | 'histogram';
  // Unit of the value: 'bytes', 'microseconds', 'nanoseconds', or a plain count.
  readonly unit?: string;
  readonly help?: string;
}

export interface Block {
  readonly writer: Writer;
  readonly help: string;
  // Alignment of one element in bytes; 64 keeps writers off each other's cache lines.
  readonly align: number;
  // Slots of this block per instance of its parent.
  readonly count?: keyof typeof limits;
  // 'region': once. 'snapshot': once per snapshot slot. 'worker': once per running worker.
  readonly per: 'region' | 'snapshot' | 'worker';
  readonly fields: Readonly<Record<string, Field>>;
}

const u32: Field = { type: 'u32' };
const a32: Field = { type: 'a32' };
const counter = (help: string, unit = ''): Field => ({
  type: 'a64',
  metric: 'counter',
  unit,
  help,
});
const gauge = (help: string): Field => ({ type: 'a32', metric: 'gauge', help });
const histogram = (help: string): Field => ({
  type: 'a64',
  count: 'histogramBuckets',
  metric: 'histogram',
  unit: 'microseconds',
  help,
});

export const blocks = {
  header: {
    writer: 'addon',
    per: 'region',
    align: 64,
    help: 'Identifies the region. Checked before anything else is read.',
    fields: {
      magic: u32,
      schemaHashLow: u32,
      schemaHashHigh: u32,
      workers: u32,
      regionBytes: { type: 'u64', unit: 'bytes' },
    },
  },
  control: {
    writer: 'control',
    per: 'region',
    align: 64,
    help: 'What is published. Each word is stored natively with release order.',
    fields: {
      // sequence << 3 | snapshot slot. 0: nothing is published yet.
      generation: a32,
      // Rises with every change of live words; acknowledged like a generation.
      liveSequence: a32,
      phase: a32,
    },
  },
  backendLive: {
    writer: 'control',
    per: 'region',
    align: 16,
    count: 'backendsMax',
    help: 'Words of a backend that change without a new snapshot.',
    fields: {
      admin: a32, // AdminState
      health: a32, // incarnation << 8 | HealthState; another incarnation's word counts as unknown
      weight: a32, // 0 takes no new work
      reserved: u32,
    },
  },
  poolLive: {
    writer: 'control',
    per: 'region',
    align: 4,
    count: 'poolsMax',
    help: 'Rises when a live word of one of the pool’s backends changes.',
    fields: { epoch: a32 },
  },
  snapshot: {
    writer: 'control',
    per: 'snapshot',
    align: 64,
    help: 'Head of one published configuration. `*High` is one past the highest slot in use.',
    fields: {
      generation: u32,
      listenersHigh: u32,
      routesCount: u32,
      poolsHigh: u32,
      backendsHigh: u32,
      membersCount: u32,
      descriptorsCount: u32,
      // Changes when any listener or descriptor does, so that adoption compares one word.
      listenersVersion: u32,
      // Entries of routeTable in use as a table: a power of two, or 0.
      routeTableSize: u32,
      hashSeed: u32,
      arenaUsed: u32,
      maxConnections: u32,
    },
  },
  snapshotListener: {
    writer: 'control',
    per: 'snapshot',
    align: 64,
    count: 'listenersMax',
    help: 'A listener, by slot. `mode` none: the slot is empty.',
    fields: {
      mode: u32,
      incarnation: u32,
      descriptorFirst: u32,
      descriptorCount: u32,
      maxConnections: u32, // 0: no limit of its own
      idleTimeoutMs: { type: 'u32', unit: 'milliseconds' },
      // AddressFamily of the listening address; unix listeners have one acceptor that hands off.
      family: u32,
    },
  },
  snapshotDescriptor: {
    writer: 'control',
    per: 'snapshot',
    align: 4,
    count: 'descriptorsMax',
    help: 'Listening descriptors. Worker w of n accepts on those of a listener at w mod n.',
    fields: { fd: { type: 'i32' } },
  },
  snapshotRoute: {
    writer: 'control',
    per: 'snapshot',
    align: 16,
    count: 'routesMax',
    help: 'What a match leads to.',
    fields: { pool: u32, listener: u32, keyOffset: u32, keyBytes: u32 },
  },
  snapshotRouteTable: {
    writer: 'control',
    per: 'snapshot',
    align: 4,
    count: 'routeTableMax',
    help: 'Open-addressed table over (listener, key), linear probing; route index + 1, or 0.',
    fields: { route: u32 },
  },
  snapshotPool: {
    writer: 'control',
    per: 'snapshot',
    align: 64,
    count: 'poolsMax',
    help: 'A pool, by slot. `incarnation` 0: the slot is empty.',
    fields: {
      incarnation: u32,
      strategy: u32,
      memberFirst: u32,
      memberCount: u32,
      connectTimeoutMs: { type: 'u32', unit: 'milliseconds' },
      // How many further backends are tried after a failed connect.
      connectRetries: u32,
    },
  },
  snapshotMember: {
    writer: 'control',
    per: 'snapshot',
    align: 4,
    count: 'backendsMax',
    help: 'Backend slots of all pools, each pool a contiguous range.',
    fields: { backend: u32 },
  },
  snapshotBackend: {
    writer: 'control',
    per: 'snapshot',
    align: 16,
    count: 'backendsMax',
    help: 'A backend, by slot. `incarnation` 0: the slot is empty.',
    fields: {
      incarnation: u32,
      pool: u32,
      family: u32,
      port: u32,
      address: { type: 'bytes', count: 16 }, // network order; IPv4 uses the first four
      scope: u32, // IPv6 scope id
      pathOffset: u32, // Unix path in the arena, without a closing zero
      pathBytes: u32,
      reserved: u32,
    },
  },
  snapshotArena: {
    writer: 'control',
    per: 'snapshot',
    align: 64,
    help: 'Variable-length data.',
    fields: { data: { type: 'bytes', count: 'arenaBytes' } },
  },
  worker: {
    writer: 'worker',
    per: 'worker',
    align: 128,
    help: 'One worker’s words.',
    fields: {
      adopted: a32, // the generation in use
      liveAdopted: a32, // the live sequence in use
      state: a32, // WorkerState
      engine: a32, // EngineKind
      engineFallback: a32, // EngineFallback
      engineError: a32, // errno behind the fallback or the failure, 0 otherwise
      cpu: a32, // the processor it is pinned to, plus one; 0: not pinned
      threadId: a32,
      heartbeat: { type: 'a64', unit: 'nanoseconds', help: 'Monotonic time of the last turn.' },
      // The generation it is about to adopt, named before anything of it is read and then compared
      // with `generation` again: a slot that no worker names here, in `adopted` or in
      // `snapshotRefs`, is used by none, whatever happens to a worker meanwhile.
      adopting: a32,
      // Holders of each snapshot slot: connections that keep the configuration they began with.
      snapshotRefs: { type: 'a32', count: 'snapshotSlots' },
      // Sockets this worker has handed to each other one. With the others' `receivedTotal` it tells
      // what is still on its way; wraps.
      handedTo: { type: 'a32', count: 'workersMax' },
      connections: gauge('Connections this worker holds now.'),
      buffersLentSmall: gauge('Small receive buffers held by connections.'),
      buffersLentLarge: gauge('Large receive buffers held by connections.'),
      pipesLent: gauge('Pipes held by connections.'),
      acceptedTotal: counter('Connections accepted by this worker.'),
      handedOffTotal: counter('Accepted connections handed to another worker.'),
      receivedTotal: counter('Connections received from another worker.'),
      acceptErrorsDescriptors: counter('Accepts refused for want of descriptors (EMFILE, ENFILE).'),
      acceptErrorsMemory: counter('Accepts refused for want of memory.'),
      acceptErrorsOther: counter('Accepts that failed otherwise.'),
      rejectedConnectionsMax: counter('Connections closed because maxConnections was reached.'),
      rejectedListenerGone: counter('Connections handed over after their listener had ended.'),
      resetAtStopTotal: counter('Queued connections that the kernel reset when a listener closed.'),
      staleCompletionsTotal: counter('Completions of a slot’s earlier generation, dropped.'),
      turnsTotal: counter('Turns of the event loop.'),
      pipesRefusedTotal: counter('Pipes the kernel refused; the transfer is copied instead.'),
      stallsCutTotal: counter('Connections cut because the peer acknowledged nothing.'),
      engineWaits: counter('Waits that entered the kernel.'),
      engineCompletions: counter('Completions delivered.'),
      engineBuffersExhausted: counter('Times no receive buffer was free.'),
      engineCqOverflows: counter('Times the completion queue overflowed.'),
      engineSqFull: counter('Early submissions for want of queue entries.'),
      engineRearmed: counter('Multishot operations the kernel ended by itself.'),
      engineNoMemory: counter('Engine calls refused for want of memory.'),
      engineMailFull: counter('Posts refused because a mailbox was full.'),
      engineSplicedBytes: counter('Bytes moved by splice.', 'bytes'),
    },
  },
  workerListener: {
    writer: 'worker',
    per: 'worker',
    align: 64,
    count: 'listenersMax',
    help: 'One worker’s counters of a listener slot; valid for the named incarnation.',
    fields: {
      incarnation: a32,
      connections: gauge('Connections open now.'),
      connectionsTotal: counter('Connections taken.'),
      rejectedTotal: counter('Connections closed because the listener’s limit was reached.'),
      receivedBytesTotal: counter('Bytes received from clients.', 'bytes'),
      sentBytesTotal: counter('Bytes sent to clients.', 'bytes'),
      // A connection ends early for one reason, which its listener and its pool both count.
      noBackendTotal: counter('Connections closed because no backend could take them.'),
      clientResetTotal: counter('Connections reset by the client.'),
      backendResetTotal: counter('Connections reset by the backend.'),
      idleTimeoutTotal: counter('Connections closed because nothing moved.'),
      stalledTotal: counter('Connections cut because a peer took nothing of what was left.'),
      cutTotal: counter('Connections ended by a drain’s timeout or a removal.'),
    },
  },
  workerPool: {
    writer: 'worker',
    per: 'worker',
    align: 64,
    count: 'poolsMax',
    help: 'One worker’s counters of a pool slot; valid for the named incarnation.',
    fields: {
      incarnation: a32,
      connections: gauge('Connections open now.'),
      connectionsTotal: counter('Connections balanced.'),
      connectRefusedTotal: counter('Connects refused by a backend.'),
      connectTimeoutTotal: counter('Connects that took too long.'),
      connectUnreachableTotal: counter('Connects to an unreachable backend.'),
      connectOtherTotal: counter('Connects that failed otherwise.'),
      retriesTotal: counter('Connects tried on another backend.'),
      noBackendTotal: counter('Connections closed because no backend could take them.'),
      clientResetTotal: counter('Connections reset by the client.'),
      backendResetTotal: counter('Connections reset by the backend.'),
      idleTimeoutTotal: counter('Connections closed because nothing moved.'),
      stalledTotal: counter('Connections cut because a peer took nothing of what was left.'),
      cutTotal: counter('Connections ended by a drain’s timeout or a removal.'),
      toBackendBytesTotal: counter('Bytes sent to backends.', 'bytes'),
      fromBackendBytesTotal: counter('Bytes received from backends.', 'bytes'),
      connectTime: histogram('Time to connect to a backend.'),
      connectTimeSum: counter('Sum of connect times.', 'microseconds'),
      firstByteTime: histogram('Time from accept to the first byte from the backend.'),
      firstByteTimeSum: counter('Sum of first byte times.', 'microseconds'),
      duration: histogram('Length of a connection.'),
      durationSum: counter('Sum of connection lengths.', 'microseconds'),
    },
  },
  workerInFlight: {
    writer: 'worker',
    per: 'worker',
    align: 4,
    count: 'backendsMax',
    help: 'Connections now on a backend, by slot: dense, so that strategies sum workers cheaply.',
    fields: { count: a32 },
  },
  workerBackend: {
    writer: 'worker',
    per: 'worker',
    align: 64,
    count: 'backendsMax',
    help: 'One worker’s counters of a backend slot; zeroed by it when the incarnation changes.',
    fields: {
      incarnation: a32,
      failureStreak: a32, // failed connects since the last good one
      connectionsTotal: counter('Connections given to this backend.'),
      connectTimeSum: counter('Sum of connect times.', 'microseconds'),
      sentBytesTotal: counter('Bytes sent to this backend.', 'bytes'),
      receivedBytesTotal: counter('Bytes received from this backend.', 'bytes'),
      // After what is counted for every connection, which shares one cache line.
      connectRefusedTotal: counter('Connects refused by this backend.'),
      connectTimeoutTotal: counter('Connects that took too long.'),
      connectUnreachableTotal: counter('Connects that found no way to this backend.'),
      connectOtherTotal: counter('Connects that failed otherwise.'),
      backendResetTotal: counter('Connections this backend reset.'),
      cutTotal: counter('Connections ended by a drain’s timeout or a removal.'),
    },
  },
} as const satisfies Record<string, Block>;
