// Our own answers: complete messages in memory that stays. With a block to spare they are copied
// there with a Date in their heads.
#include <cstring>

#include "proxy/exchanges.h"

namespace sluice::proxy {
namespace {

struct Answer {
  uint16_t status;
  uint32_t retry_after_s;  // 0: says nothing of it
  const char* text;        // head that lets the connection go on, then the body
  const char* closing;     // head that ends it, then the body
  uint32_t body_bytes;
};

// clang-format off
#define SLUICE_ANSWER_HEAD(status, reason, length, connection)                            \
  "HTTP/1.1 " #status " " reason "\r\nContent-Type: text/plain; charset=utf-8\r\n"              \
  "Content-Length: " #length "\r\n" connection "\r\n"
#define SLUICE_ANSWER(status, reason, length)                                             \
  {status, 0, SLUICE_ANSWER_HEAD(status, reason, length, "") #status " " reason "\n",        \
   SLUICE_ANSWER_HEAD(status, reason, length, "Connection: close\r\n") #status " " reason "\n", \
   length}

// RFC 9110 section 10.2.3: when to ask again.
#define SLUICE_UNAVAILABLE(seconds)                                                       \
  {503, seconds, SLUICE_ANSWER_HEAD(503, "Service Unavailable", 24,                       \
                                    "Retry-After: " #seconds "\r\n")                      \
   "503 Service Unavailable\n",                                                           \
   SLUICE_ANSWER_HEAD(503, "Service Unavailable", 24,                                     \
                      "Retry-After: " #seconds "\r\nConnection: close\r\n")              \
   "503 Service Unavailable\n", 24}

constexpr Answer kAnswers[] = {
    SLUICE_ANSWER(400, "Bad Request", 16),
    SLUICE_ANSWER(404, "Not Found", 14),
    SLUICE_ANSWER(408, "Request Timeout", 20),
    SLUICE_ANSWER(413, "Content Too Large", 22),
    SLUICE_ANSWER(414, "URI Too Long", 17),
    SLUICE_ANSWER(417, "Expectation Failed", 23),
    SLUICE_ANSWER(431, "Request Header Fields Too Large", 36),
    SLUICE_ANSWER(501, "Not Implemented", 20),
    SLUICE_ANSWER(502, "Bad Gateway", 16),
    SLUICE_UNAVAILABLE(1),
    SLUICE_UNAVAILABLE(2),
    SLUICE_UNAVAILABLE(5),
    SLUICE_UNAVAILABLE(10),
    SLUICE_UNAVAILABLE(30),
    SLUICE_UNAVAILABLE(60),
    SLUICE_UNAVAILABLE(120),
    SLUICE_UNAVAILABLE(300),
    SLUICE_ANSWER(504, "Gateway Timeout", 20),
    SLUICE_ANSWER(505, "HTTP Version Not Supported", 31),
};
// clang-format on
#undef SLUICE_ANSWER
#undef SLUICE_UNAVAILABLE
#undef SLUICE_ANSWER_HEAD

constexpr uint32_t length_of(const char* text) {
  uint32_t length = 0;
  while (text[length] != '\0') length++;
  return length;
}

// The body is what the head says it is: the status line's words and a line end.
constexpr bool lengths_hold() {
  for (const Answer& answer : kAnswers) {
    const char* end = answer.text + length_of(answer.text);
    const char* body = end - answer.body_bytes;
    if (body[-1] != '\n' || body[-2] != '\r' || body[-3] != '\n') return false;
    if (body[0] != static_cast<char>('0' + answer.status / 100)) return false;
  }
  return true;
}
static_assert(lengths_hold());

// The first that asks for a pause at least as long, or else the longest there is.
const Answer& answer_of(uint16_t status, uint32_t retry_after_s) {
  const Answer* found = nullptr;
  for (const Answer& answer : kAnswers) {
    if (answer.status != status) continue;
    found = &answer;
    if (answer.retry_after_s >= retry_after_s) break;
  }
  return found == nullptr ? kAnswers[0] : *found;
}

// `text` with a Date behind the status line.
uint32_t write_dated(const char* text, uint32_t bytes, const char* date, uint8_t* out) {
  const char* rest = static_cast<const char*>(std::memchr(text, '\n', bytes)) + 1;
  uint8_t* at = out;
  const auto put = [&at](const void* data, size_t count) {
    std::memcpy(at, data, count);
    at += count;
  };
  put(text, static_cast<size_t>(rest - text));
  put("Date: ", 6);
  put(date, http::kDateBytes);
  put("\r\n", 2);
  put(rest, bytes - static_cast<size_t>(rest - text));
  return static_cast<uint32_t>(at - out);
}

}  // namespace

// Where no backend can take it, when the pool expects one again; otherwise what is short here may
// be there again soon.
uint32_t Exchanges::retry_after_s(const Exchange& x) const {
  if (x.pool == kNone) return 1;
  const shm::SnapshotPool& pool = snapshot_.pool(x.pool);
  return pool.incarnation == x.pool_incarnation ? pool.retry_after_s : 1;
}

// Answers in place of a backend. Whatever was under way to one is given up.
void Exchanges::answer(uint32_t x_index, uint16_t status) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  explain_answer(x, status);
  // An interim response is half sent: nothing else can follow in time.
  if (d.sending) return cut_response(x_index);
  release_connection(x_index, false);
  blocks_.drop(x.request_head.block);
  blocks_.drop(x.response_head.block);
  x.up.drop(buffers_);
  x.down.drop(buffers_);
  // After a refused head nobody knows where the next request begins.
  const bool refused = x.pool == kNone && status != 404;
  if (refused || !x.request.done || draining_ || !is_listener_current(d)) x.keep_client = false;
  x.step = Exchange::Step::answering;
  x.status = status;
  count_answer(x);
  const Answer& answer = answer_of(status, status == 503 ? retry_after_s(x) : 0);
  const char* text = x.keep_client && x.minor_version >= 1 ? answer.text : answer.closing;
  if (text == answer.closing) x.keep_client = false;
  uint32_t bytes = length_of(text);
  if (x.method == http::Method::head) bytes -= answer.body_bytes;
  const auto* data = reinterpret_cast<const uint8_t*>(text);
  x.response_head = OutgoingHead{data, bytes, 0, blocks_.take()};
  if (x.response_head.block != HeadBlocks::kNone) {
    uint8_t* out = blocks_.data(x.response_head.block);
    x.response_head.bytes = write_dated(text, bytes, date_.at(engine_.unix_seconds()), out);
    x.response_head.data = out;
  }
  x.head_bytes += x.response_head.bytes;
  if (x.method != http::Method::head) x.head_bytes -= answer.body_bytes;
  set_deadline(x.downstream, x.response_body_timeout_ms);
  send_response(x_index);
}

}  // namespace sluice::proxy
