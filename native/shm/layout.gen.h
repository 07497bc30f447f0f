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

inline constexpr uint64_t kSchemaHash = 0x9cee6bdb1679b8d9ull;
inline constexpr uint32_t kMagic = 0x43554c53;  // "SLUC"
inline constexpr uint32_t kWorkersMax = 128;
inline constexpr uint32_t kListenersMax = 256;
inline constexpr uint32_t kRoutesMax = 4096;
inline constexpr uint32_t kPoolsMax = 1024;
inline constexpr uint32_t kBackendsMax = 16384;
inline constexpr uint32_t kDescriptorsMax = 4096;
inline constexpr uint32_t kSnapshotSlots = 8;
inline constexpr uint32_t kRouteTableMax = 8192;
inline constexpr uint32_t kArenaBytes = 2097152;
inline constexpr uint32_t kHistogramBuckets = 528;

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
};
static_assert(sizeof(Control) == 64 && alignof(Control) == 64);
static_assert(offsetof(Control, generation) == 0);
static_assert(offsetof(Control, live_sequence) == 4);
static_assert(offsetof(Control, phase) == 8);

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
  uint32_t routes_count;
  uint32_t pools_high;
  uint32_t backends_high;
  uint32_t members_count;
  uint32_t descriptors_count;
  uint32_t listeners_version;
  uint32_t route_table_size;
  uint32_t hash_seed;
  uint32_t arena_used;
  uint32_t max_connections;
};
static_assert(sizeof(Snapshot) == 64 && alignof(Snapshot) == 64);
static_assert(offsetof(Snapshot, generation) == 0);
static_assert(offsetof(Snapshot, listeners_high) == 4);
static_assert(offsetof(Snapshot, routes_count) == 8);
static_assert(offsetof(Snapshot, pools_high) == 12);
static_assert(offsetof(Snapshot, backends_high) == 16);
static_assert(offsetof(Snapshot, members_count) == 20);
static_assert(offsetof(Snapshot, descriptors_count) == 24);
static_assert(offsetof(Snapshot, listeners_version) == 28);
static_assert(offsetof(Snapshot, route_table_size) == 32);
static_assert(offsetof(Snapshot, hash_seed) == 36);
static_assert(offsetof(Snapshot, arena_used) == 40);
static_assert(offsetof(Snapshot, max_connections) == 44);

// Writer: control. A listener, by slot. `mode` none: the slot is empty.
struct alignas(64) SnapshotListener {
  uint32_t mode;
  uint32_t incarnation;
  uint32_t descriptor_first;
  uint32_t descriptor_count;
  uint32_t max_connections;
  uint32_t idle_timeout_ms;
  uint32_t family;
};
static_assert(sizeof(SnapshotListener) == 64 && alignof(SnapshotListener) == 64);
static_assert(offsetof(SnapshotListener, mode) == 0);
static_assert(offsetof(SnapshotListener, incarnation) == 4);
static_assert(offsetof(SnapshotListener, descriptor_first) == 8);
static_assert(offsetof(SnapshotListener, descriptor_count) == 12);
static_assert(offsetof(SnapshotListener, max_connections) == 16);
static_assert(offsetof(SnapshotListener, idle_timeout_ms) == 20);
static_assert(offsetof(SnapshotListener, family) == 24);

// Writer: control. Listening descriptors. Worker w of n accepts on those of a listener at w mod n.
struct alignas(4) SnapshotDescriptor {
  int32_t fd;
};
static_assert(sizeof(SnapshotDescriptor) == 4 && alignof(SnapshotDescriptor) == 4);
static_assert(offsetof(SnapshotDescriptor, fd) == 0);

// Writer: control. What a match leads to.
struct alignas(16) SnapshotRoute {
  uint32_t pool;
  uint32_t listener;
  uint32_t key_offset;
  uint32_t key_bytes;
};
static_assert(sizeof(SnapshotRoute) == 16 && alignof(SnapshotRoute) == 16);
static_assert(offsetof(SnapshotRoute, pool) == 0);
static_assert(offsetof(SnapshotRoute, listener) == 4);
static_assert(offsetof(SnapshotRoute, key_offset) == 8);
static_assert(offsetof(SnapshotRoute, key_bytes) == 12);

// Writer: control. Open-addressed table over (listener, key), linear probing; route index + 1, or 0.
struct alignas(4) SnapshotRouteTable {
  uint32_t route;
};
static_assert(sizeof(SnapshotRouteTable) == 4 && alignof(SnapshotRouteTable) == 4);
static_assert(offsetof(SnapshotRouteTable, route) == 0);

