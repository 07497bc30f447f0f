// The native side's reading of the shared layout, for layout.test.ts. It maps a file as a region.
//   read FILE       prints every word of the blocks that TypeScript writes
//   write FILE      writes a distinct value to every word of the other blocks and prints them
// A line is: block field slot at index value. `at` is the worker or the snapshot slot.
// fields.inc is made by the test from the schema's names; it calls PROBE for every field.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <string>
#include <type_traits>

#include "shm/layout.gen.h"

namespace {

namespace shm = sluice::shm;

template <typename T>
struct Plain {
  using type = T;
};
template <typename T>
struct Plain<std::atomic<T>> {
  using type = T;
};

template <typename T>
uint64_t load(const T& word) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<uint64_t>(static_cast<std::make_unsigned_t<T>>(word));
  } else {
    return word.load();
  }
}

uint64_t next_value = 0;

// Distinct in its low bits too, and with the highest bit of wide words in use.
template <typename T>
void store(T& word) {
  using Value = typename Plain<T>::type;
  next_value += 0x9e3779b97f4a7c15ull;
  word = static_cast<Value>(next_value >> 7);
}

struct Place {
  const char* block;
  const char* field;
  uint32_t slot;
  uint32_t at;
};

template <typename T>
void visit(T& word, const Place& place, uint32_t index, bool writing) {
  if (writing) store(word);
  std::printf("%s %s %u %u %u %" PRIu64 "\n", place.block, place.field, place.slot, place.at, index,
              load(word));
}

template <typename T>
void visit_field(T& field, const Place& place, bool writing) {
  if constexpr (std::is_array_v<T>) {
    constexpr uint32_t count = std::extent_v<T>;
    const uint32_t picks[] = {0, count / 2, count - 1};
    for (uint32_t i = 0; i < 3; i++) {
      if (i > 0 && picks[i] == picks[i - 1]) continue;
      visit(field[picks[i]], place, picks[i], writing);
    }
  } else {
    visit(field, place, 0, writing);
  }
}

// First, middle and last slot of an array of blocks; first and last instance of its parent.
#define PROBE(BLOCK, FIELD, NAME, NATIVE, BASE, STRIDE, INSTANCES, OFFSET, COUNT)                  \
  {                                                                                                \
    const uint32_t slots[] = {0, (COUNT) / 2, (COUNT)-1};                                          \
    const uint32_t instances[] = {0, (INSTANCES)-1};                                               \
    for (uint32_t a = 0; a < 2; a++) {                                                             \
      if (a > 0 && instances[1] == instances[0]) continue;                                         \
      for (uint32_t s = 0; s < 3; s++) {                                                           \
        if (s > 0 && slots[s] == slots[s - 1]) continue;                                           \
        auto* blocks =                                                                             \
            reinterpret_cast<shm::BLOCK*>(base + (BASE) + (STRIDE)*instances[a] + shm::OFFSET);    \
        visit_field(blocks[slots[s]].FIELD, Place{NAME, NATIVE, slots[s], instances[a]}, writing); \
      }                                                                                            \
    }                                                                                              \
  }

void visit_control(uint8_t* base, bool writing) {
#define CONTROL_FIELDS
#include "fields.inc"
#undef CONTROL_FIELDS
}

void visit_others(uint8_t* base, uint32_t workers, bool writing) {
#define OTHER_FIELDS
#include "fields.inc"
#undef OTHER_FIELDS
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string mode = argv[1];
  const int fd = ::open(argv[2], O_RDWR | O_CLOEXEC);
  const auto bytes = static_cast<size_t>(::lseek(fd, 0, SEEK_END));
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) return 3;
  auto* base = static_cast<uint8_t*>(memory);
  const auto workers = static_cast<uint32_t>((bytes - shm::kWorkerBase) / shm::kWorkerStride);
  if (shm::region_bytes(workers) != bytes) return 4;
  if (mode == "read") visit_control(base, false);
  if (mode == "write") visit_others(base, workers, true);
  return 0;
}
