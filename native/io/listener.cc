#include "io/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace sluice::io {
namespace {

void set_flag(int fd, int level, int name) {
  const int one = 1;
  (void)::setsockopt(fd, level, name, &one, sizeof(one));
}

uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return 0;
}

void set_port(sockaddr_storage* address, uint16_t port) {
  if (address->ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  }
}

// True when the socket file at the address has no living owner; it is then removed.
bool remove_dead_socket(const SocketAddress& address) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
  if (un->sun_path[0] == '\0') return false;  // abstract names vanish with their owner
  struct stat status {};
  if (::lstat(un->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const int answer =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes);
  const bool dead = answer < 0 && errno == ECONNREFUSED;
  ::close(probe);
  return dead && ::unlink(un->sun_path) == 0;
}

// Host or path of a bound address, as InheritedListener has it.
void write_address(const sockaddr_storage& bound, char* out, size_t size) {
  if (bound.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(bound);
    std::snprintf(out, size, "%.*s", static_cast<int>(sizeof(un.sun_path)), un.sun_path);
    return;
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&bound);
  const auto bytes = static_cast<socklen_t>(bound.ss_family == AF_INET ? sizeof(sockaddr_in)
                                                                       : sizeof(sockaddr_in6));
  const int flags = NI_NUMERICHOST | NI_NUMERICSERV;
  if (::getnameinfo(address, bytes, out, static_cast<socklen_t>(size), nullptr, 0, flags) != 0) {
    out[0] = 0;
  }
}

// 0 or -errno.
int take_over(int fd, sockaddr_storage* bound) {
  int listening = 0;
  socklen_t bytes = sizeof(listening);
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) < 0) return -errno;
  if (listening == 0) return -EINVAL;
  bytes = sizeof(*bound);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(bound), &bytes) < 0) return -errno;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
  if (bound->ss_family != AF_UNIX) set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  return 0;
}

// One socket, bound and not yet listening. `sibling`: joins a group that is already bound.
int bind_one(const SocketAddress& address, bool sibling, const char** call) {
  *call = "socket";
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (address.family() != AF_UNIX) {
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
    if (sibling) set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
    if (address.family() == AF_INET6) set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  }
  *call = "bind";
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  int answer = ::bind(fd, raw, address.bytes);
  if (answer < 0 && errno == EADDRINUSE && address.family() == AF_UNIX) {
    answer = remove_dead_socket(address) ? ::bind(fd, raw, address.bytes) : -1;
    if (answer < 0) errno = EADDRINUSE;
  }
  if (answer < 0) {
    const int error = -errno;
    ::close(fd);
    return error;
  }
  return fd;
}

}  // namespace

ListenResult listen_on(const SocketAddress& wanted, uint32_t count, int backlog, int* descriptors) {
  SocketAddress address = wanted;
  const bool tcp = address.family() != AF_UNIX;
  if (!tcp) count = 1;
  ListenResult result;
  for (uint32_t i = 0; i < count && result.error == 0; i++) {
    const int fd = bind_one(address, i > 0, &result.call);
    if (fd < 0) {
      result.error = fd;
      break;
    }
    descriptors[result.count++] = fd;
    if (i == 0 && tcp) {
      sockaddr_storage bound{};
      socklen_t bytes = sizeof(bound);
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bytes) == 0) {
        result.port = port_of(bound);
        set_port(&address.storage, result.port);
      }
      if (count > 1) set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
    }
    if (::listen(fd, backlog) < 0) {
      result.error = -errno;
      result.call = "listen";
    }
  }
  if (result.error == 0) return result;
  for (uint32_t i = 0; i < result.count; i++) ::close(descriptors[i]);
  result.count = 0;
  return result;
}

InheritedListener inherit_listener(int fd) {
  InheritedListener result;
  sockaddr_storage bound{};
  result.error = take_over(fd, &bound);
  if (result.error < 0) return result;
  result.family = bound.ss_family;
  result.port = port_of(bound);
  write_address(bound, result.address, sizeof(result.address));
  return result;
}

}  // namespace sluice::io
