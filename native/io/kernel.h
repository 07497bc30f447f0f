// The seam below the engines: the kernel calls they make, and nothing else. The real one
// (kernel_real.cc) forwards to the system; the simulated one of the tests (test/sim/) injects
// short I/O, reordering, ENOBUFS, overflow, terminal completions, late cancels, EMFILE and ENOMEM.
//
// Every call returns >= 0 or -errno; none sets errno for its caller. `mail_fd` style descriptors
// (eventfd) go through read and write.
#pragma once

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace sluice::io {

class Kernel {
 public:
  virtual ~Kernel() = default;

  virtual uint64_t clock_ns() = 0;                                        // CLOCK_MONOTONIC
  virtual uint64_t unix_seconds() { return clock_ns() / 1'000'000'000; }  // CLOCK_REALTIME

  // io_uring: setup, enter and register are the system calls; map and unmap are mmap (shared,
  // populated, for a ring descriptor; private, anonymous when fd is -1) and munmap.
  virtual int uring_setup(uint32_t entries, io_uring_params* params) = 0;
  virtual int uring_enter(int ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                          const void* argument, size_t argument_bytes) = 0;
  virtual int uring_register(int ring, uint32_t opcode, void* argument, uint32_t count) = 0;
  virtual void* map(size_t bytes, int fd, uint64_t offset) = 0;  // nullptr when refused
  virtual void unmap(void* memory, size_t bytes) = 0;

  virtual int epoll_create() = 0;
  virtual int epoll_control(int epoll, int operation, int fd, epoll_event* event) = 0;
  // timeout_ns: UINT64_MAX waits without end.
  virtual int epoll_wait(int epoll, epoll_event* events, int max, uint64_t timeout_ns) = 0;

  virtual int event_fd() = 0;  // non-blocking, close-on-exec
  virtual int socket(int family) = 0;
  virtual int set_option(int fd, int level, int name, const void* value, socklen_t bytes) = 0;
  virtual int socket_error(int fd) = 0;  // SO_ERROR, as 0 or -errno
  virtual int accept(int fd) = 0;        // non-blocking, close-on-exec
  virtual int connect(int fd, const sockaddr* address, socklen_t bytes) = 0;
  virtual int64_t recv(int fd, void* data, size_t bytes) = 0;
  virtual int64_t send(int fd, const msghdr* message) = 0;  // MSG_NOSIGNAL
  // The same for one range of bytes, which costs the system less.
  virtual int64_t send_bytes(int fd, const void* data, size_t bytes) {
    iovec vector{const_cast<void*>(data), bytes};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    return send(fd, &message);
  }
  virtual int shutdown_write(int fd) = 0;
  virtual int64_t unacknowledged_bytes(int fd) = 0;
  virtual int pipe(int fds[2], uint32_t bytes) = 0;            // capacity or -errno
  virtual int64_t splice(int from, int to, size_t bytes) = 0;  // non-blocking
  virtual int64_t read(int fd, void* data, size_t bytes) = 0;
  virtual int64_t write(int fd, const void* data, size_t bytes) = 0;
  virtual int close(int fd) = 0;

  // A connected pair of Unix stream sockets, on which an engine tries out at its start what the
  // kernel can do.
  virtual int socket_pair(int fds[2]) = 0;
  // Of a connected socket: 0 or -errno.
  virtual int peer_address(int /*fd*/, sockaddr* /*address*/, socklen_t* /*bytes*/) {
    return -ENOTCONN;
  }
  // Connections in a TCP listener's queue.
  virtual uint32_t pending_accepts(int fd) = 0;
};

// The system itself. One object, without state.
Kernel& real_kernel();

}  // namespace sluice::io
