#include "log/sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::log {
namespace {

// A pipe that reports to be writable has room for so much (PIPE_BUF).
constexpr uint64_t kPieceBytes = 4096;
constexpr uint64_t kFileBytesMax = 1 << 20;

}  // namespace

int Sink::open_descriptor(const char* path) {
  // Non-blocking: a named pipe without a reader is an error instead of a wait without end.
  const int fd =
      path[0] == '\0'
          ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
          : ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
  return fd < 0 ? -errno : fd;
}

void Sink::reset(int fd) {
  close();
  fd_ = fd;
  struct stat facts {};
  is_file_ = fd >= 0 && ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

void Sink::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int64_t Sink::write(const char* data, uint64_t bytes, uint32_t wait_ms) {
  if (!is_file_) {
    pollfd waiting{fd_, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(wait_ms));
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready == 0) return 0;
  }
  const uint64_t most = is_file_ ? kFileBytesMax : kPieceBytes;
  const ssize_t written = ::write(fd_, data, bytes < most ? bytes : most);
  if (written >= 0) return written;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

}  // namespace sluice::log
