// Whole workers whose backends are not there, come, or break off: who is picked, and what the
// worker's words say of it.
#include "proxy/outcomes.h"

#include <doctest/doctest.h>

#include <memory>

#include "native/worker/worker_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr uint64_t kMs = 1'000'000;

class Bench {
 public:
  explicit Bench(io::EngineChoice engine) : listener_("outcomes-in"), host({.engine = engine}) {
    host.config.pools[0].ejection_base_ms = 1000;
    host.config.pools[0].ejection_max_ms = 4000;
    host.config.pools[0].ejection_failures = 3;
    host.config.pools[0].connect_retries = 1;
    host.add_listener(listener_);
  }
  // A client that has been given a backend, or has been turned away: `tried` counts for both.
  int open() {
    const int client = listener_.connect();
    clients_.push_back(client);
    host.settle();
    return client;
  }
  void close_all() {
    for (const int client : clients_) ::close(client);
    clients_.clear();
    host.settle();
  }
  void pass_ms(uint64_t ms) {
    host.kernel().passed_ns += ms * kMs;
    host.settle();
  }
  shm::WorkerBackend& words(uint32_t slot) { return block_().backend(slot); }
  uint64_t refused(uint32_t slot) { return words(slot).connect_refused_total.load(); }
  uint64_t taken(uint32_t slot) { return words(slot).connections_total.load(); }
  shm::WorkerPool& pool() { return block_().pool(0); }

 private:
  shm::WorkerBlock& block_() {
    if (!own_) own_ = std::make_unique<shm::WorkerBlock>(host.region, 0);
    return *own_;
  }
  UnixListener listener_;
  std::vector<int> clients_;
  std::unique_ptr<shm::WorkerBlock> own_;

 public:
  WorkerHost host;
};

}  // namespace

TEST_CASE("outcomes: a backend that is not there is asked once, and again when its time is over") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine);
    UnixListener good("outcomes-good");
    std::string path;
    {
      UnixListener gone("outcomes-gone");
      path = gone.path;
      bench.host.add_backend(gone);
    }
    bench.host.add_backend(good);
    bench.host.publish_and_adopt();
    for (int i = 0; i < 10; i++) bench.open();
    CHECK(bench.refused(0) == 1);
    CHECK(bench.taken(1) == 10);
    CHECK(bench.words(0).ejected_until.load() > 0);
    CHECK(bench.words(0).ejections_total.load() == 1);
    CHECK(bench.words(0).ejection_reason.load() ==
          static_cast<uint32_t>(shm::EjectionReason::connect));
    CHECK(bench.pool().ejections_connect_total.load() == 1);
    CHECK(bench.host.words().ejections_total.load() == 1);
    bench.pass_ms(1001);
    for (int i = 0; i < 10; i++) bench.open();
    CHECK(bench.refused(0) == 2);
    CHECK(bench.taken(1) == 20);
    // Twice as long now.
    bench.pass_ms(1001);
    for (int i = 0; i < 4; i++) bench.open();
    CHECK(bench.refused(0) == 2);
    bench.pass_ms(1001);
    UnixListener back("outcomes-gone");
    for (int i = 0; i < 10; i++) bench.open();
    CHECK(bench.refused(0) == 2);
    CHECK(bench.taken(0) == 5);  // its try was one of them
    CHECK(bench.words(0).ejected_until.load() == 0);
    CHECK(bench.words(0).failure_streak.load() == 0);
    bench.close_all();
  }
}

TEST_CASE("outcomes: connections that are reset before a byte has come back count in a row") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine);
    UnixListener bad("outcomes-bad");
    UnixListener good("outcomes-good");
    bench.host.add_backend(bad);
    bench.host.add_backend(good);
    bench.host.publish_and_adopt();
    std::vector<int> served;
    for (int i = 0; i < 20; i++) {
      const int client = bench.open();
      // Unread bytes make the close of a Unix socket a reset.
      CHECK(::send(client, "x", 1, MSG_NOSIGNAL) >= 0);
      bench.host.settle();
      int fd = bad.accept();
      if (fd >= 0) ::close(fd);
      while ((fd = good.accept()) >= 0) served.push_back(fd);
      bench.host.settle();
    }
    CHECK(bench.taken(0) == 3);
    CHECK(bench.taken(1) == 17);
    CHECK(bench.pool().ejections_failures_total.load() == 1);
    CHECK(bench.words(0).ejection_reason.load() ==
          static_cast<uint32_t>(shm::EjectionReason::failures));
    // A byte that comes back makes it good again; the connect alone does not.
    bench.pass_ms(1001);
    const int first = bench.open();
    const int second = bench.open();
    int fd = bad.accept();
    CHECK(fd >= 0);
    CHECK(bench.words(0).ejected_until.load() > 0);
    CHECK(::send(fd, "y", 1, MSG_NOSIGNAL) == 1);
    bench.host.settle();
    CHECK(bench.words(0).ejected_until.load() == 0);
    (void)first;
    (void)second;
    ::close(fd);
    for (const int other : served) ::close(other);
    bench.close_all();
  }
}
