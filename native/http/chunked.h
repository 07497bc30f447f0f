// A chunked body (RFC 9112 section 7.1) validated in place while it passes, in any pieces. Chunk
// sizes go on as they came, chunk extensions and nothing else are taken out: what is sent on is
// read in one way only. In strip mode only the payload is left, for a recipient of HTTP/1.0.
#pragma once

#include <cstdint>

#include "http/head.h"

namespace sluice::http {

inline constexpr uint32_t kChunkSizeDigitsMax = 16;
inline constexpr uint64_t kChunkBytesMax = uint64_t{1} << 62;
inline constexpr uint32_t kChunkExtensionBytesMax = 256;
inline constexpr uint32_t kMessageExtensionBytesMax = 16 * 1024;
inline constexpr uint32_t kTrailerBytesMax = 8 * 1024;

class ChunkedFilter {
 public:
  // `consumed` bytes were looked at, and the first `produced` of `data` are now what to send on.
  // `incomplete` consumes all; `complete` ends behind the message and leaves the rest as it is;
  // after `refused` nothing more is to be sent on.
  struct Step {
    uint32_t consumed = 0;
    uint32_t produced = 0;
    Parsed state = Parsed::incomplete;
    Refusal why = Refusal::none;
  };

  explicit ChunkedFilter(bool strip = false) : strip_(strip) {}
  void reset(bool strip) { *this = ChunkedFilter(strip); }

  Step run(uint8_t* data, uint32_t bytes);

  // Payload that has passed.
  uint64_t payload_bytes() const { return payload_bytes_; }
  // Payload of the current chunk still to come, 0 between chunks. So many bytes may pass by another
  // way; `skip` says that they have.
  uint64_t wanted() const { return phase_ == Phase::payload ? left_ : 0; }
  void skip(uint64_t bytes);

 private:
  enum class Phase : uint8_t {
    size,   // the first digit of a size, or more of them
    blank,  // behind a size, before the `;` of an extension
    extension,
    size_line_feed,
    payload,
    payload_return,
    payload_line_feed,
    trailer_start,  // of a line: a field, or the empty line
    trailer_name,
    trailer_value,
    trailer_line_feed,
    last_line_feed,
    complete,
    refused,
  };
  static constexpr uint32_t kNameBytesMax = 24;  // longer than any name that is looked for

  Refusal take(uint8_t c);
  Refusal take_size(uint8_t c);
  Refusal take_extension(uint8_t c);
  Refusal take_trailer(uint8_t c);
  Refusal begin_chunk();

  uint64_t left_ = 0;  // of the chunk; while its size is read, the size so far
  uint64_t payload_bytes_ = 0;
  uint16_t extension_bytes_ = 0;          // of this chunk
  uint16_t message_extension_bytes_ = 0;  // of all chunks
  uint16_t trailer_bytes_ = 0;
  Phase phase_ = Phase::size;
  uint8_t digits_ = 0;
  uint8_t name_bytes_ = 0;  // at most kNameBytesMax + 1, which means longer
  bool strip_ = false;
  uint8_t name_[kNameBytesMax] = {};
};

static_assert(sizeof(ChunkedFilter) <= 64);

}  // namespace sluice::http
