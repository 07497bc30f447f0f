#include <cctype>
#include <utility>

#include "messages.h"

using namespace sluice::http;

namespace {

struct Refused {
  Refusal why;
  const char* rfc;  // the section that says so, of RFC 9112 unless another is named
  std::string text;
};

// Fields behind a request line and a Host that are in order.
std::string with(const std::string& fields) {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
// A request line before a Host that is in order.
std::string line(const std::string& first) {
  return first + "Host: a\r\n\r\n";
}

void check_refused(const std::vector<Refused>& table) {
  for (const Refused& row : table) {
    CAPTURE(row.text);
    CAPTURE(row.rfc);
    const auto verdict = request(row.text);
    CHECK(verdict.parsed == Parsed::refused);
    CHECK(std::string(text_of(verdict.why)) == text_of(row.why));
  }
}

const Field* field_of(const RequestHead& head, std::string_view text, std::string_view name) {
  for (uint32_t i = 0; i < head.field_count; i++) {
    const Field& field = head.fields[i];
    if (text.substr(field.line.offset, field.name_bytes) == name) return &field;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("request: what a head says") {
  const std::string text =
      "\r\nPATCH /a/b?c=%20d HTTP/1.1\r\nHost: Example.com:81\r\nContent-Length:\t012 \r\n"
      "X-Empty:\r\nUser-Agent: one \x80 two\r\nDATE: now\r\n\r\nbody";
  const auto verdict = request(text);
  REQUIRE(verdict.parsed == Parsed::complete);
  const RequestHead& head = verdict.head;
  CHECK(head.bytes == text.size() - 4);
  CHECK(head.method == Method::patch);
  CHECK(text_of_span(text, head.method_text) == "PATCH");
  CHECK(head.form == TargetForm::origin);
  CHECK(text_of_span(text, head.target) == "/a/b?c=%20d");
  CHECK(text_of_span(text, head.path) == "/a/b?c=%20d");
  CHECK(text_of_span(text, head.authority) == "Example.com:81");
  CHECK(head.framing == Framing::length);
  CHECK(head.content_length == 12);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.expects_continue);
  CHECK_FALSE(head.wants_upgrade);
  REQUIRE(head.field_count == 5);
  CHECK(head.fields[0].name == Name::host);
  CHECK(head.fields[1].dropped);
  CHECK(head.fields[2].value.bytes == 0);
  CHECK(text_of_span(text, head.fields[3].line) == "User-Agent: one \x80 two\r\n");
  CHECK(text_of_span(text, head.fields[3].value) == "one \x80 two");
  CHECK(head.fields[3].name_bytes == 10);
  CHECK(head.fields[4].name == Name::date);
}

TEST_CASE("request: every known name is recognised in any case") {
  const std::pair<const char*, Name> names[] = {
      {"Connection", Name::connection},
      {"Content-Length", Name::content_length},
      {"TE", Name::te},
      {"Trailer", Name::trailer},
      {"Upgrade", Name::upgrade},
      {"Keep-Alive", Name::keep_alive},
      {"Proxy-Connection", Name::proxy_connection},
      {"Proxy-Authenticate", Name::proxy_authenticate},
      {"Proxy-Authorization", Name::proxy_authorization},
      {"HTTP2-Settings", Name::http2_settings},
      {"Forwarded", Name::forwarded},
      {"X-Forwarded-For", Name::x_forwarded_for},
      {"X-Forwarded-Proto", Name::x_forwarded_proto},
      {"X-Forwarded-Host", Name::x_forwarded_host},
      {"Via", Name::via},
      {"Date", Name::date},
      {"Expecz", Name::other},
      {"Content-Lengti", Name::other},
      {"X-Forwarded-Fog", Name::other},
      {"Connectiom", Name::other},
  };
  for (const auto& [name, expected] : names) {
    std::string spelled = name;
    for (int round = 0; round < 3; round++) {
      const auto verdict = request(with(spelled + ": 1\r\n"));
      CAPTURE(spelled);
      REQUIRE(verdict.parsed == Parsed::complete);
      CHECK(verdict.head.fields[1].name == expected);
      for (char& c : spelled) c = static_cast<char>(round == 0 ? std::tolower(c) : std::toupper(c));
    }
  }
  CHECK(request(with("transfer-ENCODING: Chunked\r\n")).head.fields[1].name ==
        Name::transfer_encoding);
  CHECK(request(with("Expect: 100-Continue\r\n")).head.fields[1].name == Name::expect);
}

TEST_CASE("request: the request line is as the grammar says") {
  using R = Refusal;
  check_refused({
      {R::bad_method, "3.1", line(" GET / HTTP/1.1\r\n")},
      {R::bad_method, "3.1", line("G(T / HTTP/1.1\r\n")},
      {R::bad_method, "3.1", line("GET\t/ HTTP/1.1\r\n")},
      {R::bad_method, "3.1", line(std::string(33, 'M') + " / HTTP/1.1\r\n")},
      {R::bad_method, "3", std::string("\x16\x03\x01\x02\x00\x01\x00", 7)},
      {R::connect_refused, "RFC 9110 9.3.6", line("CONNECT a:443 HTTP/1.1\r\n")},
      {R::bad_target, "3", line("GET  / HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line("GET a HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line("GET /a#b HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line("GET /\x80 HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line("GET /\x7f HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line("GET /\tb HTTP/1.1\r\n")},
      {R::bad_target, "3.2", line(std::string("GET /\0 HTTP/1.1\r\n", 17))},
      {R::bad_target, "3.2.4", line("GET * HTTP/1.1\r\n")},
      {R::bad_target, "3.2.4", line("OPTIONS ** HTTP/1.1\r\n")},
      {R::bad_target, "3.2.2", line("GET ftp://a/ HTTP/1.1\r\n")},
      {R::bad_target, "3.2.2", line("GET http:/a/ HTTP/1.1\r\n")},
      {R::bad_target, "3.2.2", line("GET http:// HTTP/1.1\r\n")},
      {R::bad_target, "3.2.2", line("GET http:///b HTTP/1.1\r\n")},
      {R::bad_target, "3.2.2", line("GET http://a?b HTTP/1.1\r\n")},
      {R::bad_target, "3.2.4", line("OPTIONS http://a HTTP/1.1\r\n")},
      {R::bad_target, "RFC 9110 4.2.4", line("GET http://u@a/ HTTP/1.1\r\n")},
      {R::bad_request_line, "3", "GET /\r\n\r\n"},
      {R::bad_version, "2.3", line("GET / http/1.1\r\n")},
      {R::bad_version, "2.3", line("GET / HTTP/1.1 \r\n")},
      {R::bad_version, "2.3", line("GET / HTTP/1.10\r\n")},
      {R::bad_version, "2.3", line("GET / HTTP/11\r\n")},
      {R::bad_version, "2.3", line("GET /  HTTP/1.1\r\n")},
      {R::bad_version, "2.3", line("GET / HTTP/1,1\r\n")},
      {R::version_not_supported, "2.3", line("GET / HTTP/1.2\r\n")},
      {R::version_not_supported, "2.3", line("GET / HTTP/2.0\r\n")},
      {R::version_not_supported, "2.3", line("GET / HTTP/0.9\r\n")},
      {R::bad_request_line, "2.2", line("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n")},
      {R::bad_line_end, "2.2", line("\nGET / HTTP/1.1\r\n")},
      {R::bad_line_end, "2.2", line("\rGET / HTTP/1.1\r\n")},
      {R::bad_line_end, "2.2", line("GET / HTTP/1.1\n")},
      {R::bad_line_end, "2.2", line("GET / HTTP/1.1\rX")},
      {R::bad_line_end, "2.2", line("GET /\nHTTP/1.1\r\n")},
      {R::bad_line_end, "2.2", line("GET / HT\nTP/1.1\r\n")},
  });
  CHECK(request(line("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n")).parsed == Parsed::complete);
  CHECK(request(line(std::string(32, 'M') + " / HTTP/1.1\r\n")).head.method == Method::other);
}

TEST_CASE("request: field lines are as the grammar says") {
  using R = Refusal;
  check_refused({
      {R::bad_field_name, "5.1", with("A : b\r\n")},
      {R::bad_field_name, "5.1", with("A\t: b\r\n")},
      {R::bad_field_name, "5", with(": b\r\n")},
      {R::bad_field_name, "5", with("A\r\n")},
      {R::bad_field_name, "5", with("A(: b\r\n")},
      {R::bad_field_name, "5", with("\x80: b\r\n")},
      {R::bad_field_name, "5", with(std::string("A\0: b\r\n", 7))},
      {R::bad_line_end, "2.2", with("A\n")},
      {R::bad_line_end, "2.2", with("A: b\n")},
      {R::bad_line_end, "2.2", with("A: b\n\n")},
      {R::bad_line_end, "2.2", with("A: b\rc\r\n")},
      {R::bad_line_end, "2.2", with("A: b\r\r\n")},
      {R::bad_line_end, "2.2", with("\n")},
      {R::bad_line_end, "2.2", with("\rx")},
      {R::bad_field_value, "RFC 9110 5.5", with(std::string("A: \0\r\n", 6))},
      {R::bad_field_value, "RFC 9110 5.5", with("A: b\x01\r\n")},
      {R::bad_field_value, "RFC 9110 5.5", with("A: b\x7f\r\n")},
      {R::bad_field_value, "RFC 9110 5.5", with("A: b\x0b\r\n")},
      {R::bad_field_name, "5", with("\x01: b\r\n")},
      {R::folded_line, "5.2", with("A: b\r\n c\r\n")},
      {R::folded_line, "5.2", with("A: b\r\n\tc\r\n")},
      {R::folded_line, "2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
  });
  const auto odd = request(with("!#$%&'*+.^`|~9: \t b\tc \t\r\n"));
  REQUIRE(odd.parsed == Parsed::complete);
  CHECK(odd.head.fields[1].value.bytes == 3);
}

TEST_CASE("request: Host") {
  using R = Refusal;
  check_refused({
      {R::host_missing, "3.2", "GET / HTTP/1.1\r\n\r\n"},
      {R::host_missing, "3.2", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {R::host_repeated, "3.2", with("Host: a\r\n")},
      {R::host_repeated, "3.2", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n"},
      {R::bad_host, "3.2", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {R::bad_host, "3.2", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
      {R::bad_host, "3.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {R::bad_host, "RFC 9110 4.2.1", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {R::bad_host, "3.2", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
      {R::bad_host, "3.2", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {R::host_differs, "3.2.2", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"},
      {R::host_differs, "3.2.2", "GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n"},
  });
  const std::string absolute = "GET HTTPS://Ab:1/x?y HTTP/1.1\r\nHost: aB:1\r\n\r\n";
  const auto verdict = request(absolute);
  REQUIRE(verdict.parsed == Parsed::complete);
  CHECK(verdict.head.form == TargetForm::absolute);
  CHECK(text_of_span(absolute, verdict.head.path) == "/x?y");
  CHECK(text_of_span(absolute, verdict.head.authority) == "aB:1");
  const std::string bare = "GET http://a HTTP/1.0\r\n\r\n";
  CHECK(text_of_span(bare, request(bare).head.path) == "/");
  CHECK(text_of_span(bare, request(bare).head.authority) == "a");
  const std::string old = "GET / HTTP/1.0\r\n\r\n";
  REQUIRE(request(old).parsed == Parsed::complete);
  CHECK(request(old).head.authority.bytes == 0);
  CHECK_FALSE(request(old).head.keep_alive);
  const auto asterisk = request(line("OPTIONS * HTTP/1.1\r\n"));
  CHECK(asterisk.head.form == TargetForm::asterisk);
  CHECK(asterisk.head.path.bytes == 1);
}

TEST_CASE("request: framing has one reading") {
  using R = Refusal;
  check_refused({
      {R::bad_content_length, "6.3", with("Content-Length: 1\r\nContent-Length: 1\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 1\r\nContent-Length: 2\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 1, 1\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: +1\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: -1\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 1 2\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 0x1\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length:\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 9223372036854775808\r\n")},
      {R::bad_content_length, "6.3", with("Content-Length: 18446744073709551617\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: gzip, chunked\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: chunked, chunked\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: chunked,\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: identity\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: xchunked\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding:\r\n")},
      {R::bad_transfer_encoding, "6.1", with("Transfer-Encoding: chunked;q=1\r\n")},
      {R::bad_transfer_encoding, "6.1",
       with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {R::length_and_encoding, "6.1", with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")},
      {R::length_and_encoding, "6.1", with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")},
      {R::encoding_in_http10, "6.1", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
  });
  CHECK(request(with("")).head.framing == Framing::none);
  CHECK(request(with("transfer-encoding:chUNKed \r\n")).head.framing == Framing::chunked);
  const auto most = request(with("Content-Length: 9223372036854775807\r\n"));
  CHECK(most.head.framing == Framing::length);
  CHECK(most.head.content_length == INT64_MAX);
}

TEST_CASE("request: what goes no further") {
  const std::string text = with(
      "Connection: close, X-One ,,\tx-two\r\nX-ONE: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"
      "Keep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\n"
      "Upgrade: websocket\r\nHTTP2-Settings: a\r\nProxy-Authorization: b\r\n"
      "Expect: 100-continue\r\nContent-Length: 3\r\nX_Under: 4\r\n");
  const auto verdict = request(text);
  REQUIRE(verdict.parsed == Parsed::complete);
  CHECK_FALSE(verdict.head.keep_alive);
  CHECK(verdict.head.expects_continue);
  CHECK_FALSE(verdict.head.wants_upgrade);
  for (const char* name : {"Connection", "X-ONE", "X-Two", "Keep-Alive", "Proxy-Connection", "TE",
                           "Upgrade", "HTTP2-Settings", "Content-Length", "X_Under"}) {
    CAPTURE(name);
    CHECK(field_of(verdict.head, text, name)->dropped);
  }
  for (const char* name : {"Host", "X-Three", "Trailer", "Proxy-Authorization", "Expect"}) {
    CAPTURE(name);
    CHECK_FALSE(field_of(verdict.head, text, name)->dropped);
  }
}

TEST_CASE("request: Connection must not name what others decide by") {
  using R = Refusal;
  std::string many = "Connection: close";
  for (int i = 0; i < 16; i++) many += ", x" + std::to_string(i);
  CHECK(request(with(many + "\r\n")).parsed == Parsed::complete);
  check_refused({
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: Host\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: close, content-length\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: transfer-encoding\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: Cookie\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: Authorization\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: X-Forwarded-For\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: cache-control\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: a b\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with("Connection: \"close\"\r\n")},
      {R::bad_field_value, "RFC 9110 7.6.1", with(many + ", x16\r\n")},
  });
  CHECK(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").head.keep_alive);
  CHECK_FALSE(request("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").head.keep_alive);
  CHECK_FALSE(request(with("Connection: keep-alive\r\nConnection: close\r\n")).head.keep_alive);
}

TEST_CASE("request: Upgrade and Expect") {
  const auto upgrades = [](const std::string& fields) {
    const auto verdict = request(with(fields));
    REQUIRE(verdict.parsed == Parsed::complete);
    return verdict.head.wants_upgrade;
  };
  CHECK(upgrades("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"));
  CHECK(upgrades("Upgrade: a/1, b\r\nConnection: upgrade\r\n"));
  const std::string both = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  CHECK(upgrades(both + "Content-Length: 0\r\n"));
  CHECK_FALSE(upgrades(both + "Content-Length: 1\r\n"));
  CHECK_FALSE(upgrades(both + "Transfer-Encoding: chunked\r\n"));
  CHECK_FALSE(upgrades("Upgrade: websocket\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: b\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\nUpgrade: a b\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\nUpgrade: a/\r\n"));
  CHECK_FALSE(upgrades("Connection: upgrade\r\nUpgrade:\r\n"));
  const std::string old = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n";
  CHECK_FALSE(request(old).head.wants_upgrade);
  check_refused({
      {Refusal::unknown_expectation, "RFC 9110 10.1.1", with("Expect: 200-ok\r\n")},
      {Refusal::unknown_expectation, "RFC 9110 10.1.1", with("Expect:\r\n")},
      {Refusal::unknown_expectation, "RFC 9110 10.1.1", with("Expect: 100-continue, x\r\n")},
  });
  CHECK(request(with("Expect: 100-Continue\r\n")).head.expects_continue);
  CHECK_FALSE(request("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}
