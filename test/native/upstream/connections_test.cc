#include "upstream/connections.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/prng.h"

using namespace sluice;
using upstream::Connection;
using upstream::Connections;

namespace {

std::vector<uint32_t> all_of(Connections& connections, uint32_t backend) {
  std::vector<uint32_t> found;
  for (uint32_t next = connections.first_of(backend); next != 0;) {
    found.push_back(next - 1);
    next = connections[next - 1].next;
    REQUIRE(found.size() < 1000);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("connections: the one that became idle last serves next") {
  Connections connections(8, 4);
  REQUIRE(connections.ok());
  const uint32_t a = connections.open(2, 5);
  const uint32_t b = connections.open(2, 5);
  const uint32_t c = connections.open(2, 5);
  CHECK(connections.take_idle(2, 5) == Connections::kNone);
  for (const uint32_t index : {a, b, c}) connections.make_idle(index);
  CHECK(connections.idle_count(2) == 3);
  CHECK(connections.take_idle(2, 5) == c);
  CHECK(connections[c].state == Connection::State::busy);
  CHECK(connections.take_idle(2, 5) == b);
  connections.make_idle(c);
  CHECK(connections.take_idle(2, 5) == c);
  CHECK(connections.take_idle(2, 5) == a);
  CHECK(connections.take_idle(2, 5) == Connections::kNone);
  CHECK(connections.idle_count(2) == 0);
}

TEST_CASE("connections: backends and their incarnations are kept apart") {
  Connections connections(8, 4);
  const uint32_t a = connections.open(0, 1);
  const uint32_t b = connections.open(3, 1);
  CHECK(connections.backends_high() == 4);
  connections.make_idle(a);
  connections.make_idle(b);
  CHECK(connections.take_idle(1, 1) == Connections::kNone);
  CHECK(connections.take_idle(0, 2) == Connections::kNone);
  CHECK(connections.idle_count(0) == 1);
  CHECK(connections.take_idle(0, 1) == a);
  CHECK(connections.take_idle(3, 1) == b);
}

TEST_CASE("connections: idle ones may leave from anywhere") {
  for (uint32_t gone = 0; gone < 3; gone++) {
    Connections connections(8, 1);
    uint32_t indexes[3];
    for (uint32_t& index : indexes) index = connections.open(0, 1);
    for (const uint32_t index : indexes) connections.make_idle(index);
    connections.begin_close(indexes[gone]);
    CHECK(connections[indexes[gone]].state == Connection::State::closing);
    CHECK(connections.idle_count(0) == 2);
    for (uint32_t i = 3; i-- > 0;) {
      if (i != gone) CHECK(connections.take_idle(0, 1) == indexes[i]);
    }
    CHECK(connections.take_idle(0, 1) == Connections::kNone);
    CHECK(all_of(connections, 0).size() == 2);
  }
}

TEST_CASE("connections: full, then free again with another generation") {
  Connections connections(2, 1);
  const uint32_t a = connections.open(0, 1);
  connections.open(0, 1);
  CHECK(connections.open(0, 1) == Connections::kNone);
  const uint32_t generation = connections.generation(a);
  connections.begin_close(a);
  CHECK(connections.count() == 2);
  CHECK(connections.open(0, 1) == Connections::kNone);
  connections.free(a);
  CHECK(connections.count() == 1);
  CHECK_FALSE(connections.is_current(a, generation));
  const uint32_t again = connections.open(0, 2);
  CHECK(again == a);
  CHECK(connections[again].in.empty());
  CHECK(connections[again].exchange == UINT32_MAX);
}

TEST_CASE("connections: lists agree with a model in any order of calls") {
  struct Known {
    uint32_t backend;
    bool idle;
  };
  for (uint64_t seed = 1; seed <= 100; seed++) {
    Prng prng(seed);
    Connections connections(24, 3);
    std::vector<std::pair<uint32_t, Known>> model;
    std::vector<uint32_t> stacks[3];
    for (int step = 0; step < 400; step++) {
      const uint32_t backend = prng.below(3);
      auto& stack = stacks[backend];
      switch (prng.below(4)) {
        case 0: {
          const uint32_t index = connections.open(backend, 1);
          REQUIRE((index == Connections::kNone) == (model.size() == 24));
          if (index != Connections::kNone) model.push_back({index, {backend, false}});
          break;
        }
        case 1: {
          const uint32_t taken = connections.take_idle(backend, 1);
          REQUIRE(taken == (stack.empty() ? Connections::kNone : stack.back()));
          if (stack.empty()) break;
          stack.pop_back();
          for (auto& [index, known] : model) known.idle = known.idle && index != taken;
          break;
        }
        default: {
          if (model.empty()) break;
          const size_t at = prng.below(static_cast<uint32_t>(model.size()));
          auto& [index, known] = model[at];
          auto& own = stacks[known.backend];
          if (!known.idle && prng.below(3) > 0) {
            connections.make_idle(index);
            known.idle = true;
            own.push_back(index);
            break;
          }
          own.erase(std::remove(own.begin(), own.end(), index), own.end());
          connections.begin_close(index);
          connections.free(index);
          model.erase(model.begin() + static_cast<ptrdiff_t>(at));
        }
      }
      for (uint32_t b = 0; b < 3; b++) {
        std::vector<uint32_t> expected;
        for (const auto& [index, known] : model) {
          if (known.backend == b) expected.push_back(index);
        }
        std::sort(expected.begin(), expected.end());
        REQUIRE(all_of(connections, b) == expected);
        REQUIRE(connections.idle_count(b) == stacks[b].size());
      }
    }
  }
}
