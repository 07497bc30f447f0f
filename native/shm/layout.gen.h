// GENERATED from src/shm/schema.ts by `npm run gen`. Do not edit.
// clang-format off
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice::shm {

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4);
static_assert(std::atomic<uint64_t>::is_always_lock_free && sizeof(std::atomic<uint64_t>) == 8);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

inline constexpr uint64_t kSchemaHash = 0xc978317fa3e14637ull;
inline constexpr uint32_t kMagic = 0x43554c53;  // "SLUC"
inline constexpr uint32_t kWorkersMax = 128;
inline constexpr uint32_t kListenersMax = 256;
inline constexpr uint32_t kRoutesMax = 4096;
inline constexpr uint32_t kPoolsMax = 1024;
inline constexpr uint32_t kBackendsMax = 16384;
inline constexpr uint32_t kDescriptorsMax = 4096;
inline constexpr uint32_t kSnapshotSlots = 8;
inline constexpr uint32_t kRouteTableMax = 8192;
inline constexpr uint32_t kTrustedMax = 1024;
inline constexpr uint32_t kRouteBytesMax = 2097152;
inline constexpr uint32_t kArenaBytes = 4194304;
inline constexpr uint32_t kHistogramBuckets = 528;
inline constexpr uint32_t kLogRingBytes = 8388608;

enum class Phase : uint32_t {
  starting = 0,
  running = 1,
  draining = 2,
  stopping = 3,
};

enum class WorkerState : uint32_t {
  starting = 0,
  running = 1,
  draining = 2,
  stopped = 3,
  failed = 4,
};

enum class EngineKind : uint32_t {
  none = 0,
  io_uring = 1,
  epoll = 2,
  simulated = 3,
};

enum class EngineFallback : uint32_t {
  none = 0,
  refused_permission = 1,
  not_supported = 2,
  no_memory = 3,
  probe_failed = 4,
};

enum class Mode : uint32_t {
  none = 0,
  tcp = 1,
  http = 2,
};

enum class Strategy : uint32_t {
  round_robin = 0,
  least_connections = 1,
  p2c = 2,
};

enum class AddressFamily : uint32_t {
  none = 0,
  ipv4 = 1,
  ipv6 = 2,
  unix_socket = 3,
};

enum class AdminState : uint32_t {
  up = 0,
  drain = 1,
  cut = 2,
};

enum class HealthState : uint32_t {
  unknown = 0,
  healthy = 1,
  unhealthy = 2,
  checking = 3,
};

enum class EjectionReason : uint32_t {
  none = 0,
  connect = 1,
  failures = 2,
};

// Writer: addon. Identifies the region. Checked before anything else is read.
struct alignas(64) Header {
  uint32_t magic;
  uint32_t schema_hash_low;
  uint32_t schema_hash_high;
  uint32_t workers;
  uint64_t region_bytes;
};
static_assert(sizeof(Header) == 64 && alignof(Header) == 64);
static_assert(offsetof(Header, magic) == 0);
static_assert(offsetof(Header, schema_hash_low) == 4);
static_assert(offsetof(Header, schema_hash_high) == 8);
static_assert(offsetof(Header, workers) == 12);
static_assert(offsetof(Header, region_bytes) == 16);

// Writer: control. What is published. Each word is stored natively with release order.
struct alignas(64) Control {
  std::atomic<uint32_t> generation;
  std::atomic<uint32_t> live_sequence;
  std::atomic<uint32_t> phase;
  std::atomic<uint32_t> access_log;
};
static_assert(sizeof(Control) == 64 && alignof(Control) == 64);
static_assert(offsetof(Control, generation) == 0);
static_assert(offsetof(Control, live_sequence) == 4);
static_assert(offsetof(Control, phase) == 8);
static_assert(offsetof(Control, access_log) == 12);

// Writer: logger. What became of the records of all workers.
struct alignas(64) Logger {
  std::atomic<uint32_t> sink;
  // Records written to the access log.
  std::atomic<uint64_t> written_total;
  // Records that the destination of the access log did not take.
  std::atomic<uint64_t> dropped_total;
  // Writes to the access log that failed.
  std::atomic<uint64_t> write_errors_total;
};
static_assert(sizeof(Logger) == 64 && alignof(Logger) == 64);
static_assert(offsetof(Logger, sink) == 0);
static_assert(offsetof(Logger, written_total) == 8);
static_assert(offsetof(Logger, dropped_total) == 16);
static_assert(offsetof(Logger, write_errors_total) == 24);

// Writer: control. Words of a backend that change without a new snapshot.
struct alignas(16) BackendLive {
  std::atomic<uint32_t> admin;
  std::atomic<uint32_t> health;
  std::atomic<uint32_t> weight;
  uint32_t reserved;
};
static_assert(sizeof(BackendLive) == 16 && alignof(BackendLive) == 16);
static_assert(offsetof(BackendLive, admin) == 0);
static_assert(offsetof(BackendLive, health) == 4);
static_assert(offsetof(BackendLive, weight) == 8);
static_assert(offsetof(BackendLive, reserved) == 12);

// Writer: control. Rises when a live word of one of the pool’s backends changes.
struct alignas(4) PoolLive {
  std::atomic<uint32_t> epoch;
};
static_assert(sizeof(PoolLive) == 4 && alignof(PoolLive) == 4);
static_assert(offsetof(PoolLive, epoch) == 0);

