// The parts of the io_uring interface that the kernel headers of the oldest supported build host
// (Linux 6.1) do not name. Numbers are the kernel's own; nothing here is a choice of ours.
#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

namespace sluice::io::abi {

// Linux 6.6: entries are submitted in ring order, without an array of indices beside them.
inline constexpr uint32_t kSetupNoSqArray = 1u << 16;

// Linux 6.17: a multishot receive ends by itself once it has reported this many bytes. The field
// overlays `file_index`; kernels without it answer -EINVAL to any value but 0.
inline void set_receive_cap(io_uring_sqe& entry, uint32_t bytes) {
  entry.file_index = bytes;
}

// A provided-buffer ring is an array of io_uring_buf whose first element lends its last 16 bits to
// the ring's tail. The header's own declaration of the array has another offset in C++ than in C.
inline constexpr uint32_t kBufferRingTailOffset = 14;
static_assert(sizeof(io_uring_buf) == 16 && offsetof(io_uring_buf, resv) == kBufferRingTailOffset);

}  // namespace sluice::io::abi
