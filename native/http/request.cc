#include <cstring>

#include "http/authority.h"
#include "http/fields.h"
#include "http/names.h"
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

Method method_of(const uint8_t* text, uint32_t bytes) {
  const auto is = [&](const char* name) { return std::memcmp(text, name, bytes) == 0; };
  switch (bytes) {
    case 3:
      return is("GET") ? Method::get : is("PUT") ? Method::put : Method::other;
    case 4:
      return is("POST") ? Method::post : is("HEAD") ? Method::head : Method::other;
    case 5:
      return is("PATCH") ? Method::patch : is("TRACE") ? Method::trace : Method::other;
    case 6:
      return is("DELETE") ? Method::delete_ : Method::other;
    case 7:
      return is("OPTIONS") ? Method::options : is("CONNECT") ? Method::connect : Method::other;
    default:
      return Method::other;
  }
}

// RFC 9112 section 2.2.
Parsed skip_empty_lines(const uint8_t* data, uint32_t bytes, uint32_t* at, Refusal* why) {
  for (uint32_t lines = 0;; lines++) {
    if (*at == bytes) return Parsed::incomplete;
    if (data[*at] == '\n') return refuse(Refusal::bad_line_end, why);
    if (data[*at] != '\r') return Parsed::complete;
    if (lines == kEmptyLinesMax) return refuse(Refusal::bad_request_line, why);
    if (*at + 1 == bytes) return Parsed::incomplete;
    if (data[*at + 1] != '\n') return refuse(Refusal::bad_line_end, why);
    *at += 2;
  }
}

Parsed read_method(const uint8_t* data, uint32_t bytes, uint32_t* at, RequestHead* out,
                   Refusal* why) {
  const uint32_t start = *at;
  uint32_t i = start;
  while (i < bytes && scan::is_token_byte(data[i])) {
    if (++i - start > kMethodBytesMax) return refuse(Refusal::bad_method, why);
  }
  if (i == bytes) return Parsed::incomplete;
  if (data[i] != ' ' || i == start) return refuse(Refusal::bad_method, why);
  out->method_text = {start, i - start};
  out->method = method_of(data + start, i - start);
  if (out->method == Method::connect) return refuse(Refusal::connect_refused, why);
  *at = i + 1;
  return Parsed::complete;
}

// scheme "://" authority path-abempty [ "?" query ], see parse.h for what is not taken.
bool read_absolute_target(const uint8_t* data, RequestHead* out) {
  const uint8_t* text = data + out->target.offset;
  const uint32_t bytes = out->target.bytes;
  uint32_t scheme = 0;
  while (scheme < bytes && text[scheme] != ':') scheme++;
  const bool known = (scheme == 4 || scheme == 5) &&
                     equal_ignoring_case(text, reinterpret_cast<const uint8_t*>("https"), scheme);
  if (!known || bytes - scheme < 3 || text[scheme + 1] != '/' || text[scheme + 2] != '/') {
    return false;
  }
  const uint32_t authority = scheme + 3;
  uint32_t path = authority;
  while (path < bytes && text[path] != '/' && text[path] != '?') path++;
  if (!is_authority(text + authority, path - authority)) return false;
  out->form = TargetForm::absolute;
  out->authority = {out->target.offset + authority, path - authority};
  if (path < bytes) {
    out->path = {out->target.offset + path, bytes - path};
    return text[path] == '/';
  }
  out->path = {out->target.offset + authority - 1, 1};
  return out->method != Method::options;
}

bool read_target_form(const uint8_t* data, RequestHead* out) {
  const uint8_t* text = data + out->target.offset;
  out->path = out->target;
  out->authority = {};
  out->form = TargetForm::origin;
  if (text[0] == '/') return true;
  if (text[0] != '*') return read_absolute_target(data, out);
  out->form = TargetForm::asterisk;
  return out->target.bytes == 1 && out->method == Method::options;
}

