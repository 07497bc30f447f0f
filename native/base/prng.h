// A small, fast, seedable generator (splitmix64). Value type; every worker owns one. Not for
// secrets: it spreads load and draws simulated faults.
#pragma once

#include <cstdint>

namespace sluice {

class Prng {
 public:
  explicit constexpr Prng(uint64_t seed) : state_(seed) {}

  constexpr uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // A number in [0, bound), bound > 0, by multiplication (the bias is below 2^-32).
  constexpr uint32_t below(uint32_t bound) {
    return static_cast<uint32_t>(
        (static_cast<uint64_t>(static_cast<uint32_t>(next() >> 32)) * bound) >> 32);
  }

  // True once in `n` calls on average; never when n is 0.
  constexpr bool one_in(uint32_t n) { return n != 0 && below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace sluice