// Writer: control. Head of one published configuration. `*High` is one past the highest slot in use.
struct alignas(64) Snapshot {
  uint32_t generation;
  uint32_t listeners_high;
  uint32_t routes_high;
  uint32_t hosts_count;
  uint32_t trusted_count;
  uint32_t pools_high;
  uint32_t backends_high;
  uint32_t members_count;
  uint32_t descriptors_count;
  uint32_t listeners_version;
  uint32_t host_table_size;
  uint32_t route_table_size;
  uint32_t hash_seed;
  uint32_t arena_used;
  uint32_t max_connections;
};
static_assert(sizeof(Snapshot) == 64 && alignof(Snapshot) == 64);
static_assert(offsetof(Snapshot, generation) == 0);
static_assert(offsetof(Snapshot, listeners_high) == 4);
static_assert(offsetof(Snapshot, routes_high) == 8);
static_assert(offsetof(Snapshot, hosts_count) == 12);
static_assert(offsetof(Snapshot, trusted_count) == 16);
static_assert(offsetof(Snapshot, pools_high) == 20);
static_assert(offsetof(Snapshot, backends_high) == 24);
static_assert(offsetof(Snapshot, members_count) == 28);
static_assert(offsetof(Snapshot, descriptors_count) == 32);
static_assert(offsetof(Snapshot, listeners_version) == 36);
static_assert(offsetof(Snapshot, host_table_size) == 40);
static_assert(offsetof(Snapshot, route_table_size) == 44);
static_assert(offsetof(Snapshot, hash_seed) == 48);
static_assert(offsetof(Snapshot, arena_used) == 52);
static_assert(offsetof(Snapshot, max_connections) == 56);

// Writer: control. A listener, by slot. `mode` none: the slot is empty.
struct alignas(64) SnapshotListener {
  uint32_t mode;
  uint32_t incarnation;
  uint32_t descriptor_first;
  uint32_t descriptor_count;
  uint32_t max_connections;
  uint32_t idle_timeout_ms;
  uint32_t family;
  uint32_t any_route;
  uint32_t host_label_mask;
  uint32_t prefix_depth_mask;
  uint32_t request_head_timeout_ms;
  uint32_t client_idle_timeout_ms;
  uint32_t body_timeout_ms;
  uint32_t tunnel_idle_timeout_ms;
  uint32_t head_bytes_max;
  uint32_t target_bytes_max;
  uint32_t fields_max;
  uint32_t body_bytes_max;
  uint32_t via;
  uint32_t server_close;
  uint32_t trusted_first;
  uint32_t trusted_count;
};
static_assert(sizeof(SnapshotListener) == 128 && alignof(SnapshotListener) == 64);
static_assert(offsetof(SnapshotListener, mode) == 0);
static_assert(offsetof(SnapshotListener, incarnation) == 4);
static_assert(offsetof(SnapshotListener, descriptor_first) == 8);
static_assert(offsetof(SnapshotListener, descriptor_count) == 12);
static_assert(offsetof(SnapshotListener, max_connections) == 16);
static_assert(offsetof(SnapshotListener, idle_timeout_ms) == 20);
static_assert(offsetof(SnapshotListener, family) == 24);
static_assert(offsetof(SnapshotListener, any_route) == 28);
static_assert(offsetof(SnapshotListener, host_label_mask) == 32);
static_assert(offsetof(SnapshotListener, prefix_depth_mask) == 36);
static_assert(offsetof(SnapshotListener, request_head_timeout_ms) == 40);
static_assert(offsetof(SnapshotListener, client_idle_timeout_ms) == 44);
static_assert(offsetof(SnapshotListener, body_timeout_ms) == 48);
static_assert(offsetof(SnapshotListener, tunnel_idle_timeout_ms) == 52);
static_assert(offsetof(SnapshotListener, head_bytes_max) == 56);
static_assert(offsetof(SnapshotListener, target_bytes_max) == 60);
static_assert(offsetof(SnapshotListener, fields_max) == 64);
static_assert(offsetof(SnapshotListener, body_bytes_max) == 68);
static_assert(offsetof(SnapshotListener, via) == 72);
static_assert(offsetof(SnapshotListener, server_close) == 76);
static_assert(offsetof(SnapshotListener, trusted_first) == 80);
static_assert(offsetof(SnapshotListener, trusted_count) == 84);

// Writer: control. Listening descriptors. Worker w of n accepts on those of a listener at w mod n.
struct alignas(4) SnapshotDescriptor {
  int32_t fd;
};
static_assert(sizeof(SnapshotDescriptor) == 4 && alignof(SnapshotDescriptor) == 4);
static_assert(offsetof(SnapshotDescriptor, fd) == 0);

// Writer: control. Ranges of trusted proxies of all listeners, each listener a contiguous range.
struct alignas(4) SnapshotTrusted {
  uint8_t address[16];
  uint32_t prefix_bits;
};
static_assert(sizeof(SnapshotTrusted) == 20 && alignof(SnapshotTrusted) == 4);
static_assert(offsetof(SnapshotTrusted, address) == 0);
static_assert(offsetof(SnapshotTrusted, prefix_bits) == 16);

// Writer: control. A host that routes of a listener name. Dense, in no order.
struct alignas(32) SnapshotHost {
  uint32_t listener;
  uint32_t key_offset;
  uint32_t key_bytes;
  uint32_t any_route;
  uint32_t prefix_depth_mask;
};
static_assert(sizeof(SnapshotHost) == 32 && alignof(SnapshotHost) == 32);
static_assert(offsetof(SnapshotHost, listener) == 0);
static_assert(offsetof(SnapshotHost, key_offset) == 4);
static_assert(offsetof(SnapshotHost, key_bytes) == 8);
static_assert(offsetof(SnapshotHost, any_route) == 12);
static_assert(offsetof(SnapshotHost, prefix_depth_mask) == 16);

