// The real kernel behind a clock and hooks of the test: time stands still unless the test moves it,
// and single calls can be answered, or interrupted, by the test.
#pragma once

#include <functional>
#include <utility>

#include "io/kernel.h"

namespace sluice::test {

class KernelFront final : public io::Kernel {
 public:
  // Nanoseconds added to the clock, which otherwise stands where it was at the start.
  uint64_t passed_ns = 0;
  // Answers an accept call in the place of the kernel.
  std::function<int(int fd)> on_accept;
  // Runs before a socket is made: in the middle of a worker's turn.
  std::function<void()> on_socket;

  uint64_t clock_ns() override { return start_ns_ + passed_ns; }
  int accept(int fd) override { return on_accept ? on_accept(fd) : real_.accept(fd); }
  int socket(int family) override {
    if (on_socket) std::exchange(on_socket, nullptr)();
    return real_.socket(family);
  }

  int uring_setup(uint32_t entries, io_uring_params* params) override {
    return real_.uring_setup(entries, params);
  }
  int uring_enter(int ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                  const void* argument, size_t argument_bytes) override {
    return real_.uring_enter(ring, to_submit, min_complete, flags, argument, argument_bytes);
  }
  int uring_register(int ring, uint32_t opcode, void* argument, uint32_t count) override {
    return real_.uring_register(ring, opcode, argument, count);
  }
  void* map(size_t bytes, int fd, uint64_t offset) override { return real_.map(bytes, fd, offset); }
  void unmap(void* memory, size_t bytes) override { real_.unmap(memory, bytes); }
  int epoll_create() override { return real_.epoll_create(); }
  int epoll_control(int epoll, int operation, int fd, epoll_event* event) override {
    return real_.epoll_control(epoll, operation, fd, event);
  }
  int epoll_wait(int epoll, epoll_event* events, int max, uint64_t timeout_ns) override {
    return real_.epoll_wait(epoll, events, max, timeout_ns);
  }
  int event_fd() override { return real_.event_fd(); }
  int set_option(int fd, int level, int name, const void* value, socklen_t bytes) override {
    return real_.set_option(fd, level, name, value, bytes);
  }
  int socket_error(int fd) override { return real_.socket_error(fd); }
  int connect(int fd, const sockaddr* address, socklen_t bytes) override {
    return real_.connect(fd, address, bytes);
  }
  int64_t recv(int fd, void* data, size_t bytes) override { return real_.recv(fd, data, bytes); }
  int64_t send(int fd, const msghdr* message) override { return real_.send(fd, message); }
  int64_t send_bytes(int fd, const void* data, size_t bytes) override {
    return real_.send_bytes(fd, data, bytes);
  }
  int shutdown_write(int fd) override { return real_.shutdown_write(fd); }
  int64_t unacknowledged_bytes(int fd) override { return real_.unacknowledged_bytes(fd); }
  int pipe(int fds[2], uint32_t bytes) override { return real_.pipe(fds, bytes); }
  int64_t splice(int from, int to, size_t bytes) override { return real_.splice(from, to, bytes); }
  int64_t read(int fd, void* data, size_t bytes) override { return real_.read(fd, data, bytes); }
  int64_t write(int fd, const void* data, size_t bytes) override {
    return real_.write(fd, data, bytes);
  }
  int close(int fd) override { return real_.close(fd); }
  int socket_pair(int fds[2]) override { return real_.socket_pair(fds); }
  uint32_t pending_accepts(int fd) override { return real_.pending_accepts(fd); }

 private:
  io::Kernel& real_ = io::real_kernel();
  const uint64_t start_ns_ = real_.clock_ns();
};

}  // namespace sluice::test
