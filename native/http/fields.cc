#include "http/fields.h"

#include "http/authority.h"
#include "http/names.h"
#include "http/scan.h"

namespace sluice::http {
namespace {

Parsed refuse(Refusal reason, Refusal* why) {
  *why = reason;
  return Parsed::refused;
}

// Digits only (RFC 9110 section 8.6), and at most 2^63 - 1, so that sums with it do not overflow.
bool read_length(const uint8_t* text, uint32_t bytes, uint64_t* length) {
  if (bytes == 0 || bytes > 19) return false;
  uint64_t value = 0;
  for (uint32_t i = 0; i < bytes; i++) {
    if (!scan::is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  *length = value;
  return value <= INT64_MAX;
}

// The next member of a comma-separated list (RFC 9110 section 5.6.1) from `*at` on; empty members
// are passed over. bytes 0: there are no more.
Span next_member(const uint8_t* data, uint32_t* at, uint32_t end) {
  uint32_t i = *at;
  while (i < end && (data[i] == ',' || scan::is_blank(data[i]))) i++;
  const uint32_t start = i;
  while (i < end && data[i] != ',') i++;
  *at = i;
  while (i > start && scan::is_blank(data[i - 1])) i--;
  return {start, i - start};
}

bool is_token(const uint8_t* text, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) {
    if (!scan::is_token_byte(text[i])) return false;
  }
  return bytes > 0;
}

Refusal note_connection(const uint8_t* data, Span value, FieldFacts* facts) {
  uint32_t at = value.offset;
  const uint32_t end = value.offset + value.bytes;
  for (;;) {
    const Span member = next_member(data, &at, end);
    if (member.bytes == 0) return Refusal::none;
    const uint8_t* text = data + member.offset;
    if (!is_token(text, member.bytes)) return Refusal::bad_field_value;
    if (is_word(text, member.bytes, "keep-alive")) {
      facts->says_keep_alive = true;
    } else if (is_word(text, member.bytes, "close")) {
      facts->says_close = true;
    } else if (is_word(text, member.bytes, "upgrade")) {
      facts->says_upgrade = true;
    } else {
      if (is_essential(text, member.bytes) || facts->named_count == kConnectionNamesMax) {
        return Refusal::bad_field_value;
      }
      facts->named_offset[facts->named_count] = member.offset;
      facts->named_bytes[facts->named_count++] = member.bytes;
    }
  }
}

// protocol-name ["/" protocol-version], RFC 9110 section 7.8.
void note_upgrade(const uint8_t* data, Span value, FieldFacts* facts) {
  if (facts->upgrades < 2) facts->upgrades++;
  uint32_t at = value.offset;
  const uint32_t end = value.offset + value.bytes;
  if (value.bytes == 0) facts->upgrade_malformed = true;
  for (;;) {
    const Span member = next_member(data, &at, end);
    if (member.bytes == 0) return;
    const uint8_t* text = data + member.offset;
    uint32_t name = 0;
    while (name < member.bytes && text[name] != '/') name++;
    const bool version_fits =
        name == member.bytes || is_token(text + name + 1, member.bytes - name - 1);
    if (!is_token(text, name) || !version_fits) {
      facts->upgrade_malformed = true;
    } else if (is_word(text, name, "h2c")) {
      facts->offers_h2c = true;
    }
  }
}

Refusal note_host(const uint8_t* data, Span value, FieldFacts* facts) {
  if (facts->has_host) return Refusal::host_repeated;
  if (!is_authority(data + value.offset, value.bytes)) return Refusal::bad_host;
  facts->has_host = true;
  facts->host = value;
  return Refusal::none;
}

Refusal note_expect(const uint8_t* data, Span value, FieldFacts* facts) {
  const uint8_t* text = data + value.offset;
  const bool known = is_token(text, value.bytes) && is_word(text, value.bytes, "100-continue");
  if (!known) return Refusal::unknown_expectation;
  facts->expects_continue = true;
  return Refusal::none;
}

Refusal note_encoding(const uint8_t* data, Span value, FieldFacts* facts) {
  const uint8_t* text = data + value.offset;
  const bool chunked = is_token(text, value.bytes) && is_word(text, value.bytes, "chunked");
  if (!chunked || facts->has_encoding) return Refusal::bad_transfer_encoding;
  facts->has_encoding = true;
  return Refusal::none;
}

// What a field of a known name says, and whether it goes no further than to us.
Refusal note(Kind kind, const uint8_t* data, Field* field, FieldFacts* facts) {
  const Span value = field->value;
  switch (field->name) {
    case Name::host:
      return kind == Kind::request ? note_host(data, value, facts) : Refusal::none;
    case Name::content_length:
      field->dropped = true;
      if (facts->has_length) return Refusal::bad_content_length;
      facts->has_length = true;
      return read_length(data + value.offset, value.bytes, &facts->content_length)
                 ? Refusal::none
                 : Refusal::bad_content_length;
    case Name::transfer_encoding:
      field->dropped = true;
      return note_encoding(data, value, facts);
    case Name::connection:
      field->dropped = true;
      return note_connection(data, value, facts);
    case Name::upgrade:
      field->dropped = true;
      note_upgrade(data, value, facts);
      return Refusal::none;
    case Name::keep_alive:
    case Name::proxy_connection:
    case Name::te:
    case Name::http2_settings:
      field->dropped = true;
      return Refusal::none;
    case Name::expect:
      return kind == Kind::request ? note_expect(data, value, facts) : Refusal::none;
    case Name::date:
      facts->has_date = true;
      return Refusal::none;
    default:
      return Refusal::none;
  }
}

void drop_named(const uint8_t* data, const FieldFacts& facts, Field* fields, uint32_t count) {
  for (uint32_t i = 0; i < facts.named_count; i++) {
    const Span name{facts.named_offset[i], facts.named_bytes[i]};
    for (uint32_t f = 0; f < count; f++) {
      if (fields[f].name_bytes != name.bytes) continue;
      const uint8_t* text = data + fields[f].line.offset;
      if (equal_ignoring_case(text, data + name.offset, name.bytes)) fields[f].dropped = true;
    }
  }
}

// The name's end when it holds more than letters, digits and hyphens.
const uint8_t* end_of_rare_name(const uint8_t* from, const uint8_t* end, bool* has_underscore) {
  while (from < end && scan::is_token_byte(*from)) {
    *has_underscore = *has_underscore || *from == '_';
    from++;
  }
  return from;
}

// The line from `at` on, whose first control byte is at `stop` (`bytes`: there is none yet). Sets
// everything of `field`; complete when its CRLF is there.
Parsed read_line(Kind kind, const uint8_t* data, uint32_t at, uint32_t stop, uint32_t bytes,
                 Field* field, Refusal* why) {
  const uint8_t* const start = data + at;
  const uint8_t* const end = data + stop;
  const uint8_t* colon = scan::find<scan::NameEnd>(start, data + bytes);
  bool has_underscore = false;
  if (colon < end && *colon != ':') colon = end_of_rare_name(colon, end, &has_underscore);
  if (colon >= end && stop == bytes) return Parsed::incomplete;
  if (*colon == '\n') return refuse(Refusal::bad_line_end, why);
  // Whitespace before the colon, too: RFC 9112 section 5.1.
  if (*colon != ':' || colon == start || colon - start > UINT16_MAX) {
    return refuse(Refusal::bad_field_name, why);
  }
  if (stop == bytes) return Parsed::incomplete;
  if (*end != '\r') {
    return refuse(*end == '\n' ? Refusal::bad_line_end : Refusal::bad_field_value, why);
  }
  if (stop + 1 == bytes) return Parsed::incomplete;
  if (end[1] != '\n') return refuse(Refusal::bad_line_end, why);
  const uint8_t* value = colon + 1;
  while (scan::is_blank(*value)) value++;
  const uint8_t* value_end = end;
  while (value_end > value && scan::is_blank(value_end[-1])) value_end--;
  field->line = {at, stop + 2 - at};
  field->value = {static_cast<uint32_t>(value - data), static_cast<uint32_t>(value_end - value)};
  field->name_bytes = static_cast<uint16_t>(colon - start);
  field->name = name_of(start, field->name_bytes);
  field->dropped = has_underscore && kind == Kind::request;
  return Parsed::complete;
}

}  // namespace

Parsed read_fields(Kind kind, const uint8_t* data, uint32_t* at, uint32_t bytes,
                   uint32_t fields_max, Field* fields, uint16_t* count, FieldFacts* facts,
                   Refusal* why) {
  uint32_t found = 0;
  uint32_t line = *at;
  scan::Marks<scan::ValueEnd> stops(data, line, bytes);
  for (;;) {
    if (line == bytes) return Parsed::incomplete;
    const uint8_t first = data[line];
    if (first <= ' ') {
      if (scan::is_blank(first)) return refuse(Refusal::folded_line, why);
      if (first != '\r') {
        return refuse(first == '\n' ? Refusal::bad_line_end : Refusal::bad_field_name, why);
      }
      if (line + 1 == bytes) return Parsed::incomplete;
      if (data[line + 1] != '\n') return refuse(Refusal::bad_line_end, why);
      break;
    }
    if (found == fields_max) return refuse(Refusal::too_many_fields, why);
    Field* field = &fields[found];
    const Parsed parsed = read_line(kind, data, line, stops.next(line), bytes, field, why);
    if (parsed != Parsed::complete) return parsed;
    if (field->name != Name::other) {
      const Refusal reason = note(kind, data, field, facts);
      if (reason != Refusal::none) return refuse(reason, why);
    }
    line += field->line.bytes;
    found++;
  }
  if (facts->named_count > 0) drop_named(data, *facts, fields, found);
  *count = static_cast<uint16_t>(found);
  *at = line + 2;
  return Parsed::complete;
}

}  // namespace sluice::http
