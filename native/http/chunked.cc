#include "http/chunked.h"

#include <cstring>

#include "base/assert.h"
#include "http/names.h"
#include "http/scan.h"

namespace sluice::http {
namespace {

// RFC 9110 section 6.5.1: what a recipient needs before the body, or hop by hop, is no trailer.
bool is_forbidden_trailer(const uint8_t* name, uint32_t bytes) {
  switch (name_of(name, bytes)) {
    case Name::connection:
    case Name::te:
    case Name::trailer:
    case Name::upgrade:
    case Name::keep_alive:
    case Name::proxy_connection:
    case Name::proxy_authenticate:
    case Name::proxy_authorization:
    case Name::http2_settings:
      return true;
    default:
      return is_essential(name, bytes);
  }
}

}  // namespace

void ChunkedFilter::skip(uint64_t bytes) {
  SLUICE_ASSERT(bytes <= wanted());
  left_ -= bytes;
  payload_bytes_ += bytes;
  if (phase_ == Phase::payload && left_ == 0) phase_ = Phase::payload_return;
}

Refusal ChunkedFilter::begin_chunk() {
  phase_ = left_ == 0 ? Phase::trailer_start : Phase::payload;
  digits_ = 0;
  extension_bytes_ = 0;
  return Refusal::none;
}

Refusal ChunkedFilter::take_size(uint8_t c) {
  const uint8_t digit = scan::hex_digit(c);
  if (digit < 16) {
    if (digits_ == kChunkSizeDigitsMax) return Refusal::bad_chunk_size;
    left_ = digits_ == 0 ? digit : left_ << 4 | digit;
    digits_++;
    return left_ > kChunkBytesMax ? Refusal::bad_chunk_size : Refusal::none;
  }
  if (digits_ == 0) return Refusal::bad_chunk_size;
  if (c == '\r') {
    phase_ = Phase::size_line_feed;
    return Refusal::none;
  }
  if (c == '\n') return Refusal::bad_chunk_end;
  if (c != ';' && !scan::is_blank(c)) return Refusal::bad_chunk_size;
  phase_ = Phase::blank;
  return take_extension(c);
}

// Whitespace may stand before `;` and nothing else (RFC 9112 section 7.1.1).
Refusal ChunkedFilter::take_extension(uint8_t c) {
  if (phase_ == Phase::blank) {
    if (c == ';') {
      phase_ = Phase::extension;
    } else if (!scan::is_blank(c)) {
      return Refusal::bad_chunk_size;
    }
  } else if (c == '\r') {
    phase_ = Phase::size_line_feed;
    return Refusal::none;
  } else if (scan::ValueEnd::has(c)) {
    return Refusal::bad_chunk_end;
  }
  extension_bytes_++;
  message_extension_bytes_++;
  const bool fits = extension_bytes_ <= kChunkExtensionBytesMax &&
                    message_extension_bytes_ <= kMessageExtensionBytesMax;
  return fits ? Refusal::none : Refusal::chunk_extension_too_long;
}

Refusal ChunkedFilter::take_trailer(uint8_t c) {
  if (++trailer_bytes_ > kTrailerBytesMax) return Refusal::bad_trailer;
  switch (phase_) {
    case Phase::trailer_start:
      if (c == '\r') return phase_ = Phase::last_line_feed, Refusal::none;
      name_bytes_ = 0;
      phase_ = Phase::trailer_name;
      [[fallthrough]];
    case Phase::trailer_name:
      if (scan::is_token_byte(c)) {
        if (name_bytes_ < kNameBytesMax) name_[name_bytes_] = c;
        if (name_bytes_ <= kNameBytesMax) name_bytes_++;
        return Refusal::none;
      }
      if (c != ':' || name_bytes_ == 0) return Refusal::bad_trailer;
      if (name_bytes_ <= kNameBytesMax && is_forbidden_trailer(name_, name_bytes_)) {
        return Refusal::bad_trailer;
      }
      phase_ = Phase::trailer_value;
      return Refusal::none;
    case Phase::trailer_value:
      if (c == '\r') return phase_ = Phase::trailer_line_feed, Refusal::none;
      return scan::ValueEnd::has(c) ? Refusal::bad_trailer : Refusal::none;
    default:
      if (c != '\n') return Refusal::bad_trailer;
      phase_ = phase_ == Phase::last_line_feed ? Phase::complete : Phase::trailer_start;
      return Refusal::none;
  }
}

Refusal ChunkedFilter::take(uint8_t c) {
  switch (phase_) {
    case Phase::size:
      return take_size(c);
    case Phase::blank:
    case Phase::extension:
      return take_extension(c);
    case Phase::size_line_feed:
      return c == '\n' ? begin_chunk() : Refusal::bad_chunk_end;
    case Phase::payload_return:
      phase_ = Phase::payload_line_feed;
      return c == '\r' ? Refusal::none : Refusal::bad_chunk_end;
    case Phase::payload_line_feed:
      phase_ = Phase::size;
      return c == '\n' ? Refusal::none : Refusal::bad_chunk_end;
    default:
      return take_trailer(c);
  }
}

ChunkedFilter::Step ChunkedFilter::run(uint8_t* data, uint32_t bytes) {
  SLUICE_ASSERT(phase_ != Phase::complete && phase_ != Phase::refused);
  uint32_t read = 0;
  uint32_t written = 0;
  while (read < bytes) {
    if (phase_ == Phase::payload) {
      const uint64_t here = left_ < bytes - read ? left_ : bytes - read;
      const auto length = static_cast<uint32_t>(here);
      if (written != read) std::memmove(data + written, data + read, length);
      skip(length);
      read += length;
      written += length;
      continue;
    }
    const uint8_t c = data[read++];
    const Refusal why = take(c);
    if (why != Refusal::none) {
      phase_ = Phase::refused;
      return {read, written, Parsed::refused, why};
    }
    const bool is_extension = phase_ == Phase::blank || phase_ == Phase::extension;
    if (!strip_ && !is_extension) data[written++] = c;
    if (phase_ == Phase::complete) return {read, written, Parsed::complete, Refusal::none};
  }
  return {read, written, Parsed::incomplete, Refusal::none};
}

}  // namespace sluice::http
