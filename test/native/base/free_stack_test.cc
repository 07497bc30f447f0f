#include "base/free_stack.h"

#include <doctest/doctest.h>

#include <vector>

using sluice::FreeStack;

namespace {

std::vector<uint32_t> rest(FreeStack& stack, uint32_t warm, uint32_t max = 1000) {
  std::vector<uint32_t> released;
  stack.rest(warm, max, [&](uint32_t index) { released.push_back(index); });
  return released;
}

void take(FreeStack& stack, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) REQUIRE(stack.take() != FreeStack::kNone);
}

// Gives back `first` to `first + count - 1`, the last one ending on top.
void give_back(FreeStack& stack, uint32_t first, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) stack.give_back(first + i);
}

}  // namespace

TEST_CASE("free_stack: last in first out, new ones when none is left, then none") {
  FreeStack stack(3);
  CHECK(stack.take() == 0);
  CHECK(stack.take() == 1);
  stack.give_back(0);
  CHECK(stack.taken() == 1);
  CHECK(stack.take() == 0);
  CHECK(stack.take() == 2);
  CHECK(stack.take() == FreeStack::kNone);
  CHECK(stack.touched() == 3);
}

TEST_CASE("free_stack: what a burst left is released once, the warm ones are kept") {
  FreeStack stack(100);
  take(stack, 10);
  give_back(stack, 0, 10);
  CHECK(rest(stack, 2).empty());  // it was in use a moment ago
  CHECK(rest(stack, 2) == std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(rest(stack, 2).empty());
}

TEST_CASE("free_stack: what is used between two looks is not released") {
  FreeStack stack(100);
  take(stack, 10);
  give_back(stack, 0, 10);
  CHECK(rest(stack, 0).empty());
  take(stack, 4);  // 9 to 6
  give_back(stack, 6, 4);
  CHECK(rest(stack, 0) == std::vector<uint32_t>{0, 1, 2, 3, 4, 5});
  CHECK(rest(stack, 0) == std::vector<uint32_t>{6, 7, 8, 9});
  take(stack, 3);  // 9 to 7, which are used and thus to be released anew
  give_back(stack, 7, 3);
  CHECK(rest(stack, 0).empty());
  CHECK(rest(stack, 0) == std::vector<uint32_t>{7, 8, 9});
}

TEST_CASE("free_stack: a look releases so many at most, and the next goes on") {
  FreeStack stack(100);
  take(stack, 10);
  give_back(stack, 0, 10);
  CHECK(rest(stack, 0).empty());
  CHECK(rest(stack, 0, 4) == std::vector<uint32_t>{0, 1, 2, 3});
  CHECK(rest(stack, 0, 4) == std::vector<uint32_t>{4, 5, 6, 7});
  CHECK(rest(stack, 0, 4) == std::vector<uint32_t>{8, 9});
}