// Writer: control. Open-addressed table over (listener, host), linear probing.
struct alignas(8) SnapshotHostTable {
  uint32_t hash;
  uint32_t host;
};
static_assert(sizeof(SnapshotHostTable) == 8 && alignof(SnapshotHostTable) == 8);
static_assert(offsetof(SnapshotHostTable, hash) == 0);
static_assert(offsetof(SnapshotHostTable, host) == 4);

// Writer: control. What a match leads to, by slot. `incarnation` 0: the slot is empty.
struct alignas(32) SnapshotRoute {
  uint32_t incarnation;
  uint32_t pool;
  uint32_t listener;
  uint32_t scope;
  uint32_t prefix_offset;
  uint32_t prefix_bytes;
};
static_assert(sizeof(SnapshotRoute) == 32 && alignof(SnapshotRoute) == 32);
static_assert(offsetof(SnapshotRoute, incarnation) == 0);
static_assert(offsetof(SnapshotRoute, pool) == 4);
static_assert(offsetof(SnapshotRoute, listener) == 8);
static_assert(offsetof(SnapshotRoute, scope) == 12);
static_assert(offsetof(SnapshotRoute, prefix_offset) == 16);
static_assert(offsetof(SnapshotRoute, prefix_bytes) == 20);

// Writer: control. Open-addressed table over (scope, path prefix), linear probing.
struct alignas(8) SnapshotRouteTable {
  uint32_t hash;
  uint32_t route;
};
static_assert(sizeof(SnapshotRouteTable) == 8 && alignof(SnapshotRouteTable) == 8);
static_assert(offsetof(SnapshotRouteTable, hash) == 0);
static_assert(offsetof(SnapshotRouteTable, route) == 4);

// Writer: control. A pool, by slot. `incarnation` 0: the slot is empty.
struct alignas(64) SnapshotPool {
  uint32_t incarnation;
  uint32_t strategy;
  uint32_t member_first;
  uint32_t member_count;
  uint32_t connect_timeout_ms;
  uint32_t connect_retries;
  uint32_t response_head_timeout_ms;
  uint32_t body_timeout_ms;
  uint32_t keep_alive_idle_ms;
  uint32_t keep_alive_requests_max;
  uint32_t idle_max;
  uint32_t ejection_failures;
  uint32_t ejection_base_ms;
  uint32_t ejection_max_ms;
  uint32_t retry_after_s;
};
static_assert(sizeof(SnapshotPool) == 64 && alignof(SnapshotPool) == 64);
static_assert(offsetof(SnapshotPool, incarnation) == 0);
static_assert(offsetof(SnapshotPool, strategy) == 4);
static_assert(offsetof(SnapshotPool, member_first) == 8);
static_assert(offsetof(SnapshotPool, member_count) == 12);
static_assert(offsetof(SnapshotPool, connect_timeout_ms) == 16);
static_assert(offsetof(SnapshotPool, connect_retries) == 20);
static_assert(offsetof(SnapshotPool, response_head_timeout_ms) == 24);
static_assert(offsetof(SnapshotPool, body_timeout_ms) == 28);
static_assert(offsetof(SnapshotPool, keep_alive_idle_ms) == 32);
static_assert(offsetof(SnapshotPool, keep_alive_requests_max) == 36);
static_assert(offsetof(SnapshotPool, idle_max) == 40);
static_assert(offsetof(SnapshotPool, ejection_failures) == 44);
static_assert(offsetof(SnapshotPool, ejection_base_ms) == 48);
static_assert(offsetof(SnapshotPool, ejection_max_ms) == 52);
static_assert(offsetof(SnapshotPool, retry_after_s) == 56);

// Writer: control. Backend slots of all pools, each pool a contiguous range.
struct alignas(4) SnapshotMember {
  uint32_t backend;
};
static_assert(sizeof(SnapshotMember) == 4 && alignof(SnapshotMember) == 4);
static_assert(offsetof(SnapshotMember, backend) == 0);

// Writer: control. A backend, by slot. `incarnation` 0: the slot is empty.
struct alignas(16) SnapshotBackend {
  uint32_t incarnation;
  uint32_t pool;
  uint32_t family;
  uint32_t port;
  uint8_t address[16];
  uint32_t scope;
  uint32_t path_offset;
  uint32_t path_bytes;
  uint32_t reserved;
};
static_assert(sizeof(SnapshotBackend) == 48 && alignof(SnapshotBackend) == 16);
static_assert(offsetof(SnapshotBackend, incarnation) == 0);
static_assert(offsetof(SnapshotBackend, pool) == 4);
static_assert(offsetof(SnapshotBackend, family) == 8);
static_assert(offsetof(SnapshotBackend, port) == 12);
static_assert(offsetof(SnapshotBackend, address) == 16);
static_assert(offsetof(SnapshotBackend, scope) == 32);
static_assert(offsetof(SnapshotBackend, path_offset) == 36);
static_assert(offsetof(SnapshotBackend, path_bytes) == 40);
static_assert(offsetof(SnapshotBackend, reserved) == 44);

// Writer: control. Variable-length data.
struct alignas(64) SnapshotArena {
  uint8_t data[4194304];
};
static_assert(sizeof(SnapshotArena) == 4194304 && alignof(SnapshotArena) == 64);
static_assert(offsetof(SnapshotArena, data) == 0);

