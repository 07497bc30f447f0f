// The messages of a simulated run: requests that clients send and answers that backends give, as
// the bytes of both sides, with what each must have become when it arrives. Made and read by code
// of its own: what is tested is not used to test itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/prng.h"

namespace sluice::http_sim {

inline constexpr uint32_t kNone = UINT32_MAX;

// The wall clock stands still; what is sent on with a Date of the proxy's has this line.
inline constexpr uint64_t kUnixSeconds = 784'111'777;
inline constexpr const char* kDateLine = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

enum class Framing : uint8_t { none, length, chunked, until_close };

// What is said in an upgraded protocol: streams of their own, at most so many bytes, enough for a
// tunnel to take to splice.
inline constexpr uint32_t kTunnelBytesMax = 700'000;
std::string tunnel_from_client(uint32_t request, uint32_t bytes);
std::string tunnel_from_backend(uint32_t answer, uint32_t bytes);
uint32_t draw_tunnel_bytes(Prng& prng);

// Bytes of a body: any bytes, also such as look like messages.
std::string make_body(uint32_t stream, uint32_t bytes);
// In chunks of random sizes. Bodies of requests may have extensions, which do not arrive.
std::string in_chunks(Prng& prng, std::string_view body, bool extensions);

struct Request {
  uint32_t id = 0;
  std::string method;
  int minor = 1;
  Framing framing = Framing::none;
  bool keep = true;
  bool upgrade = false;
  bool expects_continue = false;
  bool garbage = false;
  std::string body;
  std::string bytes;           // as the client sends it
  size_t head_bytes = 0;       // of them
  std::string forwarded_head;  // as a backend must receive it
  // What became of it.
  uint32_t attempts = 0;           // backends' connections that saw bytes of it
  uint32_t executions = 0;         // that saw all of it
  bool body_was_released = false;  // bytes of it that were not sent with the head have arrived
  bool response_was_seen = false;  // the proxy took bytes of an answer
  bool answered = false;

  bool is_idempotent() const { return method != "POST" && method != "PATCH" && method != "BREW"; }
  bool is_head() const { return method == "HEAD"; }
};

struct Answer {
  uint32_t id = 0;
  uint32_t request = 0;
  uint32_t status = 200;
  int minor = 1;
  Framing framing = Framing::length;
  bool close = false;
  bool upgrade = false;
  bool dated = false;         // has a Date of its own
  bool valid = true;          // a client may be given it
  uint32_t interim = 0;       // heads before it
  std::string interim_bytes;  // all of them
  std::string body;           // what a client must have when it is complete
  std::string bytes;          // as the backend sends it, without interim heads
  std::string lines;          // of its head, as they must arrive
  bool is_whole = false;      // the backend has sent it, and its end if that is how it ends

  // The head that a client must be given but for a last Connection line.
  std::string expected_head(const Request& request) const;
  Framing towards(const Request& request) const;
};

Request make_request(Prng& prng, uint32_t id, uint32_t body_max, bool upgrade);
Answer make_answer(Prng& prng, uint32_t id, const Request& request, uint32_t body_max);
std::string garbage(Prng& prng);
// Whether this is one of the answers that the proxy gives by itself; `text` from its first byte.
// `closes`: it says that it is the last. 0: more bytes are needed.
enum class Own : uint8_t { no, maybe, yes };
Own is_own_answer(std::string_view text, bool is_head, uint32_t status, size_t* bytes,
                  bool* closes);

// Reads chunks strictly, without extensions.
class ChunkReader {
 public:
  enum class State : uint8_t { more, done, wrong };
  // Takes what belongs to the body off `in`; the payload goes behind `out`.
  State run(std::string& in, std::string& out);

 private:
  uint64_t left_ = 0;
  enum class Phase : uint8_t { size, data, data_end, trailer } phase_ = Phase::size;
};

}  // namespace sluice::http_sim
