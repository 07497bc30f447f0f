#include "proxy/head_blocks.h"

#include <doctest/doctest.h>

using namespace sluice;
using proxy::HeadBlocks;

TEST_CASE("head blocks: last in, first out") {
  HeadBlocks blocks;
  REQUIRE(blocks.ok());
  uint32_t a = blocks.take();
  uint32_t b = blocks.take();
  CHECK(a != b);
  CHECK(blocks.lent() == 2);
  const uint32_t was = a;
  blocks.drop(a);
  CHECK(a == HeadBlocks::kNone);
  CHECK(blocks.lent() == 1);
  blocks.drop(a);  // none any more
  CHECK(blocks.lent() == 1);
  a = blocks.take();
  CHECK(a == was);
  blocks.drop(b);
  blocks.drop(a);
  CHECK(blocks.take() == was);
}

TEST_CASE("head blocks: they do not overlap and hold the largest head") {
  HeadBlocks blocks;
  const uint32_t a = blocks.take();
  const uint32_t b = blocks.take();
  CHECK(blocks.data(b) - blocks.data(a) >= static_cast<ptrdiff_t>(limits::kHeadBytesMax));
  blocks.data(a)[limits::kHeadBlockStride - 1] = 1;
  blocks.data(b)[0] = 2;
  CHECK(blocks.data(a)[limits::kHeadBlockStride - 1] == 1);
}

TEST_CASE("head blocks: none is left when all are in use") {
  HeadBlocks blocks;
  for (uint32_t i = 0; i < limits::kHeadBlocks; i++) REQUIRE(blocks.take() == i);
  CHECK(blocks.take() == HeadBlocks::kNone);
  CHECK(blocks.lent() == limits::kHeadBlocks);
  blocks.give_back(7);
  CHECK(blocks.take() == 7);
  CHECK(blocks.take() == HeadBlocks::kNone);
}
