#include "http/chunked.h"

#include "messages.h"

using namespace sluice::http;

namespace {

struct Passed {
  Parsed state = Parsed::incomplete;
  Refusal why = Refusal::none;
  size_t consumed = 0;
  std::string out;
  uint64_t payload = 0;
};

Passed pass_in_pieces(std::string_view text, size_t cut, size_t step, bool strip) {
  ChunkedFilter filter(strip);
  Passed passed;
  size_t there = cut;
  while (passed.state == Parsed::incomplete && passed.consumed < text.size()) {
    const std::string_view piece = text.substr(passed.consumed, there);
    const auto copy = exact_copy(piece);
    const auto taken = filter.run(copy.get(), static_cast<uint32_t>(piece.size()));
    REQUIRE(taken.produced <= taken.consumed);
    REQUIRE((taken.state != Parsed::incomplete || taken.consumed == piece.size()));
    // What follows the message is as it was.
    REQUIRE(std::memcmp(copy.get() + taken.consumed, piece.data() + taken.consumed,
                        piece.size() - taken.consumed) == 0);
    passed.out.append(reinterpret_cast<const char*>(copy.get()), taken.produced);
    passed.consumed += taken.consumed;
    passed.state = taken.state;
    passed.why = taken.why;
    there = step;
  }
  passed.payload = filter.payload_bytes();
  return passed;
}

Passed pass(std::string_view text, bool strip = false) {
  const Passed whole = pass_in_pieces(text, text.size(), 1, strip);
  CAPTURE(std::string(text));
  for (size_t cut = 1; cut <= text.size(); cut++) {
    for (const size_t step : {text.size(), size_t{1}, size_t{3}}) {
      CAPTURE(cut);
      const Passed other = pass_in_pieces(text, cut, step, strip);
      REQUIRE(other.state == whole.state);
      REQUIRE(other.why == whole.why);
      REQUIRE(other.consumed == whole.consumed);
      REQUIRE(other.out == whole.out);
      REQUIRE(other.payload == whole.payload);
    }
  }
  return whole;
}

Refusal refused(const std::string& text) {
  const Passed passed = pass(text);
  CAPTURE(text);
  CHECK(passed.state == Parsed::refused);
  CHECK(pass(text, true).why == passed.why);
  return passed.why;
}

}  // namespace

TEST_CASE("chunked: a body passes as it is, and what follows stays") {
  const std::string body = "5\r\nhello\r\n00a\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n";
  const Passed passed = pass(body + "GET /");
  CHECK(passed.state == Parsed::complete);
  CHECK(passed.consumed == body.size());
  CHECK(passed.out == body);
  CHECK(passed.payload == 15);
  CHECK(pass("0\r\n\r\n").out == "0\r\n\r\n");
  CHECK(pass("0\r\n\r\n").payload == 0);
  CHECK(pass("aB\r\n").out == "aB\r\n");
}

TEST_CASE("chunked: extensions are taken out") {
  const Passed passed =
      pass("5;a=b;c=\"d;\x80\"\r\nhello\r\n3 \t;x\r\nabc\r\n0;\r\nT: 1\r\n\r\nnext");
  CHECK(passed.state == Parsed::complete);
  CHECK(passed.out == "5\r\nhello\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n");
  const std::string longest = ";" + std::string(kChunkExtensionBytesMax - 1, 'x');
  CHECK(pass_in_pieces("1" + longest + "\r\na\r\n0\r\n\r\n", 9, 9, false).state ==
        Parsed::complete);
  CHECK(refused("1" + longest + "x\r\na\r\n") == Refusal::chunk_extension_too_long);
  std::string many;
  for (uint32_t i = 0; i < kMessageExtensionBytesMax / kChunkExtensionBytesMax; i++) {
    many += "1" + longest + "\r\na\r\n";
  }
  CHECK(pass_in_pieces(many + "0\r\n\r\n", 999, 999, false).state == Parsed::complete);
  CHECK(pass_in_pieces(many + "0;\r\n\r\n", 999, 999, false).why ==
        Refusal::chunk_extension_too_long);
}

