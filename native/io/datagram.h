// One datagram to a Unix socket, from the control thread: how a service manager is told of a
// service's state (sd_notify(3)).
#pragma once

#include <cstddef>

namespace sluice::io {

// Longer than any service manager reads.
inline constexpr size_t kDatagramBytesMax = 65536;

// `path`: of the file; a leading '@' stands for the zero byte of an abstract name. Waits a second
// at most for room in the receiver's queue. 0 or -errno: -EINVAL for a path that is empty or too
// long, -EMSGSIZE for too many bytes, -ENOENT or -ECONNREFUSED where nobody receives.
int send_datagram(const char* path, size_t path_bytes, const void* data, size_t bytes);

}  // namespace sluice::io
