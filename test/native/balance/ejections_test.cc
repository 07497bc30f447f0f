#include "balance/ejections.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>

#include "base/prng.h"

using namespace sluice;
using balance::EjectionPolicy;
using balance::Ejections;
using balance::Failure;
using Standing = Ejections::Standing;

namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr EjectionPolicy kPolicy{5, 1000, 4000};
constexpr uint32_t kSlot = 7;

}  // namespace

TEST_CASE("ejections: one that refuses is out at once, others after so many failures in a row") {
  Ejections ejections(16);
  REQUIRE(ejections.ok());
  for (uint32_t streak = 1; streak < 5; streak++) {
    CHECK(ejections.failed(kSlot, 1, Failure::exchange, streak, kPolicy, 10 * kMs) == 0);
  }
  CHECK(ejections.standing(kSlot, 1, 10 * kMs) == Standing::good);
  CHECK(ejections.failed(kSlot, 1, Failure::connect, 5, kPolicy, 10 * kMs) == 1010 * kMs);
  CHECK(ejections.standing(kSlot, 1, 10 * kMs) == Standing::out);
  CHECK(ejections.failed(8, 1, Failure::unreachable, 1, kPolicy, 10 * kMs) == 1010 * kMs);
  CHECK(ejections.standing(9, 1, 10 * kMs) == Standing::good);
}

TEST_CASE("ejections: of no failures, nobody is ejected") {
  Ejections ejections(16);
  CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 100, {0, 1000, 4000}, kMs) == 0);
  CHECK(ejections.standing(kSlot, 1, kMs) == Standing::good);
}

TEST_CASE("ejections: each without a success between lasts twice as long, up to the longest") {
  Ejections ejections(16);
  uint64_t now = kMs;
  for (const uint64_t length : {1000, 2000, 4000, 4000, 4000}) {
    CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, now) == now + length * kMs);
    CHECK(ejections.standing(kSlot, 1, now + length * kMs - 1) == Standing::out);
    now += length * kMs;
    CHECK(ejections.standing(kSlot, 1, now) == Standing::half_open);
    ejections.begin_try(kSlot, now);
    CHECK(ejections.standing(kSlot, 1, now) == Standing::out);
  }
  CHECK(ejections.succeeded(kSlot, 1, now));
  CHECK(ejections.standing(kSlot, 1, now) == Standing::good);
  CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, now) == now + 1000 * kMs);
}

TEST_CASE("ejections: failures of one that is out change nothing") {
  Ejections ejections(16);
  CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, kMs) == 1001 * kMs);
  CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 2, kPolicy, 500 * kMs) == 0);
  CHECK(ejections.until_ns(kSlot) == 1001 * kMs);
}

TEST_CASE("ejections: work that is older than the ejection does not end it") {
  Ejections ejections(16);
  (void)ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, 100 * kMs);
  CHECK_FALSE(ejections.succeeded(kSlot, 1, 99 * kMs));
  CHECK(ejections.standing(kSlot, 1, 200 * kMs) == Standing::out);
  CHECK(ejections.succeeded(kSlot, 1, 100 * kMs));
  CHECK(ejections.standing(kSlot, 1, 200 * kMs) == Standing::good);
}

TEST_CASE("ejections: a try that tells nothing makes room for another one") {
  Ejections ejections(16);
  (void)ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, 0);
  ejections.begin_try(kSlot, 1000 * kMs);
  CHECK(ejections.standing(kSlot, 1, 1999 * kMs) == Standing::out);
  CHECK(ejections.standing(kSlot, 1, 2000 * kMs) == Standing::half_open);
  ejections.begin_try(kSlot, 2000 * kMs);
  // The second time in a row, although two tries were made.
  const uint64_t now = 2500 * kMs;
  CHECK(ejections.failed(kSlot, 1, Failure::unreachable, 2, kPolicy, now) == now + 2000 * kMs);
}

TEST_CASE("ejections: the next owner of a slot begins without a past") {
  Ejections ejections(16);
  (void)ejections.failed(kSlot, 1, Failure::unreachable, 1, kPolicy, 0);
  CHECK(ejections.standing(kSlot, 2, kMs) == Standing::good);
  CHECK(ejections.failed(kSlot, 2, Failure::unreachable, 1, kPolicy, kMs) == 1001 * kMs);
  CHECK(ejections.standing(kSlot, 1, kMs) == Standing::good);
}

TEST_CASE("ejections: whatever happens, nobody is out for longer than the longest") {
  Prng prng(4711);
  for (int run = 0; run < 200; run++) {
    Ejections ejections(4);
    const EjectionPolicy policy{1 + prng.below(5), 1 + prng.below(3000), 1 + prng.below(10'000)};
    const uint64_t longest = std::max(policy.base_ms, policy.max_ms) * kMs;
    uint64_t now = 1;
    uint32_t streak[4] = {};
    for (int step = 0; step < 300; step++) {
      now += prng.below(2000) * kMs;
      const uint32_t slot = prng.below(4);
      switch (prng.below(4)) {
        case 0:
          if (ejections.succeeded(slot, 1, now - prng.below(3000) * kMs % now)) streak[slot] = 0;
          break;
        case 1:
          if (ejections.standing(slot, 1, now) == Standing::half_open) {
            ejections.begin_try(slot, now);
          }
          break;
        default: {
          const auto failure = static_cast<Failure>(prng.below(3));
          const uint64_t until = ejections.failed(slot, 1, failure, ++streak[slot], policy, now);
          CHECK((until == 0 || (until > now && until <= now + longest)));
        }
      }
      for (uint32_t other = 0; other < 4; other++) {
        if (ejections.standing(other, 1, now) != Standing::out) continue;
        CHECK(ejections.standing(other, 1, now + longest) == Standing::half_open);
      }
    }
  }
}
