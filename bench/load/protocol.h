// What clients and origins say to each other. The rest of the program moves bytes and knows only
// this interface, so that another protocol is another implementation of it and nothing else.
//
// A message is a head, written per message, and a body of pattern bytes, shared by all messages:
// byte k of every body is byte k of the pattern.
#pragma once

#include <cstdint>

namespace load {

inline constexpr uint32_t kHeadBytesMax = 1024;

struct Message {
  uint64_t tag = 0;           // an answer carries the tag of its request
  uint64_t body_bytes = 0;    // of this message
  uint64_t answer_bytes = 0;  // requests only: the size of the answer that is wanted
};

// The state of one incoming byte stream. Zero is "between two messages".
struct Incoming {
  bool is_answer = false;           // the stream carries answers, not requests
  const char* complaint = nullptr;  // what made it malformed, where the protocol can tell
  uint32_t head_received = 0;
  bool in_body = false;
  uint64_t body_received = 0;
  Message message;
  uint8_t head[kHeadBytesMax];
};

enum class Progress : uint8_t { more, complete, malformed };

class Protocol {
 public:
  virtual ~Protocol() = default;

  // The size of a message is that of head and body together in raw TCP, of the body in HTTP.
  virtual uint32_t bytes_min() const = 0;
  virtual uint64_t body_bytes(uint64_t bytes) const = 0;

  // Write the head of a message of `bytes`; return its length. The body length of `message` is set.
  virtual uint32_t write_request(uint8_t* head, Message& message, uint64_t bytes) = 0;
  virtual uint32_t write_answer(uint8_t* head, Message& message, uint64_t bytes) = 0;

  // Try to read a head from the `head_received` bytes of `in.head`. On `complete`, `in.message` is
  // set and `head_bytes` says how many of them belong to the head.
  virtual Progress parse_head(Incoming& in, uint32_t& head_bytes) = 0;
};

// Raw TCP: a head of 24 bytes (length of this message, length of the answer, tag).
Protocol& raw_protocol();
// HTTP/1.1. `forwarded`: origins refuse requests without X-Forwarded-For, -Proto and -Host.
Protocol& http_protocol(bool forwarded);

// The pattern every body is cut from, and the check of a piece of a body against it. The check
// samples: all of a short piece, of a long one its ends and one word in 4 KiB.
bool make_pattern(uint64_t bytes);
const uint8_t* pattern();
bool pattern_covers(uint64_t bytes);
bool matches_pattern(const uint8_t* data, uint64_t bytes, uint64_t offset);

// Consumes bytes up to the end of the message they belong to; returns how many. With `complete`
// the caller reads `in.message` and resets `in` by `between_messages`.
uint64_t consume(Protocol& protocol, Incoming& in, const uint8_t* data, uint64_t bytes,
                 Progress& progress);
void between_messages(Incoming& in);

}  // namespace load
