// Makes listening sockets for the control thread, before any worker sees them. Descriptors are
// non-blocking and close-on-exec; TCP ones carry TCP_NODELAY, which accepted sockets inherit.
#pragma once

#include <cstdint>

#include "io/engine.h"

namespace sluice::io {

struct ListenResult {
  int error = 0;          // -errno, 0 when all sockets listen
  const char* call = "";  // the system call that failed
  uint32_t count = 0;     // descriptors made
  uint16_t port = 0;      // bound port of TCP sockets (an asked port of 0 is chosen here)
};

// Binds and listens on `address`. The first socket is bound exclusively, so that another process
// on the port is met with EADDRINUSE (SO_REUSEPORT would share it silently); then it is opened to
// `count - 1` SO_REUSEPORT siblings, which the kernel adds to its group when they listen.
// Unix sockets: one descriptor whatever `count` says; the file of a dead owner (connecting to it
// is refused) is replaced. On error nothing stays open.
ListenResult listen_on(const SocketAddress& address, uint32_t count, int backlog, int* descriptors);

struct InheritedListener {
  int error = 0;   // -errno; -EINVAL when it does not listen
  int family = 0;  // AF_*
  uint16_t port = 0;
  // The host in digits, with its scope if it has one, or the path of a Unix socket; empty when the
  // socket has no path.
  char address[128] = {};
};

// Takes over a listening socket made by another process and says where it listens.
InheritedListener inherit_listener(int fd);

}  // namespace sluice::io
