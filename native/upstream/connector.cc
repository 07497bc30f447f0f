#include "upstream/connector.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace sluice::upstream {

bool Connector::address_of(uint32_t backend, io::SocketAddress* address) const {
  const shm::SnapshotBackend& entry = snapshot_.backend(backend);
  switch (static_cast<shm::AddressFamily>(entry.family)) {
    case shm::AddressFamily::ipv4: {
      auto* in = reinterpret_cast<sockaddr_in*>(&address->storage);
      in->sin_family = AF_INET;
      in->sin_port = htons(static_cast<uint16_t>(entry.port));
      std::memcpy(&in->sin_addr, entry.address, 4);
      address->bytes = sizeof(sockaddr_in);
      return true;
    }
    case shm::AddressFamily::ipv6: {
      auto* in = reinterpret_cast<sockaddr_in6*>(&address->storage);
      in->sin6_family = AF_INET6;
      in->sin6_port = htons(static_cast<uint16_t>(entry.port));
      in->sin6_scope_id = entry.scope;
      std::memcpy(&in->sin6_addr, entry.address, 16);
      address->bytes = sizeof(sockaddr_in6);
      return true;
    }
    case shm::AddressFamily::unix_socket: {
      auto* un = reinterpret_cast<sockaddr_un*>(&address->storage);
      if (entry.path_bytes >= sizeof(un->sun_path)) return false;
      un->sun_family = AF_UNIX;
      std::memcpy(un->sun_path, snapshot_.arena(entry.path_offset), entry.path_bytes);
      address->bytes =
          static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + entry.path_bytes + 1);
      return true;
    }
    case shm::AddressFamily::none:
      break;
  }
  return false;
}

int Connector::dial(uint32_t backend, io::Token token) {
  // First, because a start that fails is counted too.
  shm::WorkerBlock::claim(block_.backend(backend), snapshot_.backend(backend).incarnation);
  io::SocketAddress address;
  if (!address_of(backend, &address)) return -EAFNOSUPPORT;
  const int fd = engine_.open_socket(address.family());
  if (fd < 0) return fd;
  engine_.connect(fd, token, address);
  return fd;
}

}  // namespace sluice::upstream
