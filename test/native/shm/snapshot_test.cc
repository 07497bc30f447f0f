#include "shm/snapshot.h"

#include <doctest/doctest.h>

#include <string>

#include "shm/region.h"
#include "sim/snapshot_builder.h"

using namespace sluice;
using sluice::test::ConfigSpec;
using sluice::test::SnapshotBuilder;

TEST_CASE("snapshot: what the builder writes, the view reads") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  ConfigSpec config;
  config.listeners.push_back({.slot = 3, .incarnation = 9, .pool = 2, .descriptors = {11, 12}});
  config.pools.push_back({.slot = 2, .incarnation = 4, .members = {7, 100}});
  config.backends.push_back({.slot = 7, .pool = 2, .port = 8080});
  config.backends.push_back(
      {.slot = 100, .pool = 2, .family = shm::AddressFamily::unix_socket, .path = "/run/x.sock"});
  const uint32_t generation = SnapshotBuilder(region, 5).write(21, config);
  CHECK(generation == (21u << 3 | 5));

  const shm::SnapshotView view(region.snapshot_slot(5));
  CHECK(view.head().generation == generation);
  CHECK(view.head().listeners_high == 4);
  CHECK(view.listener(0).mode == 0);
  CHECK(view.listener(3).incarnation == 9);
  CHECK(view.descriptor(view.listener(3).descriptor_first + 1) == 12);
  CHECK(view.pool(2).member_count == 2);
  CHECK(view.member(view.pool(2).member_first + 1) == 100);
  const shm::SnapshotBackend& unix_backend = view.backend(100);
  CHECK(std::string(reinterpret_cast<const char*>(view.arena(unix_backend.path_offset)),
                    unix_backend.path_bytes) == "/run/x.sock");
  const shm::SnapshotRoute* route = view.any_route(3);
  REQUIRE(route != nullptr);
  CHECK(route->pool == 2);
  CHECK(view.any_route(2) == nullptr);
}

TEST_CASE("snapshot: every listener has its route") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  ConfigSpec config;
  config.pools.resize(shm::kPoolsMax);
  for (uint32_t slot = 0; slot < shm::kPoolsMax; slot++) config.pools[slot].slot = slot;
  for (uint32_t slot = 0; slot < shm::kListenersMax; slot++) {
    config.listeners.push_back({.slot = slot, .pool = (slot * 37) % shm::kPoolsMax});
  }
  SnapshotBuilder(region, 1).write(1, config);
  const shm::SnapshotView view(region.snapshot_slot(1));
  for (uint32_t slot = 0; slot < shm::kListenersMax; slot++) {
    const shm::SnapshotRoute* route = view.any_route(slot);
    REQUIRE(route != nullptr);
    CHECK(route->pool == (slot * 37) % shm::kPoolsMax);
  }
}

TEST_CASE("snapshot: without routes nothing is found") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  SnapshotBuilder(region, 0).write(1, ConfigSpec{});
  CHECK(shm::SnapshotView(region.snapshot_slot(0)).any_route(0) == nullptr);
}
