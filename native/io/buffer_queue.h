// A queue of lent receive buffers, linked through their Meta: 12 bytes for whoever holds one. The
// holder's pool is passed in, so that an empty queue is all zeroes but for its markers.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <cstring>

#include "base/limits.h"
#include "io/buffer_pool.h"

namespace sluice::io {

struct BufferQueue {
  uint32_t head = BufferRef::kNone;
  uint32_t tail = BufferRef::kNone;
  uint32_t bytes = 0;

  bool empty() const { return bytes == 0; }
  BufferRef front() const { return BufferRef::from_bits(head); }

  // Takes over a lent buffer. A small piece is copied behind the last one instead of keeping its
  // buffer: a peer that is not read from must not hold a whole buffer for every few bytes.
  void append(BufferPool& pool, BufferRef buffer) {
    const uint32_t length = pool.meta(buffer).length;
    if (length == 0) return pool.release(buffer);
    bytes += length;
    if (!merge(pool, buffer, length)) link(pool, buffer);
  }

  // Takes the first buffer off without returning it.
  BufferRef detach(BufferPool& pool) {
    const BufferRef buffer = front();
    BufferPool::Meta& meta = pool.meta(buffer);
    bytes -= meta.length;
    head = meta.next;
    meta.next = BufferRef::kNone;
    if (head == BufferRef::kNone) tail = BufferRef::kNone;
    return buffer;
  }

  // Takes `count` bytes off the front; buffers that are used up go back to the pool.
  void consume(BufferPool& pool, uint32_t count) {
    SLUICE_ASSERT(count <= bytes);
    while (count > 0) {
      BufferPool::Meta& meta = pool.meta(front());
      if (count < meta.length) {
        meta.offset += count;
        meta.length -= count;
        bytes -= count;
        return;
      }
      count -= meta.length;
      pool.release(detach(pool));
    }
  }

  void drop(BufferPool& pool) { consume(pool, bytes); }

  // Writes up to `max` vectors over the queue's bytes; returns their number.
  uint32_t fill(BufferPool& pool, iovec* vectors, uint32_t max) const {
    uint32_t count = 0;
    for (BufferRef buffer = front(); !buffer.is_none() && count < max;) {
      const BufferPool::Meta& meta = pool.meta(buffer);
      vectors[count++] = iovec{pool.data(buffer) + meta.offset, meta.length};
      buffer = BufferRef::from_bits(meta.next);
    }
    return count;
  }

  // Copies the first `count` bytes out; they stay queued.
  void peek(BufferPool& pool, uint8_t* out, uint32_t count) const {
    for (BufferRef buffer = front(); count > 0;) {
      const BufferPool::Meta& meta = pool.meta(buffer);
      const uint32_t piece = count < meta.length ? count : meta.length;
      std::memcpy(out, pool.data(buffer) + meta.offset, piece);
      out += piece;
      count -= piece;
      buffer = BufferRef::from_bits(meta.next);
    }
  }

 private:
  bool merge(BufferPool& pool, BufferRef buffer, uint32_t length) {
    if (head == BufferRef::kNone) return false;
    // Large buffers are so few that behind the first one every piece is copied that fits: a peer
    // that takes what comes has no second one waiting.
    const bool scarce = buffer.cls() == BufferClass::large && head != tail;
    if (length > limits::kMergeBytesMax && !scarce) return false;
    const BufferRef last = BufferRef::from_bits(tail);
    BufferPool::Meta& meta = pool.meta(last);
    const uint32_t end = meta.offset + meta.length;
    if (length > pool.buffer_bytes(last.cls()) - end) return false;
    std::memcpy(pool.data(last) + end, pool.data(buffer) + pool.meta(buffer).offset, length);
    meta.length += length;
    pool.release(buffer);
    return true;
  }

  void link(BufferPool& pool, BufferRef buffer) {
    if (head == BufferRef::kNone) {
      head = buffer.bits();
    } else {
      pool.meta(BufferRef::from_bits(tail)).next = buffer.bits();
    }
    tail = buffer.bits();
  }
};

}  // namespace sluice::io