Parsed read_target(const uint8_t* data, uint32_t bytes, uint32_t* at, const HeadLimits& limits,
                   RequestHead* out, Refusal* why) {
  const uint8_t* const start = data + *at;
  const uint32_t left = bytes - *at;
  // One byte more than a target may have: the blank behind it.
  const uint32_t looked_at = left <= limits.target_bytes ? left : limits.target_bytes + 1;
  const uint8_t* stop = scan::find<scan::TargetEnd>(start, start + looked_at);
  const auto length = static_cast<uint32_t>(stop - start);
  if (length > limits.target_bytes) return refuse(Refusal::target_too_long, why);
  if (length == looked_at) return Parsed::incomplete;
  if (*stop == '\n') return refuse(Refusal::bad_line_end, why);
  if (*stop == '\r') return refuse(Refusal::bad_request_line, why);
  if (*stop != ' ' || length == 0) return refuse(Refusal::bad_target, why);
  out->target = {*at, length};
  if (!read_target_form(data, out)) return refuse(Refusal::bad_target, why);
  *at += length + 1;
  return Parsed::complete;
}

Parsed read_request_line(const uint8_t* data, uint32_t bytes, uint32_t* at,
                         const HeadLimits& limits, RequestHead* out, Refusal* why) {
  Parsed parsed = skip_empty_lines(data, bytes, at, why);
  if (parsed == Parsed::complete) parsed = read_method(data, bytes, at, out, why);
  if (parsed == Parsed::complete) parsed = read_target(data, bytes, at, limits, out, why);
  if (parsed == Parsed::complete) {
    parsed = read_version(data, bytes, at, &out->minor_version, Refusal::bad_version, why);
  }
  if (parsed == Parsed::complete)
    parsed = read_line_end(data, bytes, at, Refusal::bad_version, why);
  return parsed;
}

// RFC 9112 section 3.2: Host, and what the target says of it.
Refusal check_host(const uint8_t* data, const FieldFacts& facts, RequestHead* out) {
  if (!facts.has_host) {
    return out->minor_version >= 1 ? Refusal::host_missing : Refusal::none;
  }
  if (out->form == TargetForm::absolute) {
    const bool same = out->authority.bytes == facts.host.bytes &&
                      equal_ignoring_case(data + out->authority.offset, data + facts.host.offset,
                                          facts.host.bytes);
    if (!same) return Refusal::host_differs;
  }
  out->authority = facts.host;
  return Refusal::none;
}

Refusal conclude(const uint8_t* data, const FieldFacts& facts, RequestHead* out) {
  Refusal reason = check_host(data, facts, out);
  if (reason == Refusal::none) reason = check_framing(facts, out->minor_version);
  if (reason != Refusal::none) return reason;
  const bool current = out->minor_version >= 1;
  out->framing = facts.has_encoding ? Framing::chunked
                 : facts.has_length ? Framing::length
                                    : Framing::none;
  out->content_length = facts.content_length;
  out->keep_alive = keeps_alive(facts, out->minor_version);
  out->expects_continue = facts.expects_continue && current;
  const bool bodiless = !facts.has_encoding && facts.content_length == 0;
  out->wants_upgrade = offers_upgrade(facts) && !facts.offers_h2c && current && bodiless;
  return Refusal::none;
}

Parsed read_request(const uint8_t* data, uint32_t bytes, const HeadLimits& limits, RequestHead* out,
                    Refusal* why) {
  uint32_t at = 0;
  Parsed parsed = read_request_line(data, bytes, &at, limits, out, why);
  if (parsed != Parsed::complete) return parsed;
  FieldFacts facts;
  const uint32_t fields_max = limits.fields < kFieldsMax ? limits.fields : kFieldsMax;
  parsed = read_fields(Kind::request, data, &at, bytes, fields_max, out->fields, &out->field_count,
                       &facts, why);
  if (parsed != Parsed::complete) return parsed;
  const Refusal reason = conclude(data, facts, out);
  if (reason != Refusal::none) return refuse(reason, why);
  out->bytes = at;
  return Parsed::complete;
}

}  // namespace

Parsed parse_request(const uint8_t* data, uint32_t bytes, uint32_t* scanned,
                     const HeadLimits& limits, RequestHead* out, Refusal* why) {
  const bool full = bytes >= limits.head_bytes;
  const uint32_t seen = full ? limits.head_bytes : bytes;
  *why = Refusal::none;
  if (!worth_parsing(data, seen, limits, scanned)) return Parsed::incomplete;
  const Parsed parsed = read_request(data, seen, limits, out, why);
  if (parsed != Parsed::incomplete) return parsed;
  if (full) return refuse(Refusal::head_too_large, why);
  *scanned = scanned_by_parsing(data, seen);
  return Parsed::incomplete;
}

}  // namespace sluice::http
