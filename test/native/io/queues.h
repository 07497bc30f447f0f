// Queues of received bytes for the tests of what moves them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "io/buffer_queue.h"

namespace sluice::test {

// What the engine does with a piece that arrives: buffers as full as they go.
inline bool receive(io::BufferPool& pool, io::BufferQueue& queue, std::string_view text) {
  const uint32_t room = pool.buffer_bytes(io::BufferClass::small);
  for (size_t at = 0; at < text.size(); at += room) {
    const std::string_view piece = text.substr(at, room);
    const io::BufferRef buffer = pool.take(io::BufferClass::small);
    if (buffer.is_none()) return false;
    std::memcpy(pool.data(buffer), piece.data(), piece.size());
    pool.lend(buffer, static_cast<uint32_t>(piece.size()));
    queue.append(pool, buffer);
  }
  return true;
}

inline std::string text_of(io::BufferPool& pool, const io::BufferQueue& queue) {
  std::string text(queue.bytes, '\0');
  queue.peek(pool, reinterpret_cast<uint8_t*>(text.data()), queue.bytes);
  return text;
}

// The same bytes by way of the vectors of a send.
inline std::string sent_text(io::BufferPool& pool, const io::BufferQueue& queue, uint32_t max) {
  iovec vectors[64];
  const uint32_t count = queue.fill(pool, vectors, std::min(max, 64u));
  std::string text;
  for (uint32_t i = 0; i < count; i++) {
    text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return text;
}

inline uint32_t lent(const io::BufferPool& pool) {
  return pool.lent_count(io::BufferClass::small) + pool.lent_count(io::BufferClass::large);
}

}  // namespace sluice::test
