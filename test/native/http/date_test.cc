#include "http/date.h"

#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "base/prng.h"

using namespace sluice;

namespace {

std::string date(uint64_t unix_seconds) {
  char text[http::kDateBytes];
  http::write_date(unix_seconds, text);
  return std::string(text, sizeof text);
}

std::string by_the_library(uint64_t unix_seconds) {
  const auto time = static_cast<time_t>(unix_seconds);
  tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
}

}  // namespace

TEST_CASE("date: the example of RFC 9110, and edges of the calendar") {
  CHECK(date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date(951782399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(date(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");
  CHECK(date(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(date(UINT64_MAX) == date(253402300799));
}

TEST_CASE("date: any second is what the C library says") {
  Prng prng(7);
  for (int i = 0; i < 20'000; i++) {
    const uint64_t second = prng.next() % 253402300800;
    REQUIRE(date(second) == by_the_library(second));
  }
  for (uint64_t day = 0; day < 400 * 366; day++) {
    REQUIRE(date(day * 86'400) == by_the_library(day * 86'400));
  }
}

TEST_CASE("date: the text follows the clock, also backwards") {
  http::DateText text;
  for (const uint64_t second : {100, 100, 101, 99, 0}) {
    CHECK(std::string(text.at(second), http::kDateBytes) == date(second));
  }
}
