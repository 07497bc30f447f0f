// A real fleet over real sockets on loopback, with an origin of its own: what the worker room's
// tests share. The origin echoes what it reads and closes when its client does.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/listener.h"
#include "sim/snapshot_builder.h"
#include "worker/fleet.h"

namespace sluice::test {

inline io::SocketAddress loopback(uint16_t port) {
  io::SocketAddress address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.bytes = sizeof(sockaddr_in);
  return address;
}

inline io::SocketAddress loopback6() {
  io::SocketAddress address;
  auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
  in->sin6_family = AF_INET6;
  in->sin6_addr = in6addr_loopback;
  address.bytes = sizeof(sockaddr_in6);
  return address;
}

inline io::SocketAddress unix_path(const std::string& path) {
  io::SocketAddress address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  path.copy(un->sun_path, sizeof(un->sun_path) - 1);
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

inline bool eventually(const std::function<bool()>& condition, int seconds = 20) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// A connected client, or -1.
inline int connect_client(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const io::SocketAddress address = loopback(port);
  timeval patience{20, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) == 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// Sends `message`, half-closes, and returns everything up to the end of the stream.
inline std::string exchange(int fd, const std::string& message) {
  size_t sent = 0;
  std::string answer;
  char chunk[16384];
  for (;;) {
    pollfd entry{fd, static_cast<short>(POLLIN | (sent < message.size() ? POLLOUT : 0)), 0};
    if (::poll(&entry, 1, 20'000) <= 0) return answer + " (timed out)";
    if ((entry.revents & POLLOUT) != 0) {
      const ssize_t n =
          ::send(fd, message.data() + sent, message.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) sent += static_cast<size_t>(n);
      if (sent == message.size()) ::shutdown(fd, SHUT_WR);
    }
    if ((entry.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      const ssize_t n = ::recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
      if (n == 0) return answer;
      if (n > 0) answer.append(chunk, static_cast<size_t>(n));
      if (n < 0 && errno != EAGAIN) return answer + " (error)";
    }
  }
}

class EchoOrigin {
 public:
  explicit EchoOrigin(const io::SocketAddress& address = loopback(0)) {
    const io::ListenResult made = io::listen_on(address, 1, 4096, &listener_);
    REQUIRE(made.error == 0);
    port = made.port;
    thread_ = std::thread([this] { serve(); });
  }
  ~EchoOrigin() {
    stop_ = true;
    thread_.join();
    for (const pollfd& entry : entries_) ::close(entry.fd);
  }
  uint16_t port = 0;

 private:
  void serve() {
    entries_.push_back(pollfd{listener_, POLLIN, 0});
    std::string chunk(65536, 0);
    while (!stop_) {
      if (::poll(entries_.data(), entries_.size(), 20) <= 0) continue;
      for (size_t i = entries_.size(); i-- > 1;) {
        if (entries_[i].revents == 0) continue;
        const ssize_t n = ::recv(entries_[i].fd, chunk.data(), chunk.size(), 0);
        ssize_t sent = 0;
        while (n > 0 && sent < n) {
          const ssize_t part = ::send(entries_[i].fd, chunk.data() + sent,
                                      static_cast<size_t>(n - sent), MSG_NOSIGNAL);
          if (part <= 0) break;
          sent += part;
        }
        if (n > 0 && sent == n) continue;
        ::close(entries_[i].fd);
        entries_[i] = entries_.back();
        entries_.pop_back();
      }
      if ((entries_[0].revents & POLLIN) == 0) continue;
      for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        entries_.push_back(pollfd{fd, POLLIN, 0});
      }
    }
  }

  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::vector<pollfd> entries_;
  std::thread thread_;
};

class FleetHost {
 public:
  FleetHost(uint32_t workers, const worker::FleetOptions& options) : workers_(workers) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    auto region = std::make_unique<shm::Region>();
    REQUIRE(region->create(workers) == 0);
    fleet = std::make_unique<worker::Fleet>(std::move(region));
    live = std::make_unique<LiveWords>(fleet->region());
    fleet->region().control().phase.store(static_cast<uint32_t>(shm::Phase::running));
    REQUIRE(fleet->start(options) == 0);
    REQUIRE(eventually([&] { return all(shm::WorkerState::running); }));
    config.pools.push_back({});
  }

  shm::Worker& words(uint32_t worker) {
    return *reinterpret_cast<shm::Worker*>(fleet->region().worker_area(worker) +
                                           shm::kWorkerOffset);
  }
  bool all(shm::WorkerState state) {
    for (uint32_t w = 0; w < workers_; w++) {
      if (words(w).state.load() != static_cast<uint32_t>(state)) return false;
    }
    return true;
  }
  uint32_t connections() {
    uint32_t sum = 0;
    for (uint32_t w = 0; w < workers_; w++) sum += words(w).connections.load();
    return sum;
  }
  void add_backend(uint16_t port) {
    const uint32_t slot = static_cast<uint32_t>(config.backends.size());
    config.backends.push_back({.slot = slot, .port = port});
    config.pools[0].members.push_back(slot);
    live->set_weight(slot, 1);
  }
  // Listens with `descriptors` sockets; returns the port.
  uint16_t add_listener(uint32_t descriptors) {
    ListenerSpec spec;
    spec.slot = static_cast<uint32_t>(config.listeners.size());
    spec.descriptors.resize(descriptors);
    const io::ListenResult made =
        io::listen_on(loopback(0), descriptors, 4096, spec.descriptors.data());
    REQUIRE(made.error == 0);
    REQUIRE(made.count == descriptors);
    config.listeners.push_back(spec);
    config.listeners_version++;
    return made.port;
  }
  void publish() {
    sequence_++;
    generation_ = SnapshotBuilder(fleet->region(), sequence_ % 8).write(sequence_, config);
    notify();
  }
  // Publishes live words of the pool and waits for the acknowledgement of everything.
  void notify() {
    live->touch(0);
    const uint32_t sequence = fleet->region().control().live_sequence.load() + 1;
    fleet->notify(generation_, sequence);
    REQUIRE(eventually([&] {
      for (uint32_t w = 0; w < workers_; w++) {
        if (words(w).adopted.load() != generation_) return false;
        if (words(w).live_adopted.load() != sequence) return false;
      }
      return true;
    }));
  }

  std::unique_ptr<worker::Fleet> fleet;
  std::unique_ptr<LiveWords> live;
  ConfigSpec config;

 private:
  const uint32_t workers_;
  uint32_t sequence_ = 0;
  uint32_t generation_ = 0;
};

}  // namespace sluice::test
