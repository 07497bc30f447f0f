// Writes the head that is forwarded from one that was parsed. Framing and connection headers are
// written anew from what was understood; everything else is copied line by line, once. Pure.
#pragma once

#include <cstdint>

#include "http/head.h"

namespace sluice::http {

// By how many bytes a written head may exceed the parsed one, beside `authority` and `peer` texts.
inline constexpr uint32_t kHeadGrowthBytes = 512;

// What a request head is given on its way.
struct Forwarding {
  const char* peer = "";  // the client's address as text; empty for a Unix socket
  uint32_t peer_bytes = 0;
  bool peer_trusted = false;  // keeps what the client says about those before it
  bool via = false;
};

struct ResponseRewrite {
  Framing framing = Framing::none;  // towards the client
  bool close = false;               // says so
  bool keep_alive = false;          // says so: an HTTP/1.0 client asked for it
  bool upgrades = false;
  bool via = false;
  const char* date = nullptr;  // kDateBytes bytes for a Date to add, if any
};

// Both return the bytes written to `out`, which has room for the head, twice its authority and
// kHeadGrowthBytes more.
uint32_t write_request_head(const uint8_t* data, const RequestHead& head,
                            const Forwarding& forwarding, uint8_t* out);
uint32_t write_response_head(const uint8_t* data, const ResponseHead& head,
                             const ResponseRewrite& rewrite, uint8_t* out);

}  // namespace sluice::http
