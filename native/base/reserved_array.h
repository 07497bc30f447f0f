// An array whose address space is reserved at construction and whose pages are faulted in by first
// use, so that a limit of 100,000 connections costs nothing until they come. Resource type: neither
// copied nor moved. Elements start as zero bytes; T must be fine with that.
#pragma once

#include <sys/mman.h>

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

  T& operator[](size_t index) {
    SLUICE_VERIFY(index < capacity_);
    return data_[index];
  }
  const T& operator[](size_t index) const {
    SLUICE_VERIFY(index < capacity_);
    return data_[index];
  }

 private:
  T* data_ = nullptr;
  size_t capacity_;
};

}  // namespace sluice
