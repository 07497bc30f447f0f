#include "proxy/body.h"

#include <algorithm>
#include <cstring>

namespace sluice::proxy {
namespace {

struct Share {
  uint32_t consumed = 0;
  uint32_t produced = 0;
  bool refused = false;
};

// How many of a buffer's bytes belong to the body, and how many of those are sent on.
Share take_share(Body& body, uint8_t* data, uint32_t bytes, http::Refusal* why) {
  Share share{bytes, bytes, false};
  if (body.framing == http::Framing::length) {
    share.consumed = static_cast<uint32_t>(std::min<uint64_t>(bytes, body.remaining));
    share.produced = share.consumed;
    body.remaining -= share.consumed;
    body.done = body.remaining == 0;
  } else if (body.framing == http::Framing::chunked) {
    const http::ChunkedFilter::Step step = body.chunked.run(data, bytes);
    share = Share{step.consumed, step.produced, step.state == http::Parsed::refused};
    *why = step.why;
    body.done = step.state == http::Parsed::complete;
  }
  body.moved += share.produced;
  return share;
}

}  // namespace

Moved move_body(io::BufferPool& pool, Body& body, io::BufferQueue& in, io::BufferQueue& out,
                http::Refusal* why) {
  while (!body.done && !in.empty()) {
    io::BufferPool::Meta& meta = pool.meta(in.front());
    uint8_t* data = pool.data(in.front()) + meta.offset;
    const uint32_t length = meta.length;
    const Share share = take_share(body, data, length, why);
    if (share.refused) return Moved::refused;
    if (share.consumed == length) {
      const io::BufferRef buffer = in.detach(pool);
      pool.meta(buffer).length = share.produced;
      out.append(pool, buffer);
      continue;
    }
    // The message ends in this buffer. The part of it goes on in a buffer of its own.
    SLUICE_ASSERT(body.done);
    uint32_t left = share.produced;
    const uint32_t piece_bytes = pool.buffer_bytes(io::BufferClass::small);
    for (uint32_t at = 0; left > 0;) {
      const io::BufferRef piece = pool.take(io::BufferClass::small);
      if (piece.is_none()) {
        body.done = false;  // its end is still in `in`, where a next message would be looked for
        return Moved::no_buffer;
      }
      const uint32_t bytes = std::min(left, piece_bytes);
      std::memcpy(pool.data(piece), data + at, bytes);
      pool.lend(piece, bytes);
      out.append(pool, piece);
      at += bytes;
      left -= bytes;
    }
    in.consume(pool, share.consumed);
  }
  return Moved::all;
}

}  // namespace sluice::proxy
