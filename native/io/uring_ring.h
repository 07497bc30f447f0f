// One io_uring, bare: its setup, the memory it shares with the kernel, and entering it. Knows
// nothing of operations. Belongs to the thread that opened it; only closing may come from another.
#pragma once

#include <atomic>
#include <cstring>

#include "base/assert.h"
#include "io/kernel.h"
#include "io/uring_abi.h"

namespace sluice::io {

class UringRing {
 public:
  static constexpr uint64_t kNoTimeout = UINT64_MAX;

  explicit UringRing(Kernel& kernel) : kernel_(kernel) {}
  ~UringRing() { close(); }
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  // Opens a ring with the best set of features the kernel grants. 0 or -errno.
  int open(uint32_t sq_entries, uint32_t cq_entries);
  void close();

  int descriptor() const { return fd_; }
  uint32_t sq_entries() const { return sq_entries_; }
  uint32_t cq_entries() const { return cq_entries_; }

  // A zeroed entry for the next submission; null when all are staged.
  io_uring_sqe* next_entry() {
    if (staged() == sq_entries_) return nullptr;
    io_uring_sqe* entry = &sqes_[sq_tail_++ & sq_mask_];
    std::memset(static_cast<void*>(entry), 0, sizeof(*entry));
    return entry;
  }
  // Entries the kernel has not consumed.
  uint32_t staged() const { return sq_tail_ - load(sq_head_); }

  uint32_t ready() const { return load(cq_tail_) - cq_taken_; }
  const io_uring_cqe& completion(uint32_t index) const {
    return cqes_[(cq_taken_ + index) & cq_mask_];
  }
  void consume(uint32_t count) {
    cq_taken_ += count;
    std::atomic_ref<uint32_t>(*cq_head_).store(cq_taken_, std::memory_order_release);
  }

  // The kernel has completions that only entering it will bring into the ring.
  bool wants_enter() const {
    return (load(sq_flags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }
  bool overflowed() const { return (load(sq_flags_) & IORING_SQ_CQ_OVERFLOW) != 0; }

  // Submits what is staged and lets the kernel post completions; waits for one of them when
  // `min_complete` is 1, at most `timeout_ns`. What io_uring_enter answers.
  int enter(uint32_t min_complete, uint64_t timeout_ns) {
    return enter(publish(), min_complete, timeout_ns);
  }
  // The same without submitting.
  int enter_only(uint32_t min_complete, uint64_t timeout_ns) {
    return enter(0, min_complete, timeout_ns);
  }
  // Submits only.
  int submit() { return kernel_.uring_enter(fd_, publish(), 0, 0, nullptr, 0); }

 private:
  static uint32_t load(uint32_t* word) {
    return std::atomic_ref<uint32_t>(*word).load(std::memory_order_acquire);
  }
  uint32_t publish() {
    std::atomic_ref<uint32_t>(*sq_ktail_).store(sq_tail_, std::memory_order_release);
    return staged();
  }
  int setup(uint32_t sq_entries, uint32_t cq_entries, io_uring_params* params);
  int map(const io_uring_params& params);
  int enter(uint32_t to_submit, uint32_t min_complete, uint64_t timeout_ns);

  Kernel& kernel_;
  int fd_ = -1;
  uint32_t sq_entries_ = 0;
  uint32_t cq_entries_ = 0;
  uint32_t sq_mask_ = 0;
  uint32_t cq_mask_ = 0;
  uint32_t sq_tail_ = 0;   // staged up to here; published by entering
  uint32_t cq_taken_ = 0;  // consumed up to here
  io_uring_sqe* sqes_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  uint32_t* sq_head_ = nullptr;
  uint32_t* sq_ktail_ = nullptr;
  uint32_t* sq_flags_ = nullptr;
  uint32_t* cq_head_ = nullptr;
  uint32_t* cq_tail_ = nullptr;
  void* rings_ = nullptr;
  size_t rings_bytes_ = 0;
  size_t sqes_bytes_ = 0;
};

}  // namespace sluice::io