// Writer: worker. One worker’s words.
struct alignas(128) Worker {
  std::atomic<uint32_t> adopted;
  std::atomic<uint32_t> live_adopted;
  std::atomic<uint32_t> state;
  std::atomic<uint32_t> engine;
  std::atomic<uint32_t> engine_fallback;
  std::atomic<uint32_t> engine_error;
  std::atomic<uint32_t> cpu;
  std::atomic<uint32_t> thread_id;
  // Monotonic time of the last turn.
  std::atomic<uint64_t> heartbeat;
  std::atomic<uint32_t> adopting;
  std::atomic<uint32_t> snapshot_refs[8];
  std::atomic<uint32_t> handed_to[128];
  // Connections this worker holds now.
  std::atomic<uint32_t> connections;
  // Small receive buffers held by connections.
  std::atomic<uint32_t> buffers_lent_small;
  // Large receive buffers held by connections.
  std::atomic<uint32_t> buffers_lent_large;
  // Pipes held by connections.
  std::atomic<uint32_t> pipes_lent;
  // Blocks of memory held by message heads.
  std::atomic<uint32_t> head_blocks_lent;
  // Connections accepted by this worker.
  std::atomic<uint64_t> accepted_total;
  // Accepted connections handed to another worker.
  std::atomic<uint64_t> handed_off_total;
  // Connections received from another worker.
  std::atomic<uint64_t> received_total;
  // Accepts refused for want of descriptors (EMFILE, ENFILE).
  std::atomic<uint64_t> accept_errors_descriptors;
  // Accepts refused for want of memory.
  std::atomic<uint64_t> accept_errors_memory;
  // Accepts that failed otherwise.
  std::atomic<uint64_t> accept_errors_other;
  // Connections closed because maxConnections was reached.
  std::atomic<uint64_t> rejected_connections_max;
  // Connections handed over after their listener had ended.
  std::atomic<uint64_t> rejected_listener_gone;
  // Queued connections that the kernel reset when a listener closed.
  std::atomic<uint64_t> reset_at_stop_total;
  // Completions of a slot’s earlier generation, dropped.
  std::atomic<uint64_t> stale_completions_total;
  // Ejections of backends by this worker.
  std::atomic<uint64_t> ejections_total;
  // Turns of the event loop.
  std::atomic<uint64_t> turns_total;
  // Pipes the kernel refused; the transfer is copied instead.
  std::atomic<uint64_t> pipes_refused_total;
  // Connections cut because the peer acknowledged nothing.
  std::atomic<uint64_t> stalls_cut_total;
  // Waits that entered the kernel.
  std::atomic<uint64_t> engine_waits;
  // Completions delivered.
  std::atomic<uint64_t> engine_completions;
  // Times no receive buffer was free.
  std::atomic<uint64_t> engine_buffers_exhausted;
  // Times the completion queue overflowed.
  std::atomic<uint64_t> engine_cq_overflows;
  // Early submissions for want of queue entries.
  std::atomic<uint64_t> engine_sq_full;
  // Multishot operations the kernel ended by itself.
  std::atomic<uint64_t> engine_rearmed;
  // Engine calls refused for want of memory.
  std::atomic<uint64_t> engine_no_memory;
  // Posts refused because a mailbox was full.
  std::atomic<uint64_t> engine_mail_full;
  // Bytes moved by splice.
  std::atomic<uint64_t> engine_spliced_bytes;
};
static_assert(sizeof(Worker) == 896 && alignof(Worker) == 128);
static_assert(offsetof(Worker, adopted) == 0);
static_assert(offsetof(Worker, live_adopted) == 4);
static_assert(offsetof(Worker, state) == 8);
static_assert(offsetof(Worker, engine) == 12);
static_assert(offsetof(Worker, engine_fallback) == 16);
static_assert(offsetof(Worker, engine_error) == 20);
static_assert(offsetof(Worker, cpu) == 24);
static_assert(offsetof(Worker, thread_id) == 28);
static_assert(offsetof(Worker, heartbeat) == 32);
static_assert(offsetof(Worker, adopting) == 40);
static_assert(offsetof(Worker, snapshot_refs) == 44);
static_assert(offsetof(Worker, handed_to) == 76);
static_assert(offsetof(Worker, connections) == 588);
static_assert(offsetof(Worker, buffers_lent_small) == 592);
static_assert(offsetof(Worker, buffers_lent_large) == 596);
static_assert(offsetof(Worker, pipes_lent) == 600);
static_assert(offsetof(Worker, head_blocks_lent) == 604);
static_assert(offsetof(Worker, accepted_total) == 608);
static_assert(offsetof(Worker, handed_off_total) == 616);
static_assert(offsetof(Worker, received_total) == 624);
static_assert(offsetof(Worker, accept_errors_descriptors) == 632);
static_assert(offsetof(Worker, accept_errors_memory) == 640);
static_assert(offsetof(Worker, accept_errors_other) == 648);
static_assert(offsetof(Worker, rejected_connections_max) == 656);
static_assert(offsetof(Worker, rejected_listener_gone) == 664);
static_assert(offsetof(Worker, reset_at_stop_total) == 672);
static_assert(offsetof(Worker, stale_completions_total) == 680);
static_assert(offsetof(Worker, ejections_total) == 688);
static_assert(offsetof(Worker, turns_total) == 696);
static_assert(offsetof(Worker, pipes_refused_total) == 704);
static_assert(offsetof(Worker, stalls_cut_total) == 712);
static_assert(offsetof(Worker, engine_waits) == 720);
static_assert(offsetof(Worker, engine_completions) == 728);
static_assert(offsetof(Worker, engine_buffers_exhausted) == 736);
static_assert(offsetof(Worker, engine_cq_overflows) == 744);
static_assert(offsetof(Worker, engine_sq_full) == 752);
static_assert(offsetof(Worker, engine_rearmed) == 760);
static_assert(offsetof(Worker, engine_no_memory) == 768);
static_assert(offsetof(Worker, engine_mail_full) == 776);
static_assert(offsetof(Worker, engine_spliced_bytes) == 784);

