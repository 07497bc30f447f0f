#include "base/reserved_array.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

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
