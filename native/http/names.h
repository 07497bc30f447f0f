// Recognising field names and other words of the protocol, ignoring case.
#pragma once

#include <cstdint>
#include <cstring>

#include "http/head.h"

namespace sluice::http {

// Whether the text is this word. `lower` is the word in lower case and of letters, digits and
// hyphens; the text is of token bytes, for which setting bit 5 confuses no two of those.
template <uint32_t N>
bool is_word(const uint8_t* text, uint32_t bytes, const char (&lower)[N]) {
  constexpr uint32_t length = N - 1;
  if (bytes != length) return false;
  if constexpr (length >= 8) {
    // Eight at a time; the last eight may overlap those before.
    const auto same = [&](uint32_t at) {
      uint64_t a;
      uint64_t b;
      std::memcpy(&a, text + at, 8);
      std::memcpy(&b, lower + at, 8);
      return (a | 0x2020202020202020ull) == b;
    };
    for (uint32_t at = 0; at + 8 < length; at += 8) {
      if (!same(at)) return false;
    }
    return same(length - 8);
  } else {
    for (uint32_t i = 0; i < length; i++) {
      if ((text[i] | 0x20) != static_cast<uint8_t>(lower[i])) return false;
    }
    return true;
  }
}

template <uint32_t N>
Name named(const uint8_t* text, const char (&lower)[N], Name name) {
  return is_word(text, N - 1, lower) ? name : Name::other;
}

// Token bytes in, so that the comparison of is_word holds.
inline Name name_of(const uint8_t* text, uint32_t bytes) {
  if (bytes == 0) return Name::other;
  const char first = static_cast<char>(text[0] | 0x20);
  switch (bytes) {
    case 2:
      return named(text, "te", Name::te);
    case 3:
      return named(text, "via", Name::via);
    case 4:
      if (first == 'h') return named(text, "host", Name::host);
      return named(text, "date", Name::date);
    case 6:
      return named(text, "expect", Name::expect);
    case 7:
      if (first == 'u') return named(text, "upgrade", Name::upgrade);
      return named(text, "trailer", Name::trailer);
    case 9:
      return named(text, "forwarded", Name::forwarded);
    case 10:
      if (first == 'c') return named(text, "connection", Name::connection);
      return named(text, "keep-alive", Name::keep_alive);
    case 14:
      if (first == 'c') return named(text, "content-length", Name::content_length);
      return named(text, "http2-settings", Name::http2_settings);
    case 15:
      return named(text, "x-forwarded-for", Name::x_forwarded_for);
    case 16:
      if (first == 'x') return named(text, "x-forwarded-host", Name::x_forwarded_host);
      return named(text, "proxy-connection", Name::proxy_connection);
    case 17:
      if (first == 'x') return named(text, "x-forwarded-proto", Name::x_forwarded_proto);
      return named(text, "transfer-encoding", Name::transfer_encoding);
    case 18:
      return named(text, "proxy-authenticate", Name::proxy_authenticate);
    case 19:
      return named(text, "proxy-authorization", Name::proxy_authorization);
    default:
      return Name::other;
  }
}

// Names that say how a message is framed, routed, authenticated or to be read. A trailer must not
// carry them (RFC 9110 section 6.5.1), and Connection must not name them (section 7.6.1), which
// would let a sender take from a message what the next recipient decides by.
bool is_essential(const uint8_t* text, uint32_t bytes);

bool equal_ignoring_case(const uint8_t* a, const uint8_t* b, uint32_t bytes);

}  // namespace sluice::http
