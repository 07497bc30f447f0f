#include "worker/fleet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "fleet_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

std::string message_of(uint32_t seed, size_t bytes) {
  std::string message(bytes, 0);
  Prng prng(seed);
  for (char& c : message) c = static_cast<char>(prng.next());
  return message;
}

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count++;
  }
  return count;
}

worker::FleetOptions options_of(io::EngineChoice engine) {
  worker::FleetOptions options;
  options.engine = engine;
  options.connections_max = 10'000;
  return options;
}

void check_quiet(FleetHost& host, uint32_t workers) {
  for (uint32_t w = 0; w < workers; w++) {
    CHECK(host.words(w).connections.load() == 0);
    CHECK(host.words(w).buffers_lent_small.load() == 0);
    CHECK(host.words(w).buffers_lent_large.load() == 0);
    CHECK(host.words(w).pipes_lent.load() == 0);
    for (const auto& refs : host.words(w).snapshot_refs) CHECK(refs.load() == 0);
    shm::WorkerBlock block(host.fleet->region(), w);
    CHECK(block.in_flight(0).load() == 0);
    CHECK(block.pool(0).connections.load() == 0);
    CHECK(block.listener(0).connections.load() == 0);
  }
}

constexpr io::EngineChoice kEngines[] = {io::EngineChoice::io_uring, io::EngineChoice::epoll};

}  // namespace

