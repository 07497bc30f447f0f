// HTTP/1.1 between clients and origins. A request names the answer it wants and its tag in its
// target, `/ANSWER_BYTES/TAG`, so that any other client can ask the origins too. Both directions
// are framed by Content-Length and nothing else; what a balancer does to that is an error.
#include <strings.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "protocol.h"

namespace load {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 ";

// Appends to a head. `kHeadBytesMax` fits everything that is written here.
class Writer {
 public:
  explicit Writer(uint8_t* out) : begin_(reinterpret_cast<char*>(out)), at_(begin_) {}
  Writer& operator<<(std::string_view text) {
    memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  Writer& operator<<(uint64_t number) {
    at_ = std::to_chars(at_, at_ + 20, number).ptr;
    return *this;
  }
  uint32_t bytes() const { return static_cast<uint32_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

enum Seen : uint8_t { length = 1, tag = 2, forwarded_for = 4, proto = 8, host = 16 };
constexpr uint8_t kForwarded = Seen::forwarded_for | Seen::proto | Seen::host;

// The fields of a head that matter here. Others are the balancer's business.
struct Fields {
  uint8_t seen = 0;
  uint64_t length = 0;
  uint64_t tag = 0;
  const char* complaint = nullptr;
};

bool is_name(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && strncasecmp(name.data(), lower.data(), lower.size()) == 0;
}

bool parse_number(std::string_view text, uint64_t& number) {
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, number).ptr == end && !text.empty();
}

void take_number(Fields& fields, Seen which, std::string_view text, uint64_t& number) {
  if ((fields.seen & which) != 0 || !parse_number(text, number)) {
    fields.complaint = which == Seen::length ? "not one Content-Length" : "not one X-Tag";
  }
  fields.seen |= which;
}

void take_field(Fields& fields, std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    fields.complaint = "a line that is no field";
    return;
  }
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (is_name(name, "content-length")) {
    take_number(fields, Seen::length, value, fields.length);
  } else if (is_name(name, "x-tag")) {
    take_number(fields, Seen::tag, value, fields.tag);
  } else if (is_name(name, "transfer-encoding")) {
    fields.complaint = "a Transfer-Encoding that nobody sent";
  } else if (is_name(name, "x-forwarded-for")) {
    fields.seen |= Seen::forwarded_for;
  } else if (is_name(name, "x-forwarded-proto")) {
    fields.seen |= Seen::proto;
  } else if (is_name(name, "x-forwarded-host")) {
    fields.seen |= Seen::host;
  }
}

Fields parse_fields(std::string_view lines) {
  Fields fields;
  while (!lines.empty() && fields.complaint == nullptr) {
    const size_t end = lines.find("\r\n");
    take_field(fields, lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
  }
  return fields;
}

class HttpProtocol final : public Protocol {
 public:
  bool forwarded = false;

  uint32_t bytes_min() const override { return 0; }
  uint64_t body_bytes(uint64_t bytes) const override { return bytes; }

  // The requests go round a hundred hosts, app00.example to app99.example.
  uint32_t write_request(uint8_t* head, Message& message, uint64_t bytes) override {
    message.body_bytes = bytes;
    const char host[] = {static_cast<char>('0' + message.tag / 10 % 10),
                         static_cast<char>('0' + message.tag % 10)};
    Writer out(head);
    out << (bytes > 0 ? "POST /" : "GET /") << message.answer_bytes << "/" << message.tag
        << " HTTP/1.1\r\nHost: app" << std::string_view(host, sizeof host)
        << ".example\r\nUser-Agent: load\r\nAccept: */*\r\n";
    if (bytes > 0) out << "Content-Length: " << bytes << "\r\n";
    out << "\r\n";
    return out.bytes();
  }

  uint32_t write_answer(uint8_t* head, Message& message, uint64_t bytes) override {
    message.body_bytes = bytes;
    message.answer_bytes = 0;
    Writer out(head);
    out << "HTTP/1.1 200 OK\r\nServer: load\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
           "Content-Type: application/octet-stream\r\nX-Tag: "
        << message.tag << "\r\nContent-Length: " << bytes << kEnd;
    return out.bytes();
  }

  Progress parse_head(Incoming& in, uint32_t& head_bytes) override {
    const std::string_view all(reinterpret_cast<const char*>(in.head), in.head_received);
    const size_t end = all.find(kEnd);
    if (end == std::string_view::npos) return Progress::more;
    head_bytes = static_cast<uint32_t>(end + kEnd.size());
    const std::string_view head = all.substr(0, end);
    const size_t line_end = head.find("\r\n");
    const bool alone = line_end == std::string_view::npos;
    const Fields fields = parse_fields(alone ? std::string_view{} : head.substr(line_end + 2));
    in.complaint = fields.complaint;
    if (in.complaint == nullptr) {
      const std::string_view line = head.substr(0, line_end);
      in.complaint = in.is_answer ? take_answer(in, line, fields) : take_request(in, line, fields);
    }
    return in.complaint == nullptr ? Progress::complete : Progress::malformed;
  }

 private:
  // Each returns what is wrong, or null.
  const char* take_answer(Incoming& in, std::string_view line, const Fields& fields) {
    if (!line.starts_with(kOk)) {
      snprintf(complaint_, sizeof complaint_, "an answer of status %.3s",
               line.size() >= 12 ? line.data() + 9 : "???");
      return complaint_;
    }
    if ((fields.seen & Seen::length) == 0) return "an answer without Content-Length";
    if (!pattern_covers(fields.length)) return "an answer of another length";
    in.message = Message{fields.tag, fields.length, 0};
    return nullptr;
  }

  const char* take_request(Incoming& in, std::string_view line, const Fields& fields) {
    Message message{0, fields.length, 0};
    const size_t first = line.find(" /");
    const size_t second = line.find('/', first + 2);
    const size_t space = line.find(' ', second + 1);
    if (first == std::string_view::npos || second == std::string_view::npos ||
        space == std::string_view::npos || line.substr(space) != " HTTP/1.1" ||
        !parse_number(line.substr(first + 2, second - first - 2), message.answer_bytes) ||
        !parse_number(line.substr(second + 1, space - second - 1), message.tag)) {
      return "a request that is not for /ANSWER_BYTES/TAG";
    }
    if (!pattern_covers(message.answer_bytes) || !pattern_covers(message.body_bytes)) {
      return "a request for more than --bytes";
    }
    if (forwarded && (fields.seen & kForwarded) != kForwarded) {
      return "a request without X-Forwarded-For, -Proto and -Host";
    }
    in.message = message;
    return nullptr;
  }

  char complaint_[40];
};

}  // namespace

Protocol& http_protocol(bool forwarded) {
  static HttpProtocol protocol;
  protocol.forwarded = forwarded;
  return protocol;
}

}  // namespace load
