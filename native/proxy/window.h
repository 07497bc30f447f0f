// How much one direction of a connection may hold in small buffers, received and not yet sent. It
// shrinks while buffers are scarce: a thousand stalled readers must not take those of the others.
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "io/buffer_pool.h"

namespace sluice::proxy {

inline uint32_t small_window_bytes(const io::BufferPool& buffers) {
  const uint32_t lent = buffers.lent_count(io::BufferClass::small);
  const uint32_t capacity = buffers.capacity(io::BufferClass::small);
  if (lent > capacity - capacity / limits::kExhaustedDivisor) return limits::kSmallBufferBytes;
  if (lent > capacity - capacity / limits::kScarceDivisor) return limits::kWindowBytes / 4;
  return limits::kWindowBytes;
}

}  // namespace sluice::proxy
