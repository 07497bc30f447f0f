// Matches requests against tables that TypeScript has written, for routes.test.ts.
//   routes_probe FILE GENERATION
// maps a region from a file and reads "listener authority path" lines, `-` for empty; prints the
// slot of each one's route, or -1.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "proxy/router.h"
#include "shm/layout.gen.h"
#include "shm/snapshot.h"

namespace {

namespace shm = sluice::shm;

constexpr int kTextMax = 16'384;
char authority[kTextMax];
char path[kTextMax];

const uint8_t* bytes_of(const char* text) {
  return reinterpret_cast<const uint8_t*>(text);
}
uint32_t length_of(const char* text) {
  return std::strcmp(text, "-") == 0 ? 0 : static_cast<uint32_t>(std::strlen(text));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int fd = ::open(argv[1], O_RDONLY | O_CLOEXEC);
  const auto bytes = static_cast<size_t>(::lseek(fd, 0, SEEK_END));
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) return 3;
  const auto slot = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10) & 7);
  const shm::SnapshotView view(static_cast<const uint8_t*>(memory) + shm::kSnapshotBase +
                               shm::kSnapshotStride * slot);
  unsigned listener = 0;
  while (std::scanf("%u %16383s %16383s", &listener, authority, path) == 3) {
    const uint32_t route = sluice::proxy::Router::match(
        view, listener, bytes_of(authority), length_of(authority), bytes_of(path), length_of(path));
    std::printf("%d\n", static_cast<int>(route));
  }
  return 0;
}
