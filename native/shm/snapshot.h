// A read-only view of one published configuration. Value type; valid while its slot is current or
// referenced. Everything is indexed by stable slots.
#pragma once

#include <cstdint>
#include <cstring>

#include "shm/layout.gen.h"

namespace sluice::shm {

// FNV-1a over (seed, listener, key) with a final mix; src/shm/publish.ts computes the same.
inline uint32_t route_hash(uint32_t seed, uint32_t listener, const uint8_t* key, uint32_t bytes) {
  uint32_t h = 0x811c9dc5u;
  const auto word = [&h](uint32_t value) {
    for (int i = 0; i < 4; i++) h = (h ^ (value >> (8 * i) & 0xff)) * 0x01000193u;
  };
  word(seed);
  word(listener);
  for (uint32_t i = 0; i < bytes; i++) h = (h ^ key[i]) * 0x01000193u;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  return h ^ h >> 13;
}

class SnapshotView {
 public:
  SnapshotView() = default;
  explicit SnapshotView(const uint8_t* slot) : base_(slot) {}

  bool is_none() const { return base_ == nullptr; }
  const Snapshot& head() const { return *reinterpret_cast<const Snapshot*>(base_); }
  const SnapshotListener& listener(uint32_t slot) const {
    return array<SnapshotListener>(kSnapshotListenerOffset)[slot];
  }
  const SnapshotPool& pool(uint32_t slot) const {
    return array<SnapshotPool>(kSnapshotPoolOffset)[slot];
  }
  const SnapshotBackend& backend(uint32_t slot) const {
    return array<SnapshotBackend>(kSnapshotBackendOffset)[slot];
  }
  int32_t descriptor(uint32_t index) const {
    return array<SnapshotDescriptor>(kSnapshotDescriptorOffset)[index].fd;
  }
  // Backend slot of a pool's n-th member, counted from `memberFirst`.
  uint32_t member(uint32_t index) const {
    return array<SnapshotMember>(kSnapshotMemberOffset)[index].backend;
  }
  const uint8_t* arena(uint32_t offset) const { return base_ + kSnapshotArenaOffset + offset; }

  // The route of a listener for a key (TCP: the empty key); nullptr when there is none.
  // The table is at most half full, so a probe ends at an empty entry.
  const SnapshotRoute* find_route(uint32_t listener, const uint8_t* key, uint32_t bytes) const {
    const uint32_t size = head().route_table_size;
    if (size == 0) return nullptr;
    const auto* table = array<SnapshotRouteTable>(kSnapshotRouteTableOffset);
    uint32_t at = route_hash(head().hash_seed, listener, key, bytes) & (size - 1);
    for (; table[at].route != 0; at = (at + 1) & (size - 1)) {
      const SnapshotRoute& route = array<SnapshotRoute>(kSnapshotRouteOffset)[table[at].route - 1];
      if (route.listener == listener && route.key_bytes == bytes &&
          (bytes == 0 || std::memcmp(arena(route.key_offset), key, bytes) == 0)) {
        return &route;
      }
    }
    return nullptr;
  }

 private:
  template <typename T>
  const T* array(uint64_t offset) const {
    return reinterpret_cast<const T*>(base_ + offset);
  }
  const uint8_t* base_ = nullptr;
};

}  // namespace sluice::shm
