// Finds the route of a request in the tables that src/shm/route-table.ts writes: the most specific
// host first, within a host the longest path prefix first. No state, no allocation; a listener
// whose only route is for everything costs one comparison.
#pragma once

#include <cstdint>

#include "shm/snapshot.h"

namespace sluice::proxy {

struct Router {
  static constexpr uint32_t kNoRoute = 0xffffffffu;

  // Slot of the route, or kNoRoute. `authority` is the Host field or the target's authority, with
  // or without port and closing dot, in any case; empty where a request has none. `path` is in
  // origin-form and may have a query; of anything else (`*`) only routes for every path are found.
  static uint32_t match(shm::SnapshotView view, uint32_t listener, const uint8_t* authority,
                        uint32_t authority_bytes, const uint8_t* path, uint32_t path_bytes);
};

}  // namespace sluice::proxy
