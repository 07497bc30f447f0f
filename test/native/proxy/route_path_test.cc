#include "proxy/route_path.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using sluice::proxy::RoutePath;

namespace {

const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// Its normal form as far as it is kept, each segment behind a bar.
std::string normal(std::string_view text) {
  const RoutePath path(bytes_of(text), static_cast<uint32_t>(text.size()), 1);
  std::string out;
  for (uint32_t n = 1; n <= path.segments(); n++) {
    const uint32_t from = path.bytes_of(n - 1);
    out += "|";
    out.append(reinterpret_cast<const char*>(path.bytes()) + from, path.bytes_of(n) - from);
  }
  return out;
}

std::string repeat(std::string_view part, uint32_t times) {
  std::string out;
  while (times-- > 0) out += part;
  return out;
}

}  // namespace

TEST_CASE("route path: what is in normal form is cut into segments") {
  CHECK(normal("/") == "|/");
  CHECK(normal("/a") == "|/a");
  CHECK(normal("/a/bc?d/e") == "|/a|/bc");
  CHECK(normal("/a/#/b") == "|/a|/");
  CHECK(normal("/a//b/") == "|/a|/|/b|/");
  CHECK(normal("/a.b/c..") == "|/a.b|/c..");
  CHECK(normal("") == "");
  CHECK(normal("*") == "");
  CHECK(normal("?/a") == "");
}

TEST_CASE("route path: RFC 3986 removes dot segments and decodes what is unreserved") {
  CHECK(normal("/a/b/c/./../../g") == "|/a|/g");
  CHECK(normal("/a/..") == "|/");
  CHECK(normal("/a/.") == "|/a|/");
  CHECK(normal("/../../a") == "|/a");
  CHECK(normal("/a//../b") == "|/a|/b");
  CHECK(normal("/a/../b?/../..") == "|/b");
  CHECK(normal("/a/%2e%2E/b") == "|/b");
  CHECK(normal("/.%2e/...") == "|/...");
  CHECK(normal("/.a/..b/.") == "|/.a|/..b|/");
  CHECK(normal("/%41%7e%2f%3a") == "|/A~%2F%3A");
  CHECK(normal("/%2541") == "|/%2541");
  CHECK(normal("/%/%2/%zz/%a") == "|/%|/%2|/%zz|/%a");
  CHECK(normal(std::string_view("/%00/\0\xff", 7)) == std::string("|/%00|/\0\xff", 9));
}

TEST_CASE("route path: 32 segments are kept, the others counted") {
  const std::string deep = repeat("/a", 40);
  const std::string kept = repeat("|/a", 32);
  CHECK(normal(deep) == kept);
  CHECK(normal(deep + repeat("/..", 8) + "/b") == kept);
  CHECK(normal(deep + repeat("/..", 10) + "/b") == repeat("|/a", 30) + "|/b");
  CHECK(normal(deep + repeat("/..", 50) + "/b") == "|/b");
  CHECK(normal("/%61" + repeat("/a", 39)) == kept);
}

TEST_CASE("route path: 2 KiB are kept, whole segments of them") {
  const std::string long_one = "/" + std::string(1500, 'x');
  CHECK(normal(long_one + "/y" + long_one + "/z") == "|" + long_one + "|/y");
  CHECK(normal("/%61" + long_one + "/y" + long_one + "/z") == "|/a|" + long_one + "|/y");
  // What was too long is gone again, and with it what was not kept.
  CHECK(normal("/a" + long_one + long_one + "/c/../../b") == "|/a|" + long_one + "|/b");
  const std::string full = "/" + std::string(2047, 'x');
  for (const std::string head : {"", "/%2e"}) {
    CHECK(normal(head + full) == "|" + full);
    CHECK(normal(head + full + "y") == "");
    CHECK(normal(head + full + "/") == "|" + full);
  }
  CHECK(normal("/%2f" + std::string(2044, 'x')) == "|/%2F" + std::string(2044, 'x'));
  CHECK(normal("/%2f" + std::string(2045, 'x')) == "");
  CHECK(normal("/" + std::string(2045, 'x') + "%2f") == "");
}

TEST_CASE("route path: hashes are those of the bytes, in any order of asking") {
  const std::string_view text = "/ab/c/def";
  RoutePath path(bytes_of(text), static_cast<uint32_t>(text.size()), 77);
  const auto hash = [](std::string_view part) {
    uint32_t value = sluice::shm::prefix_hash_begin(77);
    for (const char byte : part) {
      value = sluice::shm::route_hash_byte(value, static_cast<uint8_t>(byte));
    }
    return value;
  };
  CHECK(path.hash_of(2) == hash("/ab/c"));
  CHECK(path.hash_of(3) == hash("/ab/c/def"));
  CHECK(path.hash_of(1) == hash("/ab"));
}
