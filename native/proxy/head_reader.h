// Reading a head that may lie in several buffers: included by the two files that read heads.
#pragma once

#include <algorithm>

#include "proxy/exchanges.h"

namespace sluice::proxy {

// Runs `parse(bytes, count, scanned)` over what there is of a head. In the usual case all of it
// lies in one buffer and is parsed in place; otherwise it is gathered in a block. `data` is where
// the parsed head's spans count from, until `consume_head`.
template <typename Parse>
http::Parsed Exchanges::read_head(HeadReader& reader, io::BufferQueue& in, const uint8_t** data,
                                  Parse&& parse) {
  while (!in.empty()) {
    const io::BufferPool::Meta& meta = buffers_.meta(in.front());
    const uint8_t* front = buffers_.data(in.front()) + meta.offset;
    if (reader.block == HeadBlocks::kNone) {
      const http::Parsed parsed = parse(front, meta.length, &reader.scanned);
      *data = front;
      // More may still be received behind the only buffer.
      if (parsed != http::Parsed::incomplete || in.bytes == meta.length) return parsed;
      reader.block = blocks_.take();
      if (reader.block == HeadBlocks::kNone) return http::Parsed::refused;
      reader.gathered = 0;
    }
    uint8_t* block = blocks_.data(reader.block);
    const uint32_t room = limits::kHeadBytesMax - reader.gathered;
    const uint32_t piece = std::min(room, meta.length);
    std::copy_n(front, piece, block + reader.gathered);
    *data = block;
    const http::Parsed parsed = parse(block, reader.gathered + piece, &reader.scanned);
    // The last piece stays queued: a part of it may be what follows the head.
    if (parsed != http::Parsed::incomplete) return parsed;
    if (piece == 0) return http::Parsed::refused;
    reader.gathered += piece;
    in.consume(buffers_, piece);
  }
  return http::Parsed::incomplete;
}

}  // namespace sluice::proxy
