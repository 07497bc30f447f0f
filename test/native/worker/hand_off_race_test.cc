// A socket handed over while its listener is being removed: it was accepted under a configuration
// that the receiver still has, and is served by it.
#include <doctest/doctest.h>

#include "worker_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// Two workers and one listener, which is worker 0's; worker 0 has been given so many connections
// that it hands the next ones to worker 1.
struct Pair {
  explicit Pair(io::EngineChoice engine)
      : origin("origin"), listener("listener"), host({.engine = engine, .workers = 2}) {
    host.add_backend(origin);
    host.add_listener(listener);
    host.publish_and_adopt();
    // The one that goes over lies in the mail until worker 1 has a turn.
    while (on_their_way() == 0) connect();
    connect();  // stays; the next one would go
    REQUIRE(on_their_way() == 1);
  }
  ~Pair() {
    for (const int client : clients) ::close(client);
  }
  void connect() {
    clients.push_back(listener.connect());
    for (int i = 0; i < 4; i++) host.turn(0);
  }
  uint32_t on_their_way() {
    return host.words(0).handed_to[1].load() -
           static_cast<uint32_t>(host.words(1).received_total.load());
  }
  uint32_t served() { return host.words(0).connections.load() + host.words(1).connections.load(); }
  uint64_t rejected() {
    return host.words(0).rejected_connections_max.load() +
           host.words(1).rejected_connections_max.load();
  }

  UnixListener origin;
  UnixListener listener;
  std::vector<int> clients;
  WorkerHost host;
};

}  // namespace

TEST_CASE("hand_off: a socket sent while the receiver adopts its listener's removal is served") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Pair pair(engine);
    WorkerHost& host = pair.host;
    host.remove_listeners();
    const uint32_t removed = host.publish();
    // Worker 1 takes its mail and connects for it; in the middle of that turn, before it looks at
    // what was published, worker 0 sends the next.
    const uint64_t before = host.words(0).handed_off_total.load();
    host.kernel(1).on_socket = [&] {
      REQUIRE(host.words(1).adopting.load() != removed);
      // Its turn adopts as well, at the end; until then it accepts what is there.
      pair.clients.push_back(pair.listener.connect());
      host.turn(0);
    };
    host.turn(1);
    REQUIRE(host.words(0).handed_off_total.load() == before + 1);
    CHECK(host.words(1).adopting.load() == removed);
    CHECK(host.words(1).adopted.load() != removed);  // it waits for that socket
    CHECK(host.until([&] {
      return host.words(0).adopted.load() == removed && host.words(1).adopted.load() == removed;
    }));
    CHECK(pair.on_their_way() == 0);
    CHECK(pair.rejected() == 0);
    CHECK(pair.served() == pair.clients.size());
  }
}

TEST_CASE("hand_off: a worker keeps its socket when the other one is about to adopt") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Pair pair(engine);
    WorkerHost& host = pair.host;
    host.settle();
    while (host.words(0).connections.load() <= host.words(1).connections.load() + 4) {
      pair.connect();
      if (pair.on_their_way() > 0) break;
    }
    const uint64_t before = host.words(0).handed_off_total.load();
    // As if it had named a generation and not adopted it yet.
    const uint32_t adopting = host.words(1).adopting.exchange(77 << 3);
    for (int i = 0; i < 12; i++) pair.connect();
    CHECK(host.words(0).handed_off_total.load() == before);
    host.words(1).adopting.store(adopting);
    for (int i = 0; i < 12; i++) pair.connect();
    CHECK(host.words(0).handed_off_total.load() > before);
    host.settle();
    CHECK(pair.served() == pair.clients.size());
    CHECK(pair.rejected() == 0);
  }
}
