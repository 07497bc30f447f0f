// GENERATED from src/shm/schema.ts by `npm run gen`. Do not edit.

export const schemaHash = '9cee6bdb1679b8d9';
export const magic = 0x43554c53;
export const snapshotBase = 270336;
export const snapshotStride = 3149824;
export const workerBase = 25468928;
export const workerStride = 15372288;

// Offsets are from the start of the region, of a snapshot slot, or of a worker's area (`per`).
export const layout = {
  header: {
    writer: 'addon',
    per: 'region',
    offset: 0,
    size: 64,
    count: 1,
    fields: {
      magic: { offset: 0, type: 'u32', count: 1 },
      schemaHashLow: { offset: 4, type: 'u32', count: 1 },
      schemaHashHigh: { offset: 8, type: 'u32', count: 1 },
      workers: { offset: 12, type: 'u32', count: 1 },
      regionBytes: { offset: 16, type: 'u64', count: 1, unit: 'bytes' },
    },
  },
  control: {
    writer: 'control',
    per: 'region',
    offset: 64,
    size: 64,
    count: 1,
    fields: {
      generation: { offset: 0, type: 'a32', count: 1 },
      liveSequence: { offset: 4, type: 'a32', count: 1 },
      phase: { offset: 8, type: 'a32', count: 1 },
    },
  },
  backendLive: {
    writer: 'control',
    per: 'region',
    offset: 4096,
    size: 16,
    count: 16384,
    fields: {
      admin: { offset: 0, type: 'a32', count: 1 },
      health: { offset: 4, type: 'a32', count: 1 },
      weight: { offset: 8, type: 'a32', count: 1 },
      reserved: { offset: 12, type: 'u32', count: 1 },
    },
  },
  poolLive: {
    writer: 'control',
    per: 'region',
    offset: 266240,
    size: 4,
    count: 1024,
    fields: {
      epoch: { offset: 0, type: 'a32', count: 1 },
    },
  },
  snapshot: {
    writer: 'control',
    per: 'snapshot',
    offset: 0,
    size: 64,
    count: 1,
    fields: {
      generation: { offset: 0, type: 'u32', count: 1 },
      listenersHigh: { offset: 4, type: 'u32', count: 1 },
      routesCount: { offset: 8, type: 'u32', count: 1 },
      poolsHigh: { offset: 12, type: 'u32', count: 1 },
      backendsHigh: { offset: 16, type: 'u32', count: 1 },
      membersCount: { offset: 20, type: 'u32', count: 1 },
      descriptorsCount: { offset: 24, type: 'u32', count: 1 },
      listenersVersion: { offset: 28, type: 'u32', count: 1 },
      routeTableSize: { offset: 32, type: 'u32', count: 1 },
      hashSeed: { offset: 36, type: 'u32', count: 1 },
      arenaUsed: { offset: 40, type: 'u32', count: 1 },
      maxConnections: { offset: 44, type: 'u32', count: 1 },
    },
  },
  snapshotListener: {
    writer: 'control',
    per: 'snapshot',
    offset: 4096,
    size: 64,
    count: 256,
    fields: {
      mode: { offset: 0, type: 'u32', count: 1 },
      incarnation: { offset: 4, type: 'u32', count: 1 },
      descriptorFirst: { offset: 8, type: 'u32', count: 1 },
      descriptorCount: { offset: 12, type: 'u32', count: 1 },
      maxConnections: { offset: 16, type: 'u32', count: 1 },
      idleTimeoutMs: { offset: 20, type: 'u32', count: 1, unit: 'milliseconds' },
      family: { offset: 24, type: 'u32', count: 1 },
    },
  },
  snapshotDescriptor: {
    writer: 'control',
    per: 'snapshot',
    offset: 20480,
    size: 4,
    count: 4096,
    fields: {
      fd: { offset: 0, type: 'i32', count: 1 },
    },
  },
  snapshotRoute: {
    writer: 'control',
    per: 'snapshot',
    offset: 36864,
    size: 16,
    count: 4096,
    fields: {
      pool: { offset: 0, type: 'u32', count: 1 },
      listener: { offset: 4, type: 'u32', count: 1 },
      keyOffset: { offset: 8, type: 'u32', count: 1 },
      keyBytes: { offset: 12, type: 'u32', count: 1 },
    },
  },
  snapshotRouteTable: {
    writer: 'control',
    per: 'snapshot',
    offset: 102400,
    size: 4,
    count: 8192,
    fields: {
      route: { offset: 0, type: 'u32', count: 1 },
    },
  },
  snapshotPool: {
    writer: 'control',
    per: 'snapshot',
    offset: 135168,
    size: 64,
    count: 1024,
    fields: {
      incarnation: { offset: 0, type: 'u32', count: 1 },
      strategy: { offset: 4, type: 'u32', count: 1 },
      memberFirst: { offset: 8, type: 'u32', count: 1 },
      memberCount: { offset: 12, type: 'u32', count: 1 },
      connectTimeoutMs: { offset: 16, type: 'u32', count: 1, unit: 'milliseconds' },
      connectRetries: { offset: 20, type: 'u32', count: 1 },
    },
  },
  snapshotMember: {
    writer: 'control',
    per: 'snapshot',
    offset: 200704,
    size: 4,
    count: 16384,
    fields: {
      backend: { offset: 0, type: 'u32', count: 1 },
    },
  },
  snapshotBackend: {
    writer: 'control',
    per: 'snapshot',
    offset: 266240,
    size: 48,
    count: 16384,
    fields: {
      incarnation: { offset: 0, type: 'u32', count: 1 },
      pool: { offset: 4, type: 'u32', count: 1 },
      family: { offset: 8, type: 'u32', count: 1 },
      port: { offset: 12, type: 'u32', count: 1 },
      address: { offset: 16, type: 'bytes', count: 16 },
      scope: { offset: 32, type: 'u32', count: 1 },
      pathOffset: { offset: 36, type: 'u32', count: 1 },
      pathBytes: { offset: 40, type: 'u32', count: 1 },
      reserved: { offset: 44, type: 'u32', count: 1 },
    },
  },
  snapshotArena: {
    writer: 'control',
    per: 'snapshot',
    offset: 1052672,
    size: 2097152,
    count: 1,
    fields: {
      data: { offset: 0, type: 'bytes', count: 2097152 },
    },
  },
  worker: {
    writer: 'worker',
    per: 'worker',
    offset: 0,
    size: 896,
    count: 1,
    fields: {
      adopted: { offset: 0, type: 'a32', count: 1 },
      liveAdopted: { offset: 4, type: 'a32', count: 1 },
      state: { offset: 8, type: 'a32', count: 1 },
      engine: { offset: 12, type: 'a32', count: 1 },
      engineFallback: { offset: 16, type: 'a32', count: 1 },
      engineError: { offset: 20, type: 'a32', count: 1 },
      cpu: { offset: 24, type: 'a32', count: 1 },
      threadId: { offset: 28, type: 'a32', count: 1 },
      heartbeat: { offset: 32, type: 'a64', count: 1, unit: 'nanoseconds' },
      adopting: { offset: 40, type: 'a32', count: 1 },
      snapshotRefs: { offset: 44, type: 'a32', count: 8 },
      handedTo: { offset: 76, type: 'a32', count: 128 },
      connections: { offset: 588, type: 'a32', count: 1, metric: 'gauge', help: "Connections this worker holds now." },
      buffersLentSmall: { offset: 592, type: 'a32', count: 1, metric: 'gauge', help: "Small receive buffers held by connections." },
      buffersLentLarge: { offset: 596, type: 'a32', count: 1, metric: 'gauge', help: "Large receive buffers held by connections." },
      pipesLent: { offset: 600, type: 'a32', count: 1, metric: 'gauge', help: "Pipes held by connections." },
      acceptedTotal: { offset: 608, type: 'a64', count: 1, metric: 'counter', help: "Connections accepted by this worker." },
      handedOffTotal: { offset: 616, type: 'a64', count: 1, metric: 'counter', help: "Accepted connections handed to another worker." },
      receivedTotal: { offset: 624, type: 'a64', count: 1, metric: 'counter', help: "Connections received from another worker." },
      acceptErrorsDescriptors: { offset: 632, type: 'a64', count: 1, metric: 'counter', help: "Accepts refused for want of descriptors (EMFILE, ENFILE)." },
      acceptErrorsMemory: { offset: 640, type: 'a64', count: 1, metric: 'counter', help: "Accepts refused for want of memory." },
      acceptErrorsOther: { offset: 648, type: 'a64', count: 1, metric: 'counter', help: "Accepts that failed otherwise." },
      rejectedConnectionsMax: { offset: 656, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because maxConnections was reached." },
      rejectedListenerGone: { offset: 664, type: 'a64', count: 1, metric: 'counter', help: "Connections handed over after their listener had ended." },
      resetAtStopTotal: { offset: 672, type: 'a64', count: 1, metric: 'counter', help: "Queued connections that the kernel reset when a listener closed." },
      staleCompletionsTotal: { offset: 680, type: 'a64', count: 1, metric: 'counter', help: "Completions of a slot’s earlier generation, dropped." },
      turnsTotal: { offset: 688, type: 'a64', count: 1, metric: 'counter', help: "Turns of the event loop." },
      pipesRefusedTotal: { offset: 696, type: 'a64', count: 1, metric: 'counter', help: "Pipes the kernel refused; the transfer is copied instead." },
      stallsCutTotal: { offset: 704, type: 'a64', count: 1, metric: 'counter', help: "Connections cut because the peer acknowledged nothing." },
      engineWaits: { offset: 712, type: 'a64', count: 1, metric: 'counter', help: "Waits that entered the kernel." },
      engineCompletions: { offset: 720, type: 'a64', count: 1, metric: 'counter', help: "Completions delivered." },
      engineBuffersExhausted: { offset: 728, type: 'a64', count: 1, metric: 'counter', help: "Times no receive buffer was free." },
      engineCqOverflows: { offset: 736, type: 'a64', count: 1, metric: 'counter', help: "Times the completion queue overflowed." },
      engineSqFull: { offset: 744, type: 'a64', count: 1, metric: 'counter', help: "Early submissions for want of queue entries." },
      engineRearmed: { offset: 752, type: 'a64', count: 1, metric: 'counter', help: "Multishot operations the kernel ended by itself." },
      engineNoMemory: { offset: 760, type: 'a64', count: 1, metric: 'counter', help: "Engine calls refused for want of memory." },
      engineMailFull: { offset: 768, type: 'a64', count: 1, metric: 'counter', help: "Posts refused because a mailbox was full." },
      engineSplicedBytes: { offset: 776, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes moved by splice." },
    },
  },
  workerListener: {
    writer: 'worker',
    per: 'worker',
    offset: 4096,
    size: 128,
    count: 256,
    fields: {
      incarnation: { offset: 0, type: 'a32', count: 1 },
      connections: { offset: 4, type: 'a32', count: 1, metric: 'gauge', help: "Connections open now." },
      connectionsTotal: { offset: 8, type: 'a64', count: 1, metric: 'counter', help: "Connections taken." },
      rejectedTotal: { offset: 16, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because the listener’s limit was reached." },
      receivedBytesTotal: { offset: 24, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes received from clients." },
      sentBytesTotal: { offset: 32, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes sent to clients." },
      noBackendTotal: { offset: 40, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because no backend could take them." },
      clientResetTotal: { offset: 48, type: 'a64', count: 1, metric: 'counter', help: "Connections reset by the client." },
      backendResetTotal: { offset: 56, type: 'a64', count: 1, metric: 'counter', help: "Connections reset by the backend." },
      idleTimeoutTotal: { offset: 64, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because nothing moved." },
      stalledTotal: { offset: 72, type: 'a64', count: 1, metric: 'counter', help: "Connections cut because a peer took nothing of what was left." },
      cutTotal: { offset: 80, type: 'a64', count: 1, metric: 'counter', help: "Connections ended by a drain’s timeout or a removal." },
    },
  },
  workerPool: {
    writer: 'worker',
    per: 'worker',
    offset: 36864,
    size: 12864,
    count: 1024,
    fields: {
      incarnation: { offset: 0, type: 'a32', count: 1 },
      connections: { offset: 4, type: 'a32', count: 1, metric: 'gauge', help: "Connections open now." },
      connectionsTotal: { offset: 8, type: 'a64', count: 1, metric: 'counter', help: "Connections balanced." },
      connectRefusedTotal: { offset: 16, type: 'a64', count: 1, metric: 'counter', help: "Connects refused by a backend." },
      connectTimeoutTotal: { offset: 24, type: 'a64', count: 1, metric: 'counter', help: "Connects that took too long." },
      connectUnreachableTotal: { offset: 32, type: 'a64', count: 1, metric: 'counter', help: "Connects to an unreachable backend." },
      connectOtherTotal: { offset: 40, type: 'a64', count: 1, metric: 'counter', help: "Connects that failed otherwise." },
      retriesTotal: { offset: 48, type: 'a64', count: 1, metric: 'counter', help: "Connects tried on another backend." },
      noBackendTotal: { offset: 56, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because no backend could take them." },
      clientResetTotal: { offset: 64, type: 'a64', count: 1, metric: 'counter', help: "Connections reset by the client." },
      backendResetTotal: { offset: 72, type: 'a64', count: 1, metric: 'counter', help: "Connections reset by the backend." },
      idleTimeoutTotal: { offset: 80, type: 'a64', count: 1, metric: 'counter', help: "Connections closed because nothing moved." },
      stalledTotal: { offset: 88, type: 'a64', count: 1, metric: 'counter', help: "Connections cut because a peer took nothing of what was left." },
      cutTotal: { offset: 96, type: 'a64', count: 1, metric: 'counter', help: "Connections ended by a drain’s timeout or a removal." },
      toBackendBytesTotal: { offset: 104, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes sent to backends." },
      fromBackendBytesTotal: { offset: 112, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes received from backends." },
      connectTime: { offset: 120, type: 'a64', count: 528, metric: 'histogram', unit: 'microseconds', help: "Time to connect to a backend." },
      connectTimeSum: { offset: 4344, type: 'a64', count: 1, metric: 'counter', unit: 'microseconds', help: "Sum of connect times." },
      firstByteTime: { offset: 4352, type: 'a64', count: 528, metric: 'histogram', unit: 'microseconds', help: "Time from accept to the first byte from the backend." },
      firstByteTimeSum: { offset: 8576, type: 'a64', count: 1, metric: 'counter', unit: 'microseconds', help: "Sum of first byte times." },
      duration: { offset: 8584, type: 'a64', count: 528, metric: 'histogram', unit: 'microseconds', help: "Length of a connection." },
      durationSum: { offset: 12808, type: 'a64', count: 1, metric: 'counter', unit: 'microseconds', help: "Sum of connection lengths." },
    },
  },
  workerInFlight: {
    writer: 'worker',
    per: 'worker',
    offset: 13209600,
    size: 4,
    count: 16384,
    fields: {
      count: { offset: 0, type: 'a32', count: 1 },
    },
  },
  workerBackend: {
    writer: 'worker',
    per: 'worker',
    offset: 13275136,
    size: 128,
    count: 16384,
    fields: {
      incarnation: { offset: 0, type: 'a32', count: 1 },
      failureStreak: { offset: 4, type: 'a32', count: 1 },
      connectionsTotal: { offset: 8, type: 'a64', count: 1, metric: 'counter', help: "Connections given to this backend." },
      connectTimeSum: { offset: 16, type: 'a64', count: 1, metric: 'counter', unit: 'microseconds', help: "Sum of connect times." },
      sentBytesTotal: { offset: 24, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes sent to this backend." },
      receivedBytesTotal: { offset: 32, type: 'a64', count: 1, metric: 'counter', unit: 'bytes', help: "Bytes received from this backend." },
      connectRefusedTotal: { offset: 40, type: 'a64', count: 1, metric: 'counter', help: "Connects refused by this backend." },
      connectTimeoutTotal: { offset: 48, type: 'a64', count: 1, metric: 'counter', help: "Connects that took too long." },
      connectUnreachableTotal: { offset: 56, type: 'a64', count: 1, metric: 'counter', help: "Connects that found no way to this backend." },
      connectOtherTotal: { offset: 64, type: 'a64', count: 1, metric: 'counter', help: "Connects that failed otherwise." },
      backendResetTotal: { offset: 72, type: 'a64', count: 1, metric: 'counter', help: "Connections this backend reset." },
      cutTotal: { offset: 80, type: 'a64', count: 1, metric: 'counter', help: "Connections ended by a drain’s timeout or a removal." },
    },
  },
} as const;

export const Phase = {
  starting: 0,
  running: 1,
  draining: 2,
  stopping: 3,
} as const;
export type Phase = keyof typeof Phase;

export const WorkerState = {
  starting: 0,
  running: 1,
  draining: 2,
  stopped: 3,
  failed: 4,
} as const;
export type WorkerState = keyof typeof WorkerState;

export const EngineKind = {
  none: 0,
  io_uring: 1,
  epoll: 2,
  simulated: 3,
} as const;
export type EngineKind = keyof typeof EngineKind;

export const EngineFallback = {
  none: 0,
  refused_permission: 1,
  not_supported: 2,
  no_memory: 3,
  probe_failed: 4,
} as const;
export type EngineFallback = keyof typeof EngineFallback;

export const Mode = {
  none: 0,
  tcp: 1,
} as const;
export type Mode = keyof typeof Mode;

export const Strategy = {
  round_robin: 0,
  least_connections: 1,
  p2c: 2,
} as const;
export type Strategy = keyof typeof Strategy;

export const AddressFamily = {
  none: 0,
  ipv4: 1,
  ipv6: 2,
  unix_socket: 3,
} as const;
export type AddressFamily = keyof typeof AddressFamily;

export const AdminState = {
  up: 0,
  drain: 1,
  cut: 2,
} as const;
export type AdminState = keyof typeof AdminState;

export const HealthState = {
  unknown: 0,
  healthy: 1,
  unhealthy: 2,
} as const;
export type HealthState = keyof typeof HealthState;