TEST_CASE("fleet: traffic of many threads passes unchanged while words change, then it stops") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    const size_t before = open_descriptors();
    {
      EchoOrigin first;
      EchoOrigin second;
      FleetHost host(3, options_of(engine));
      host.add_backend(first.port);
      host.add_backend(second.port);
      const uint16_t port = host.add_listener(3);
      host.publish();
      std::atomic<uint32_t> wrong{0};
      std::vector<std::thread> clients;
      for (uint32_t c = 0; c < 4; c++) {
        clients.emplace_back([&, c] {
          for (uint32_t i = 0; i < 25; i++) {
            const size_t bytes = i % 5 == 0 ? 700'000 : 1 + 997 * i;
            const std::string message = message_of(c * 100 + i, bytes);
            const int fd = connect_client(port);
            if (fd < 0 || exchange(fd, message) != message) wrong++;
            ::close(fd);
          }
        });
      }
      for (uint32_t i = 0; i < 20; i++) {
        host.live->set_admin(1, i % 2 == 0 ? shm::AdminState::drain : shm::AdminState::up);
        host.live->set_weight(0, 1 + i);
        host.publish();
      }
      for (std::thread& client : clients) client.join();
      CHECK(wrong == 0);
      CHECK(eventually([&] { return host.connections() == 0; }));
      CHECK(host.fleet->stop(20'000) == 0);
      check_quiet(host, 3);
      uint64_t accepted = 0;
      for (uint32_t w = 0; w < 3; w++) accepted += host.words(w).accepted_total.load();
      CHECK(accepted == 100);
    }
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("fleet: draining ends accepting and keeps what is open; stopping ends it") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    const size_t before = open_descriptors();
    {
      EchoOrigin origin;
      FleetHost host(2, options_of(engine));
      host.add_backend(origin.port);
      const uint16_t port = host.add_listener(2);
      host.publish();
      std::vector<int> open;
      for (int i = 0; i < 10; i++) open.push_back(connect_client(port));
      REQUIRE(eventually([&] { return host.connections() == 10; }));
      host.fleet->enter_phase(shm::Phase::draining);
      REQUIRE(eventually([&] { return host.all(shm::WorkerState::draining); }));
      CHECK(connect_client(port) == -1);
      CHECK(host.connections() == 10);
      CHECK(exchange(open[0], "still served") == "still served");
      ::close(open[0]);
      CHECK(eventually([&] { return host.connections() == 9; }));
      CHECK(host.fleet->stop(20'000) == 0);
      CHECK(host.all(shm::WorkerState::stopped));
      check_quiet(host, 2);
      for (size_t i = 1; i < open.size(); i++) {
        char byte;
        CHECK(::recv(open[i], &byte, 1, 0) <= 0);
        ::close(open[i]);
      }
    }
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("fleet: a cut backend's connections are reset, also when it left the configuration") {
  for (const auto engine : kEngines) {
    for (const bool removed : {false, true}) {
      CAPTURE(static_cast<int>(engine));
      CAPTURE(removed);
      EchoOrigin first;
      EchoOrigin second;
      FleetHost host(2, options_of(engine));
      host.add_backend(first.port);
      host.add_backend(second.port);
      const uint16_t port = host.add_listener(2);
      host.publish();
      std::vector<int> open;
      for (int i = 0; i < 12; i++) open.push_back(connect_client(port));
      const auto on = [&](uint32_t backend) {
        uint32_t sum = 0;
        for (uint32_t w = 0; w < 2; w++) {
          sum += shm::WorkerBlock(host.fleet->region(), w).in_flight(backend).load();
        }
        return sum;
      };
      REQUIRE(eventually([&] { return on(0) + on(1) == 12 && host.connections() == 12; }));
      const uint32_t lost = on(0);
      const uint32_t kept = on(1);
      host.live->set_admin(0, shm::AdminState::cut);
      if (removed) {
        host.config.pools[0].members = {1};
        host.config.backends.erase(host.config.backends.begin());
        host.publish();
      } else {
        host.notify();
      }
      CHECK(eventually([&] { return on(0) == 0; }));
      CHECK(on(1) == kept);
      uint64_t cut[3] = {};
      for (uint32_t w = 0; w < 2; w++) {
        shm::WorkerBlock block(host.fleet->region(), w);
        cut[0] += block.listener(0).cut_total.load();
        cut[1] += block.pool(0).cut_total.load();
        cut[2] += block.backend(0).cut_total.load();
        CHECK(block.backend(1).cut_total.load() == 0);
      }
      for (const uint64_t counted : cut) CHECK(counted == lost);
      const int fd = connect_client(port);
      CHECK(exchange(fd, "the other one") == "the other one");
      ::close(fd);
      for (const int client : open) ::close(client);
      CHECK(eventually([&] { return host.connections() == 0; }));
      CHECK(host.fleet->stop(20'000) == 0);
    }
  }
}

TEST_CASE("fleet: starts the wanted engine and stops without a configuration") {
  for (const auto engine : kEngines) {
    FleetHost host(2, options_of(engine));
    for (uint32_t w = 0; w < 2; w++) {
      const auto kind = static_cast<shm::EngineKind>(host.words(w).engine.load());
      CHECK(kind == (engine == io::EngineChoice::epoll ? shm::EngineKind::epoll
                                                       : shm::EngineKind::io_uring));
    }
    CHECK(host.fleet->stop(20'000) == 0);
    CHECK(host.all(shm::WorkerState::stopped));
  }
}

TEST_CASE("fleet: backends on IPv6 and Unix sockets, and one that is not there") {
  const std::string path = "/tmp/sluice-fleet-test-" + std::to_string(::getpid()) + ".sock";
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    EchoOrigin unix_origin(unix_path(path));
    EchoOrigin ipv6_origin(loopback6());
    FleetHost host(1, options_of(engine));
    host.add_backend(0);
    host.config.backends[0].family = shm::AddressFamily::unix_socket;
    host.config.backends[0].path = path;
    host.add_backend(ipv6_origin.port);
    host.config.backends[1].family = shm::AddressFamily::ipv6;
    uint8_t* address = host.config.backends[1].address;
    std::fill(address, address + 15, uint8_t{0});
    address[15] = 1;
    host.add_backend(0);
    host.config.backends[2].family = shm::AddressFamily::unix_socket;
    host.config.backends[2].path = path + ".nobody";
    host.config.pools[0].ejection_failures = 0;  // it is asked again and again
    const uint16_t port = host.add_listener(1);
    host.publish();
    for (int i = 0; i < 12; i++) {
      const int fd = connect_client(port);
      CHECK(exchange(fd, "to whichever") == "to whichever");
      ::close(fd);
    }
    shm::WorkerBlock block(host.fleet->region(), 0);
    CHECK(eventually([&] { return host.connections() == 0; }));
    CHECK(block.backend(0).connections_total.load() >= 4);
    CHECK(block.backend(1).connections_total.load() >= 4);
    const uint64_t refused = block.backend(2).connect_refused_total.load();
    CHECK(refused >= 3);
    CHECK(block.pool(0).connect_refused_total.load() == refused);
    CHECK(block.pool(0).retries_total.load() == refused);
    CHECK(host.fleet->stop(20'000) == 0);
  }
  ::unlink(path.c_str());
}
