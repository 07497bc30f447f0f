// Header lines of a head, for requests and responses alike: parsed one after the other, with what
// they say about the message collected on the way.
#pragma once

#include <cstdint>

#include "http/head.h"

namespace sluice::http {

// Connection may name so many fields besides close, keep-alive and upgrade; looking for them costs
// their number times that of the fields.
inline constexpr uint32_t kConnectionNamesMax = 16;

enum class Kind : uint8_t { request, response };

struct FieldFacts {
  uint64_t content_length = 0;
  Span host;
  bool has_host = false;
  bool has_length = false;
  bool has_encoding = false;
  bool has_date = false;
  bool says_close = false;
  bool says_keep_alive = false;
  bool says_upgrade = false;
  bool offers_h2c = false;
  bool upgrade_malformed = false;
  bool expects_continue = false;
  uint8_t upgrades = 0;  // how many Upgrade lines, at most 2 are told apart
  uint8_t named_count = 0;
  // The first named_count are set; the rest costs every head time.
  uint32_t named_offset[kConnectionNamesMax];
  uint32_t named_bytes[kConnectionNamesMax];
};

// The lines from `*at` up to and with the empty one. On `complete`, `*at` is behind it, and fields
// that Connection names are marked as dropped.
Parsed read_fields(Kind kind, const uint8_t* data, uint32_t* at, uint32_t bytes,
                   uint32_t fields_max, Field* fields, uint16_t* count, FieldFacts* facts,
                   Refusal* why);

// RFC 9112 section 9.3.
inline bool keeps_alive(const FieldFacts& facts, uint8_t minor_version) {
  return !facts.says_close && (minor_version >= 1 || facts.says_keep_alive);
}

// One well-formed Upgrade line that Connection names, RFC 9110 section 7.8.
inline bool offers_upgrade(const FieldFacts& facts) {
  return facts.says_upgrade && facts.upgrades == 1 && !facts.upgrade_malformed;
}

// The combinations of RFC 9112 section 6.3 that are refused; what is left is unambiguous.
inline Refusal check_framing(const FieldFacts& facts, uint8_t minor_version) {
  if (!facts.has_encoding) return Refusal::none;
  if (minor_version == 0) return Refusal::encoding_in_http10;
  return facts.has_length ? Refusal::length_and_encoding : Refusal::none;
}

}  // namespace sluice::http
