// A fixed-capacity pool of objects addressed by {index, generation}. The generation is 24 bits wide
// and changes whenever a slot is freed, so a handle that outlives its object is recognised. Free
// slots are reused last-in first-out: a busy worker stays in few cache lines, an idle one in few
// pages. No allocation after construction; exhaustion is an answer (`kNone`).
#pragma once

#include <cstdint>
#include <new>

#include "base/assert.h"
#include "base/reserved_array.h"

namespace sluice {

template <typename T>
class Slab {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kGenerationMask = (1u << 24) - 1;

  explicit Slab(uint32_t capacity) : objects_(capacity), marks_(capacity) {}

  bool ok() const { return objects_.ok() && marks_.ok(); }
  uint32_t capacity() const { return static_cast<uint32_t>(objects_.capacity()); }
  uint32_t used() const { return used_; }

  // Takes a slot and value-initialises its object. kNone when the slab is full.
  uint32_t take() {
    uint32_t index;
    if (free_head_ != 0) {
      index = free_head_ - 1;
      free_head_ = marks_[index].next_free;
    } else if (touched_ < capacity()) {
      index = touched_++;
    } else {
      return kNone;
    }
    marks_[index].live = 1;
    used_++;
    new (&objects_[index]) T{};
    return index;
  }

  void free(uint32_t index) {
    SLUICE_ASSERT(index < touched_ && marks_[index].live == 1);
    Mark& mark = marks_[index];
    mark.live = 0;
    mark.generation = (mark.generation + 1) & kGenerationMask;
    mark.next_free = free_head_;
    free_head_ = index + 1;
    used_--;
  }

  bool is_current(uint32_t index, uint32_t generation) const {
    return index < touched_ && marks_[index].live == 1 && marks_[index].generation == generation;
  }
  bool is_live(uint32_t index) const { return index < touched_ && marks_[index].live == 1; }
  uint32_t generation(uint32_t index) const { return marks_[index].generation; }
  // One past the highest index ever taken: the bound for walking live objects.
  uint32_t touched() const { return touched_; }

  T& operator[](uint32_t index) {
    SLUICE_VERIFY(is_live(index));
    return objects_[index];
  }

 private:
  struct Mark {
    uint32_t generation : 24;
    uint32_t live : 8;
    uint32_t next_free;  // index + 1; 0 ends the list
  };

  ReservedArray<T> objects_;
  ReservedArray<Mark> marks_;
  uint32_t free_head_ = 0;
  uint32_t touched_ = 0;
  uint32_t used_ = 0;
};

}  // namespace sluice