// Writer: worker. The producer’s side of a worker’s ring of access log records.
struct alignas(128) WorkerLog {
  std::atomic<uint64_t> head;
  // Records put into the ring.
  std::atomic<uint64_t> records_total;
  // Records dropped because the ring was full.
  std::atomic<uint64_t> dropped_total;
};
static_assert(sizeof(WorkerLog) == 128 && alignof(WorkerLog) == 128);
static_assert(offsetof(WorkerLog, head) == 0);
static_assert(offsetof(WorkerLog, records_total) == 8);
static_assert(offsetof(WorkerLog, dropped_total) == 16);

// Writer: logger. The consumer’s side of the same ring.
struct alignas(128) WorkerLogTail {
  std::atomic<uint64_t> tail;
};
static_assert(sizeof(WorkerLogTail) == 128 && alignof(WorkerLogTail) == 128);
static_assert(offsetof(WorkerLogTail, tail) == 0);

// Writer: worker. Records, each contiguous; native/log/record.h.
struct alignas(64) WorkerLogRing {
  uint8_t data[8388608];
};
static_assert(sizeof(WorkerLogRing) == 8388608 && alignof(WorkerLogRing) == 64);
static_assert(offsetof(WorkerLogRing, data) == 0);

// Writer: worker. One worker’s counters of a listener slot; valid for the named incarnation.
struct alignas(64) WorkerListener {
  std::atomic<uint32_t> incarnation;
  // Connections open now.
  std::atomic<uint32_t> connections;
  // Connections taken.
  std::atomic<uint64_t> connections_total;
  // Connections closed because the listener’s limit was reached.
  std::atomic<uint64_t> rejected_total;
  // Bytes received from clients.
  std::atomic<uint64_t> received_bytes_total;
  // Bytes sent to clients.
  std::atomic<uint64_t> sent_bytes_total;
  // Connections closed because no backend could take them.
  std::atomic<uint64_t> no_backend_total;
  // Connections reset by the client.
  std::atomic<uint64_t> client_reset_total;
  // Connections reset by the backend.
  std::atomic<uint64_t> backend_reset_total;
  // Connections closed because nothing moved.
  std::atomic<uint64_t> idle_timeout_total;
  // Connections cut because a peer took nothing of what was left.
  std::atomic<uint64_t> stalled_total;
  // Connections ended by a drain’s timeout or a removal.
  std::atomic<uint64_t> cut_total;
  // Requests whose answer is not complete.
  std::atomic<uint32_t> requests_in_flight;
  // Requests taken.
  std::atomic<uint64_t> requests_total;
  // Answers with a status of 1xx: upgrades.
  std::atomic<uint64_t> requests1xx_total;
  // Answers with a status of 2xx.
  std::atomic<uint64_t> requests2xx_total;
  // Answers with a status of 3xx.
  std::atomic<uint64_t> requests3xx_total;
  // Answers with a status of 4xx.
  std::atomic<uint64_t> requests4xx_total;
  // Answers with a status of 5xx.
  std::atomic<uint64_t> requests5xx_total;
  // Requests answered 400 by sluice.
  std::atomic<uint64_t> answered400_total;
  // Requests answered 404 by sluice.
  std::atomic<uint64_t> answered404_total;
  // Requests answered 408 by sluice.
  std::atomic<uint64_t> answered408_total;
  // Requests answered 413 by sluice.
  std::atomic<uint64_t> answered413_total;
  // Requests answered 414 by sluice.
  std::atomic<uint64_t> answered414_total;
  // Requests answered 417 by sluice.
  std::atomic<uint64_t> answered417_total;
  // Requests answered 431 by sluice.
  std::atomic<uint64_t> answered431_total;
  // Requests answered 501 by sluice.
  std::atomic<uint64_t> answered501_total;
  // Requests answered 502 by sluice.
  std::atomic<uint64_t> answered502_total;
  // Requests answered 503 by sluice.
  std::atomic<uint64_t> answered503_total;
  // Requests answered 504 by sluice.
  std::atomic<uint64_t> answered504_total;
  // Requests answered 505 by sluice.
  std::atomic<uint64_t> answered505_total;
  // Requests whose client went before the answer was complete.
  std::atomic<uint64_t> client_aborted_total;
  // Connections that changed to another protocol.
  std::atomic<uint64_t> http_upgrades_total;
  // Time from the head of a request to the end of its answer.
  std::atomic<uint64_t> request_duration[528];
  // Sum of request durations.
  std::atomic<uint64_t> request_duration_sum;
};
static_assert(sizeof(WorkerListener) == 4544 && alignof(WorkerListener) == 64);
static_assert(offsetof(WorkerListener, incarnation) == 0);
static_assert(offsetof(WorkerListener, connections) == 4);
static_assert(offsetof(WorkerListener, connections_total) == 8);
static_assert(offsetof(WorkerListener, rejected_total) == 16);
static_assert(offsetof(WorkerListener, received_bytes_total) == 24);
static_assert(offsetof(WorkerListener, sent_bytes_total) == 32);
static_assert(offsetof(WorkerListener, no_backend_total) == 40);
static_assert(offsetof(WorkerListener, client_reset_total) == 48);
static_assert(offsetof(WorkerListener, backend_reset_total) == 56);
static_assert(offsetof(WorkerListener, idle_timeout_total) == 64);
static_assert(offsetof(WorkerListener, stalled_total) == 72);
static_assert(offsetof(WorkerListener, cut_total) == 80);
static_assert(offsetof(WorkerListener, requests_in_flight) == 88);
static_assert(offsetof(WorkerListener, requests_total) == 96);
static_assert(offsetof(WorkerListener, requests1xx_total) == 104);
static_assert(offsetof(WorkerListener, requests2xx_total) == 112);
static_assert(offsetof(WorkerListener, requests3xx_total) == 120);
static_assert(offsetof(WorkerListener, requests4xx_total) == 128);
static_assert(offsetof(WorkerListener, requests5xx_total) == 136);
static_assert(offsetof(WorkerListener, answered400_total) == 144);
static_assert(offsetof(WorkerListener, answered404_total) == 152);
static_assert(offsetof(WorkerListener, answered408_total) == 160);
static_assert(offsetof(WorkerListener, answered413_total) == 168);
static_assert(offsetof(WorkerListener, answered414_total) == 176);
static_assert(offsetof(WorkerListener, answered417_total) == 184);
static_assert(offsetof(WorkerListener, answered431_total) == 192);
static_assert(offsetof(WorkerListener, answered501_total) == 200);
static_assert(offsetof(WorkerListener, answered502_total) == 208);
static_assert(offsetof(WorkerListener, answered503_total) == 216);
static_assert(offsetof(WorkerListener, answered504_total) == 224);
static_assert(offsetof(WorkerListener, answered505_total) == 232);
static_assert(offsetof(WorkerListener, client_aborted_total) == 240);
static_assert(offsetof(WorkerListener, http_upgrades_total) == 248);
static_assert(offsetof(WorkerListener, request_duration) == 256);
static_assert(offsetof(WorkerListener, request_duration_sum) == 4480);

