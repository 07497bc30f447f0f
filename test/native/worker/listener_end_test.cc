// How listeners end: what their queues still hold, under which configuration it is served, and when
// their address is free again.
#include <doctest/doctest.h>

#include "worker_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

uint64_t rejected(WorkerHost& host) {
  return host.block().listener(0).rejected_total.load();
}

}  // namespace

TEST_CASE("listener: what comes in while draining holds the configuration it is served by") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    UnixListener origin("origin");
    UnixListener listener("listener");
    const int client = listener.connect();
    {
      WorkerHost host({.engine = engine});
      host.add_backend(origin);
      const uint32_t before = host.publish();
      host.turn();
      REQUIRE(host.words().adopted.load() == before);
      host.enter_phase(shm::Phase::draining);
      host.turn();
      // Published too late to accept: its queue is taken when it is adopted.
      host.add_listener(listener);
      const uint32_t late = host.publish();
      host.turn();
      REQUIRE(host.words().adopted.load() == late);
      CHECK(host.words().accepted_total.load() == 1);
      CHECK(host.words().connections.load() == 1);
      CHECK(host.snapshot_refs(late) == 1);
      CHECK(host.snapshot_refs(before) == 0);
      CHECK(host.until([&] { return host.snapshot_refs(late) == 0; }));
      CHECK(host.words().connections.load() == 1);
    }
    ::close(client);
  }
}

TEST_CASE("listener: limits of connections hold for what it still had queued at its end") {
  for (const auto engine : kEngines) {
    for (const bool global : {false, true}) {
      CAPTURE(static_cast<int>(engine));
      CAPTURE(global);
      UnixListener origin("origin");
      UnixListener listener("listener");
      std::vector<int> clients;
      for (int i = 0; i < 5; i++) clients.push_back(listener.connect());
      {
        WorkerHost host({.engine = engine});
        host.add_backend(origin);
        host.enter_phase(shm::Phase::draining);
        host.turn();
        (global ? host.config.max_connections : host.add_listener(listener).max_connections) = 2;
        if (global) host.add_listener(listener);
        host.publish_and_adopt();
        CHECK(host.words().accepted_total.load() == 5);
        CHECK(host.words().connections.load() == 2);
        CHECK((global ? host.words().rejected_connections_max.load() : rejected(host)) == 3);
      }
      for (const int client : clients) ::close(client);
    }
  }
}

TEST_CASE("listener: a flood does not keep it alive, and what is left in its queue is counted") {
  constexpr uint32_t kEndless = 50'000;
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    EchoOrigin origin;
    int fd = -1;
    const io::ListenResult made = io::listen_on(loopback(0), 1, 64, &fd);
    REQUIRE(made.error == 0);
    std::vector<int> clients;
    for (int i = 0; i < 3; i++) clients.push_back(connect_client(made.port));
    {
      WorkerHost host({.engine = engine});
      host.enter_phase(shm::Phase::draining);
      host.turn();
      uint32_t accepts = 0;
      host.kernel().on_accept = [&](int) {
        // Somebody else is always there.
        if (++accepts == kEndless) return -EAGAIN;
        return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      };
      // Nobody is let in, so that none of them is opened.
      host.add_listener(fd).max_connections = 1;
      host.block().listener(0).incarnation.store(1);
      host.block().listener(0).connections.store(1);
      host.publish_and_adopt();
      CHECK(accepts >= 4096);
      CHECK(accepts < kEndless / 2);
      CHECK(host.words().accepted_total.load() == accepts);
      CHECK(rejected(host) == accepts);
      CHECK(host.words().reset_at_stop_total.load() == 3);
      CHECK(connect_client(made.port) == -1);
    }
    for (const int client : clients) ::close(client);
  }
}

TEST_CASE("listener: its address is free as soon as its removal is acknowledged") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    UnixListener origin("origin");
    int fd = -1;
    const io::ListenResult made = io::listen_on(loopback(0), 1, 64, &fd);
    REQUIRE(made.error == 0);
    WorkerHost host({.engine = engine});
    host.add_backend(origin);
    host.add_listener(fd);
    host.publish_and_adopt();
    host.settle();
    const int client = connect_client(made.port);
    CHECK(client >= 0);
    host.remove_listeners();
    host.publish_and_adopt();
    // No turn is taken from here on.
    CHECK(connect_client(made.port) == -1);
    int again = -1;
    CHECK(io::listen_on(loopback(made.port), 1, 64, &again).error == 0);
    ::close(again);
    ::close(client);
  }
}

TEST_CASE("listener: a worker names what it is about to adopt while a listener ends") {
  UnixListener origin("origin");
  UnixListener listener("listener");
  // Cancelling an accept takes the ring a turn.
  WorkerHost host({.engine = io::EngineChoice::io_uring});
  host.add_backend(origin);
  host.add_listener(listener);
  const uint32_t first = host.publish();
  REQUIRE(host.until([&] { return host.words().adopted.load() == first; }));
  host.settle();
  host.remove_listeners();
  const uint32_t second = host.publish();
  host.turn();
  REQUIRE(host.words().adopted.load() == first);
  CHECK(host.words().adopting.load() == second);
  const uint32_t third = host.publish();
  host.turn();
  CHECK(host.words().adopting.load() == third);
  CHECK(host.until([&] { return host.words().adopted.load() == third; }));
}
