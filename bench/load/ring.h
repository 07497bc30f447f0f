// A thin io_uring: one ring, one thread, one ring of provided receive buffers. Raw system calls,
// because the program has to build where liburing is missing or old.
#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

namespace load {

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // False with errno when the kernel refuses. The process's exit frees everything.
  bool open(uint32_t entries);
  bool provide_buffers(uint32_t count, uint32_t bytes);

  // A zeroed entry. Submits early when the queue is full.
  io_uring_sqe* sqe();

  // Whether `enter` has anything to do: entries to submit or completion work to run.
  bool has_work() const {
    return staged_tail_ != submitted_tail_ || (__atomic_load_n(sq_flags_, __ATOMIC_ACQUIRE) &
                                               (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }

  // Submits what is queued and runs completion work; never sleeps.
  int enter();
  // Sleeps until there is a completion, for at most `timeout_ms`.
  int enter_and_wait(uint32_t timeout_ms);

  // Calls handler(user_data, res, flags) for each completion that is ready; returns their number.
  template <typename Handler>
  uint32_t drain(Handler&& handler) {
    uint32_t head = *cq_head_;
    const uint32_t tail = __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE);
    const uint32_t count = tail - head;
    for (; head != tail; head++) {
      const io_uring_cqe& cqe = cqes_[head & cq_mask_];
      handler(cqe.user_data, cqe.res, cqe.flags);
    }
    __atomic_store_n(cq_head_, tail, __ATOMIC_RELEASE);
    return count;
  }

  const uint8_t* buffer(uint32_t id) const { return buffers_ + size_t{id} * buffer_bytes_; }
  // The buffer becomes the kernel's again with the next `publish_buffers`.
  void recycle(uint32_t id);
  void publish_buffers();

 private:
  int enter(uint32_t completions, uint32_t flags, const void* argument, size_t bytes);

  int fd_ = -1;        // of the file
  int enter_fd_ = -1;  // index of the registered ring where `enter_flags_` say so, else the file
  uint32_t enter_flags_ = 0;

  io_uring_sqe* sqes_ = nullptr;
  uint32_t* sq_head_ = nullptr;
  uint32_t* sq_tail_ = nullptr;
  uint32_t* sq_flags_ = nullptr;
  uint32_t sq_mask_ = 0;
  uint32_t staged_tail_ = 0;  // entries handed out; the kernel sees them at `enter`
  uint32_t submitted_tail_ = 0;

  io_uring_cqe* cqes_ = nullptr;
  uint32_t* cq_head_ = nullptr;
  uint32_t* cq_tail_ = nullptr;
  uint32_t cq_mask_ = 0;

  // The ring's tail lies in the unused field of its first slot. The kernel header's
  // io_uring_buf_ring says the same, but its flexible array starts 8 bytes too late when compiled
  // as C++.
  io_uring_buf* buf_ring_ = nullptr;
  uint8_t* buffers_ = nullptr;
  uint32_t buffer_bytes_ = 0;
  uint32_t buffer_mask_ = 0;
  uint16_t buffer_tail_ = 0;
};

}  // namespace load