// Writer: worker. One worker’s counters of a route slot; valid for the named incarnation.
struct alignas(64) WorkerRoute {
  std::atomic<uint32_t> incarnation;
  // Requests whose answer is not complete.
  std::atomic<uint32_t> requests_in_flight;
  // Answers with a status of 1xx: upgrades.
  std::atomic<uint64_t> requests1xx_total;
  // Answers with a status of 2xx.
  std::atomic<uint64_t> requests2xx_total;
  // Answers with a status of 3xx.
  std::atomic<uint64_t> requests3xx_total;
  // Answers with a status of 4xx.
  std::atomic<uint64_t> requests4xx_total;
  // Answers with a status of 5xx.
  std::atomic<uint64_t> requests5xx_total;
  // Bytes of requests, heads and bodies.
  std::atomic<uint64_t> request_bytes_total;
  // Bytes of answers, heads and bodies.
  std::atomic<uint64_t> response_bytes_total;
  // Time from the head of a request to the end of its answer.
  std::atomic<uint64_t> duration[528];
  // Sum of request durations.
  std::atomic<uint64_t> duration_sum;
};
static_assert(sizeof(WorkerRoute) == 4352 && alignof(WorkerRoute) == 64);
static_assert(offsetof(WorkerRoute, incarnation) == 0);
static_assert(offsetof(WorkerRoute, requests_in_flight) == 4);
static_assert(offsetof(WorkerRoute, requests1xx_total) == 8);
static_assert(offsetof(WorkerRoute, requests2xx_total) == 16);
static_assert(offsetof(WorkerRoute, requests3xx_total) == 24);
static_assert(offsetof(WorkerRoute, requests4xx_total) == 32);
static_assert(offsetof(WorkerRoute, requests5xx_total) == 40);
static_assert(offsetof(WorkerRoute, request_bytes_total) == 48);
static_assert(offsetof(WorkerRoute, response_bytes_total) == 56);
static_assert(offsetof(WorkerRoute, duration) == 64);
static_assert(offsetof(WorkerRoute, duration_sum) == 4288);

