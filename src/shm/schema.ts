// The one place where the layout of the shared memory is written. Plain data; imports nothing.
// `npm run gen` makes native/shm/layout.gen.h and src/shm/layout.gen.ts from it.
//
// Every block names its writer, and only the writer may store to it:
//   addon    the native code that maps the region, once, before any worker starts
//   control  the TypeScript controller (through src/shm/publish.ts), single-threaded; the words
//            `generation`, `liveSequence` and `phase` are stored natively with release order on its
//            behalf, because JavaScript has no release store on a plain ArrayBuffer
//   worker   the worker thread whose index is the block's first dimension
//   logger   the addon's thread that formats and writes the access log
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
  // Open addressing at a load of at most one half; hosts and routes have a table each.
  routeTableMax: 8192,
  // Ranges of trusted proxies of all listeners together.
  trustedMax: 1024,
  // Hosts and path prefixes of all routes together.
  routeBytesMax: 2097152,
  // Those, and the Unix paths of backends.
  arenaBytes: 4194304,
  // 16 linear buckets and 32 octaves of 16: 0 to 2^36 microseconds (19 hours).
  histogramBuckets: 528,
  // Records of a worker that wait to be formatted: 0.4 s of 50,000 a second, of 400 bytes each.
  logRingBytes: 8388608,
} as const;

export const enums = {
  Phase: ['starting', 'running', 'draining', 'stopping'],
  WorkerState: ['starting', 'running', 'draining', 'stopped', 'failed'],
  EngineKind: ['none', 'io_uring', 'epoll', 'simulated'],
  EngineFallback: ['none', 'refused_permission', 'not_supported', 'no_memory', 'probe_failed'],
  Mode: ['none', 'tcp', 'http'],
  Strategy: ['round_robin', 'least_connections', 'p2c'],
  AddressFamily: ['none', 'ipv4', 'ipv6', 'unix_socket'],
  // Administrative state of a backend. `cut`: its remaining connections are ended at once.
  AdminState: ['up', 'drain', 'cut'],
  // Observed state; the low 8 bits of a backend's health word. Unknown (nobody checks) and healthy
  // take traffic, checking only where the pool has none of these, unhealthy none.
  HealthState: ['unknown', 'healthy', 'unhealthy', 'checking'],
  // Why a worker ejected a backend: it could not be connected to, or failed too often in a row.
  EjectionReason: ['none', 'connect', 'failures'],
} as const;

export type FieldType = 'u32' | 'i32' | 'u64' | 'a32' | 'a64' | 'bytes';
export type Writer = 'addon' | 'control' | 'worker' | 'logger';

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
const milliseconds: Field = { type: 'u32', unit: 'milliseconds' };
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

