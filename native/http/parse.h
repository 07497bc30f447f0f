// The heads of HTTP/1.x messages (RFC 9112), strictly: what two recipients could read differently
// is refused. Pure: bytes in, spans of them out.
//
// `data` holds the message from its first byte. `*scanned` is 0 at first and belongs to the parser
// until the head is complete or refused: calling again with more bytes looks at the new ones only,
// until the end of the head has come. Bytes behind the head are not looked at. A head that can no
// longer become a valid one is refused without waiting for its end, at the latest when it passes
// `limits.head_bytes`. How a head arrives in pieces decides when it is judged, never how.
//
// Where RFC 9110 and 9112 leave a choice:
//  - Up to four empty lines before a request are passed over; before a response none is.
//  - A Host must have a host, also where the target has an authority of its own; both must be equal
//    but for case. HTTP/1.0 needs no Host; authority is then that of an absolute target, if any.
//  - An absolute target has an http or https scheme and no user information. When its path is empty
//    `path` is the last slash of "://". With a query but no path, or with OPTIONS (which would have
//    to become `*`), there is no such span, and it is refused.
//  - Connection may name at most 16 fields and none that the next recipient decides by.
//  - Upgrade is an offer only when it stands on one well-formed line without h2c, in HTTP/1.1, and
//    the request has no body: servers disagree whether a body comes before the switch.
//  - Expect is checked in every version, and obeyed in HTTP/1.1.
#pragma once

#include <cstdint>

#include "http/head.h"

namespace sluice::http {

inline constexpr uint32_t kEmptyLinesMax = 4;
inline constexpr uint32_t kMethodBytesMax = 32;

Parsed parse_request(const uint8_t* data, uint32_t bytes, uint32_t* scanned,
                     const HeadLimits& limits, RequestHead* out, Refusal* why);

// `request_method` is that of the request this answers: an answer to HEAD has no body.
Parsed parse_response(const uint8_t* data, uint32_t bytes, uint32_t* scanned,
                      const HeadLimits& limits, Method request_method, ResponseHead* out,
                      Refusal* why);

// The status to answer a refused request with. CONNECT is 501: 405 would have to name in Allow what
// the target does allow, and there is no target. A refused response is the caller's 502.
uint16_t status_of(Refusal refusal);

// A few words for a log line.
const char* text_of(Refusal refusal);

}  // namespace sluice::http