// Writer: worker. One worker’s counters of a pool slot; valid for the named incarnation.
struct alignas(64) WorkerPool {
  std::atomic<uint32_t> incarnation;
  // Connections open now.
  std::atomic<uint32_t> connections;
  // Connections balanced.
  std::atomic<uint64_t> connections_total;
  // Connects refused by a backend.
  std::atomic<uint64_t> connect_refused_total;
  // Connects that took too long.
  std::atomic<uint64_t> connect_timeout_total;
  // Connects to an unreachable backend.
  std::atomic<uint64_t> connect_unreachable_total;
  // Connects that failed otherwise.
  std::atomic<uint64_t> connect_other_total;
  // Connects tried on another backend.
  std::atomic<uint64_t> retries_total;
  // Connections closed because no backend could take them.
  std::atomic<uint64_t> no_backend_total;
  // Connections reset by the client.
  std::atomic<uint64_t> client_reset_total;
  // Connections reset by the backend.
  std::atomic<uint64_t> backend_reset_total;
  // Connections closed because nothing moved.
  std::atomic<uint64_t> idle_timeout_total;
  // Connections cut because a peer took nothing of what was left.
  std::atomic<uint64_t> stalled_total;
  // Connections ended by a drain’s timeout or a removal.
  std::atomic<uint64_t> cut_total;
  // Bytes sent to backends.
  std::atomic<uint64_t> to_backend_bytes_total;
  // Bytes received from backends.
  std::atomic<uint64_t> from_backend_bytes_total;
  // Time to connect to a backend.
  std::atomic<uint64_t> connect_time[528];
  // Sum of connect times.
  std::atomic<uint64_t> connect_time_sum;
  // Time from accept to the first byte from the backend.
  std::atomic<uint64_t> first_byte_time[528];
  // Sum of first byte times.
  std::atomic<uint64_t> first_byte_time_sum;
  // Length of a connection.
  std::atomic<uint64_t> duration[528];
  // Sum of connection lengths.
  std::atomic<uint64_t> duration_sum;
  // Requests whose answer is not complete.
  std::atomic<uint32_t> requests_in_flight;
  // Requests balanced.
  std::atomic<uint64_t> requests_total;
  // Answers with a status of 1xx: upgrades.
  std::atomic<uint64_t> requests1xx_total;
  // Answers with a status of 2xx.
  std::atomic<uint64_t> requests2xx_total;
  // Answers with a status of 3xx.
  std::atomic<uint64_t> requests3xx_total;
  // Answers with a status of 4xx.
  std::atomic<uint64_t> requests4xx_total;
  // Answers with a status of 5xx.
  std::atomic<uint64_t> requests5xx_total;
  // Requests sent again, on another connection.
  std::atomic<uint64_t> request_retries_total;
  // Requests whose answer took too long to begin.
  std::atomic<uint64_t> response_timeout_total;
  // Answers that are not valid HTTP.
  std::atomic<uint64_t> response_invalid_total;
  // Answers that ended before they were complete.
  std::atomic<uint64_t> response_cut_total;
  // Time from the head of a request to the end of its answer.
  std::atomic<uint64_t> request_duration[528];
  // Sum of request durations.
  std::atomic<uint64_t> request_duration_sum;
  // Time from a request sent to the head of its answer.
  std::atomic<uint64_t> response_time[528];
  // Sum of response times.
  std::atomic<uint64_t> response_time_sum;
  // Ejections because connecting failed.
  std::atomic<uint64_t> ejections_connect_total;
  // Ejections because of failures in a row.
  std::atomic<uint64_t> ejections_failures_total;
};
static_assert(sizeof(WorkerPool) == 21440 && alignof(WorkerPool) == 64);
static_assert(offsetof(WorkerPool, incarnation) == 0);
static_assert(offsetof(WorkerPool, connections) == 4);
static_assert(offsetof(WorkerPool, connections_total) == 8);
static_assert(offsetof(WorkerPool, connect_refused_total) == 16);
static_assert(offsetof(WorkerPool, connect_timeout_total) == 24);
static_assert(offsetof(WorkerPool, connect_unreachable_total) == 32);
static_assert(offsetof(WorkerPool, connect_other_total) == 40);
static_assert(offsetof(WorkerPool, retries_total) == 48);
static_assert(offsetof(WorkerPool, no_backend_total) == 56);
static_assert(offsetof(WorkerPool, client_reset_total) == 64);
static_assert(offsetof(WorkerPool, backend_reset_total) == 72);
static_assert(offsetof(WorkerPool, idle_timeout_total) == 80);
static_assert(offsetof(WorkerPool, stalled_total) == 88);
static_assert(offsetof(WorkerPool, cut_total) == 96);
static_assert(offsetof(WorkerPool, to_backend_bytes_total) == 104);
static_assert(offsetof(WorkerPool, from_backend_bytes_total) == 112);
static_assert(offsetof(WorkerPool, connect_time) == 120);
static_assert(offsetof(WorkerPool, connect_time_sum) == 4344);
static_assert(offsetof(WorkerPool, first_byte_time) == 4352);
static_assert(offsetof(WorkerPool, first_byte_time_sum) == 8576);
static_assert(offsetof(WorkerPool, duration) == 8584);
static_assert(offsetof(WorkerPool, duration_sum) == 12808);
static_assert(offsetof(WorkerPool, requests_in_flight) == 12816);
static_assert(offsetof(WorkerPool, requests_total) == 12824);
static_assert(offsetof(WorkerPool, requests1xx_total) == 12832);
static_assert(offsetof(WorkerPool, requests2xx_total) == 12840);
static_assert(offsetof(WorkerPool, requests3xx_total) == 12848);
static_assert(offsetof(WorkerPool, requests4xx_total) == 12856);
static_assert(offsetof(WorkerPool, requests5xx_total) == 12864);
static_assert(offsetof(WorkerPool, request_retries_total) == 12872);
static_assert(offsetof(WorkerPool, response_timeout_total) == 12880);
static_assert(offsetof(WorkerPool, response_invalid_total) == 12888);
static_assert(offsetof(WorkerPool, response_cut_total) == 12896);
static_assert(offsetof(WorkerPool, request_duration) == 12904);
static_assert(offsetof(WorkerPool, request_duration_sum) == 17128);
static_assert(offsetof(WorkerPool, response_time) == 17136);
static_assert(offsetof(WorkerPool, response_time_sum) == 21360);
static_assert(offsetof(WorkerPool, ejections_connect_total) == 21368);
static_assert(offsetof(WorkerPool, ejections_failures_total) == 21376);

// Writer: worker. Connections now on a backend, by slot: dense, so that strategies sum workers cheaply.
struct alignas(4) WorkerInFlight {
  std::atomic<uint32_t> count;
};
static_assert(sizeof(WorkerInFlight) == 4 && alignof(WorkerInFlight) == 4);
static_assert(offsetof(WorkerInFlight, count) == 0);

