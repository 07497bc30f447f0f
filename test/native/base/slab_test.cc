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

TEST_CASE("slab: objects that rest lose their memory, those in use keep it") {
  struct Wide {
    uint8_t bytes[512];
  };
  Slab<Wide> slab(256);
  for (uint32_t i = 0; i < 256; i++) {
    REQUIRE(slab.take() == i);
    slab[i].bytes[0] = 1;
  }
  // One of the first page's and all of the third are used.
  for (uint32_t i = 0; i < 256; i++) {
    if (i != 3 && (i < 16 || i > 23)) slab.free(i);
  }
  Wide* const first = &slab[3] - 3;
  slab.rest(0, 1000);
  CHECK(first[0].bytes[0] == 1);
  slab.rest(0, 1000);
  CHECK(first[0].bytes[0] == 1);
  CHECK(first[8].bytes[0] == 0);
  for (uint32_t i = 16; i <= 23; i++) CHECK(slab[i].bytes[0] == 1);
  CHECK(first[255].bytes[0] == 0);
  CHECK(slab.used() == 9);
  CHECK(slab.take() == 255);
}
