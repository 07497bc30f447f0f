// A fixed-capacity pool of objects addressed by {index, generation}. The generation is 24 bits wide
// and changes whenever a slot is freed, so a handle that outlives its object is recognised. Free
// slots are reused last-in first-out: a busy worker stays in few cache lines, an idle one in few
// pages. No allocation after construction; exhaustion is an answer (`kNone`).
#pragma once

#include <cstdint>
#include <new>

#include "base/assert.h"
#include "base/free_stack.h"
#include "base/reserved_array.h"

namespace sluice {

template <typename T>
class Slab {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kGenerationMask = (1u << 24) - 1;

  explicit Slab(uint32_t capacity) : objects_(capacity), marks_(capacity), free_(capacity) {}

  bool ok() const { return objects_.ok() && marks_.ok() && free_.ok(); }
  uint32_t capacity() const { return static_cast<uint32_t>(objects_.capacity()); }
  uint32_t used() const { return free_.taken(); }

  // Takes a slot and value-initialises its object. kNone when the slab is full.
  uint32_t take() {
    const uint32_t index = free_.take();
    if (index == kNone) return kNone;
    marks_[index].live = 1;
    new (&objects_[index]) T{};
    return index;
  }

  void free(uint32_t index) {
    SLUICE_ASSERT(index < touched() && marks_[index].live == 1);
    Mark& mark = marks_[index];
    mark.live = 0;
    mark.generation = (mark.generation + 1) & kGenerationMask;
    free_.give_back(index);
  }
  // Gives back the memory of pages whose objects are all free and have not been used since the last
  // call. What is kept for the next objects are at least `warm` of them.
  void rest(uint32_t warm, uint32_t max) {
    free_.rest(warm, max, [this](uint32_t index) {
      objects_.discard_around(index, [this](size_t other) { return marks_[other].live == 0; });
    });
  }

  bool is_current(uint32_t index, uint32_t generation) const {
    return index < touched() && marks_[index].live == 1 && marks_[index].generation == generation;
  }
  bool is_live(uint32_t index) const { return index < touched() && marks_[index].live == 1; }
  uint32_t generation(uint32_t index) const { return marks_[index].generation; }
  // One past the highest index ever taken: the bound for walking live objects.
  uint32_t touched() const { return free_.touched(); }

  T& operator[](uint32_t index) {
    SLUICE_VERIFY(is_live(index));
    return objects_[index];
  }

 private:
  struct Mark {
    uint32_t generation : 24;
    uint32_t live : 8;
  };

  ReservedArray<T> objects_;
  ReservedArray<Mark> marks_;
  FreeStack free_;
};

}  // namespace sluice
