// Limits and enums of the region.
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
