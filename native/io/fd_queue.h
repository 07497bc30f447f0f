// First-in first-out queues in reserved address space, owned by an engine's thread. They start over
// at their first page whenever they run empty, so a queue that is short in practice stays in few
// cache lines, whatever its limit is.
#pragma once

#include <bit>
#include <cstdint>

#include "base/assert.h"
#include "base/reserved_array.h"

namespace sluice::io {

template <typename T>
class ReservedQueue {
 public:
  explicit ReservedQueue(uint32_t capacity)
      : entries_(std::bit_ceil(capacity)), mask_(std::bit_ceil(capacity) - 1) {}

  bool ok() const { return entries_.ok(); }
  bool empty() const { return head_ == tail_; }
  uint32_t size() const { return tail_ - head_; }

  // The caller's limits (so many entries per descriptor) keep it from running full.
  void push(T value) {
    SLUICE_ASSERT(size() <= mask_);
    entries_[tail_++ & mask_] = value;
  }
  T pop() {
    SLUICE_VERIFY(!empty());
    const T value = entries_[head_++ & mask_];
    if (head_ == tail_) head_ = tail_ = 0;
    return value;
  }

 private:
  ReservedArray<T> entries_;
  uint32_t mask_;
  uint32_t head_ = 0;
  uint32_t tail_ = 0;
};

}  // namespace sluice::io
