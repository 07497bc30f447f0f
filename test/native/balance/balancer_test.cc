#include "balance/balancer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "sim/snapshot_builder.h"

using namespace sluice;
using balance::kNoBackend;
using balance::Tried;

namespace {

constexpr uint32_t kPool = 3;

// A pool of backends 10, 11, 12, … and a balancer over it.
class Fixture {
 public:
  explicit Fixture(std::vector<uint32_t> weights,
                   shm::Strategy strategy = shm::Strategy::round_robin, uint32_t workers = 1)
      : live(region) {
    REQUIRE(region.create(workers) == 0);
    block = std::make_unique<shm::WorkerBlock>(region, 0);
    balancer = std::make_unique<balance::Balancer>(region, *block, 42);
    REQUIRE(balancer->ok());
    config.pools.push_back({.slot = kPool, .strategy = strategy});
    for (const uint32_t weight : weights) add(weight);
    publish();
  }

  void add(uint32_t weight) {
    const uint32_t slot = 10 + static_cast<uint32_t>(config.backends.size());
    config.backends.push_back({.slot = slot, .pool = kPool});
    config.pools[0].members.push_back(slot);
    live.set_weight(slot, weight);
  }
  void publish() {
    test::SnapshotBuilder builder(region, ++sequence % 8);
    builder.write(sequence, config);
    balancer->adopt(shm::SnapshotView(region.snapshot_slot(sequence % 8)));
  }
  uint32_t pick(const Tried& tried = {}, uint64_t now_ns = 1) {
    return balancer->pick(kPool, tried, now_ns);
  }
  // Picks `count` times, keeping each as a connection when asked.
  std::map<uint32_t, uint32_t> picks(uint32_t count, bool keep = false) {
    std::map<uint32_t, uint32_t> result;
    for (uint32_t i = 0; i < count; i++) {
      const uint32_t slot = pick();
      result[slot]++;
      if (keep && slot != kNoBackend) shm::add(block->in_flight(slot), 1u);
    }
    return result;
  }

  shm::Region region;
  test::LiveWords live;
  test::ConfigSpec config;
  std::unique_ptr<shm::WorkerBlock> block;
  std::unique_ptr<balance::Balancer> balancer;
  uint32_t sequence = 0;
};

}  // namespace

TEST_CASE("balancer: round robin goes round in order") {
  Fixture f({1, 1, 1, 1});
  const uint32_t first = f.pick();
  for (uint32_t i = 1; i < 40; i++) CHECK(f.pick() == 10 + (first - 10 + i) % 4);
}

TEST_CASE("balancer: adopting an equal configuration keeps the position") {
  Fixture f({1, 1, 1, 1});
  uint32_t last = f.pick();
  for (int i = 0; i < 20; i++) {
    f.publish();
    const uint32_t next = f.pick();
    CHECK(next == 10 + (last - 10 + 1) % 4);
    last = next;
  }
}

TEST_CASE("balancer: weights give exact shares, spread out") {
  Fixture f({5, 1, 1, 3});
  (void)f.picks(100);
  for (int cycle = 0; cycle < 10; cycle++) {
    const auto counts = f.picks(10);
    CHECK(counts.at(10) == 5);
    CHECK(counts.at(11) == 1);
    CHECK(counts.at(12) == 1);
    CHECK(counts.at(13) == 3);
  }
  // Half of all turns are backend 10's: never three in a row, never three without.
  std::vector<bool> mine;
  for (int i = 0; i < 200; i++) mine.push_back(f.pick() == 10);
  for (size_t i = 2; i < mine.size(); i++) {
    CHECK_FALSE((mine[i] && mine[i - 1] && mine[i - 2]));
    if (i >= 3) CHECK((mine[i] || mine[i - 1] || mine[i - 2] || mine[i - 3]));
  }
}

