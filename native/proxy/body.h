// The body of one message on its way: what its framing still allows to come. The source is a
// queue of received bytes, the sink a queue of bytes to be sent; bytes change queues uncopied.
#pragma once

#include <cstdint>

#include "http/chunked.h"
#include "http/head.h"
#include "io/buffer_queue.h"

namespace sluice::proxy {

struct Body {
  http::Framing framing = http::Framing::none;
  bool done = true;        // all of it has been taken from the source
  uint64_t remaining = 0;  // Framing::length: bytes still to come
  uint64_t moved = 0;      // bytes put into the sink
  http::ChunkedFilter chunked;

  // `strip`: a chunked body is sent without its framing.
  void begin(http::Framing how, uint64_t length, bool strip) {
    framing = how;
    remaining = length;
    moved = 0;
    done = how == http::Framing::none || (how == http::Framing::length && length == 0);
    if (how == http::Framing::chunked) chunked.reset(strip);
  }

  // A body without a length that has come so far goes on, it is assumed.
  static constexpr uint64_t kSurelyBulk = 1024 * 1024;

  // Bytes that come yet and need no looking at.
  uint64_t plain_bytes() const {
    if (done) return 0;
    if (framing == http::Framing::length) return remaining;
    if (framing == http::Framing::chunked) return chunked.wanted();
    return framing == http::Framing::until_close && moved >= kSurelyBulk ? UINT32_MAX : 0;
  }

  uint64_t payload_bytes() const {
    return framing == http::Framing::chunked ? chunked.payload_bytes() : moved;
  }

  // So many of those have passed by another way.
  void pass(uint64_t bytes) {
    moved += bytes;
    if (framing != http::Framing::length) return;
    remaining -= bytes;
    done = remaining == 0;
  }
};

enum class Moved : uint8_t {
  all,        // that there was, or that belongs to the body
  refused,    // the framing is wrong
  no_buffer,  // none is free to keep apart what follows the body
};

// Moves what belongs to the body from `in` to `out`; what follows it stays in `in`.
Moved move_body(io::BufferPool& pool, Body& body, io::BufferQueue& in, io::BufferQueue& out,
                http::Refusal* why);

}  // namespace sluice::proxy
