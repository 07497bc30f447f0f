// The hashes of the route tables that src/shm/route-table.ts writes: FNV-1a with a final mix, in
// steps, so that a walk over a name or a path has the hashes of all its parts on the way.
#pragma once

#include <cstdint>

namespace sluice::shm {

inline constexpr uint32_t kRouteHashBasis = 0x811c9dc5u;
// Scope of the routes of a listener that name no host; others have the index of their host + 1.
inline constexpr uint32_t kListenerScope = 0x80000000u;

inline uint32_t route_hash_byte(uint32_t hash, uint8_t byte) {
  return (hash ^ byte) * 0x01000193u;
}
inline uint32_t route_hash_word(uint32_t hash, uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) {
    hash = route_hash_byte(hash, static_cast<uint8_t>(word >> shift));
  }
  return hash;
}
inline uint32_t route_hash_finish(uint32_t hash) {
  hash = (hash ^ hash >> 16) * 0x85ebca6bu;
  return hash ^ hash >> 13;
}

// A name is hashed from its last byte to its first.
inline uint32_t host_hash_begin(uint32_t seed, uint32_t listener) {
  return route_hash_word(route_hash_word(kRouteHashBasis, seed), listener);
}
// A path is hashed from its first byte on; the scope comes last.
inline uint32_t prefix_hash_begin(uint32_t seed) {
  return route_hash_word(kRouteHashBasis, seed);
}
inline uint32_t prefix_hash_finish(uint32_t hash, uint32_t scope) {
  return route_hash_finish(hash ^ scope * 0x9e3779b1u);
}

}  // namespace sluice::shm
