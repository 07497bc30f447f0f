// Whole workers over real engines and real sockets, all on the test's own thread: the test says
// when each takes a turn and what time it is, so that what happens between two turns is certain.
// Clients and origins are sockets of the test.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <csignal>
#include <utility>

#include "fleet_host.h"
#include "kernel_front.h"
#include "worker/worker.h"

namespace sluice::test {

// A listening Unix socket for an origin, or for the balancer: its buffers do not grow by
// themselves, so a peer that does not read stalls its sender after the same number of bytes.
class UnixListener {
 public:
  explicit UnixListener(const char* name, int backlog = 4096)
      : path("/tmp/sluice-" + std::string(name) + "-" + std::to_string(::getpid()) + ".sock") {
    REQUIRE(io::listen_on(unix_path(path), 1, backlog, &fd).error == 0);
  }
  ~UnixListener() {
    if (owned) ::close(fd);
    ::unlink(path.c_str());
  }
  // Non-blocking; -1 when none comes.
  int accept() {
    pollfd entry{fd, POLLIN, 0};
    if (::poll(&entry, 1, 0) <= 0) return -1;
    return ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  int connect() const {
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const io::SocketAddress to = unix_path(path);
    CHECK(::connect(client, reinterpret_cast<const sockaddr*>(&to.storage), to.bytes) == 0);
    return client;
  }

  const std::string path;
  int fd = -1;
  bool owned = true;  // false: a worker closes it
};

class WorkerHost final : public worker::Mailboxes {
 public:
  struct Options {
    io::EngineChoice engine;
    uint32_t workers = 1;
    bool splice = true;
  };

  explicit WorkerHost(const Options& options) : seats_(options.workers) {
    ::signal(SIGPIPE, SIG_IGN);  // a fleet's threads block it; a splice has no flag for it
    REQUIRE(region.create(options.workers) == 0);
    live = std::make_unique<LiveWords>(region);
    config.pools.push_back({});
    region.control().phase.store(static_cast<uint32_t>(shm::Phase::running));
    for (uint32_t w = 0; w < options.workers; w++) start(w, options);
  }
  // Stops them all, and checks that nothing was left.
  ~WorkerHost() override {
    enter_phase(shm::Phase::stopping);
    for (uint32_t w = 0; w < workers(); w++) {
      Seat& seat = seats_[w];
      seat.kernel.on_accept = nullptr;
      int turns = 0;
      do seat.engine->wake();
      while (seat.worker->turn() && ++turns < 1000);
      CHECK(turns < 1000);
      CHECK(words(w).connections.load() == 0);
      CHECK(words(w).buffers_lent_small.load() == 0);
      CHECK(words(w).buffers_lent_large.load() == 0);
      CHECK(words(w).pipes_lent.load() == 0);
      CHECK(words(w).head_blocks_lent.load() == 0);
      for (const auto& refs : words(w).snapshot_refs) CHECK(refs.load() == 0);
      uint64_t value;
      while (seat.engine->take_left_mail(&value)) FAIL_CHECK("a socket was left in the mail");
    }
  }

  uint32_t workers() const { return static_cast<uint32_t>(seats_.size()); }
  io::Engine* engine_of(uint32_t worker) const override { return seats_[worker].engine.get(); }
  KernelFront& kernel(uint32_t worker = 0) { return seats_[worker].kernel; }
  io::BufferPool& buffers(uint32_t worker = 0) { return *seats_[worker].buffers; }
  const io::EngineCounters& counters(uint32_t worker = 0) {
    return seats_[worker].engine->counters();
  }
  shm::Worker& words(uint32_t worker = 0) { return block(worker).words(); }
  shm::WorkerBlock block(uint32_t worker = 0) { return shm::WorkerBlock(region, worker); }

