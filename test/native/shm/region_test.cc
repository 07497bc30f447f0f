#include "shm/region.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "shm/worker_block.h"

using namespace sluice::shm;

namespace {

uint64_t resident_bytes(const Region& region) {
  struct stat facts {};
  REQUIRE(::fstat(region.fd(), &facts) == 0);
  return static_cast<uint64_t>(facts.st_blocks) * 512;
}

}  // namespace

TEST_CASE("region: the header names schema, workers and size") {
  Region region;
  REQUIRE(region.create(3) == 0);
  const Header& header = *reinterpret_cast<const Header*>(region.data() + kHeaderOffset);
  CHECK(header.magic == kMagic);
  CHECK(header.workers == 3);
  CHECK(header.region_bytes == region_bytes(3));
  CHECK((uint64_t{header.schema_hash_high} << 32 | header.schema_hash_low) == kSchemaHash);
  CHECK(region.bytes() == region_bytes(3));
}

TEST_CASE("region: for 128 workers it costs what is touched") {
  Region region;
  REQUIRE(region.create(128) == 0);
  CHECK(region.bytes() > (1u << 30));
  CHECK(resident_bytes(region) <= 4096);
  WorkerBlock last(region, 127);
  last.words().connections.store(5);
  last.in_flight(kBackendsMax - 1).store(1);
  CHECK(resident_bytes(region) <= 3 * 4096);
}

TEST_CASE("region: another mapping of the descriptor sees the words") {
  Region region;
  REQUIRE(region.create(1) == 0);
  void* other = ::mmap(nullptr, region.bytes(), PROT_READ, MAP_SHARED, region.fd(), 0);
  REQUIRE(other != MAP_FAILED);
  WorkerBlock block(region, 0);
  block.words().heartbeat.store(77);
  const auto* words =
      reinterpret_cast<const Worker*>(static_cast<uint8_t*>(other) + kWorkerBase + kWorkerOffset);
  CHECK(words->heartbeat.load() == 77);
  ::munmap(other, region.bytes());
}

TEST_CASE("worker_block: counters belong to an incarnation of their slot") {
  Region region;
  REQUIRE(region.create(2) == 0);
  WorkerBlock block(region, 1);
  WorkerPool& pool = block.pool(kPoolsMax - 1);
  WorkerBlock::claim(pool, 5);
  add<uint64_t>(pool.connections_total, 3);
  record(pool.duration, pool.duration_sum, 1000);
  WorkerBlock::claim(pool, 5);
  CHECK(pool.connections_total.load() == 3);
  WorkerBlock::claim(pool, 6);
  CHECK(pool.incarnation.load() == 6);
  CHECK(pool.connections_total.load() == 0);
  CHECK(pool.duration[histogram_bucket(1000)].load() == 0);

  WorkerBlock other(region, 0);
  WorkerBlock::claim(other.listener(4), 9);
  other.listener(4).connections.store(12);
  CHECK(block.listener_connections_of(0, 4, 9) == 12);
  CHECK(block.listener_connections_of(0, 4, 10) == 0);
  other.in_flight(7).store(3);
  CHECK(block.in_flight_of(0, 7) == 3);
  CHECK(block.in_flight_of(1, 7) == 0);
}

TEST_CASE("region: workers' areas do not overlap") {
  Region region;
  REQUIRE(region.create(4) == 0);
  for (uint32_t w = 0; w < 4; w++) {
    WorkerBlock block(region, w);
    block.words().adopted.store(w + 1);
    block.backend(kBackendsMax - 1).received_bytes_total.store(w + 1);
  }
  for (uint32_t w = 0; w < 4; w++) {
    WorkerBlock block(region, w);
    CHECK(block.words().adopted.load() == w + 1);
    CHECK(block.backend(kBackendsMax - 1).received_bytes_total.load() == w + 1);
  }
  CHECK(region.worker_area(3) + kWorkerStride <= region.data() + region.bytes());
}
