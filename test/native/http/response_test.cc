#include "messages.h"

using namespace sluice::http;

namespace {

std::string ok(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
}

Refusal refused(const std::string& text) {
  const auto verdict = response(text);
  CHECK(verdict.parsed == Parsed::refused);
  return verdict.why;
}

}  // namespace

TEST_CASE("response: what a head says") {
  const std::string text =
      "HTTP/1.1 404 Not \x80 Found\r\nDate: now\r\nContent-Length: 5\r\nX_Y: 1\r\n"
      "Connection: x-a\r\nX-A: b\r\n\r\nhello";
  const auto verdict = response(text);
  REQUIRE(verdict.parsed == Parsed::complete);
  const ResponseHead& head = verdict.head;
  CHECK(head.bytes == text.size() - 5);
  CHECK(head.status == 404);
  CHECK(head.minor_version == 1);
  CHECK(text_of_span(text, head.reason) == "Not \x80 Found");
  CHECK(head.has_date);
  CHECK(head.has_length);
  CHECK(head.framing == Framing::length);
  CHECK(head.content_length == 5);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.upgrades);
  REQUIRE(head.field_count == 5);
  CHECK(head.fields[1].dropped);
  CHECK_FALSE(head.fields[2].dropped);
  CHECK(head.fields[4].dropped);
}

TEST_CASE("response: status lines, RFC 9112 section 4") {
  CHECK(response("HTTP/1.1 200 \r\n\r\n").parsed == Parsed::complete);
  CHECK(response("HTTP/1.1 200\r\n\r\n").parsed == Parsed::complete);
  CHECK(response("HTTP/1.0 999 \tx\r\n\r\n").head.status == 999);
  for (const char* text :
       {"HTTP/1.1 99 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1\t200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n"}) {
    CAPTURE(text);
    CHECK(refused(text) == Refusal::bad_status_line);
  }
  CHECK(refused("HTTP/2.0 200 OK\r\n\r\n") == Refusal::version_not_supported);
  CHECK(refused("HTTP/1.1 200 OK\n\r\n") == Refusal::bad_line_end);
  CHECK(refused("HTTP/1.1 200\n\r\n") == Refusal::bad_line_end);
  CHECK(refused("HTTP/1.1 2\n") == Refusal::bad_line_end);
  CHECK(refused("HTTP/1.1 200 O\rK\r\n\r\n") == Refusal::bad_line_end);
}

TEST_CASE("response: framing, RFC 9112 section 6.3") {
  const std::string length = "Content-Length: 3\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const auto framing = [](const std::string& text, Method method = Method::get) {
    const auto verdict = response(text, method);
    REQUIRE(verdict.parsed == Parsed::complete);
    return verdict.head.framing;
  };
  CHECK(framing(ok("")) == Framing::until_close);
  CHECK(framing(ok(length)) == Framing::length);
  CHECK(framing(ok(chunked)) == Framing::chunked);
  CHECK(framing(ok(length), Method::head) == Framing::none);
  CHECK(framing(ok(chunked), Method::head) == Framing::none);
  CHECK(framing(ok(""), Method::head) == Framing::none);
  for (const char* status : {"100", "101", "103", "199", "204", "304"}) {
    CAPTURE(status);
    CHECK(framing("HTTP/1.1 " + std::string(status) + " x\r\n" + length + "\r\n") == Framing::none);
  }
  CHECK(framing("HTTP/1.1 205 x\r\n" + length + "\r\n") == Framing::length);
  CHECK(refused(ok(length + chunked)) == Refusal::length_and_encoding);
  CHECK(refused(ok(length + length)) == Refusal::bad_content_length);
  CHECK(refused(ok("Content-Length: 3, 3\r\n")) == Refusal::bad_content_length);
  CHECK(refused(ok("Transfer-Encoding: gzip\r\n")) == Refusal::bad_transfer_encoding);
  CHECK(refused("HTTP/1.0 200 OK\r\n" + chunked + "\r\n") == Refusal::encoding_in_http10);
  CHECK(refused(ok("Connection: content-length\r\n" + length)) == Refusal::bad_field_value);
  CHECK(refused(ok("A: b\r\n c\r\n")) == Refusal::folded_line);
  CHECK(refused(ok("A : b\r\n")) == Refusal::bad_field_name);
}

TEST_CASE("response: the connection's future, RFC 9112 section 9.3") {
  const std::string length = "Content-Length: 3\r\n";
  CHECK(response(ok(length)).head.keep_alive);
  CHECK_FALSE(response(ok("")).head.keep_alive);
  CHECK_FALSE(response(ok(length + "Connection: close\r\n")).head.keep_alive);
  CHECK_FALSE(response("HTTP/1.0 200 OK\r\n" + length + "\r\n").head.keep_alive);
  CHECK(
      response("HTTP/1.0 200 OK\r\n" + length + "Connection: keep-alive\r\n\r\n").head.keep_alive);
  const auto upgrades = [](const std::string& text) { return response(text).head.upgrades; };
  const std::string both = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  CHECK(upgrades("HTTP/1.1 101 x\r\n" + both + "\r\n"));
  CHECK_FALSE(upgrades(ok(both)));
  CHECK_FALSE(upgrades("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"));
  CHECK_FALSE(upgrades("HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n"));
}