  // One turn, which waits for nothing.
  void turn(uint32_t worker = 0) {
    seats_[worker].engine->wake();
    CHECK(seats_[worker].worker->turn());
  }
  // Turns of all workers until `done`; `step` runs before each.
  template <typename Done>
  bool until(Done&& done, const std::function<void()>& step = nullptr) {
    return eventually([&] {
      for (int i = 0; i < 16; i++) {
        if (step) step();
        for (uint32_t w = 0; w < workers(); w++) turn(w);
        if (done()) return true;
      }
      return false;
    });
  }
  void settle() {
    for (int i = 0; i < 20; i++) {
      for (uint32_t w = 0; w < workers(); w++) turn(w);
    }
  }

  void enter_phase(shm::Phase phase) {
    region.control().phase.store(static_cast<uint32_t>(phase), std::memory_order_seq_cst);
  }
  void add_backend(const UnixListener& origin) {
    const uint32_t slot = static_cast<uint32_t>(config.backends.size());
    config.backends.push_back(
        {.slot = slot, .family = shm::AddressFamily::unix_socket, .path = origin.path});
    config.pools[0].members.push_back(slot);
    live->set_weight(slot, 1);
  }
  // The listener's descriptor is the worker's from the next publication on.
  ListenerSpec& add_listener(int fd) {
    ListenerSpec spec;
    spec.slot = static_cast<uint32_t>(config.listeners.size());
    spec.descriptors = {fd};
    config.listeners.push_back(spec);
    config.listeners_version++;
    return config.listeners.back();
  }
  ListenerSpec& add_listener(UnixListener& listener) {
    listener.owned = false;
    return add_listener(listener.fd);
  }
  void remove_listeners() {
    config.listeners.clear();
    config.listeners_version++;
  }
  // Only stores; returns the generation.
  uint32_t publish() {
    sequence_++;
    const uint32_t generation = SnapshotBuilder(region, sequence_ % 8).write(sequence_, config);
    live->publish(generation);
    return generation;
  }
  void publish_and_adopt() {
    const uint32_t generation = publish();
    REQUIRE(until([&] {
      for (uint32_t w = 0; w < workers(); w++) {
        if (words(w).adopted.load() != generation) return false;
      }
      return true;
    }));
  }
  uint32_t snapshot_refs(uint32_t generation, uint32_t worker = 0) {
    return words(worker).snapshot_refs[generation % 8].load();
  }

  shm::Region region;
  std::unique_ptr<LiveWords> live;
  ConfigSpec config;

 private:
  struct Seat {
    KernelFront kernel;
    std::unique_ptr<io::BufferPool> buffers;
    std::unique_ptr<io::Engine> engine;
    std::unique_ptr<worker::Worker> worker;
  };

  void start(uint32_t index, const Options& options) {
    Seat& seat = seats_[index];
    seat.buffers = std::make_unique<io::BufferPool>(
        io::BufferClassSpec{limits::kSmallBufferBytes, limits::kSmallBuffers},
        io::BufferClassSpec{limits::kLargeBufferBytes, limits::kLargeBuffers});
    io::EngineOptions engine_options;
    engine_options.choice = options.engine;
    engine_options.descriptors_max = 65536;
    engine_options.mail_lanes = options.workers;
    io::EngineResult made = io::make_engine(seat.kernel, *seat.buffers, engine_options);
    REQUIRE(made.engine != nullptr);
    seat.engine = std::move(made.engine);
    worker::WorkerOptions worker_options;
    worker_options.index = index;
    worker_options.connections_max = 10'000;
    worker_options.splice = options.splice;
    worker_options.seed = 1 + index;
    seat.worker = std::make_unique<worker::Worker>(region, *seat.engine, *this, worker_options);
    REQUIRE(seat.worker->ok());
  }

  std::vector<Seat> seats_;
  uint32_t sequence_ = 0;
};

inline constexpr io::EngineChoice kEngines[] = {io::EngineChoice::io_uring,
                                                io::EngineChoice::epoll};

}  // namespace sluice::test
