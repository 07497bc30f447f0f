// Contiguous blocks of a worker for message heads: one that arrives in pieces is gathered in one,
// and a rewritten head waits in one until it has been sent and, for a request, until the response
// begins. Last-in first-out, so that a busy worker stays in few pages.
#pragma once

#include <cstdint>

#include "base/free_stack.h"
#include "base/limits.h"
#include "base/reserved_array.h"

namespace sluice::proxy {

class HeadBlocks {
 public:
  static constexpr uint32_t kNone = FreeStack::kNone;

  HeadBlocks()
      : memory_(static_cast<size_t>(limits::kHeadBlockStride) * limits::kHeadBlocks),
        free_(limits::kHeadBlocks) {}

  bool ok() const { return memory_.ok() && free_.ok(); }
  uint32_t lent() const { return free_.taken(); }

  // kNone when all are in use.
  uint32_t take() { return free_.take(); }
  void give_back(uint32_t block) { free_.give_back(block); }
  // Gives `block` back, if there is one, and forgets it.
  void drop(uint32_t& block) {
    if (block == kNone) return;
    give_back(block);
    block = kNone;
  }
  // kHeadBlockBytes bytes.
  uint8_t* data(uint32_t block) {
    return memory_.data() + start(block) + block % limits::kHeadBlockOffsets * 64;
  }
  // Gives back the memory of blocks that have not been used since the last call.
  void rest() {
    free_.rest(limits::kWarmHeadBlocks, limits::kRestReleasesMax,
               [this](uint32_t block) { memory_.discard(start(block), limits::kHeadBlockStride); });
  }

 private:
  static size_t start(uint32_t block) {
    return static_cast<size_t>(block) * limits::kHeadBlockStride;
  }

  ReservedArray<uint8_t> memory_;
  FreeStack free_;
};

}  // namespace sluice::proxy
