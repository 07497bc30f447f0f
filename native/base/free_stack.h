// Indices of a fixed-capacity pool: those given back are handed out again last-in first-out, so
// that a busy worker stays in few pages, and new ones only when none is left. Those at the bottom
// are cold after a burst: `rest` names them, so that their owner can return their pages.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "base/reserved_array.h"

namespace sluice {

class FreeStack {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit FreeStack(uint32_t capacity) : free_(capacity) {}

  bool ok() const { return free_.ok(); }
  uint32_t capacity() const { return static_cast<uint32_t>(free_.capacity()); }
  // Indices ever taken.
  uint32_t touched() const { return touched_; }
  // Indices that somebody has.
  uint32_t taken() const { return touched_ - depth_; }

  // kNone when all are taken.
  uint32_t take() {
    if (depth_ == 0) return touched_ < capacity() ? touched_++ : kNone;
    depth_--;
    if (depth_ < cold_) cold_ = depth_;
    return free_[depth_];
  }
  void give_back(uint32_t index) {
    SLUICE_VERIFY(index < touched_ && depth_ < touched_);
    free_[depth_++] = index;
  }

  // Calls `release(index)` for up to `max` indices that have been free since the last call, have
  // not been released since they were taken last, and lie below the `warm` that come next.
  template <typename Release>
  void rest(uint32_t warm, uint32_t max, Release&& release) {
    released_ = std::min(released_, cold_);
    const uint32_t end = cold_ > warm ? cold_ - warm : 0;
    for (; released_ < end && max > 0; max--) release(free_[released_++]);
    cold_ = depth_;
  }

 private:
  ReservedArray<uint32_t> free_;
  uint32_t depth_ = 0;
  uint32_t touched_ = 0;   // ever taken
  uint32_t cold_ = 0;      // the entries below have been free since `rest`
  uint32_t released_ = 0;  // as have those below this one, whose indices were released
};

}  // namespace sluice
