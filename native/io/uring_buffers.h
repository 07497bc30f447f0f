// The two provided-buffer rings of an io_uring engine, one per buffer class, filled from the
// worker's BufferPool. A ring is kept at a small target so that few buffers circulate and stay in
// the cache; the target doubles when the kernel ran out and sinks when it has been too large for
// long. One thread; closing may come from another once that has ended.
#pragma once

#include "base/reserved_array.h"
#include "io/buffer_pool.h"
#include "io/kernel.h"
#include "io/uring_abi.h"

namespace sluice::io {

class UringBuffers {
 public:
  UringBuffers(Kernel& kernel, BufferPool& pool);
  ~UringBuffers() { close(); }
  UringBuffers(const UringBuffers&) = delete;
  UringBuffers& operator=(const UringBuffers&) = delete;

  bool ok() const { return classes_[0].held.ok() && classes_[1].held.ok(); }

  // Registers a ring per class, with at most `entries_max` entries: more buffers than completions
  // fit into the completion queue cannot be used up at once. 0 or -errno.
  int open(int ring, uint32_t entries_max);
  // Returns to the pool what the kernel still held. The io_uring must be closed by then.
  void close();

  // The group number of a class in a submission.
  static uint16_t group(BufferClass cls) { return static_cast<uint16_t>(cls); }

  // The kernel reports that it has used a buffer; it is now the caller's.
  BufferRef taken(uint32_t completion_flags);

  // Brings both rings to their targets as far as the pool allows.
  void refill() {
    if (classes_[0].filled < classes_[0].target) refill(BufferClass::small);
    if (classes_[1].filled < classes_[1].target) refill(BufferClass::large);
  }
  // The kernel found the ring of a class empty.
  void ran_out(BufferClass cls);

  // Buffers the kernel has and has not reported.
  uint32_t filled(BufferClass cls) const { return of(cls).filled; }

 private:
  struct Class {
    explicit Class(uint32_t count) : held(count) {}

    uint8_t* ring = nullptr;  // io_uring_buf[entries], shared with the kernel
    size_t ring_bytes = 0;
    uint32_t entries = 0;
    uint16_t tail = 0;
    uint32_t filled = 0;
    uint32_t target = 0;
    uint32_t target_min = 0;
    uint32_t target_max = 0;
    uint32_t refills = 0;         // since the target was last looked at
    uint32_t most_used = 0;       // by the kernel between two of them
    bool grown = false;           // since the last refill
    ReservedArray<uint8_t> held;  // by index: 1 while the kernel has the buffer
  };

  // A buffer's number in completions: its class in the top bit, its index below.
  static constexpr uint32_t kClassShift = 15;

  int open(int ring, BufferClass cls, uint32_t entries_max);
  void refill(BufferClass cls);
  static void decay(Class& c);
  Class& of(BufferClass cls) { return classes_[static_cast<unsigned>(cls)]; }
  const Class& of(BufferClass cls) const { return classes_[static_cast<unsigned>(cls)]; }

  Kernel& kernel_;
  BufferPool& pool_;
  Class classes_[2];
};

}  // namespace sluice::io
