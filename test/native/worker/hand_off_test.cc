#include <doctest/doctest.h>

#include <algorithm>

#include "fleet_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr uint32_t kWorkers = 4;

// Gives worker 0 a head start of long-lived connections, then opens many more on all workers.
// Returns how far the worst worker is from the mean, as a share of it.
double worst_deviation(bool hand_off, io::EngineChoice engine) {
  EchoOrigin origin;
  worker::FleetOptions options;
  options.engine = engine;
  options.connections_max = 20'000;
  options.hand_off = hand_off;
  FleetHost host(kWorkers, options);
  host.add_backend(origin.port);
  const uint16_t one = host.add_listener(1);
  host.publish();

  std::vector<int> clients;
  const auto open = [&](uint16_t port, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      clients.push_back(connect_client(port));
      REQUIRE(clients.back() >= 0);
    }
    REQUIRE(eventually([&] { return host.connections() == clients.size(); }));
  };
  open(one, 150);
  const uint16_t all = host.add_listener(kWorkers);
  host.publish();
  open(all, 450);

  const double mean = static_cast<double>(clients.size()) / kWorkers;
  double worst = 0;
  std::string loads;
  for (uint32_t w = 0; w < kWorkers; w++) {
    loads += " " + std::to_string(host.words(w).connections.load());
    worst = std::max(worst, std::abs(host.words(w).connections.load() - mean) / mean);
  }
  if ((worst <= 0.10) != hand_off) MESSAGE("connections by worker:", loads);
  for (const int fd : clients) ::close(fd);
  CHECK(eventually([&] { return host.connections() == 0; }));
  CHECK(host.fleet->stop(20'000) == 0);
  return worst;
}

}  // namespace

TEST_CASE("hand_off: spreads connections within a tenth of the mean, and nothing else does") {
  for (const auto engine : {io::EngineChoice::io_uring, io::EngineChoice::epoll}) {
    CAPTURE(static_cast<int>(engine));
    CHECK(worst_deviation(true, engine) <= 0.10);
    CHECK(worst_deviation(false, engine) > 0.10);
  }
}

TEST_CASE("hand_off: a socket whose listener has ended is closed and counted as that") {
  for (const auto engine : {io::EngineChoice::io_uring, io::EngineChoice::epoll}) {
    CAPTURE(static_cast<int>(engine));
    EchoOrigin origin;
    worker::FleetOptions options;
    options.engine = engine;
    options.connections_max = 100;
    FleetHost host(2, options);
    host.add_backend(origin.port);
    host.add_listener(1);
    host.publish();
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    // As worker 0 would send it, of an incarnation that worker 1 does not have.
    const uint64_t gone = host.config.listeners[0].incarnation + 1;
    REQUIRE(host.fleet->engine_of(1)->post(0, static_cast<uint64_t>(pair[0]) | gone << 48));
    char byte;
    CHECK(::recv(pair[1], &byte, 1, 0) == 0);
    ::close(pair[1]);
    CHECK(eventually([&] { return host.words(1).received_total.load() == 1; }));
    CHECK(host.words(1).rejected_listener_gone.load() == 1);
    CHECK(host.words(1).rejected_connections_max.load() == 0);
    CHECK(host.connections() == 0);
    CHECK(host.fleet->stop(20'000) == 0);
  }
}
