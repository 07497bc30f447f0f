// Picks a backend for a connection. One per worker; sees the configuration, the live words and
// everybody's load through const views and owns only its balancing state. Knows no sockets.
//
// A pool's ready list is rebuilt at the first pick after its live epoch, the snapshot or an
// ejection changed, so a pick reads no more than it must. Of the members that are up, not unhealthy
// and of positive weight it has the best there are:
//   1. known good (healthy, or not checked), not ejected
//   2. not ejected, their first check under way
//   3. ejected
#pragma once

#include <cstdint>

#include "balance/ejections.h"
#include "base/prng.h"
#include "base/reserved_array.h"
#include "shm/region.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"

namespace sluice::balance {

// Backends not to be picked again for this connection.
struct Tried {
  uint32_t slots[4];
  uint32_t count = 0;
  bool contains(uint32_t slot) const {
    for (uint32_t i = 0; i < count; i++) {
      if (slots[i] == slot) return true;
    }
    return false;
  }
};

inline constexpr uint32_t kNoBackend = UINT32_MAX;

class Balancer {
 public:
  Balancer(const shm::Region& region, const shm::WorkerBlock& block, uint64_t seed);

  bool ok() const { return ready_.ok() && pools_.ok() && backends_.ok() && ejections_.ok(); }

  // The configuration in use from now on. Ready lists are rebuilt when next needed.
  void adopt(shm::SnapshotView snapshot);

  // A backend slot of `pool` that is not in `tried`, or kNoBackend. `now_ns` dates other workers'
  // loads.
  uint32_t pick(uint32_t pool, const Tried& tried, uint64_t now_ns);

  // A picked backend failed, for the `streak`-th time in a row: the time until which it is ejected
  // by this; 0: it is not.
  uint64_t failed(uint32_t backend, uint32_t incarnation, Failure failure, uint32_t streak,
                  uint64_t now_ns);
  // A picked backend did what work begun at `began_ns` asked of it. False when that says nothing.
  bool succeeded(uint32_t backend, uint32_t incarnation, uint64_t began_ns);
  // Ejected, and its time is not over.
  bool is_out(uint32_t backend, uint32_t incarnation, uint64_t now_ns) const {
    return ejections_.standing(backend, incarnation, now_ns) == Ejections::Standing::out;
  }
  bool failed_to_connect(uint32_t backend, uint32_t incarnation) const {
    return ejections_.failed_to_connect(backend, incarnation);
  }

 private:
  struct PoolState {
    uint32_t generation;  // snapshot the ready list was built from
    uint32_t epoch;       // live epoch it was built at
    uint32_t incarnation;
    uint32_t first;   // in ready_
    uint32_t count;   // ready members
    uint32_t cursor;  // round robin position
    bool equal_weights;
    bool ejects;               // ejections count; they may have been switched off
    bool half_open;            // a ready member is: its pick is a try
    uint64_t review_ns;        // when the next ejection of a member ends
    uint64_t virtual_time;     // of the last weighted pick
    uint64_t loads_summed_ns;  // when `others` was last refreshed
  };
  struct BackendState {
    uint64_t finish;  // virtual finish time of the next turn, weighted round robin
    uint32_t weight;
    uint32_t others;  // connections on other workers, a few milliseconds old
    uint32_t incarnation;
  };

  // What a member is good for; the numbers of the list above.
  enum class Grade : uint8_t { none, good, checking, ejected };

  PoolState& refreshed(uint32_t pool, uint64_t now_ns);
  void rebuild(uint32_t pool, PoolState& state, uint32_t epoch, uint64_t now_ns);
  void collect(PoolState& state, const shm::SnapshotPool& entry, Grade wanted, bool restart,
               uint64_t now_ns);
  Grade grade(PoolState& state, uint32_t slot, uint32_t* weight, uint64_t now_ns);
  bool is_half_open(uint32_t slot, uint32_t incarnation, uint64_t now_ns) const {
    return ejections_.standing(slot, incarnation, now_ns) == Ejections::Standing::half_open;
  }
  uint32_t choose(uint32_t pool, PoolState& state, const Tried& tried, uint64_t now_ns);
  void review(uint32_t backend);
  void refresh_loads(PoolState& state, uint64_t now_ns);
  bool less_loaded(uint32_t a, uint32_t b) const;

  uint32_t pick_round_robin(PoolState& state, const Tried& tried);
  uint32_t pick_weighted(PoolState& state, const Tried& tried);
  uint32_t pick_least_connections(PoolState& state, const Tried& tried);
  uint32_t pick_p2c(PoolState& state, const Tried& tried);
  void sift_down(PoolState& state, uint32_t at);
  uint64_t finish_of(uint32_t ready_index) const { return backends_[ready_[ready_index]].finish; }

  const shm::Region& region_;
  const shm::WorkerBlock& block_;
  Prng prng_;
  shm::SnapshotView snapshot_;
  uint32_t generation_ = 0;
  ReservedArray<uint32_t> ready_;  // backend slots; each pool uses its members' range
  ReservedArray<PoolState> pools_;
  ReservedArray<BackendState> backends_;
  Ejections ejections_;
};

}  // namespace sluice::balance
