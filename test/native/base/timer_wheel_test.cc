#include "base/timer_wheel.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <vector>

#include "base/prng.h"

using sluice::Prng;
using sluice::TimerWheel;

namespace {

constexpr uint64_t kTick = TimerWheel::kTickMs;

// The wheel beside the obvious implementation: a deadline per timer, rounded up to a tick.
class Pair {
 public:
  Pair(uint32_t timers, uint64_t now_ms) : wheel(timers, now_ms), now(now_ms) {}

  void schedule(uint32_t index, uint64_t deadline_ms) {
    wheel.schedule(index, deadline_ms);
    uint64_t tick = (deadline_ms + kTick - 1) / kTick;
    // While a turn fires timers the wheel stands at the tick that is being fired.
    const uint64_t current = firing != 0 ? firing : now / kTick;
    if (tick <= current) tick = current + 1;
    model[index] = tick;
  }
  void cancel(uint32_t index) {
    wheel.cancel(index);
    model.erase(index);
  }

  // Advances both; `on_fire` is called for every timer the wheel fires.
  template <typename OnFire>
  void advance(uint64_t to_ms, OnFire&& on_fire) {
    uint64_t last = 0;
    wheel.advance(to_ms, [&](uint32_t index) {
      const auto found = model.find(index);
      REQUIRE(found != model.end());
      const uint64_t due = found->second;
      CHECK(due <= to_ms / kTick);
      CHECK(due >= last);  // in order of their ticks
      for (const auto& [other, tick] : model) {
        if (tick < due) FAIL_CHECK("timer ", other, " is overdue");
      }
      last = firing = due;
      model.erase(found);
      CHECK_FALSE(wheel.is_scheduled(index));
      on_fire(index);
    });
    firing = 0;
    now = to_ms;
    for (const auto& [index, tick] : model) CHECK(tick > to_ms / kTick);
    CHECK(wheel.scheduled() == model.size());
    uint64_t next = TimerWheel::kNever;
    for (const auto& [index, tick] : model) next = std::min(next, tick * kTick);
    CHECK(wheel.next_event_ms() <= next);
    CHECK((wheel.next_event_ms() == TimerWheel::kNever) == model.empty());
  }

  TimerWheel wheel;
  uint64_t now;
  uint64_t firing = 0;
  std::map<uint32_t, uint64_t> model;
};

uint64_t random_delay(Prng& prng) {
  switch (prng.below(5)) {
    case 0:
      return prng.below(16);
    case 1:
      return prng.below(600);
    case 2:
      return prng.below(40'000);
    case 3:
      return prng.below(4'000'000);
    default:
      return prng.next() % (24ull * 3600 * 1000);
  }
}

}  // namespace

TEST_CASE("timer_wheel: random schedules agree with the obvious model") {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    Prng prng(seed);
    Pair pair(200, prng.next() % 1'000'000'000);
    for (int step = 0; step < 400; step++) {
      for (uint32_t n = prng.below(8); n > 0; n--) {
        const uint32_t index = prng.below(200);
        if (prng.one_in(4)) {
          pair.cancel(index);
        } else {
          pair.schedule(index, pair.now + random_delay(prng));
        }
      }
      const uint64_t jump = prng.one_in(3) ? random_delay(prng) : prng.below(64);
      pair.advance(pair.now + jump, [&](uint32_t index) {
        if (prng.one_in(2)) pair.schedule(index, pair.now + random_delay(prng));
        if (prng.one_in(3)) pair.schedule(prng.below(200), pair.now + random_delay(prng));
        if (prng.one_in(3)) pair.cancel(prng.below(200));
      });
    }
  }
}

TEST_CASE("timer_wheel: a timer may cancel the others of its own slot") {
  TimerWheel wheel(8, 0);
  for (uint32_t i = 0; i < 8; i++) wheel.schedule(i, 80);
  uint32_t fired = 0;
  wheel.advance(80, [&](uint32_t index) {
    fired++;
    for (uint32_t i = 0; i < 8; i++) {
      if (i != index) wheel.cancel(i);
    }
  });
  CHECK(fired == 1);
  CHECK(wheel.scheduled() == 0);
  CHECK(wheel.next_event_ms() == TimerWheel::kNever);
}

TEST_CASE("timer_wheel: a timer that schedules itself for now fires at the next tick, once") {
  TimerWheel wheel(1, 0);
  wheel.schedule(0, 8);
  uint32_t fired = 0;
  const auto again = [&](uint32_t index) {
    fired++;
    wheel.schedule(index, 0);
  };
  wheel.advance(8, again);
  CHECK(fired == 1);
  wheel.advance(80, again);
  CHECK(fired == 10);
}

TEST_CASE("timer_wheel: following next_event through a day meets every deadline on its tick") {
  Prng prng(7);
  constexpr uint64_t kDayMs = 24ull * 3600 * 1000;
  TimerWheel wheel(1000, 12345);
  std::vector<uint64_t> deadlines(1000);
  uint64_t now = 12345;
  for (uint32_t i = 0; i < 1000; i++) {
    deadlines[i] = now + random_delay(prng);
    wheel.schedule(i, deadlines[i]);
  }
  uint64_t turns = 0;
  uint64_t fired = 0;
  while (now < kDayMs) {
    const uint64_t next = wheel.next_event_ms();
    if (next >= kDayMs) break;
    REQUIRE(next > now);
    now = next;
    turns++;
    wheel.advance(now, [&](uint32_t index) {
      fired++;
      CHECK(now >= deadlines[index]);
      CHECK(now - deadlines[index] < kTick);
      deadlines[index] = now + 1000 + random_delay(prng);
      wheel.schedule(index, deadlines[index]);
    });
  }
  CHECK(fired > 1000);
  CHECK(turns < 8 * fired);  // cascades are turns as well, a handful a timer
}

TEST_CASE("timer_wheel: deadlines weeks away wait for their time") {
  TimerWheel wheel(3, 1000);
  const uint64_t far = 1000 + 49ull * 24 * 3600 * 1000;
  wheel.schedule(0, far);
  wheel.schedule(1, far + 8);
  wheel.schedule(2, far * 100);
  std::vector<uint32_t> fired;
  const auto note = [&](uint32_t index) { fired.push_back(index); };
  wheel.advance(far - 8, note);
  CHECK(fired.empty());
  wheel.advance(far + 7, note);
  CHECK(fired == std::vector<uint32_t>{0});
  wheel.advance(far + 16, note);
  CHECK(fired == std::vector<uint32_t>{0, 1});
  wheel.cancel(2);
  CHECK(wheel.next_event_ms() == TimerWheel::kNever);
}
