// Verdicts on whole messages, for comparison with another parser.
#include <cstdio>
#include <cstring>

#include "http/chunked.h"
#include "http/parse.h"
#include "http_checks.h"

namespace sluice::http_fuzz {
namespace {

using http::ChunkedFilter;
using http::Framing;
using http::Parsed;
using http::Refusal;
using http::RequestHead;
using http::ResponseHead;

struct Body {
  Parsed parsed = Parsed::complete;
  Refusal why = Refusal::none;
  size_t end = 0;  // of the message
  uint64_t bytes = 0;
};

Body read_body(const std::string& text, size_t start, Framing framing, uint64_t length) {
  const size_t there = text.size() - start;
  switch (framing) {
    case Framing::none:
      return {.end = start};
    case Framing::until_close:
      return {.end = text.size(), .bytes = there};
    case Framing::length:
      if (length > there) return {.parsed = Parsed::incomplete};
      return {.end = start + length, .bytes = length};
    default: {
      const auto copy = exact_copy(std::string_view(text).substr(start));
      ChunkedFilter filter(true);
      const auto step = filter.run(copy.get(), static_cast<uint32_t>(there));
      return {step.state, step.why, start + step.consumed, filter.payload_bytes()};
    }
  }
}

void print_string(std::string_view text) {
  std::putchar('"');
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') {
      std::printf("\\u%04x", byte);
    } else {
      std::putchar(c);
    }
  }
  std::putchar('"');
}

template <typename Head>
void print_verdict(const std::string& text, Parsed parsed, Refusal why, const Head& head,
                   std::string_view start) {
  Body body{.parsed = parsed, .why = why};
  if (parsed == Parsed::complete) {
    body = read_body(text, head.bytes, head.framing, head.content_length);
  }
  if (body.parsed == Parsed::incomplete) {
    std::printf("{\"verdict\":\"incomplete\"}\n");
    return;
  }
  if (body.parsed == Parsed::refused) {
    std::printf("{\"verdict\":\"refused\",\"why\":\"%s\"}\n", http::text_of(body.why));
    return;
  }
  std::printf("{\"verdict\":\"accepted\",\"end\":%zu,\"body\":%llu,\"start\":", body.end,
              static_cast<unsigned long long>(body.bytes));
  print_string(start);
  std::printf(",\"fields\":[");
  for (uint32_t i = 0; i < head.field_count; i++) {
    const http::Field& field = head.fields[i];
    std::printf(i == 0 ? "" : ",");
    print_string(std::string_view(text).substr(field.line.offset, field.name_bytes));
    std::putchar(',');
    print_string(std::string_view(text).substr(field.value.offset, field.value.bytes));
  }
  std::printf("]}\n");
}

void judge_request(const std::string& text) {
  RequestHead head;
  uint32_t scanned = 0;
  Refusal why;
  const auto copy = exact_copy(text);
  const Parsed parsed = http::parse_request(copy.get(), static_cast<uint32_t>(text.size()),
                                            &scanned, {}, &head, &why);
  std::string start;
  if (parsed == Parsed::complete) {
    start = text.substr(head.method_text.offset, head.method_text.bytes) + " " +
            text.substr(head.target.offset, head.target.bytes) + " 1." +
            std::to_string(head.minor_version);
  }
  print_verdict(text, parsed, why, head, start);
}

void judge_response(const std::string& text) {
  ResponseHead head;
  uint32_t scanned = 0;
  Refusal why;
  const auto copy = exact_copy(text);
  const Parsed parsed = http::parse_response(copy.get(), static_cast<uint32_t>(text.size()),
                                             &scanned, {}, http::Method::get, &head, &why);
  std::string start;
  if (parsed == Parsed::complete) {
    start = std::to_string(head.status) + " " + text.substr(head.reason.offset, head.reason.bytes) +
            " 1." + std::to_string(head.minor_version);
  }
  print_verdict(text, parsed, why, head, start);
}

}  // namespace

int judge_messages() {
  char kind[16];
  size_t bytes = 0;
  // Not by a conversion: those pass over blanks, which may begin the message.
  while (std::scanf("%15s %zu", kind, &bytes) == 2 && std::getchar() == '\n') {
    std::string text(bytes, '\0');
    if (std::fread(text.data(), 1, bytes, stdin) != bytes) return 1;
    if (std::strcmp(kind, "request") == 0) {
      judge_request(text);
    } else {
      judge_response(text);
    }
  }
  return std::feof(stdin) != 0 ? 0 : 1;
}

}  // namespace sluice::http_fuzz