TEST_CASE("chunked: stripped, only the payload is left") {
  const std::string body = "5;x\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n";
  const Passed passed = pass(body + "next", true);
  CHECK(passed.state == Parsed::complete);
  CHECK(passed.consumed == body.size());
  CHECK(passed.out == "hello!");
  CHECK(passed.payload == 6);
}

TEST_CASE("chunked: sizes, RFC 9112 section 7.1") {
  for (const char* text :
       {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1 2", ";a\r\n",
        "1\t\r\n", "1,", "1\x80", "00000000000000001", "4000000000000001", "ffffffffffffffff"}) {
    CHECK(refused(text) == Refusal::bad_chunk_size);
  }
  for (const char* text : {"1\n", "1\rx", "1;a\n", "1;\"\n\"", "1;a\rx", "1;\x01", "1;\x7f",
                           "1\r\nax", "1\r\na\n", "1\r\na\rx", "1\r\nabc"}) {
    CHECK(refused(text) == Refusal::bad_chunk_end);
  }
  CHECK(refused(std::string("1;\0", 3)) == Refusal::bad_chunk_end);
  ChunkedFilter filter;
  uint8_t most[] = "4000000000000000\r\nabc";
  CHECK(filter.run(most, sizeof(most) - 1).state == Parsed::incomplete);
  CHECK(filter.wanted() == kChunkBytesMax - 3);
}

TEST_CASE("chunked: trailers, RFC 9110 section 6.5.1") {
  for (const char* name : {"Content-Length",
                           "transfer-encoding",
                           "HOST",
                           "Connection",
                           "Trailer",
                           "TE",
                           "Content-Encoding",
                           "Content-Type",
                           "Content-Range",
                           "Cache-Control",
                           "Expect",
                           "Authorization",
                           "Set-Cookie",
                           "Cookie",
                           "Keep-Alive",
                           "Upgrade",
                           "Proxy-Authorization",
                           "X-Forwarded-For",
                           "If-Unmodified-Since",
                           "Max-Forwards",
                           "Age"}) {
    CHECK(refused("0\r\n" + std::string(name) + ": 1\r\n\r\n") == Refusal::bad_trailer);
  }
  for (const char* text : {"A b: c\r\n", "A : c\r\n", ": c\r\n", "A\r\n", " A: b\r\n", "A: b\r\n c",
                           "A: \x01", "A: b\n", "A: b\rx", "\n", "\rx", "\x80: b"}) {
    CHECK(refused("0\r\n" + std::string(text)) == Refusal::bad_trailer);
  }
  CHECK(refused(std::string("0\r\nA: \0", 7)) == Refusal::bad_trailer);
  CHECK(pass("0\r\nExpires-Not: 1\r\nContent-Lengths: 2\r\n\r\n").state == Parsed::complete);
  CHECK(pass("0\r\n" + std::string(60, 'n') + ": 1\r\n\r\n").state == Parsed::complete);
  // The empty line counts.
  const std::string most = "0\r\nA:" + std::string(kTrailerBytesMax - 6, 'x') + "\r\n\r\n";
  CHECK(pass_in_pieces(most, 700, 700, false).state == Parsed::complete);
  CHECK(pass_in_pieces("0\r\nA" + most.substr(3), 700, 700, false).why == Refusal::bad_trailer);
}

TEST_CASE("chunked: payload may pass by another way") {
  ChunkedFilter filter;
  uint8_t start[] = "a\r\n12";
  CHECK(filter.wanted() == 0);
  CHECK(filter.run(start, sizeof(start) - 1).state == Parsed::incomplete);
  CHECK(filter.wanted() == 8);
  filter.skip(3);
  CHECK(filter.wanted() == 5);
  filter.skip(5);
  CHECK(filter.wanted() == 0);
  CHECK(filter.payload_bytes() == 10);
  uint8_t end[] = "\r\n0\r\n\r\n";
  CHECK(filter.run(end, sizeof(end) - 1).state == Parsed::complete);
  filter.reset(true);
  uint8_t again[] = "1\r\na\r\n0\r\n\r\n";
  const auto stripped = filter.run(again, sizeof(again) - 1);
  CHECK(stripped.state == Parsed::complete);
  CHECK(stripped.produced == 1);
  CHECK(filter.payload_bytes() == 1);
}
