// Log-linear histogram over microseconds: 16 linear buckets, then 16 per octave, at most 6.25 %
// wide. The buckets lie in shared memory and have one writer.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "shm/layout.gen.h"

namespace sluice::shm {

// Bucket of a value; values beyond the last bucket count in it.
constexpr uint32_t histogram_bucket(uint64_t value) {
  if (value < 16) return static_cast<uint32_t>(value);
  const unsigned octave = 63 - static_cast<unsigned>(std::countl_zero(value));  // >= 4
  const uint32_t sub = static_cast<uint32_t>(value >> (octave - 4)) & 15;
  const uint32_t bucket = (octave - 3) * 16 + sub;
  return bucket < kHistogramBuckets ? bucket : kHistogramBuckets - 1;
}

static_assert(histogram_bucket(15) == 15 && histogram_bucket(16) == 16);
static_assert(histogram_bucket(31) == 31 && histogram_bucket(32) == 32);

// Adds to a word whose only writer is the calling thread; readers may see it at any time.
template <typename T>
inline void add(std::atomic<T>& word, T amount) {
  word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

inline void record(std::atomic<uint64_t>* buckets, std::atomic<uint64_t>& sum, uint64_t value) {
  add<uint64_t>(buckets[histogram_bucket(value)], 1);
  add<uint64_t>(sum, value);
}

}  // namespace sluice::shm
