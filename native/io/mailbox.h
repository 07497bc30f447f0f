// Values from other workers to one worker: a bounded lane per sender, so that no two senders ever
// meet on a word. `post` belongs to the lane's one sending thread, `take` and `refused` to the
// receiver. Waking the receiver is the engine's business.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/reserved_array.h"

namespace sluice::io {

class Mailbox {
 public:
  static constexpr uint32_t kLaneEntries = 64;

  explicit Mailbox(uint32_t lanes) : lanes_(lanes) {}

  bool ok() const { return lanes_.ok(); }

  // False when the lane is full.
  bool post(uint32_t lane, uint64_t value);
  // The next value; lanes take turns. False when all are empty.
  bool take(uint64_t* value);
  // Posts refused so far.
  uint64_t refused() const;

 private:
  struct Lane {
    alignas(64) std::atomic<uint32_t> tail;  // written by the sender
    std::atomic<uint64_t> refused;
    alignas(64) std::atomic<uint32_t> head;  // written by the receiver
    alignas(64) uint64_t values[kLaneEntries];
  };

  ReservedArray<Lane> lanes_;
  uint32_t next_lane_ = 0;
};

}  // namespace sluice::io
