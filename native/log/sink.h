// Where lines go: a descriptor of ours. A file takes what it is given; a pipe or terminal is asked
// first and given no more than it can take at once, as its flags belong to others, too, and a
// thread that blocks in it could not be ended.
#pragma once

#include <cstdint>

namespace sluice::log {

class Sink {
 public:
  Sink() = default;
  ~Sink() { close(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // For writing at the end of a file that is made if need be (0640, as the umask allows); an empty
  // path is standard output. A descriptor or -errno.
  static int open_descriptor(const char* path);

  // Takes the descriptor over and closes the one before; -1: none.
  void reset(int fd);
  bool is_open() const { return fd_ >= 0; }
  // Bytes taken, 0 when it takes none within `wait_ms`, or -errno.
  int64_t write(const char* data, uint64_t bytes, uint32_t wait_ms);

 private:
  void close();

  int fd_ = -1;
  bool is_file_ = false;
};

}  // namespace sluice::log
