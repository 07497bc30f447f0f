// An array whose address space is reserved at construction and whose pages are faulted in by first
// use, so that a limit of 100,000 connections costs nothing until they come. Resource type: neither
// copied nor moved. Elements start as zero bytes; T must be fine with that.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/assert.h"

namespace sluice {

template <typename T>
class ReservedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // Reserves room for `capacity` elements. `ok()` tells whether the address space was granted.
  explicit ReservedArray(size_t capacity) : capacity_(capacity) {
    if (capacity == 0) return;
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    // A huge page would make one touched element cost 2 MiB.
    (void)::madvise(memory, bytes(), MADV_NOHUGEPAGE);
    data_ = static_cast<T*>(memory);
  }
  ~ReservedArray() {
    if (data_ != nullptr) ::munmap(data_, bytes());
  }
  ReservedArray(const ReservedArray&) = delete;
  ReservedArray& operator=(const ReservedArray&) = delete;

  bool ok() const { return data_ != nullptr || capacity_ == 0; }
  size_t capacity() const { return capacity_; }
  size_t bytes() const { return capacity_ * sizeof(T); }
  T* data() { return data_; }

  // Gives back the memory of the pages that lie wholly within these elements, whose bytes become
  // zero.
  void discard(size_t first, size_t count) {
    SLUICE_VERIFY(first + count <= capacity_);
    const size_t page = page_bytes();
    const size_t from = (first * sizeof(T) + page - 1) / page * page;
    const size_t to = (first + count) * sizeof(T) / page * page;
    if (to > from) discard_bytes(from, to - from);
  }
  // Gives back the memory of the page that `index` begins in, if `is_free` says of all elements
  // that reach into it that their bytes may become zero.
  template <typename IsFree>
  void discard_around(size_t index, IsFree&& is_free) {
    SLUICE_VERIFY(index < capacity_);
    const size_t page = page_bytes();
    const size_t from = index * sizeof(T) / page * page;
    const size_t last = std::min((from + page - 1) / sizeof(T), capacity_ - 1);
    for (size_t i = from / sizeof(T); i <= last; i++) {
      if (!is_free(i)) return;
    }
    discard_bytes(from, page);
  }

  T& operator[](size_t index) {
    SLUICE_VERIFY(index < capacity_);
    return data_[index];
  }
  const T& operator[](size_t index) const {
    SLUICE_VERIFY(index < capacity_);
    return data_[index];
  }

 private:
  static size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }
  // Whole pages of the mapping.
  void discard_bytes(size_t from, size_t count) {
    (void)::madvise(reinterpret_cast<char*>(data_) + from, count, MADV_DONTNEED);
  }

  T* data_ = nullptr;
  size_t capacity_;
};

}  // namespace sluice
