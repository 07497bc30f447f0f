#include "http/scan.h"

#include <doctest/doctest.h>

#include <memory>
#include <string_view>

#include "base/prng.h"

namespace scan = sluice::http::scan;

namespace {

// Both ways to search agree on every start and length, in memory that ends where the text does.
template <typename Set>
void check_twins(sluice::Prng& prng, uint8_t common) {
  for (int round = 0; round < 2000; round++) {
    const uint32_t bytes = prng.below(160);
    auto text = std::make_unique<uint8_t[]>(bytes);
    for (uint32_t i = 0; i < bytes; i++) {
      text[i] = prng.one_in(12) ? static_cast<uint8_t>(prng.next()) : common;
    }
    const uint8_t* end = text.get() + bytes;
    for (uint32_t from = 0; from <= bytes; from++) {
      const uint8_t* found = scan::find<Set>(text.get() + from, end);
      REQUIRE(found == scan::find_portable<Set>(text.get() + from, end));
      if (from == bytes) continue;
      REQUIRE(scan::marks_at<Set>(text.get(), from, bytes) ==
              scan::marks_portable<Set>(text.get(), from, bytes));
    }
  }
}

// Every byte value in every lane.
template <typename Set>
void check_values(uint8_t common) {
  uint8_t text[16];
  for (int value = 0; value < 256; value++) {
    for (int lane = 0; lane < 16; lane++) {
      for (uint8_t& byte : text) byte = common;
      text[lane] = static_cast<uint8_t>(value);
      CAPTURE(value);
      REQUIRE(scan::find<Set>(text, text + 16) == scan::find_portable<Set>(text, text + 16));
    }
  }
}

}  // namespace

TEST_CASE("scan: the wide search is the portable one") {
  sluice::Prng prng(7);
  check_values<scan::ValueEnd>('v');
  check_values<scan::TargetEnd>('/');
  check_values<scan::NameEnd>('n');
  check_twins<scan::ValueEnd>(prng, 0x80);
  check_twins<scan::TargetEnd>(prng, '~');
  check_twins<scan::NameEnd>(prng, '-');
}

TEST_CASE("scan: marks are met in order, however far apart") {
  sluice::Prng prng(8);
  for (int round = 0; round < 2000; round++) {
    const uint32_t bytes = 1 + prng.below(400);
    const uint32_t rarity = 1 + prng.below(200);
    auto text = std::make_unique<uint8_t[]>(bytes);
    for (uint32_t i = 0; i < bytes; i++) text[i] = prng.one_in(rarity) ? '\r' : 'x';
    const uint8_t* const end = text.get() + bytes;
    uint32_t from = prng.below(bytes);
    scan::Marks<scan::ValueEnd> marks(text.get(), from, bytes);
    while (from < bytes) {
      const uint8_t* const expected = scan::find_portable<scan::ValueEnd>(text.get() + from, end);
      REQUIRE(text.get() + marks.next(from) == expected);
      from = static_cast<uint32_t>(expected - text.get()) + prng.below(3);
    }
  }
}

TEST_CASE("scan: the sets are those of the grammar") {
  for (int value = 0; value < 256; value++) {
    const auto c = static_cast<uint8_t>(value);
    CAPTURE(value);
    const bool visible = c > 0x20 && c < 0x7f;
    CHECK(scan::ValueEnd::has(c) == !(visible || c == ' ' || c == '\t' || c >= 0x80));
    CHECK(scan::TargetEnd::has(c) == (!visible || c == '#'));
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    CHECK(scan::NameEnd::has(c) == !(alphanumeric || c == '-'));
    // RFC 9110 section 5.6.2: visible bytes but the delimiters.
    const bool delimiter = std::string_view("\"(),/:;<=>?@[\\]{}").find(static_cast<char>(c)) !=
                           std::string_view::npos;
    CHECK(scan::is_token_byte(c) == (visible && !delimiter));
  }
}