// Writer: worker. One worker’s counters of a backend slot; zeroed by it when the incarnation changes.
struct alignas(64) WorkerBackend {
  std::atomic<uint32_t> incarnation;
  std::atomic<uint32_t> failure_streak;
  // Connections given to this backend.
  std::atomic<uint64_t> connections_total;
  // Sum of connect times.
  std::atomic<uint64_t> connect_time_sum;
  // Bytes sent to this backend.
  std::atomic<uint64_t> sent_bytes_total;
  // Bytes received from this backend.
  std::atomic<uint64_t> received_bytes_total;
  // Connections that wait for their next request.
  std::atomic<uint32_t> idle_connections;
  // Requests given to this backend.
  std::atomic<uint64_t> requests_total;
  // Requests that this backend did not answer completely.
  std::atomic<uint64_t> request_failures_total;
  // Requests sent on a connection that had one before.
  std::atomic<uint64_t> connections_reused_total;
  // Connects refused by this backend.
  std::atomic<uint64_t> connect_refused_total;
  // Connects that took too long.
  std::atomic<uint64_t> connect_timeout_total;
  // Connects that found no way to this backend.
  std::atomic<uint64_t> connect_unreachable_total;
  // Connects that failed otherwise.
  std::atomic<uint64_t> connect_other_total;
  // Connections this backend reset.
  std::atomic<uint64_t> backend_reset_total;
  // Connections ended by a drain’s timeout or a removal.
  std::atomic<uint64_t> cut_total;
  // Times a worker ejected this backend.
  std::atomic<uint64_t> ejections_total;
  std::atomic<uint64_t> ejected_until;
  std::atomic<uint32_t> ejection_reason;
};
static_assert(sizeof(WorkerBackend) == 192 && alignof(WorkerBackend) == 64);
static_assert(offsetof(WorkerBackend, incarnation) == 0);
static_assert(offsetof(WorkerBackend, failure_streak) == 4);
static_assert(offsetof(WorkerBackend, connections_total) == 8);
static_assert(offsetof(WorkerBackend, connect_time_sum) == 16);
static_assert(offsetof(WorkerBackend, sent_bytes_total) == 24);
static_assert(offsetof(WorkerBackend, received_bytes_total) == 32);
static_assert(offsetof(WorkerBackend, idle_connections) == 40);
static_assert(offsetof(WorkerBackend, requests_total) == 48);
static_assert(offsetof(WorkerBackend, request_failures_total) == 56);
static_assert(offsetof(WorkerBackend, connections_reused_total) == 64);
static_assert(offsetof(WorkerBackend, connect_refused_total) == 72);
static_assert(offsetof(WorkerBackend, connect_timeout_total) == 80);
static_assert(offsetof(WorkerBackend, connect_unreachable_total) == 88);
static_assert(offsetof(WorkerBackend, connect_other_total) == 96);
static_assert(offsetof(WorkerBackend, backend_reset_total) == 104);
static_assert(offsetof(WorkerBackend, cut_total) == 112);
static_assert(offsetof(WorkerBackend, ejections_total) == 120);
static_assert(offsetof(WorkerBackend, ejected_until) == 128);
static_assert(offsetof(WorkerBackend, ejection_reason) == 136);

// Offsets within the region.
inline constexpr uint64_t kHeaderOffset = 0;
inline constexpr uint64_t kControlOffset = 64;
inline constexpr uint64_t kLoggerOffset = 128;
inline constexpr uint64_t kBackendLiveOffset = 4096;
inline constexpr uint64_t kPoolLiveOffset = 266240;
inline constexpr uint64_t kSnapshotBase = 270336;
inline constexpr uint64_t kSnapshotStride = 5578752;
inline constexpr uint64_t kWorkerBase = 44900352;
inline constexpr uint64_t kWorkerStride = 52547584;
// Offsets within a snapshot slot.
inline constexpr uint64_t kSnapshotOffset = 0;
inline constexpr uint64_t kSnapshotListenerOffset = 4096;
inline constexpr uint64_t kSnapshotDescriptorOffset = 36864;
inline constexpr uint64_t kSnapshotTrustedOffset = 53248;
inline constexpr uint64_t kSnapshotHostOffset = 73728;
inline constexpr uint64_t kSnapshotHostTableOffset = 204800;
inline constexpr uint64_t kSnapshotRouteOffset = 270336;
inline constexpr uint64_t kSnapshotRouteTableOffset = 401408;
inline constexpr uint64_t kSnapshotPoolOffset = 466944;
inline constexpr uint64_t kSnapshotMemberOffset = 532480;
inline constexpr uint64_t kSnapshotBackendOffset = 598016;
inline constexpr uint64_t kSnapshotArenaOffset = 1384448;
// Offsets within a worker's area.
inline constexpr uint64_t kWorkerOffset = 0;
inline constexpr uint64_t kWorkerLogOffset = 896;
inline constexpr uint64_t kWorkerLogTailOffset = 1024;
inline constexpr uint64_t kWorkerLogRingOffset = 4096;
inline constexpr uint64_t kWorkerListenerOffset = 8392704;
inline constexpr uint64_t kWorkerRouteOffset = 9555968;
inline constexpr uint64_t kWorkerPoolOffset = 27381760;
inline constexpr uint64_t kWorkerInFlightOffset = 49336320;
inline constexpr uint64_t kWorkerBackendOffset = 49401856;

constexpr uint64_t region_bytes(uint32_t workers) {
  return kWorkerBase + kWorkerStride * workers;
}

}  // namespace sluice::shm
