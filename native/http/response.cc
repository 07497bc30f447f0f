#include "http/fields.h"
#include "http/parse.h"
#include "http/resume.h"
#include "http/scan.h"
#include "http/start_line.h"

namespace sluice::http {
namespace {

Parsed refuse(Refusal reason, Refusal* why) {
  *why = reason;
  return Parsed::refused;
}

// SP 3DIGIT, and what follows is a blank or the end of the line.
Parsed read_status(const uint8_t* data, uint32_t bytes, uint32_t* at, ResponseHead* out,
                   Refusal* why) {
  const uint8_t* text = data + *at;
  const uint32_t left = bytes - *at;
  uint32_t status = 0;
  for (uint32_t i = 0; i < 4; i++) {
    if (i == left) return Parsed::incomplete;
    if (text[i] == '\n') return refuse(Refusal::bad_line_end, why);
    const bool fits = i == 0 ? text[i] == ' ' : scan::is_digit(text[i]);
    if (!fits || (i == 1 && text[i] == '0')) return refuse(Refusal::bad_status_line, why);
    if (i > 0) status = status * 10 + (text[i] - '0');
  }
  out->status = static_cast<uint16_t>(status);
  *at += 4;
  return Parsed::complete;
}

// The reason may be missing, and so may the blank before it (RFC 9112 section 4 demands the blank;
// servers in use leave it out).
Parsed read_reason(const uint8_t* data, uint32_t bytes, uint32_t* at, ResponseHead* out,
                   Refusal* why) {
  if (*at == bytes) return Parsed::incomplete;
  if (data[*at] == ' ') {
    ++*at;
  } else if (data[*at] != '\r') {
    return refuse(data[*at] == '\n' ? Refusal::bad_line_end : Refusal::bad_status_line, why);
  }
  const uint8_t* stop = scan::find<scan::ValueEnd>(data + *at, data + bytes);
  out->reason = {*at, static_cast<uint32_t>(stop - data) - *at};
  *at += out->reason.bytes;
  return read_line_end(data, bytes, at, Refusal::bad_status_line, why);
}

Parsed read_status_line(const uint8_t* data, uint32_t bytes, uint32_t* at, ResponseHead* out,
                        Refusal* why) {
  Parsed parsed = read_version(data, bytes, at, &out->minor_version, Refusal::bad_status_line, why);
  if (parsed == Parsed::complete) parsed = read_status(data, bytes, at, out, why);
  if (parsed == Parsed::complete) parsed = read_reason(data, bytes, at, out, why);
  return parsed;
}

// RFC 9112 section 6.3.
Framing framing_of(const FieldFacts& facts, Method request_method, uint16_t status) {
  const bool bodiless =
      request_method == Method::head || status < 200 || status == 204 || status == 304;
  if (bodiless) return Framing::none;
  if (facts.has_encoding) return Framing::chunked;
  return facts.has_length ? Framing::length : Framing::until_close;
}

Parsed read_response(const uint8_t* data, uint32_t bytes, const HeadLimits& limits,
                     Method request_method, ResponseHead* out, Refusal* why) {
  uint32_t at = 0;
  Parsed parsed = read_status_line(data, bytes, &at, out, why);
  if (parsed != Parsed::complete) return parsed;
  FieldFacts facts;
  const uint32_t fields_max = limits.fields < kFieldsMax ? limits.fields : kFieldsMax;
  parsed = read_fields(Kind::response, data, &at, bytes, fields_max, out->fields, &out->field_count,
                       &facts, why);
  if (parsed != Parsed::complete) return parsed;
  const Refusal reason = check_framing(facts, out->minor_version);
  if (reason != Refusal::none) return refuse(reason, why);
  out->framing = framing_of(facts, request_method, out->status);
  out->keep_alive = keeps_alive(facts, out->minor_version) && out->framing != Framing::until_close;
  out->upgrades = out->status == 101 && offers_upgrade(facts) && out->minor_version >= 1;
  out->has_date = facts.has_date;
  out->has_length = facts.has_length;
  out->content_length = facts.content_length;
  out->bytes = at;
  return Parsed::complete;
}

}  // namespace

Parsed parse_response(const uint8_t* data, uint32_t bytes, uint32_t* scanned,
                      const HeadLimits& limits, Method request_method, ResponseHead* out,
                      Refusal* why) {
  const bool full = bytes >= limits.head_bytes;
  const uint32_t seen = full ? limits.head_bytes : bytes;
  *why = Refusal::none;
  if (!worth_parsing(data, seen, limits, scanned)) return Parsed::incomplete;
  const Parsed parsed = read_response(data, seen, limits, request_method, out, why);
  if (parsed != Parsed::incomplete) return parsed;
  if (full) return refuse(Refusal::head_too_large, why);
  *scanned = scanned_by_parsing(data, seen);
  return Parsed::incomplete;
}

}  // namespace sluice::http
