#include "base/slab.h"

#include <doctest/doctest.h>

using sluice::Slab;

TEST_CASE("slab: a freed slot comes back under a new generation") {
  Slab<int> slab(4);
  const uint32_t first = slab.take();
  const uint32_t generation = slab.generation(first);
  CHECK(slab.is_current(first, generation));
  slab.free(first);
  CHECK_FALSE(slab.is_current(first, generation));
  CHECK(slab.take() == first);
  CHECK_FALSE(slab.is_current(first, generation));
}

TEST_CASE("slab: exhaustion is an answer") {
  Slab<int> slab(2);
  CHECK(slab.take() != Slab<int>::kNone);
  CHECK(slab.take() != Slab<int>::kNone);
  CHECK(slab.take() == Slab<int>::kNone);
  CHECK(slab.used() == 2);
}