// Writer: control. A pool, by slot. `incarnation` 0: the slot is empty.
struct alignas(64) SnapshotPool {
  uint32_t incarnation;
  uint32_t strategy;
  uint32_t member_first;
  uint32_t member_count;
  uint32_t connect_timeout_ms;
  uint32_t connect_retries;
};
static_assert(sizeof(SnapshotPool) == 64 && alignof(SnapshotPool) == 64);
static_assert(offsetof(SnapshotPool, incarnation) == 0);
static_assert(offsetof(SnapshotPool, strategy) == 4);
static_assert(offsetof(SnapshotPool, member_first) == 8);
static_assert(offsetof(SnapshotPool, member_count) == 12);
static_assert(offsetof(SnapshotPool, connect_timeout_ms) == 16);
static_assert(offsetof(SnapshotPool, connect_retries) == 20);

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
  uint8_t data[2097152];
};
static_assert(sizeof(SnapshotArena) == 2097152 && alignof(SnapshotArena) == 64);
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
static_assert(offsetof(Worker, turns_total) == 688);
static_assert(offsetof(Worker, pipes_refused_total) == 696);
static_assert(offsetof(Worker, stalls_cut_total) == 704);
static_assert(offsetof(Worker, engine_waits) == 712);
static_assert(offsetof(Worker, engine_completions) == 720);
static_assert(offsetof(Worker, engine_buffers_exhausted) == 728);
static_assert(offsetof(Worker, engine_cq_overflows) == 736);
static_assert(offsetof(Worker, engine_sq_full) == 744);
static_assert(offsetof(Worker, engine_rearmed) == 752);
static_assert(offsetof(Worker, engine_no_memory) == 760);
static_assert(offsetof(Worker, engine_mail_full) == 768);
static_assert(offsetof(Worker, engine_spliced_bytes) == 776);

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
};
static_assert(sizeof(WorkerListener) == 128 && alignof(WorkerListener) == 64);
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
};
static_assert(sizeof(WorkerPool) == 12864 && alignof(WorkerPool) == 64);
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
};
static_assert(sizeof(WorkerBackend) == 128 && alignof(WorkerBackend) == 64);
static_assert(offsetof(WorkerBackend, incarnation) == 0);
static_assert(offsetof(WorkerBackend, failure_streak) == 4);
static_assert(offsetof(WorkerBackend, connections_total) == 8);
static_assert(offsetof(WorkerBackend, connect_time_sum) == 16);
static_assert(offsetof(WorkerBackend, sent_bytes_total) == 24);
static_assert(offsetof(WorkerBackend, received_bytes_total) == 32);
static_assert(offsetof(WorkerBackend, connect_refused_total) == 40);
static_assert(offsetof(WorkerBackend, connect_timeout_total) == 48);
static_assert(offsetof(WorkerBackend, connect_unreachable_total) == 56);
static_assert(offsetof(WorkerBackend, connect_other_total) == 64);
static_assert(offsetof(WorkerBackend, backend_reset_total) == 72);
static_assert(offsetof(WorkerBackend, cut_total) == 80);

// Offsets within the region.
inline constexpr uint64_t kHeaderOffset = 0;
inline constexpr uint64_t kControlOffset = 64;
inline constexpr uint64_t kBackendLiveOffset = 4096;
inline constexpr uint64_t kPoolLiveOffset = 266240;
inline constexpr uint64_t kSnapshotBase = 270336;
inline constexpr uint64_t kSnapshotStride = 3149824;
inline constexpr uint64_t kWorkerBase = 25468928;
inline constexpr uint64_t kWorkerStride = 15372288;
// Offsets within a snapshot slot.
inline constexpr uint64_t kSnapshotOffset = 0;
inline constexpr uint64_t kSnapshotListenerOffset = 4096;
inline constexpr uint64_t kSnapshotDescriptorOffset = 20480;
inline constexpr uint64_t kSnapshotRouteOffset = 36864;
inline constexpr uint64_t kSnapshotRouteTableOffset = 102400;
inline constexpr uint64_t kSnapshotPoolOffset = 135168;
inline constexpr uint64_t kSnapshotMemberOffset = 200704;
inline constexpr uint64_t kSnapshotBackendOffset = 266240;
inline constexpr uint64_t kSnapshotArenaOffset = 1052672;
// Offsets within a worker's area.
inline constexpr uint64_t kWorkerOffset = 0;
inline constexpr uint64_t kWorkerListenerOffset = 4096;
inline constexpr uint64_t kWorkerPoolOffset = 36864;
inline constexpr uint64_t kWorkerInFlightOffset = 13209600;
inline constexpr uint64_t kWorkerBackendOffset = 13275136;

constexpr uint64_t region_bytes(uint32_t workers) {
  return kWorkerBase + kWorkerStride * workers;
}

}  // namespace sluice::shm
