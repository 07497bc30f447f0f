#include "shm/histogram.h"

#include <doctest/doctest.h>

#include <memory>

#include "base/prng.h"

using namespace sluice::shm;

TEST_CASE("histogram: buckets are monotone and at most a sixteenth wide") {
  uint32_t last = 0;
  uint64_t first_of_bucket = 0;
  for (uint64_t value = 0; value < (1u << 20); value++) {
    const uint32_t bucket = histogram_bucket(value);
    REQUIRE(bucket >= last);
    REQUIRE(bucket <= last + 1);
    if (bucket != last) first_of_bucket = value;
    REQUIRE((value - first_of_bucket) * 16 <= first_of_bucket + 15);
    last = bucket;
  }
}

TEST_CASE("histogram: every bucket is reached and nothing lies beyond the last") {
  for (uint32_t octave = 4; octave < 36; octave++) {
    for (uint32_t sub = 0; sub < 16; sub++) {
      const uint64_t low = (uint64_t{16} + sub) << (octave - 4);
      const uint64_t high = low + (uint64_t{1} << (octave - 4)) - 1;
      const uint32_t bucket = (octave - 3) * 16 + sub;
      CHECK(histogram_bucket(low) == bucket);
      CHECK(histogram_bucket(high) == bucket);
    }
  }
  CHECK(histogram_bucket((uint64_t{1} << 36) - 1) == kHistogramBuckets - 1);
  CHECK(histogram_bucket(uint64_t{1} << 36) == kHistogramBuckets - 1);
  CHECK(histogram_bucket(UINT64_MAX) == kHistogramBuckets - 1);
}

TEST_CASE("histogram: records count and sum") {
  auto pool = std::make_unique<WorkerPool>();
  sluice::Prng prng(9);
  uint64_t sum = 0;
  for (int i = 0; i < 1000; i++) {
    const uint64_t value = prng.next() >> (prng.below(50) + 14);
    sum += value;
    record(pool->duration, pool->duration_sum, value);
  }
  uint64_t count = 0;
  for (const auto& bucket : pool->duration) count += bucket.load();
  CHECK(count == 1000);
  CHECK(pool->duration_sum.load() == sum);
}
