// Blocks of the region that workers only read: what the control plane publishes. The logger's block
// stands among them.
import { a32, type Block, counter, milliseconds, u32 } from './schema-fields.ts';

export const controlBlocks = {
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
} as const satisfies Record<string, Block>;
