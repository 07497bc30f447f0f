// Writes a configuration into a snapshot slot the way src/shm/publish.ts does, for tests that have
// no TypeScript beside them. Plain values in, bytes in the region out.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/prng.h"
#include "shm/region.h"
#include "shm/snapshot.h"
#include "sim/route_builder.h"

namespace sluice::test {

// What a listener has beside, when it speaks HTTP.
struct HttpSpec {
  uint32_t request_head_timeout_ms = 10'000;
  uint32_t client_idle_timeout_ms = 60'000;
  uint32_t body_timeout_ms = 30'000;
  uint32_t tunnel_idle_timeout_ms = 60'000;
  uint32_t head_bytes_max = 16 * 1024;
  bool via = false;
  bool server_close = false;
};

struct ListenerSpec {
  uint32_t slot = 0;
  uint32_t incarnation = 1;
  uint32_t pool = 0;
  std::vector<int> descriptors;
  uint32_t idle_timeout_ms = 60'000;
  uint32_t max_connections = 0;
  shm::AddressFamily family = shm::AddressFamily::ipv4;
  shm::Mode mode = shm::Mode::tcp;
  HttpSpec http;
  // Of mode http; a TCP listener has the one route to `pool`, in the slot of its own number.
  std::vector<RouteSpec> routes;
};

struct PoolSpec {
  uint32_t slot = 0;
  uint32_t incarnation = 1;
  shm::Strategy strategy = shm::Strategy::round_robin;
  std::vector<uint32_t> members;  // backend slots
  uint32_t connect_timeout_ms = 1000;
  uint32_t connect_retries = 2;
  // For HTTP.
  uint32_t response_head_timeout_ms = 30'000;
  uint32_t body_timeout_ms = 30'000;
  uint32_t keep_alive_idle_ms = 30'000;
  uint32_t keep_alive_requests_max = 0;
  uint32_t idle_max = 1024;
  uint32_t ejection_failures = 5;
  uint32_t ejection_base_ms = 1000;
  uint32_t ejection_max_ms = 60'000;
  uint32_t retry_after_s = 5;
};

// Ejections of a simulated run. Only some seeds have them, so that those that are kept for what
// they show go on showing it.
inline void draw_ejections(PoolSpec& pool, uint64_t seed) {
  Prng prng(seed ^ 0xe1ec7);
  pool.ejection_failures = seed % 5 == 4 ? 1 + prng.below(4) : 0;
  pool.ejection_base_ms = 50 + prng.below(3000);
  pool.ejection_max_ms = 50 + prng.below(20'000);
}

struct BackendSpec {
  uint32_t slot = 0;
  uint32_t incarnation = 1;
  uint32_t pool = 0;
  shm::AddressFamily family = shm::AddressFamily::ipv4;
  uint32_t port = 0;
  uint8_t address[16] = {127, 0, 0, 1};
  std::string path;
};

struct ConfigSpec {
  std::vector<ListenerSpec> listeners;
  std::vector<PoolSpec> pools;
  std::vector<BackendSpec> backends;
  uint32_t listeners_version = 1;
  uint32_t max_connections = 0;
  uint32_t hash_seed = 0x5eed;
};

class SnapshotBuilder {
 public:
  SnapshotBuilder(const shm::Region& region, uint32_t slot)
      : base_(region.data() + shm::kSnapshotBase + shm::kSnapshotStride * slot), slot_(slot) {}

  // Writes `config`; returns its generation, ready for `publish`.
  uint32_t write(uint32_t sequence, const ConfigSpec& config) {
    fill(0);
    shm::Snapshot& head = at<shm::Snapshot>(shm::kSnapshotOffset);
    head = shm::Snapshot{};
    head.generation = sequence << 3 | slot_;
    head.listeners_version = config.listeners_version;
    head.max_connections = config.max_connections;
    for (const BackendSpec& backend : config.backends) put(head, backend);
    for (const PoolSpec& pool : config.pools) put(head, pool);
    for (const ListenerSpec& entry : config.listeners) put(head, entry);
    RouteBuilder routes(base_, config.hash_seed);
    for (const ListenerSpec& entry : config.listeners) {
      const std::vector<RouteSpec> one{{.slot = entry.slot, .pool = entry.pool}};
      routes.add(entry.slot, entry.mode == shm::Mode::tcp ? one : entry.routes);
    }
    routes.finish();
    return head.generation;
  }

  // For a slot that nobody may look at any more: a reader that still does meets nonsense.
  void poison() {
    fill(0xee);
    shm::Snapshot& head = at<shm::Snapshot>(shm::kSnapshotOffset);
    head.listeners_version = 0xeeeeeeee;
  }

 private:
  template <typename T>
  T& at(uint64_t offset, uint32_t index = 0) {
    return reinterpret_cast<T*>(base_ + offset)[index];
  }
  static void raise(uint32_t& high, uint32_t slot) {
    if (slot >= high) high = slot + 1;
  }

  // Sets every byte of what the slot's last configuration used.
  void fill(uint8_t value) {
    const shm::Snapshot& old = at<shm::Snapshot>(shm::kSnapshotOffset);
    const auto area = [&](uint64_t offset, size_t bytes) {
      std::memset(base_ + offset, value, bytes);
    };
    area(shm::kSnapshotListenerOffset, old.listeners_high * sizeof(shm::SnapshotListener));
    area(shm::kSnapshotRouteOffset, old.routes_high * sizeof(shm::SnapshotRoute));
    area(shm::kSnapshotPoolOffset, old.pools_high * sizeof(shm::SnapshotPool));
    area(shm::kSnapshotMemberOffset, old.members_count * sizeof(shm::SnapshotMember));
    area(shm::kSnapshotBackendOffset, old.backends_high * sizeof(shm::SnapshotBackend));
  }

  void put(shm::Snapshot& head, const BackendSpec& spec) {
    raise(head.backends_high, spec.slot);
    auto& entry = at<shm::SnapshotBackend>(shm::kSnapshotBackendOffset, spec.slot);
    entry = shm::SnapshotBackend{};
    entry.incarnation = spec.incarnation;
    entry.pool = spec.pool;
    entry.family = static_cast<uint32_t>(spec.family);
    entry.port = spec.port;
    std::memcpy(entry.address, spec.address, sizeof(entry.address));
    entry.path_offset = head.arena_used;
    entry.path_bytes = static_cast<uint32_t>(spec.path.size());
    std::memcpy(base_ + shm::kSnapshotArenaOffset + head.arena_used, spec.path.data(),
                spec.path.size());
    head.arena_used += entry.path_bytes;
  }

  void put(shm::Snapshot& head, const PoolSpec& spec) {
    raise(head.pools_high, spec.slot);
    auto& entry = at<shm::SnapshotPool>(shm::kSnapshotPoolOffset, spec.slot);
    entry = shm::SnapshotPool{};
    entry.incarnation = spec.incarnation;
    entry.strategy = static_cast<uint32_t>(spec.strategy);
    entry.member_first = head.members_count;
    entry.member_count = static_cast<uint32_t>(spec.members.size());
    entry.connect_timeout_ms = spec.connect_timeout_ms;
    entry.connect_retries = spec.connect_retries;
    entry.response_head_timeout_ms = spec.response_head_timeout_ms;
    entry.body_timeout_ms = spec.body_timeout_ms;
    entry.keep_alive_idle_ms = spec.keep_alive_idle_ms;
    entry.keep_alive_requests_max = spec.keep_alive_requests_max;
    entry.idle_max = spec.idle_max;
    entry.ejection_failures = spec.ejection_failures;
    entry.ejection_base_ms = spec.ejection_base_ms;
    entry.ejection_max_ms = spec.ejection_max_ms;
    entry.retry_after_s = spec.retry_after_s;
    for (const uint32_t backend : spec.members) {
      at<shm::SnapshotMember>(shm::kSnapshotMemberOffset, head.members_count++).backend = backend;
    }
  }

  void put(shm::Snapshot& head, const ListenerSpec& spec) {
    raise(head.listeners_high, spec.slot);
    auto& entry = at<shm::SnapshotListener>(shm::kSnapshotListenerOffset, spec.slot);
    entry = shm::SnapshotListener{};
    entry.mode = static_cast<uint32_t>(spec.mode);
    if (spec.mode == shm::Mode::http) put_http(entry, spec.http);
    entry.incarnation = spec.incarnation;
    entry.descriptor_first = head.descriptors_count;
    entry.descriptor_count = static_cast<uint32_t>(spec.descriptors.size());
    entry.max_connections = spec.max_connections;
    entry.idle_timeout_ms = spec.idle_timeout_ms;
    entry.family = static_cast<uint32_t>(spec.family);
    for (const int fd : spec.descriptors) {
      at<shm::SnapshotDescriptor>(shm::kSnapshotDescriptorOffset, head.descriptors_count++).fd = fd;
    }
  }

  static void put_http(shm::SnapshotListener& entry, const HttpSpec& spec) {
    entry.request_head_timeout_ms = spec.request_head_timeout_ms;
    entry.client_idle_timeout_ms = spec.client_idle_timeout_ms;
    entry.body_timeout_ms = spec.body_timeout_ms;
    entry.tunnel_idle_timeout_ms = spec.tunnel_idle_timeout_ms;
    entry.head_bytes_max = spec.head_bytes_max;
    entry.target_bytes_max = spec.head_bytes_max / 2;
    entry.fields_max = 128;
    entry.via = spec.via ? 1 : 0;
    entry.server_close = spec.server_close ? 1 : 0;
  }

  uint8_t* base_;
  uint32_t slot_;
};

// The controller's words. Each setter only stores; `touch` makes workers look.
class LiveWords {
 public:
  explicit LiveWords(const shm::Region& region) : region_(region) {}

  void set_admin(uint32_t backend, shm::AdminState state) {
    word(backend).admin.store(static_cast<uint32_t>(state), std::memory_order_relaxed);
  }
  void set_weight(uint32_t backend, uint32_t weight) {
    word(backend).weight.store(weight, std::memory_order_relaxed);
  }
  void set_health(uint32_t backend, uint32_t incarnation, shm::HealthState state) {
    word(backend).health.store(incarnation << 8 | static_cast<uint32_t>(state),
                               std::memory_order_relaxed);
  }
  void touch(uint32_t pool) {
    auto* pools = reinterpret_cast<shm::PoolLive*>(region_.data() + shm::kPoolLiveOffset);
    pools[pool].epoch.fetch_add(1, std::memory_order_release);
  }
  uint32_t next_sequence() {
    return region_.control().live_sequence.fetch_add(1, std::memory_order_release) + 1;
  }
  void publish(uint32_t generation) {
    region_.control().generation.store(generation, std::memory_order_release);
  }

 private:
  shm::BackendLive& word(uint32_t backend) {
    return reinterpret_cast<shm::BackendLive*>(region_.data() + shm::kBackendLiveOffset)[backend];
  }
  const shm::Region& region_;
};

}  // namespace sluice::test
