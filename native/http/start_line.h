// What request lines and status lines have in common.
#pragma once

#include <cstdint>
#include <cstring>

#include "http/head.h"
#include "http/scan.h"

namespace sluice::http {

// `HTTP/1.0` or `HTTP/1.1`; another version that is well-formed is `version_not_supported`,
// anything else `bad`.
inline Parsed read_version(const uint8_t* data, uint32_t bytes, uint32_t* at, uint8_t* minor,
                           Refusal bad, Refusal* why) {
  constexpr uint32_t kVersionBytes = 8;
  const uint8_t* text = data + *at;
  const uint32_t left = bytes - *at;
  if (left >= kVersionBytes) {
    *at += kVersionBytes;
    if (std::memcmp(text, "HTTP/1.1", kVersionBytes) == 0) return *minor = 1, Parsed::complete;
    if (std::memcmp(text, "HTTP/1.0", kVersionBytes) == 0) return *minor = 0, Parsed::complete;
  }
  for (uint32_t i = 0; i < left && i < kVersionBytes; i++) {
    const char pattern = "HTTP/0.0"[i];
    const bool fits = pattern == '0' ? scan::is_digit(text[i]) : text[i] == pattern;
    if (!fits) {
      *why = text[i] == '\n' ? Refusal::bad_line_end : bad;
      return Parsed::refused;
    }
  }
  if (left < kVersionBytes) return Parsed::incomplete;
  *why = Refusal::version_not_supported;
  return Parsed::refused;
}

// CRLF and nothing else.
inline Parsed read_line_end(const uint8_t* data, uint32_t bytes, uint32_t* at, Refusal bad,
                            Refusal* why) {
  if (*at == bytes) return Parsed::incomplete;
  if (data[*at] != '\r') {
    *why = data[*at] == '\n' ? Refusal::bad_line_end : bad;
    return Parsed::refused;
  }
  if (*at + 1 == bytes) return Parsed::incomplete;
  if (data[*at + 1] != '\n') {
    *why = Refusal::bad_line_end;
    return Parsed::refused;
  }
  *at += 2;
  return Parsed::complete;
}

}  // namespace sluice::http
