#include "io/datagram.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::io {

int send_datagram(const char* path, size_t path_bytes, const void* data, size_t bytes) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A path ends with a zero byte, which an abstract name does not have.
  if (path_bytes == 0 || path_bytes >= sizeof(address.sun_path)) return -EINVAL;
  if (bytes > kDatagramBytesMax) return -EMSGSIZE;
  std::memcpy(address.sun_path, path, path_bytes);
  const bool abstract = path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const auto address_bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_bytes + (abstract ? 0 : 1));
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const timeval limit{1, 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const ssize_t sent = ::sendto(fd, data, bytes, MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), address_bytes);
  const int error = sent < 0 ? -errno : 0;
  ::close(fd);
  return error;
}

}  // namespace sluice::io
