// What is kept of one exchange for the access log: a fixed part, then what the request says, behind
// each other. A worker fills a draft while the exchange lasts and copies it into its ring at the
// end; the logger reads it there. Plain data, native byte order.
#pragma once

#include <cstdint>

namespace sluice::log {

// Why an exchange ended. The names that users see are `end_name`'s; those that metrics count, too,
// are the same there.
enum class End : uint8_t {
  complete,
  client_aborted,
  bad_request,      // refused by the parser
  request_timeout,  // 408
  body_too_large,   // 413
  no_route,         // 404
  no_backend,       // 503
  overloaded,       // 503: no memory of ours was free
  connect_refused,
  connect_timeout,
  connect_unreachable,
  connect_other,
  response_timeout,
  response_invalid,
  response_cut,  // by the backend
  stalled,       // a peer took nothing
  cut,           // by a drain's timeout or a removal
};
inline constexpr uint32_t kEndCount = 17;

const char* end_name(End end);

enum class AddressFamily : uint8_t { none, ipv4, ipv6 };

// A slot and whose it was; `slot` kNoSlot: none.
struct SlotName {
  static constexpr uint32_t kNoSlot = UINT32_MAX;
  uint32_t slot = kNoSlot;
  uint32_t incarnation = 0;
};

// Longer texts are cut to this.
inline constexpr uint32_t kMethodBytesMax = 32;
inline constexpr uint32_t kHostBytesMax = 256;
inline constexpr uint32_t kTargetBytesMax = 2048;
inline constexpr uint32_t kUserAgentBytesMax = 512;
inline constexpr uint32_t kRefererBytesMax = 1024;
inline constexpr uint32_t kTextBytesMax =
    kMethodBytesMax + kHostBytesMax + kTargetBytesMax + kUserAgentBytesMax + kRefererBytesMax;

inline constexpr uint32_t kNoTime = UINT32_MAX;

struct alignas(8) Record {
  uint32_t bytes = 0;   // with the texts, a multiple of 8
  uint16_t status = 0;  // 0: the client was not given the head of an answer
  End end = End::complete;
  uint8_t minor_version = 1;
  uint64_t began_ns = 0;  // monotonic
  uint64_t duration_us = 0;
  uint64_t bytes_in = 0;             // head and body of the request
  uint64_t bytes_out = 0;            // heads and body of the answer
  uint64_t body_bytes = 0;           // of bytes_out
  uint32_t connect_us = kNoTime;     // kNoTime: a connection that was there already, or none
  uint32_t first_byte_us = kNoTime;  // from the request's head to the answer's; kNoTime: none came
  SlotName listener;
  SlotName route;
  SlotName pool;
  SlotName backend;
  uint8_t address[16] = {};  // network order; IPv4 uses the first four
  AddressFamily family = AddressFamily::none;
  uint8_t retries = 0;
  bool reused = false;  // the connection to the backend had served others
  uint8_t method_bytes = 0;
  uint16_t host_bytes = 0;
  uint16_t target_bytes = 0;
  uint16_t user_agent_bytes = 0;
  uint16_t referer_bytes = 0;

  // Method, host, target, user agent, referer.
  const uint8_t* texts() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};
static_assert(sizeof(Record) % 8 == 0);

// A record that can still grow. The stride is no power of two, so that the first lines of
// neighbouring drafts are not in one cache set.
struct alignas(64) Draft {
  Record record;
  uint8_t texts[kTextBytesMax];
  uint8_t spread[128];
};
inline constexpr uint32_t kRecordBytesMax = sizeof(Record) + kTextBytesMax;
static_assert(kRecordBytesMax % 8 == 0 && sizeof(Draft) % 4096 != 0);

}  // namespace sluice::log
