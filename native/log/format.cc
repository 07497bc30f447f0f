#include "log/format.h"

#include "log/text.h"

namespace sluice::log {
namespace {

constexpr const char* kEndNames[] = {"complete",
                                     "client_aborted",
                                     "bad_request",
                                     "request_timeout",
                                     "body_too_large",
                                     "no_route",
                                     "no_backend",
                                     "overloaded",
                                     "connect_refused",
                                     "connect_timeout",
                                     "connect_unreachable",
                                     "connect_other",
                                     "response_timeout",
                                     "response_invalid",
                                     "response_cut",
                                     "stalled",
                                     "cut"};
static_assert(sizeof(kEndNames) / sizeof(kEndNames[0]) == kEndCount);

// What nginx notes for a client that left before there was an answer.
constexpr uint32_t kClientClosed = 499;

struct Texts {
  const uint8_t* method;
  const uint8_t* host;
  const uint8_t* target;
  const uint8_t* user_agent;
  const uint8_t* referer;

  explicit Texts(const Record& record)
      : method(record.texts()),
        host(method + record.method_bytes),
        target(host + record.host_bytes),
        user_agent(target + record.target_bytes),
        referer(user_agent + record.user_agent_bytes) {}
};

char* put_address(char* out, const Record& record) {
  switch (record.family) {
    case AddressFamily::ipv4:
      return put_ipv4(out, record.address);
    case AddressFamily::ipv6:
      return put_ipv6(out, record.address);
    case AddressFamily::none:
      break;
  }
  return out;
}

// A string, or null when there is none.
char* put_string(char* out, const uint8_t* text, uint32_t bytes) {
  if (bytes == 0) return put(out, "null");
  *out++ = '"';
  out = put_json(out, text, bytes);
  *out++ = '"';
  return out;
}
char* put_string(char* out, std::string_view text) {
  return put_string(out, reinterpret_cast<const uint8_t*>(text.data()),
                    static_cast<uint32_t>(text.size()));
}

char* put_time(char* out, uint32_t microseconds) {
  return microseconds == kNoTime ? put(out, "null") : put_seconds(out, microseconds);
}

char* put_or_dash(char* out, const uint8_t* text, uint32_t bytes) {
  if (bytes > 0) return put_escaped(out, text, bytes);
  *out++ = '-';
  return out;
}

char* put_protocol(char* out, const Record& record) {
  return put(out, record.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1");
}

}  // namespace

const char* end_name(End end) {
  return kEndNames[static_cast<uint32_t>(end)];
}

void Formatter::look_at(uint64_t wall_ns) {
  milliseconds_ = static_cast<uint32_t>(wall_ns / 1'000'000 % 1000);
  const uint64_t second = wall_ns / 1'000'000'000;
  if (second == second_) return;
  second_ = second;
  const Civil civil = civil_of(second);
  char* out = put_digits(iso_, civil.year, 4);
  *out++ = '-';
  out = put_digits(out, civil.month, 2);
  *out++ = '-';
  out = put_digits(out, civil.day, 2);
  *out++ = 'T';
  char* const time = out;
  out = put_digits(out, civil.hour, 2);
  *out++ = ':';
  out = put_digits(out, civil.minute, 2);
  *out++ = ':';
  out = put_digits(out, civil.second, 2);
  *out = '.';
  constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  out = put_digits(nginx_, civil.day, 2);
  *out++ = '/';
  out = put(out, std::string_view(kMonths + 3 * (civil.month - 1), 3));
  *out++ = '/';
  out = put_digits(out, civil.year, 4);
  *out++ = ':';
  out = put(out, std::string_view(time, 8));
  put(out, " +0000");
}

char* Formatter::json(char* out, const Record& record, const Names& names) {
  const Texts texts(record);
  out = put(out, "{\"time\":\"");
  out = put(out, std::string_view(iso_, sizeof(iso_)));
  out = put_digits(out, milliseconds_, 3);
  out = put(out, "Z\",\"client_addr\":");
  char address[64];
  out = put_string(
      out, std::string_view(address, static_cast<size_t>(put_address(address, record) - address)));
  out = put(out, ",\"method\":");
  out = put_string(out, texts.method, record.method_bytes);
  out = put(out, ",\"host\":");
  out = put_string(out, texts.host, record.host_bytes);
  out = put(out, ",\"path\":");
  out = put_string(out, texts.target, record.target_bytes);
  out = put(out, ",\"protocol\":");
  if (record.method_bytes == 0) {
    out = put(out, "null");
  } else {
    *out++ = '"';
    out = put_protocol(out, record);
    *out++ = '"';
  }
  out = put(out, ",\"status\":");
  out = record.status == 0 ? put(out, "null") : put_number(out, record.status);
  out = put(out, ",\"bytes_in\":");
  out = put_number(out, record.bytes_in);
  out = put(out, ",\"bytes_out\":");
  out = put_number(out, record.bytes_out);
  out = put(out, ",\"duration\":");
  out = put_seconds(out, record.duration_us);
  out = put(out, ",\"connect_time\":");
  out = put_time(out, record.connect_us);
  out = put(out, ",\"first_byte_time\":");
  out = put_time(out, record.first_byte_us);
  out = put(out, ",\"listener\":");
  out = put_string(out, names.of(NameKind::listener, record.listener));
  out = put(out, ",\"route\":");
  out = put_string(out, names.of(NameKind::route, record.route));
  out = put(out, ",\"pool\":");
  out = put_string(out, names.of(NameKind::pool, record.pool));
  out = put(out, ",\"backend\":");
  out = put_string(out, names.of(NameKind::backend, record.backend));
  out = put(out, ",\"retries\":");
  out = put_number(out, record.retries);
  out = put(out, record.reused ? ",\"reused\":true,\"end\":\"" : ",\"reused\":false,\"end\":\"");
  out = put(out, end_name(record.end));
  out = put(out, "\",\"user_agent\":");
  out = put_string(out, texts.user_agent, record.user_agent_bytes);
  out = put(out, ",\"referer\":");
  out = put_string(out, texts.referer, record.referer_bytes);
  return put(out, "}\n");
}

// `$remote_addr - - [$time] "$request" $status $body_bytes_sent "$referer" "$user_agent"`.
char* Formatter::combined(char* out, const Record& record) {
  const Texts texts(record);
  if (record.family == AddressFamily::none) {
    *out++ = '-';
  } else {
    out = put_address(out, record);
  }
  out = put(out, " - - [");
  out = put(out, std::string_view(nginx_, sizeof(nginx_)));
  out = put(out, "] \"");
  if (record.method_bytes == 0) {
    *out++ = '-';
  } else {
    out = put_escaped(out, texts.method, record.method_bytes);
    *out++ = ' ';
    out = put_escaped(out, texts.target, record.target_bytes);
    *out++ = ' ';
    out = put_protocol(out, record);
  }
  out = put(out, "\" ");
  out = put_number(out, record.status == 0 ? kClientClosed : record.status);
  *out++ = ' ';
  out = put_number(out, record.body_bytes);
  out = put(out, " \"");
  out = put_or_dash(out, texts.referer, record.referer_bytes);
  out = put(out, "\" \"");
  out = put_or_dash(out, texts.user_agent, record.user_agent_bytes);
  return put(out, "\"\n");
}

char* Formatter::line(char* out, Format format, const Record& record, const Names& names,
                      uint64_t wall_offset_ns) {
  look_at(record.began_ns + wall_offset_ns);
  return format == Format::json ? json(out, record, names) : combined(out, record);
}

}  // namespace sluice::log
