// Contiguous blocks of a worker for message heads: one that arrives in pieces is gathered in one,
// and a rewritten head waits in one until it has been sent and, for a request, until the response
// begins. Last-in first-out, so that a busy worker stays in few pages.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/limits.h"
#include "base/reserved_array.h"

namespace sluice::proxy {

class HeadBlocks {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  HeadBlocks()
      : memory_(static_cast<size_t>(limits::kHeadBlockStride) * limits::kHeadBlocks),
        free_(limits::kHeadBlocks) {}

  bool ok() const { return memory_.ok() && free_.ok(); }
  uint32_t lent() const { return touched_ - free_count_; }

  // kNone when all are in use.
  uint32_t take() {
    if (free_count_ > 0) return free_[--free_count_];
    return touched_ < limits::kHeadBlocks ? touched_++ : kNone;
  }
  void give_back(uint32_t block) {
    SLUICE_VERIFY(block < touched_ && free_count_ < touched_);
    free_[free_count_++] = block;
  }
  // Gives `block` back, if there is one, and forgets it.
  void drop(uint32_t& block) {
    if (block == kNone) return;
    give_back(block);
    block = kNone;
  }
  uint8_t* data(uint32_t block) {
    return memory_.data() + static_cast<size_t>(block) * limits::kHeadBlockStride;
  }

 private:
  ReservedArray<uint8_t> memory_;
  ReservedArray<uint32_t> free_;
  uint32_t free_count_ = 0;
  uint32_t touched_ = 0;
};

}  // namespace sluice::proxy
