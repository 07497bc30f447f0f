// The system itself behind the seam. Each call is one system call (a pipe is a few).
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "io/kernel.h"

namespace sluice::io {
namespace {

template <typename T>
T answer(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}

class RealKernel final : public Kernel {
 public:
  uint64_t clock_ns() override {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }
  uint64_t unix_seconds() override {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);  // to a tick; read without a system call
    return now.tv_sec > 0 ? static_cast<uint64_t>(now.tv_sec) : 0;
  }

  int uring_setup(uint32_t entries, io_uring_params* params) override {
    return answer(static_cast<int>(::syscall(SYS_io_uring_setup, entries, params)));
  }
  int uring_enter(int ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                  const void* argument, size_t argument_bytes) override {
    return answer(static_cast<int>(::syscall(SYS_io_uring_enter, ring, to_submit, min_complete,
                                             flags, argument, argument_bytes)));
  }
  int uring_register(int ring, uint32_t opcode, void* argument, uint32_t count) override {
    return answer(
        static_cast<int>(::syscall(SYS_io_uring_register, ring, opcode, argument, count)));
  }
  void* map(size_t bytes, int fd, uint64_t offset) override {
    const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, static_cast<off_t>(offset));
    return memory == MAP_FAILED ? nullptr : memory;
  }
  void unmap(void* memory, size_t bytes) override { (void)::munmap(memory, bytes); }

  int epoll_create() override { return answer(::epoll_create1(EPOLL_CLOEXEC)); }
  int epoll_control(int epoll, int operation, int fd, epoll_event* event) override {
    return answer(::epoll_ctl(epoll, operation, fd, event));
  }
  // In whole milliseconds, rounded up: waking early would only mean waiting again.
  int epoll_wait(int epoll, epoll_event* events, int max, uint64_t timeout_ns) override {
    int timeout_ms = -1;
    if (timeout_ns != UINT64_MAX) {
      const uint64_t ms = timeout_ns / 1'000'000 + (timeout_ns % 1'000'000 != 0 ? 1 : 0);
      timeout_ms = ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
    }
    return answer(::epoll_wait(epoll, events, max, timeout_ms));
  }

  int event_fd() override { return answer(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
  int socket(int family) override {
    return answer(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  int set_option(int fd, int level, int name, const void* value, socklen_t bytes) override {
    return answer(::setsockopt(fd, level, name, value, bytes));
  }
  int socket_error(int fd) override {
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0) return -errno;
    return -error;
  }
  int accept(int fd) override {
    return answer(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }
  int connect(int fd, const sockaddr* address, socklen_t bytes) override {
    return answer(::connect(fd, address, bytes));
  }
  // These two by number: the library's wrappers are cancellation points, which costs a process with
  // several threads two atomic operations a call.
  int64_t recv(int fd, void* data, size_t bytes) override {
    return answer<int64_t>(
        ::syscall(SYS_recvfrom, fd, data, bytes, MSG_DONTWAIT, nullptr, nullptr));
  }
  int64_t send(int fd, const msghdr* message) override {
    return answer<int64_t>(::sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  int64_t send_bytes(int fd, const void* data, size_t bytes) override {
    return answer<int64_t>(
        ::syscall(SYS_sendto, fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0));
  }
  int shutdown_write(int fd) override { return answer(::shutdown(fd, SHUT_WR)); }
  int peer_address(int fd, sockaddr* address, socklen_t* bytes) override {
    return ::getpeername(fd, address, bytes) < 0 ? -errno : 0;
  }
  int64_t unacknowledged_bytes(int fd) override {
    int bytes = 0;
    return ::ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
  }

  int pipe(int fds[2], uint32_t bytes) override {
    if (::pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
    // The largest power of two that the limits for unprivileged processes let through.
    constexpr uint32_t kDefaultBytes = 65536;
    for (; bytes > kDefaultBytes; bytes /= 2) {
      if (::fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0) break;
    }
    return answer(::fcntl(fds[1], F_GETPIPE_SZ));
  }
  // A socket whose peer is gone raises SIGPIPE here (there is no flag against it), which worker
  // threads block.
  int64_t splice(int from, int to, size_t bytes) override {
    return answer<int64_t>(
        ::splice(from, nullptr, to, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
  }
  int64_t read(int fd, void* data, size_t bytes) override {
    return answer<int64_t>(::read(fd, data, bytes));
  }
  int64_t write(int fd, const void* data, size_t bytes) override {
    return answer<int64_t>(::write(fd, data, bytes));
  }
  int close(int fd) override { return answer(::close(fd)); }

  int socket_pair(int fds[2]) override {
    return answer(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
  }
  // Of a listening socket this field tells the length of its queue.
  uint32_t pending_accepts(int fd) override {
    tcp_info info{};
    socklen_t bytes = sizeof(info);
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0) return 0;
    return info.tcpi_state == TCP_LISTEN ? info.tcpi_unacked : 0;
  }
};

}  // namespace

Kernel& real_kernel() {
  static RealKernel kernel;
  return kernel;
}

}  // namespace sluice::io