TEST_CASE("balancer: large weights keep exact shares") {
  Fixture f({1000, 999, 1});
  const auto counts = f.picks(20'000);
  CHECK(std::abs(static_cast<int>(counts.at(10)) - 10'000) <= 2);
  CHECK(std::abs(static_cast<int>(counts.at(11)) - 9'990) <= 2);
  CHECK(std::abs(static_cast<int>(counts.at(12)) - 10) <= 2);
}

TEST_CASE("balancer: a live change of weight is fair from then on, without a burst") {
  Fixture f({1, 1, 2});
  (void)f.picks(1000);
  f.live.set_weight(10, 2);
  f.live.touch(kPool);
  const auto burst = f.picks(5);
  CHECK(burst.at(10) <= 3);
  const auto counts = f.picks(500);
  CHECK(std::abs(static_cast<int>(counts.at(10)) - 200) <= 1);
  CHECK(std::abs(static_cast<int>(counts.at(11)) - 100) <= 1);
  CHECK(std::abs(static_cast<int>(counts.at(12)) - 200) <= 1);
}

TEST_CASE("balancer: a newcomer gets its share, not the past's") {
  Fixture f({1, 2});
  (void)f.picks(9999);
  f.add(3);
  f.publish();
  const auto counts = f.picks(600);
  CHECK(std::abs(static_cast<int>(counts.at(10)) - 100) <= 2);
  CHECK(std::abs(static_cast<int>(counts.at(11)) - 200) <= 2);
  CHECK(std::abs(static_cast<int>(counts.at(12)) - 300) <= 2);
}

TEST_CASE("balancer: who is drained, cut, unhealthy or of no weight gets nothing") {
  for (const auto strategy :
       {shm::Strategy::round_robin, shm::Strategy::least_connections, shm::Strategy::p2c}) {
    Fixture f({1, 1, 1, 1, 1, 1}, strategy);
    f.live.set_admin(10, shm::AdminState::drain);
    f.live.set_admin(11, shm::AdminState::cut);
    f.live.set_health(12, 1, shm::HealthState::unhealthy);
    f.live.set_weight(13, 0);
    f.live.set_health(14, 7, shm::HealthState::unhealthy);  // another incarnation's word
    f.live.set_health(15, 1, shm::HealthState::healthy);
    f.live.touch(kPool);
    auto counts = f.picks(300);
    CHECK(counts.size() == 2);
    CHECK(counts[14] > 0);
    CHECK(counts[15] > 0);
    f.live.set_admin(14, shm::AdminState::drain);
    f.live.set_admin(15, shm::AdminState::drain);
    f.live.touch(kPool);
    CHECK(f.pick() == kNoBackend);
    f.live.set_admin(10, shm::AdminState::up);
    f.live.touch(kPool);
    CHECK(f.pick() == 10);
  }
}

TEST_CASE("balancer: tried backends are not tried again") {
  for (const auto strategy :
       {shm::Strategy::round_robin, shm::Strategy::least_connections, shm::Strategy::p2c}) {
    for (const uint32_t weight : {1u, 6u}) {
      Fixture f({weight, 1, 1}, strategy);
      for (int i = 0; i < 100; i++) {
        Tried tried;
        tried.slots[tried.count++] = f.pick();
        tried.slots[tried.count++] = f.pick(tried);
        CHECK(tried.slots[0] != tried.slots[1]);
        const uint32_t third = f.pick(tried);
        CHECK_FALSE(tried.contains(third));
        CHECK(third != kNoBackend);
        tried.slots[tried.count++] = third;
        CHECK(f.pick(tried) == kNoBackend);
      }
    }
  }
}

TEST_CASE("balancer: least connections fills up by weight") {
  Fixture f({1, 2, 5}, shm::Strategy::least_connections);
  const auto counts = f.picks(800, true);
  CHECK(std::abs(static_cast<int>(counts.at(10)) - 100) <= 1);
  CHECK(std::abs(static_cast<int>(counts.at(11)) - 200) <= 1);
  CHECK(std::abs(static_cast<int>(counts.at(12)) - 500) <= 1);
}

TEST_CASE("balancer: equal loads are shared out in turn") {
  Fixture f({1, 1, 1}, shm::Strategy::least_connections);
  const auto counts = f.picks(300);
  for (const uint32_t slot : {10u, 11u, 12u}) CHECK(counts.at(slot) == 100);
}

TEST_CASE("balancer: other workers' connections count, a few milliseconds late") {
  Fixture f({1, 1}, shm::Strategy::least_connections, 3);
  shm::WorkerBlock other(f.region, 2);
  other.in_flight(10).store(50);
  CHECK(f.pick({}, 1'000'000) == 11);
  other.in_flight(10).store(0);
  other.in_flight(11).store(50);
  CHECK(f.pick({}, 2'000'000) == 11);  // the sum is still the old one
  CHECK(f.pick({}, 7'000'000) == 10);
}

TEST_CASE("balancer: power of two choices keeps loads close and uses everybody") {
  Fixture f({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, shm::Strategy::p2c);
  const auto counts = f.picks(10'000, true);
  CHECK(counts.size() == 10);
  for (const auto& [slot, count] : counts) CHECK(std::abs(static_cast<int>(count) - 1000) < 30);
}

TEST_CASE("balancer: 16,384 members") {
  std::vector<uint32_t> weights(shm::kBackendsMax - 10, 1);
  Fixture f(weights);
  CHECK(f.picks(static_cast<uint32_t>(weights.size())).size() == weights.size());
  f.config.pools[0].strategy = shm::Strategy::least_connections;
  f.publish();
  // It looks at a stretch at a time; over many picks everybody gets one before anybody gets three.
  const auto counts = f.picks(static_cast<uint32_t>(weights.size()), true);
  for (const auto& [slot, count] : counts) CHECK(count <= 2);
  f.live.set_weight(10, 100);
  f.live.touch(kPool);
  f.config.pools[0].strategy = shm::Strategy::round_robin;
  f.publish();
  const auto weighted = f.picks(static_cast<uint32_t>(weights.size()) + 99);
  CHECK(std::abs(static_cast<int>(weighted.at(10)) - 100) <= 1);
}

namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr shm::Strategy kStrategies[] = {shm::Strategy::round_robin,
                                         shm::Strategy::least_connections, shm::Strategy::p2c};

uint64_t refuse(Fixture& f, uint32_t slot, uint64_t now_ns) {
  return f.balancer->failed(slot, 1, balance::Failure::unreachable, 1, now_ns);
}
std::map<uint32_t, uint32_t> picks_at(Fixture& f, uint64_t now_ns, uint32_t count = 60) {
  std::map<uint32_t, uint32_t> result;
  for (uint32_t i = 0; i < count; i++) result[f.pick({}, now_ns)]++;
  return result;
}

}  // namespace

TEST_CASE("balancer: an ejected backend gets nothing while another is ready") {
  for (const auto strategy : kStrategies) {
    for (const uint32_t weight : {1u, 6u}) {
      Fixture f({weight, 1, 1}, strategy);
      (void)picks_at(f, kMs);
      CHECK(refuse(f, 11, kMs) == 1001 * kMs);
      const auto counts = picks_at(f, 1000 * kMs);
      CHECK(counts.at(10) > 0);
      CHECK(counts.count(11) == 0);
    }
  }
}

TEST_CASE("balancer: when an ejection is over, one try decides") {
  for (const auto strategy : kStrategies) {
    Fixture f({1, 1, 1}, strategy);
    (void)refuse(f, 11, kMs);
    CHECK(picks_at(f, 1001 * kMs)[11] == 1);
    CHECK(picks_at(f, 1500 * kMs).count(11) == 0);
    CHECK(refuse(f, 11, 1600 * kMs) == 3600 * kMs);
    CHECK(picks_at(f, 3500 * kMs).count(11) == 0);
    CHECK(picks_at(f, 3600 * kMs)[11] == 1);
    CHECK(f.balancer->succeeded(11, 1, 3600 * kMs));
    CHECK(picks_at(f, 3601 * kMs)[11] > 1);
    CHECK(refuse(f, 11, 4000 * kMs) == 5000 * kMs);
  }
}

TEST_CASE("balancer: where all are ejected, all are tried, but none that is unhealthy") {
  for (const auto strategy : kStrategies) {
    Fixture f({1, 1, 1, 1}, strategy);
    f.live.set_health(13, 1, shm::HealthState::unhealthy);
    f.live.touch(kPool);
    for (const uint32_t slot : {10u, 11u, 12u}) (void)refuse(f, slot, kMs);
    const auto counts = picks_at(f, 2 * kMs);
    CHECK(counts.size() == 3);
    CHECK(counts.count(13) == 0);
    CHECK(f.balancer->succeeded(12, 1, 2 * kMs));
    CHECK(picks_at(f, 3 * kMs)[12] == 60);
  }
}

TEST_CASE("balancer: one whose first check is under way waits for want of a good one") {
  for (const auto strategy : kStrategies) {
    Fixture f({1, 1, 1}, strategy);
    f.live.set_health(10, 1, shm::HealthState::checking);
    f.live.set_health(11, 1, shm::HealthState::checking);
    f.live.set_health(12, 1, shm::HealthState::healthy);
    f.live.touch(kPool);
    CHECK(picks_at(f, kMs)[12] == 60);
    // A good one that is ejected is not known to be good.
    (void)refuse(f, 12, kMs);
    const auto counts = picks_at(f, 2 * kMs);
    CHECK(counts.size() == 2);
    CHECK(counts.count(12) == 0);
    f.live.set_health(12, 1, shm::HealthState::unhealthy);
    f.live.set_health(11, 1, shm::HealthState::unhealthy);
    f.live.touch(kPool);
    CHECK(picks_at(f, 3 * kMs)[10] == 60);
    f.live.set_health(10, 1, shm::HealthState::unhealthy);
    f.live.touch(kPool);
    CHECK(f.pick({}, 4 * kMs) == kNoBackend);
  }
}

TEST_CASE("balancer: what checks found healthy again need not wait for its ejection's end") {
  Fixture f({1, 1});
  for (int i = 0; i < 6; i++) (void)refuse(f, 10, (i == 0 ? 1 : 1000u << i) * kMs);
  CHECK(picks_at(f, 34'000 * kMs).count(10) == 0);
  f.live.set_health(10, 1, shm::HealthState::unhealthy);
  f.live.touch(kPool);
  CHECK(picks_at(f, 34'500 * kMs).count(10) == 0);
  f.live.set_health(10, 1, shm::HealthState::healthy);
  f.live.touch(kPool);
  CHECK(picks_at(f, 35'000 * kMs)[10] == 1);
}

TEST_CASE("balancer: ejections that were switched off count no more") {
  Fixture f({1, 1});
  (void)refuse(f, 10, kMs);
  f.config.pools[0].ejection_failures = 0;
  f.publish();
  CHECK(picks_at(f, 2 * kMs)[10] == 30);
}

TEST_CASE("balancer: a failure of a backend that is no longer in the pool changes nothing") {
  Fixture f({1, 1});
  CHECK(f.balancer->failed(10, 9, balance::Failure::unreachable, 1, kMs) == 0);
  CHECK(f.balancer->failed(4000, 1, balance::Failure::unreachable, 1, kMs) == 0);
  CHECK(picks_at(f, 2 * kMs)[10] == 30);
}