// A request counts by the class of the answer that its client was given.
const requestsByClass = {
  requests1xxTotal: counter('Answers with a status of 1xx: upgrades.'),
  requests2xxTotal: counter('Answers with a status of 2xx.'),
  requests3xxTotal: counter('Answers with a status of 3xx.'),
  requests4xxTotal: counter('Answers with a status of 4xx.'),
  requests5xxTotal: counter('Answers with a status of 5xx.'),
};
const answered = (status: number): Field => counter(`Requests answered ${status} by sluice.`);

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
      // 1: workers write a record of each exchange into their ring.
      accessLog: a32,
    },
  },
  logger: {
    writer: 'logger',
    per: 'region',
    align: 64,
    help: 'What became of the records of all workers.',
    fields: {
      sink: a32, // how many times the destination has been switched; wraps
      writtenTotal: counter('Records written to the access log.'),
      droppedTotal: counter('Records that the destination of the access log did not take.'),
      writeErrorsTotal: counter('Writes to the access log that failed.'),
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
      routesHigh: u32,
      hostsCount: u32,
      trustedCount: u32,
      poolsHigh: u32,
      backendsHigh: u32,
      membersCount: u32,
      descriptorsCount: u32,
      // Changes when any listener or descriptor does, so that adoption compares one word.
      listenersVersion: u32,
      // Entries of each table in use as one: a power of two, or 0.
      hostTableSize: u32,
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
      idleTimeoutMs: milliseconds,
      // AddressFamily of the listening address; unix listeners have one acceptor that hands off.
      family: u32,
      // Route slot + 1 for what names no host and no path that a route has; tcp: of everything.
      anyRoute: u32,
      // Bit 0: routes with exact hosts. Bit n: with wildcards of n labels after the star; 31: of 31
      // or more.
      hostLabelMask: u32,
      // Of routes without a host. Bit n: path prefixes of n + 1 segments.
      prefixDepthMask: u32,
      requestHeadTimeoutMs: milliseconds,
      clientIdleTimeoutMs: milliseconds,
      bodyTimeoutMs: milliseconds,
      tunnelIdleTimeoutMs: milliseconds,
      headBytesMax: { type: 'u32', unit: 'bytes' },
      targetBytesMax: { type: 'u32', unit: 'bytes' },
      fieldsMax: u32,
      bodyBytesMax: { type: 'u32', unit: 'bytes' }, // 0: no limit
      // 1: requests and answers are given a Via field.
      via: u32,
      // 1: the connection to the backend ends with the answer.
      serverClose: u32,
      trustedFirst: u32,
      trustedCount: u32,
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
  snapshotTrusted: {
    writer: 'control',
    per: 'snapshot',
    align: 4,
    count: 'trustedMax',
    help: 'Ranges of trusted proxies of all listeners, each listener a contiguous range.',
    fields: {
      address: { type: 'bytes', count: 16 }, // network order; IPv4 mapped into IPv6
      prefixBits: u32, // of the 128
    },
  },
  snapshotHost: {
    writer: 'control',
    per: 'snapshot',
    align: 32,
    count: 'routesMax',
    help: 'A host that routes of a listener name. Dense, in no order.',
    fields: {
      listener: u32,
      // Lower case; a wildcard begins with the dot behind its star.
      keyOffset: u32,
      keyBytes: u32,
      // Route slot + 1 for every path that no prefix matches; 0: none.
      anyRoute: u32,
      // Bit n: path prefixes of n + 1 segments.
      prefixDepthMask: u32,
    },
  },
  snapshotHostTable: {
    writer: 'control',
    per: 'snapshot',
    align: 8,
    count: 'routeTableMax',
    help: 'Open-addressed table over (listener, host), linear probing.',
    fields: { hash: u32, host: u32 }, // index + 1; 0: the entry is free
  },
  snapshotRoute: {
    writer: 'control',
    per: 'snapshot',
    align: 32,
    count: 'routesMax',
    help: 'What a match leads to, by slot. `incarnation` 0: the slot is empty.',
    fields: {
      incarnation: u32,
      pool: u32,
      listener: u32,
      // Whose prefixes it is one of: index of the host + 1; without host 2^31 + listener.
      scope: u32,
      // Normalised path prefix, without a closing slash; of no bytes for every path.
      prefixOffset: u32,
      prefixBytes: u32,
    },
  },
  snapshotRouteTable: {
    writer: 'control',
    per: 'snapshot',
    align: 8,
    count: 'routeTableMax',
    help: 'Open-addressed table over (scope, path prefix), linear probing.',
    fields: { hash: u32, route: u32 }, // slot + 1; 0: the entry is free
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
      connectTimeoutMs: milliseconds,
      // How many further backends are tried after a failed connect.
      connectRetries: u32,
      responseHeadTimeoutMs: milliseconds,
      bodyTimeoutMs: milliseconds,
      // Of connections that wait for their next request.
      keepAliveIdleMs: milliseconds,
      keepAliveRequestsMax: u32, // 0: no limit
      idleMax: u32, // of a worker and backend; 0: connections are not kept
      ejectionFailures: u32, // in a row; 0: no backend is ejected
      ejectionBaseMs: milliseconds,
      ejectionMaxMs: milliseconds,
      retryAfterS: u32, // of 503 when no backend can take a request
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
      headBlocksLent: gauge('Blocks of memory held by message heads.'),
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
      // Read often: it tells the control plane when to look at the backends.
      ejectionsTotal: counter('Ejections of backends by this worker.'),
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
  workerLog: {
    writer: 'worker',
    per: 'worker',
    align: 128,
    help: 'The producer’s side of a worker’s ring of access log records.',
    fields: {
      head: { type: 'a64', unit: 'bytes' }, // bytes ever put in, gaps at the ring's end included
      recordsTotal: counter('Records put into the ring.'),
      droppedTotal: counter('Records dropped because the ring was full.'),
    },
  },
  workerLogTail: {
    writer: 'logger',
    per: 'worker',
    align: 128,
    help: 'The consumer’s side of the same ring.',
    fields: { tail: { type: 'a64', unit: 'bytes' } },
  },
  workerLogRing: {
    writer: 'worker',
    per: 'worker',
    align: 64,
    help: 'Records, each contiguous; native/log/record.h.',
    fields: { data: { type: 'bytes', count: 'logRingBytes' } },
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
      requestsInFlight: gauge('Requests whose answer is not complete.'),
      requestsTotal: counter('Requests taken.'),
      ...requestsByClass,
      answered400Total: answered(400),
      answered404Total: answered(404),
      answered408Total: answered(408),
      answered413Total: answered(413),
      answered414Total: answered(414),
      answered417Total: answered(417),
      answered431Total: answered(431),
      answered501Total: answered(501),
      answered502Total: answered(502),
      answered503Total: answered(503),
      answered504Total: answered(504),
      answered505Total: answered(505),
      clientAbortedTotal: counter('Requests whose client went before the answer was complete.'),
      httpUpgradesTotal: counter('Connections that changed to another protocol.'),
      requestDuration: histogram('Time from the head of a request to the end of its answer.'),
      requestDurationSum: counter('Sum of request durations.', 'microseconds'),
    },
  },
  workerRoute: {
    writer: 'worker',
    per: 'worker',
    align: 64,
    count: 'routesMax',
    help: 'One worker’s counters of a route slot; valid for the named incarnation.',
    fields: {
      incarnation: a32,
      requestsInFlight: gauge('Requests whose answer is not complete.'),
      ...requestsByClass,
      requestBytesTotal: counter('Bytes of requests, heads and bodies.', 'bytes'),
      responseBytesTotal: counter('Bytes of answers, heads and bodies.', 'bytes'),
      duration: histogram('Time from the head of a request to the end of its answer.'),
      durationSum: counter('Sum of request durations.', 'microseconds'),
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
      requestsInFlight: gauge('Requests whose answer is not complete.'),
      requestsTotal: counter('Requests balanced.'),
      ...requestsByClass,
      requestRetriesTotal: counter('Requests sent again, on another connection.'),
      responseTimeoutTotal: counter('Requests whose answer took too long to begin.'),
      responseInvalidTotal: counter('Answers that are not valid HTTP.'),
      responseCutTotal: counter('Answers that ended before they were complete.'),
      requestDuration: histogram('Time from the head of a request to the end of its answer.'),
      requestDurationSum: counter('Sum of request durations.', 'microseconds'),
      responseTime: histogram('Time from a request sent to the head of its answer.'),
      responseTimeSum: counter('Sum of response times.', 'microseconds'),
      ejectionsConnectTotal: counter('Ejections because connecting failed.'),
      ejectionsFailuresTotal: counter('Ejections because of failures in a row.'),
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
      failureStreak: a32, // failures since the last success
      connectionsTotal: counter('Connections given to this backend.'),
      connectTimeSum: counter('Sum of connect times.', 'microseconds'),
      sentBytesTotal: counter('Bytes sent to this backend.', 'bytes'),
      receivedBytesTotal: counter('Bytes received from this backend.', 'bytes'),
      idleConnections: gauge('Connections that wait for their next request.'),
      requestsTotal: counter('Requests given to this backend.'),
      requestFailuresTotal: counter('Requests that this backend did not answer completely.'),
      connectionsReusedTotal: counter('Requests sent on a connection that had one before.'),
      // After what is counted for every connection, which shares one cache line.
      connectRefusedTotal: counter('Connects refused by this backend.'),
      connectTimeoutTotal: counter('Connects that took too long.'),
      connectUnreachableTotal: counter('Connects that found no way to this backend.'),
      connectOtherTotal: counter('Connects that failed otherwise.'),
      backendResetTotal: counter('Connections this backend reset.'),
      cutTotal: counter('Connections ended by a drain’s timeout or a removal.'),
      ejectionsTotal: counter('Times a worker ejected this backend.'),
      // Monotonic time at which this worker tries it again; 0: it is not ejected. A time that has
      // passed stays until a try has succeeded.
      ejectedUntil: { type: 'a64', unit: 'nanoseconds' },
      ejectionReason: a32, // EjectionReason, of the last ejection
    },
  },
} as const satisfies Record<string, Block>;
