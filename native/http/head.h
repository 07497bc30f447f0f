// Heads of HTTP/1 messages as views into the bytes they were parsed from. Plain data; parse.h fills
// it, rewrite.h writes the forwarded head from it. Nothing here owns memory.
#pragma once

#include <cstdint>

namespace sluice::http {

// Bytes [offset, offset + bytes) of the buffer that was parsed.
struct Span {
  uint32_t offset = 0;
  uint32_t bytes = 0;
};

enum class Method : uint8_t {
  other,
  get,
  head,
  post,
  put,
  delete_,
  options,
  patch,
  trace,
  connect,
};

// Names that mean something to a proxy; the rest is `other`.
enum class Name : uint8_t {
  other,
  host,
  connection,
  content_length,
  transfer_encoding,
  te,
  trailer,
  upgrade,
  keep_alive,
  proxy_connection,
  proxy_authenticate,
  proxy_authorization,
  expect,
  http2_settings,
  forwarded,
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  via,
  date,
};

// One header line. `line` covers name, colon, value and CRLF.
struct Field {
  Span line;
  Span value;  // without the whitespace around it
  uint16_t name_bytes = 0;
  Name name = Name::other;
  // Not to be forwarded: hop-by-hop by RFC 9110 section 7.6.1, named by Connection, a framing
  // header (written anew), or an underscore in the name of a request header.
  bool dropped = false;
};

enum class Framing : uint8_t {
  none,         // no body
  length,       // content_length bytes
  chunked,      // RFC 9112 section 7.1
  until_close,  // responses only: the end of the connection ends the body
};

enum class TargetForm : uint8_t { origin, absolute, asterisk };

inline constexpr uint32_t kFieldsMax = 256;  // what HeadLimits.fields may be at most

struct HeadLimits {
  uint32_t head_bytes = 16 * 1024;
  uint32_t target_bytes = 8 * 1024;
  uint32_t fields = 128;
};

struct RequestHead {
  uint32_t bytes = 0;  // of the whole head, leading empty lines and the closing one included
  Method method = Method::other;
  TargetForm form = TargetForm::origin;
  Framing framing = Framing::none;
  uint8_t minor_version = 1;      // HTTP/1.x
  bool keep_alive = true;         // by version and Connection, RFC 9112 section 9.3
  bool expects_continue = false;  // Expect: 100-continue, HTTP/1.1 only
  bool wants_upgrade = false;     // Upgrade other than h2c, named by Connection, no body
  uint16_t field_count = 0;
  uint64_t content_length = 0;
  Span method_text;
  Span target;  // as received
  // Origin-form part of the target, query included; "*" for asterisk-form. Never empty.
  Span path;
  Span authority;  // Host's value (equal to an absolute target's); bytes 0: HTTP/1.0 without Host
  Field fields[kFieldsMax];
};

struct ResponseHead {
  uint32_t bytes = 0;
  uint16_t status = 0;  // 100..999
  uint8_t minor_version = 1;
  Framing framing = Framing::none;  // what RFC 9112 section 6.3 says for this method and status
  bool keep_alive = true;           // as in a request; false when framing is until_close
  bool upgrades = false;            // 101 with Connection: upgrade and Upgrade
  bool has_date = false;
  bool has_length = false;  // a Content-Length is present (also on HEAD and 304)
  uint16_t field_count = 0;
  uint64_t content_length = 0;
  Span reason;
  Field fields[kFieldsMax];
};

enum class Parsed : uint8_t {
  complete,
  incomplete,  // more bytes are needed
  refused,     // `why` says what is wrong; the connection is not usable for another message
};

// Why a message was refused. The table of their statuses is `status_of`.
enum class Refusal : uint8_t {
  none,
  bad_request_line,
  bad_method,
  bad_target,
  bad_version,
  bad_status_line,
  bad_line_end,     // bare CR or LF
  bad_field_name,   // also whitespace before the colon, no colon, empty name
  bad_field_value,  // control bytes
  folded_line,      // obs-fold
  host_missing,
  host_repeated,
  bad_host,            // list-like or malformed
  host_differs,        // from the absolute-form target
  bad_content_length,  // malformed, differing, list-like
  bad_transfer_encoding,
  length_and_encoding,  // Content-Length with Transfer-Encoding
  encoding_in_http10,
  connect_refused,
  unknown_expectation,
  version_not_supported,
  target_too_long,
  head_too_large,
  too_many_fields,
  bad_chunk_size,
  bad_chunk_end,
  chunk_extension_too_long,
  bad_trailer,
};

}  // namespace sluice::http
