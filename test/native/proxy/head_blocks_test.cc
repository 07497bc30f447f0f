#include "proxy/head_blocks.h"

#include <doctest/doctest.h>

#include <cstring>

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
  blocks.data(a)[limits::kHeadBlockBytes - 1] = 1;
  blocks.data(b)[0] = 2;
  CHECK(blocks.data(a)[limits::kHeadBlockBytes - 1] == 1);
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

TEST_CASE("head blocks: those that rest lose their bytes, those in use keep them") {
  HeadBlocks blocks;
  uint32_t taken[100];
  for (uint32_t& block : taken) {
    block = blocks.take();
    std::memset(blocks.data(block), 'x', limits::kHeadBlockBytes);
  }
  for (uint32_t i = 0; i < 100; i++) {
    if (i % 10 != 0) blocks.give_back(taken[i]);
  }
  blocks.rest();
  blocks.rest();
  uint32_t kept = 0;
  for (uint32_t i = 0; i < 100; i++) {
    const uint8_t* data = blocks.data(taken[i]);
    const bool whole = data[0] == 'x' && data[limits::kHeadBlockBytes - 1] == 'x';
    kept += whole ? 1 : 0;
    if (i % 10 == 0) CHECK(whole);
  }
  CHECK(kept == 10 + limits::kWarmHeadBlocks);
}
