// Writes route tables in the layout of a published snapshot, in place of src/shm/route-table.ts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "shm/layout.gen.h"
#include "shm/route_hash.h"

namespace sluice::test {

struct RouteSpec {
  uint32_t slot = 0;
  uint32_t incarnation = 1;
  uint32_t pool = 0;
  std::string host;         // lower case, `*.x` for all names below x, empty for every one
  std::string path_prefix;  // normalised, without a closing slash, empty for every path
};

// One for each snapshot: `add` all listeners, then `finish`.
class RouteBuilder {
 public:
  // `base`: of the snapshot slot, whose head and listeners have been cleared.
  RouteBuilder(uint8_t* base, uint32_t hash_seed) : base_(base) { head().hash_seed = hash_seed; }

  void add(uint32_t listener, const std::vector<RouteSpec>& routes) {
    auto& entry = at<shm::SnapshotListener>(shm::kSnapshotListenerOffset, listener);
    for (const RouteSpec& spec : routes) {
      uint32_t scope = shm::kListenerScope | listener;
      uint32_t* any_route = &entry.any_route;
      uint32_t* mask = &entry.prefix_depth_mask;
      if (!spec.host.empty()) {
        const uint32_t index = host_index(listener, entry, spec.host);
        auto& host = at<shm::SnapshotHost>(shm::kSnapshotHostOffset, index);
        scope = index + 1;
        any_route = &host.any_route;
        mask = &host.prefix_depth_mask;
      }
      const auto depth = std::count(spec.path_prefix.begin(), spec.path_prefix.end(), '/');
      if (depth == 0) {
        *any_route = spec.slot + 1;
      } else {
        *mask |= 1u << (depth - 1);
      }
      put(listener, spec, scope);
    }
  }

  void finish() {
    head().host_table_size = size_for(hosts_.size());
    head().route_table_size = size_for(prefixes_.size());
    auto* hosts = &at<shm::SnapshotHostTable>(shm::kSnapshotHostTableOffset);
    auto* routes = &at<shm::SnapshotRouteTable>(shm::kSnapshotRouteTableOffset);
    std::memset(hosts, 0, head().host_table_size * sizeof(*hosts));
    std::memset(routes, 0, head().route_table_size * sizeof(*routes));
    for (const Entry& entry : hosts_) {
      uint32_t slot = entry.hash & (head().host_table_size - 1);
      while (hosts[slot].host != 0) slot = (slot + 1) & (head().host_table_size - 1);
      hosts[slot] = {entry.hash, entry.index + 1};
    }
    for (const Entry& entry : prefixes_) {
      uint32_t slot = entry.hash & (head().route_table_size - 1);
      while (routes[slot].route != 0) slot = (slot + 1) & (head().route_table_size - 1);
      routes[slot] = {entry.hash, entry.index + 1};
    }
  }

 private:
  struct Entry {
    uint32_t hash;
    uint32_t index;
  };
  struct Known {
    uint32_t listener;
    std::string host;
  };

  template <typename T>
  T& at(uint64_t offset, uint32_t index = 0) {
    return reinterpret_cast<T*>(base_ + offset)[index];
  }
  shm::Snapshot& head() { return at<shm::Snapshot>(shm::kSnapshotOffset); }

  static uint32_t size_for(size_t count) {
    uint32_t size = count == 0 ? 0 : 2;
    while (size < 2 * count) size *= 2;
    return size;
  }

  uint32_t store(std::string_view text) {
    const uint32_t offset = head().arena_used;
    std::memcpy(base_ + shm::kSnapshotArenaOffset + offset, text.data(), text.size());
    head().arena_used += static_cast<uint32_t>(text.size());
    return offset;
  }

  uint32_t host_index(uint32_t listener, shm::SnapshotListener& entry, const std::string& name) {
    for (uint32_t index = 0; index < known_.size(); index++) {
      if (known_[index].listener == listener && known_[index].host == name) return index;
    }
    const bool wild = name[0] == '*';
    const std::string key = wild ? name.substr(1) : name;
    const auto labels = static_cast<uint32_t>(std::count(key.begin(), key.end(), '.'));
    entry.host_label_mask |= 1u << (wild ? std::min(labels, 31u) : 0);
    const uint32_t index = head().hosts_count++;
    auto& host = at<shm::SnapshotHost>(shm::kSnapshotHostOffset, index);
    host = shm::SnapshotHost{};
    host.listener = listener;
    host.key_offset = store(key);
    host.key_bytes = static_cast<uint32_t>(key.size());
    uint32_t hash = shm::host_hash_begin(head().hash_seed, listener);
    for (auto byte = key.rbegin(); byte != key.rend(); ++byte) {
      hash = shm::route_hash_byte(hash, static_cast<uint8_t>(*byte));
    }
    hosts_.push_back({shm::route_hash_finish(hash), index});
    known_.push_back({listener, name});
    return index;
  }

  void put(uint32_t listener, const RouteSpec& spec, uint32_t scope) {
    head().routes_high = std::max(head().routes_high, spec.slot + 1);
    auto& route = at<shm::SnapshotRoute>(shm::kSnapshotRouteOffset, spec.slot);
    route = shm::SnapshotRoute{};
    route.incarnation = spec.incarnation;
    route.pool = spec.pool;
    route.listener = listener;
    route.scope = scope;
    route.prefix_offset = store(spec.path_prefix);
    route.prefix_bytes = static_cast<uint32_t>(spec.path_prefix.size());
    if (spec.path_prefix.empty()) return;
    uint32_t hash = shm::prefix_hash_begin(head().hash_seed);
    for (const char byte : spec.path_prefix) {
      hash = shm::route_hash_byte(hash, static_cast<uint8_t>(byte));
    }
    prefixes_.push_back({shm::prefix_hash_finish(hash, scope), spec.slot});
  }

  uint8_t* base_;
  std::vector<Known> known_;
  std::vector<Entry> hosts_;
  std::vector<Entry> prefixes_;
};

}  // namespace sluice::test
