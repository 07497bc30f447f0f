// A log-linear histogram of nanoseconds: 64 sub-buckets per octave, so a quantile is exact to 1.6
// %.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace load {

class Histogram {
 public:
  void clear() { memset(this, 0, sizeof *this); }

  void record(uint64_t nanoseconds) {
    counts_[bucket_of(nanoseconds)]++;
    total_++;
    if (nanoseconds > max_) max_ = nanoseconds;
  }

  // The upper end of the bucket in which the quantile lies; 0 when empty.
  uint64_t quantile(double q) const {
    const auto rank = static_cast<uint64_t>(q * static_cast<double>(total_));
    uint64_t seen = 0;
    for (uint32_t i = 0; i < kBuckets; i++) {
      seen += counts_[i];
      if (counts_[i] > 0 && seen > rank) return upper_end(i) < max_ ? upper_end(i) : max_;
    }
    return max_;
  }
  uint64_t max() const { return max_; }

 private:
  static constexpr uint32_t kSubBits = 6;
  static constexpr uint32_t kSub = 1 << kSubBits;
  static constexpr uint32_t kBuckets = kSub * 40;

  static uint32_t bucket_of(uint64_t value) {
    if (value < kSub) return static_cast<uint32_t>(value);
    const uint32_t shift = static_cast<uint32_t>(std::bit_width(value)) - kSubBits - 1;
    const uint32_t bucket = (shift + 1) * kSub + static_cast<uint32_t>((value >> shift) - kSub);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static uint64_t upper_end(uint32_t bucket) {
    if (bucket < kSub) return bucket;
    const uint32_t shift = bucket / kSub - 1;
    return ((uint64_t{bucket % kSub} + kSub + 1) << shift) - 1;
  }

  uint64_t counts_[kBuckets] = {};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace load
