#include "base/reserved_array.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

using sluice::ReservedArray;

namespace {

size_t resident_pages(void* memory, size_t bytes) {
  std::vector<unsigned char> pages((bytes + 4095) / 4096);
  REQUIRE(::mincore(memory, bytes, pages.data()) == 0);
  size_t resident = 0;
  for (const unsigned char page : pages) resident += page & 1;
  return resident;
}

}  // namespace

TEST_CASE("reserved_array: what is not touched is not resident") {
  ReservedArray<uint64_t> array(8u << 20);  // 64 MiB
  REQUIRE(array.ok());
  CHECK(array.bytes() == 64u << 20);
  CHECK(resident_pages(array.data(), array.bytes()) == 0);
  array[0] = 1;
  array[array.capacity() - 1] = 2;
  CHECK(resident_pages(array.data(), array.bytes()) == 2);
  CHECK(array[4096] == 0);
}

TEST_CASE("reserved_array: an empty one is fine, an impossible one says so") {
  ReservedArray<int> empty(0);
  CHECK(empty.ok());
  ReservedArray<uint64_t> huge(size_t{1} << 58);
  CHECK_FALSE(huge.ok());
}

TEST_CASE("reserved_array: whole pages within what is discarded are given back") {
  struct Element {
    uint8_t bytes[1000];
  };
  ReservedArray<Element> array(64);
  REQUIRE(array.ok());
  for (size_t i = 0; i < 64; i++) std::fill_n(array[i].bytes, 1000, uint8_t{1});
  CHECK(resident_pages(array.data(), array.bytes()) == 16);
  array.discard(3, 10);  // bytes 3,000 to 13,000: pages 1 and 2
  CHECK(resident_pages(array.data(), array.bytes()) == 14);
  CHECK(array[4].bytes[0] == 1);  // ends behind the beginning of page 1
  CHECK(array[4].bytes[999] == 0);
  CHECK(array[12].bytes[287] == 0);
  CHECK(array[12].bytes[288] == 1);
  const size_t before = resident_pages(array.data(), array.bytes());
  array.discard(3, 1);  // less than a page
  CHECK(resident_pages(array.data(), array.bytes()) == before);
}

TEST_CASE("reserved_array: a page is given back when all that reach into it are free") {
  struct Element {
    uint8_t bytes[1000];
  };
  ReservedArray<Element> array(64);
  for (size_t i = 0; i < 64; i++) std::fill_n(array[i].bytes, 1000, uint8_t{1});
  const auto resident = [&] { return resident_pages(array.data(), array.bytes()); };
  // Page 1 is bytes 4,096 to 8,191: of elements 4 to 8.
  for (size_t taken = 4; taken <= 8; taken++) {
    array.discard_around(6, [&](size_t i) { return i != taken; });
    CHECK(resident() == 16);
  }
  array.discard_around(6, [](size_t i) { return i >= 4 && i <= 8; });
  CHECK(resident() == 15);
  CHECK(array[3].bytes[999] == 1);
  CHECK(array[9].bytes[0] == 1);
  array.discard_around(63, [](size_t) { return true; });  // the last page is not all elements
  CHECK(resident() == 14);
}
