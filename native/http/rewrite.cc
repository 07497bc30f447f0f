#include "http/rewrite.h"

#include <cstring>

#include "http/date.h"

namespace sluice::http {
namespace {

class Writer {
 public:
  explicit Writer(uint8_t* out) : begin_(out), at_(out) {}

  uint32_t bytes() const { return static_cast<uint32_t>(at_ - begin_); }

  void put(const void* data, uint32_t bytes) {
    std::memcpy(at_, data, bytes);
    at_ += bytes;
  }
  template <size_t N>
  void text(const char (&literal)[N]) {
    put(literal, N - 1);
  }
  void number(uint64_t value) {
    char digits[20];
    uint32_t count = 0;
    do {
      digits[sizeof digits - ++count] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0);
    put(digits + sizeof digits - count, count);
  }

 private:
  uint8_t* begin_;
  uint8_t* at_;
};

void put(Writer& out, const uint8_t* data, Span span) {
  out.put(data + span.offset, span.bytes);
}

// Copies the lines for which `keep` says so; neighbours go in one piece.
template <typename Keep>
void copy_fields(Writer& out, const uint8_t* data, const Field* fields, uint32_t count,
                 Keep&& keep) {
  Span run;
  for (uint32_t i = 0; i < count; i++) {
    const Field& field = fields[i];
    if (keep(field) && run.offset + run.bytes == field.line.offset) {
      run.bytes += field.line.bytes;
      continue;
    }
    put(out, data, run);
    run = keep(field) ? field.line : Span{};
  }
  put(out, data, run);
}

void write_framing(Writer& out, Framing framing, uint64_t content_length) {
  if (framing == Framing::chunked) return out.text("Transfer-Encoding: chunked\r\n");
  if (framing != Framing::length) return;
  out.text("Content-Length: ");
  out.number(content_length);
  out.text("\r\n");
}

void write_upgrade(Writer& out, const uint8_t* data, const Field* fields, uint32_t count) {
  out.text("Connection: upgrade\r\n");
  for (uint32_t i = 0; i < count; i++) {
    if (fields[i].name == Name::upgrade) put(out, data, fields[i].line);
  }
}

bool is_forwarding_name(Name name) {
  return name == Name::x_forwarded_for || name == Name::x_forwarded_proto ||
         name == Name::x_forwarded_host || name == Name::forwarded;
}

void write_request_line(Writer& out, const uint8_t* data, const RequestHead& head) {
  put(out, data, head.method_text);
  out.text(" ");
  put(out, data, head.path);
  out.text(" HTTP/1.1\r\n");
}

// The list of those who forwarded the request, and how the first of them saw it. What a client that
// is not trusted says about this is replaced.
void write_forwarding(Writer& out, const uint8_t* data, const RequestHead& head,
                      const Forwarding& forwarding) {
  bool has_proto = false;
  bool has_host = false;
  bool has_list = false;
  if (forwarding.peer_trusted) {
    for (uint32_t i = 0; i < head.field_count; i++) {
      const Field& field = head.fields[i];
      has_proto |= field.name == Name::x_forwarded_proto;
      has_host |= field.name == Name::x_forwarded_host;
      if (field.name != Name::x_forwarded_for || field.value.bytes == 0) continue;
      has_list ? out.text(", ") : out.text("X-Forwarded-For: ");
      has_list = true;
      put(out, data, field.value);
    }
  }
  if (forwarding.peer_bytes > 0) {
    has_list ? out.text(", ") : out.text("X-Forwarded-For: ");
    has_list = true;
    out.put(forwarding.peer, forwarding.peer_bytes);
  }
  if (has_list) out.text("\r\n");
  if (!has_proto) out.text("X-Forwarded-Proto: http\r\n");
  if (!has_host && head.authority.bytes > 0) {
    out.text("X-Forwarded-Host: ");
    put(out, data, head.authority);
    out.text("\r\n");
  }
}

}  // namespace

uint32_t write_request_head(const uint8_t* data, const RequestHead& head,
                            const Forwarding& forwarding, uint8_t* to) {
  Writer out(to);
  write_request_line(out, data, head);
  const bool trusted = forwarding.peer_trusted;
  copy_fields(out, data, head.fields, head.field_count, [trusted](const Field& field) {
    if (field.dropped) return false;
    if (!is_forwarding_name(field.name)) return true;
    return trusted && field.name != Name::x_forwarded_for;
  });
  if (head.authority.bytes == 0) out.text("Host:\r\n");  // HTTP/1.0 has none, HTTP/1.1 needs one
  write_forwarding(out, data, head, forwarding);
  if (forwarding.via) out.text("Via: 1.1 sluice\r\n");
  if (head.wants_upgrade) write_upgrade(out, data, head.fields, head.field_count);
  write_framing(out, head.framing, head.content_length);
  out.text("\r\n");
  return out.bytes();
}

uint32_t write_response_head(const uint8_t* data, const ResponseHead& head,
                             const ResponseRewrite& rewrite, uint8_t* to) {
  Writer out(to);
  out.text("HTTP/1.1 ");
  out.number(head.status);
  out.text(" ");
  put(out, data, head.reason);
  out.text("\r\n");
  copy_fields(out, data, head.fields, head.field_count,
              [](const Field& field) { return !field.dropped; });
  if (rewrite.date != nullptr) {
    out.text("Date: ");
    out.put(rewrite.date, kDateBytes);
    out.text("\r\n");
  }
  if (rewrite.via) out.text("Via: 1.1 sluice\r\n");
  if (rewrite.upgrades) write_upgrade(out, data, head.fields, head.field_count);
  // A length without a body (HEAD, 304) tells about the body that is not sent.
  const bool tells_length = rewrite.framing == Framing::none && head.has_length &&
                            head.status >= 200 && head.status != 204;
  write_framing(out, tells_length ? Framing::length : rewrite.framing, head.content_length);
  if (rewrite.close) out.text("Connection: close\r\n");
  if (rewrite.keep_alive) out.text("Connection: keep-alive\r\n");
  out.text("\r\n");
  return out.bytes();
}

}  // namespace sluice::http
