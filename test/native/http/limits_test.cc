// Limits of a head, early verdicts on heads that never end, and the table of statuses.
#include "messages.h"

using namespace sluice::http;

namespace {

// The first count of bytes at which a text that comes byte by byte is refused.
size_t refused_after(std::string_view text, const HeadLimits& limits, Refusal expected) {
  uint32_t scanned = 0;
  Verdict<RequestHead> verdict;
  for (size_t there = 1; there <= text.size(); there++) {
    const Parsed parsed = parse(text.substr(0, there), &scanned, limits, Method::get, &verdict);
    REQUIRE(parsed != Parsed::complete);
    if (parsed == Parsed::incomplete) continue;
    CHECK(std::string(text_of(verdict.why)) == text_of(expected));
    return there;
  }
  return 0;
}

}  // namespace

TEST_CASE("limits: targets") {
  HeadLimits limits;
  limits.target_bytes = 100;
  const auto get = [&](uint32_t bytes) {
    return request("GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits);
  };
  CHECK(get(100).parsed == Parsed::complete);
  CHECK(get(101).why == Refusal::target_too_long);
  CHECK(get(2000).why == Refusal::target_too_long);
}

TEST_CASE("limits: heads") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(200, 'x') + "\r\n\r\n";
  HeadLimits limits;
  limits.head_bytes = static_cast<uint32_t>(text.size());
  CHECK(request(text, limits).parsed == Parsed::complete);
  CHECK(request(text + "body", limits).parsed == Parsed::complete);
  limits.head_bytes--;
  CHECK(request(text, limits).why == Refusal::head_too_large);
  CHECK(request(text + "body", limits).why == Refusal::head_too_large);
  // What is wrong within the limit is said before that.
  CHECK(request("GET / HTTP/1.1\r\nHost: a\r\nX y\r\n" + text, limits).why ==
        Refusal::bad_field_name);
}

TEST_CASE("limits: fields") {
  const auto with_fields = [](uint32_t count, const HeadLimits& limits) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (uint32_t i = 1; i < count; i++) text += "A: b\r\n";
    return parse_in_pieces<RequestHead>(text + "\r\n", 30, 30, limits);
  };
  HeadLimits limits;
  CHECK(with_fields(128, limits).head.field_count == 128);
  CHECK(with_fields(129, limits).why == Refusal::too_many_fields);
  limits.fields = 1000;
  CHECK(with_fields(kFieldsMax, limits).head.field_count == kFieldsMax);
  CHECK(with_fields(kFieldsMax + 1, limits).why == Refusal::too_many_fields);
}

TEST_CASE("limits: a slow sender of garbage is answered") {
  HeadLimits limits;
  limits.target_bytes = 1000;
  limits.head_bytes = 4000;
  CHECK(refused_after("\x16\x03\x01", limits, Refusal::bad_method) == 1);
  CHECK(refused_after("SSH-2.0-OpenSSH_9.2\r\n", limits, Refusal::bad_method) == 20);
  CHECK(refused_after("hello world, this is it", limits, Refusal::bad_target) == 13);
  CHECK(refused_after("GET / HTTP/3.0\r\n", limits, Refusal::version_not_supported) == 14);
  const std::string start = "GET / HTTP/1.1\r\nX: " + std::string(100, 'x');
  CHECK(refused_after(start + "\x01\r\n", limits, Refusal::bad_field_value) == start.size() + 1);
  CHECK(refused_after(start + "\n", limits, Refusal::bad_line_end) == start.size() + 1);
  CHECK(refused_after(start + "\rx", limits, Refusal::bad_line_end) == start.size() + 2);
  const std::string path = "GET /" + std::string(2000, 'a');
  CHECK(refused_after(path, limits, Refusal::target_too_long) <= 1100);
  const std::string endless = start + std::string(5000, 'x');
  CHECK(refused_after(endless, limits, Refusal::head_too_large) == 4000);
  CHECK(refused_after("\r\n\r\n\r\n\r\n\r\n", limits, Refusal::bad_request_line) == 9);
}

TEST_CASE("limits: taking up a head again looks at new bytes only") {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(300, 'x');
  uint32_t scanned = 0;
  Verdict<RequestHead> verdict;
  for (const char* more : {"", "y", "y\r", "y\r\n", "y\r\n\r"}) {
    const std::string text = start + more;
    REQUIRE(parse(text, &scanned, {}, Method::get, &verdict) == Parsed::incomplete);
    CHECK(scanned == start.size() + (*more == 'y' ? 1 : 0));
  }
}

TEST_CASE("limits: statuses and words") {
  CHECK(status_of(Refusal::bad_request_line) == 400);
  CHECK(status_of(Refusal::length_and_encoding) == 400);
  CHECK(status_of(Refusal::target_too_long) == 414);
  CHECK(status_of(Refusal::unknown_expectation) == 417);
  CHECK(status_of(Refusal::head_too_large) == 431);
  CHECK(status_of(Refusal::too_many_fields) == 431);
  CHECK(status_of(Refusal::connect_refused) == 501);
  CHECK(status_of(Refusal::version_not_supported) == 505);
  for (int i = 0; i <= static_cast<int>(Refusal::bad_trailer); i++) {
    for (int k = 0; k < i; k++) {
      CHECK(std::string(text_of(static_cast<Refusal>(i))) != text_of(static_cast<Refusal>(k)));
    }
  }
}
