// Parsing texts in every way they may arrive, for the tests of native/http.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked.h"
#include "http/parse.h"

namespace sluice::http {

// A copy of exactly its size, so that the address sanitizer sees a read beyond it.
inline std::unique_ptr<uint8_t[]> exact_copy(std::string_view text) {
  auto copy = std::make_unique<uint8_t[]>(text.size());
  if (!text.empty()) std::memcpy(copy.get(), text.data(), text.size());
  return copy;
}

template <typename Head>
struct Verdict {
  Parsed parsed = Parsed::incomplete;
  Refusal why = Refusal::none;
  Head head;
};

inline Parsed parse(std::string_view text, uint32_t* scanned, const HeadLimits& limits, Method,
                    Verdict<RequestHead>* verdict) {
  const auto copy = exact_copy(text);
  return parse_request(copy.get(), static_cast<uint32_t>(text.size()), scanned, limits,
                       &verdict->head, &verdict->why);
}
inline Parsed parse(std::string_view text, uint32_t* scanned, const HeadLimits& limits,
                    Method method, Verdict<ResponseHead>* verdict) {
  const auto copy = exact_copy(text);
  return parse_response(copy.get(), static_cast<uint32_t>(text.size()), scanned, limits, method,
                        &verdict->head, &verdict->why);
}

// Parses `text`, of which first `cut` bytes, then `step` more at a time are there.
template <typename Head>
Verdict<Head> parse_in_pieces(std::string_view text, size_t cut, size_t step,
                              const HeadLimits& limits = {}, Method method = Method::get) {
  Verdict<Head> verdict;
  uint32_t scanned = 0;
  for (size_t there = cut;; there += step) {
    if (there > text.size()) there = text.size();
    verdict.parsed = parse(text.substr(0, there), &scanned, limits, method, &verdict);
    if (verdict.parsed != Parsed::incomplete || there == text.size()) return verdict;
  }
}

inline std::string text_of_span(std::string_view text, Span span) {
  return std::string(text.substr(span.offset, span.bytes));
}

template <typename Head>
bool same(const Verdict<Head>& a, const Verdict<Head>& b) {
  if (a.parsed != b.parsed || a.why != b.why) return false;
  if (a.parsed != Parsed::complete) return true;
  bool equal = a.head.bytes == b.head.bytes && a.head.framing == b.head.framing &&
               a.head.content_length == b.head.content_length &&
               a.head.field_count == b.head.field_count && a.head.keep_alive == b.head.keep_alive;
  for (uint32_t i = 0; equal && i < a.head.field_count; i++) {
    const Field& x = a.head.fields[i];
    const Field& y = b.head.fields[i];
    equal = x.line.offset == y.line.offset && x.line.bytes == y.line.bytes &&
            x.value.offset == y.value.offset && x.value.bytes == y.value.bytes &&
            x.name == y.name && x.dropped == y.dropped;
  }
  return equal;
}

// The verdict on a text, which is the same however it is cut.
template <typename Head>
Verdict<Head> judge(std::string_view text, const HeadLimits& limits = {},
                    Method method = Method::get) {
  const Verdict<Head> whole = parse_in_pieces<Head>(text, text.size(), 1, limits, method);
  CAPTURE(std::string(text));
  for (size_t cut = 0; cut < text.size(); cut++) {
    CAPTURE(cut);
    REQUIRE(same(whole, parse_in_pieces<Head>(text, cut, text.size(), limits, method)));
  }
  REQUIRE(same(whole, parse_in_pieces<Head>(text, 1, 1, limits, method)));
  REQUIRE(same(whole, parse_in_pieces<Head>(text, 3, 7, limits, method)));
  return whole;
}

inline Verdict<RequestHead> request(std::string_view text, const HeadLimits& limits = {}) {
  return judge<RequestHead>(text, limits);
}
inline Verdict<ResponseHead> response(std::string_view text, Method method = Method::get) {
  return judge<ResponseHead>(text, {}, method);
}

}  // namespace sluice::http
