#include "http_messages.h"

#include <cstdio>

namespace sluice::http_fuzz {
namespace {

constexpr const char* kMethods[] = {"GET",    "GET",     "HEAD",  "POST", "PUT",
                                    "DELETE", "OPTIONS", "PATCH", "TRACE"};
constexpr const char* kOddMethods[] = {"CONNECT", "BREW", "get", "G T", "", "GET ", "G\"T", "PRI"};
constexpr const char* kTargets[] = {"/", "/", "/a/b?c=d", "/%20", "/a//b/../c", "/?", "/~u|x"};
constexpr const char* kOddTargets[] = {"*",
                                       "http://a.example/",
                                       "http://a.example",
                                       "HTTPS://A.EXAMPLE/x?y",
                                       "a.example:80",
                                       "",
                                       "/a b",
                                       "/a#b",
                                       "http://u@a.example/",
                                       "ftp://a/",
                                       "/\x80",
                                       "http://a.example?q",
                                       "//a",
                                       "/\x7f",
                                       "http://a,b/",
                                       "http:///x",
                                       "http://[::1]/",
                                       "**",
                                       "\\",
                                       "/\t"};
constexpr const char* kVersions[] = {"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"};
constexpr const char* kOddVersions[] = {"HTTP/1.2",  "HTTP/2.0",  "HTTP/0.9", "http/1.1",
                                        "HTTP/1.1 ", "HTTP/1.10", "HTTP/1",   "",
                                        "HTTP/11",   "XTTP/1.1"};
constexpr const char* kHosts[] = {"a.example", "a.example", "A.Example", "b:80", "[::1]:8080"};
constexpr const char* kOddHosts[] = {"",     "a,b",  "a b",           "u@a", "a:",      "a:99999",
                                     "[::1", "a/b",  "[::g]",         "::1", "a:80:80", "a\x80",
                                     "%41",  "a, b", "1.2.3.4:65535", "a\"b"};
constexpr const char* kNames[] = {"Accept",
                                  "User-Agent",
                                  "X-Request-Id",
                                  "Cookie",
                                  "Via",
                                  "Date",
                                  "X-Forwarded-For",
                                  "Forwarded",
                                  "ETag",
                                  "X!#$%&'*+.^`|~",
                                  "A",
                                  "Trailer",
                                  "Proxy-Authorization",
                                  "Set-Cookie",
                                  "X-Long-Name-"
                                  "That-Takes-More-Than-Two-Blocks-Of-Sixteen-Bytes"};
constexpr const char* kOddNames[] = {"X_Y",           "A B",        "",   "A ",
                                     "A\t",           "\x80",       "X(", "Host",
                                     "Expect",        "Keep-Alive", "TE", "Proxy-Connection",
                                     "HTTP2-Settings"};
constexpr const char* kConnections[] = {
    "close", "keep-alive", "Keep-Alive, close", "upgrade", "x-request-id", "close,,TE ,", ""};
constexpr const char* kOddConnections[] = {"host",
                                           "content-length",
                                           "a b",
                                           "cookie",
                                           "\"close\"",
                                           "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
                                           "transfer-encoding"};
constexpr const char* kUpgrades[] = {"websocket", "h2c", "a/1, b", "a b", "", "websocket, H2C"};
constexpr const char* kLengths[] = {"0", "5", "5", "012"};
constexpr const char* kOddLengths[] = {
    "+5", "-1", "5,5", "5, 5", "", "0x5", "9223372036854775808", "5 5", "18446744073709551617",
    "5;", "٥",  "1e3"};
constexpr const char* kOddEncodings[] = {
    "gzip",     "gzip, chunked", "chunked, chunked", "identity",    "",           "chunked;q=1",
    "xchunked", ",chunked",      "chunked,",         "\"chunked\"", "chunked\x0b"};
constexpr const char* kReasons[] = {" OK", " Not Found", " ", "", " \x80 \t", " OK\x01"};
constexpr const char* kStatuses[] = {"200", "200", "204", "304", "100", "101", "404", "500", "999"};
constexpr const char* kOddStatuses[] = {"099", "20", "2000", "2x0", "", "-20", " 200"};
constexpr const char* kSizes[] = {"", "0", "000", "0000000"};
constexpr const char* kOddSizes[] = {"0x1",
                                     "g",
                                     "-1",
                                     "+1",
                                     " 1",
                                     "1 ",
                                     "",
                                     "4000000000000001",
                                     "ffffffffffffffff",
                                     "10000000000000000",
                                     "1,",
                                     "00000000000000001"};
constexpr const char* kExtensions[] = {";a", ";a=b", ";a=\"b;c\"", " ;a", ";", "\t; a = b"};
constexpr const char* kOddExtensions[] = {" ", ";\n", ";\x01", ";a\r", " a", ";\"\r\n\"", "\t"};
constexpr const char* kTrailers[] = {"X-Sum: 1", "Server-Timing: a", "A:", "ETag: \x80"};
constexpr const char* kOddTrailers[] = {"Content-Length: 5",
                                        "Host: a",
                                        "transfer-encoding: chunked",
                                        "A",
                                        " A: b",
                                        "A : b",
                                        "A: \x01",
                                        ": b",
                                        "Set-Cookie: a=b"};
constexpr const char* kInserts[] = {"\r\n",
                                    "\n",
                                    "\r",
                                    "\t",
                                    " ",
                                    ":",
                                    ",",
                                    ";",
                                    "\r\n ",
                                    "\r\n\r\n",
                                    "Content-Length: 5\r\n",
                                    "Transfer-Encoding: chunked\r\n",
                                    "0\r\n\r\n",
                                    "\x7f",
                                    "\x80",
                                    "\xff",
                                    "_",
                                    "#",
                                    "Host: b\r\n",
                                    "HTTP/1.1",
                                    "Expect: 100-continue\r\n",
                                    "Expect: x\r\n",
                                    "[",
                                    "%"};

}  // namespace

std::string MessageMaker::line_end() {
  if (!prng_.one_in(150)) return "\r\n";
  static constexpr const char* kOdd[] = {"\n", "\r", "\r\r\n", "\n\r", " \r\n", "\r\n\t"};
  return one_of(kOdd);
}

std::string MessageMaker::word() {
  std::string text;
  for (uint32_t i = prng_.below(20); i > 0; i--) text += static_cast<char>('a' + prng_.below(26));
  return text;
}

std::string MessageMaker::value() {
  std::string text = word();
  if (prng_.one_in(3)) text += ", " + word() + "; q=0." + std::to_string(prng_.below(10));
  if (prng_.one_in(10)) text += std::string(prng_.below(200), 'v') + "\x80\t" + word();
  if (prng_.one_in(100)) text += static_cast<char>(prng_.below(256));
  return text;
}

std::string MessageMaker::field() {
  static constexpr const char* kColons[] = {": ", ":", ":\t ", ":  "};
  if (prng_.one_in(14)) {
    return "Connection" + one_of(kColons) +
           (rarely() ? one_of(kOddConnections) : one_of(kConnections)) + line_end();
  }
  if (prng_.one_in(20)) return "Upgrade: " + one_of(kUpgrades) + line_end();
  if (prng_.one_in(40)) return "Expect: 100-continue" + line_end();
  const std::string name = prng_.one_in(30) ? one_of(kOddNames) : one_of(kNames);
  return name + one_of(kColons) + value() + (prng_.one_in(9) ? " \t" : "") + line_end();
}

std::string MessageMaker::framing(Shape shape) {
  if (prng_.one_in(shape == Shape::request ? 2 : 4)) return "";
  std::string text;
  if (prng_.one_in(2)) {
    text += "Content-Length: " + (rarely() ? one_of(kOddLengths) : one_of(kLengths)) + line_end();
  }
  if (text.empty() || prng_.one_in(16)) {
    static constexpr const char* kChunked[] = {"chunked", "chunked", "Chunked", "chunked \t"};
    text += "Transfer-Encoding: " + (rarely() ? one_of(kOddEncodings) : one_of(kChunked));
    text += line_end();
  }
  if (prng_.one_in(50)) text += text;
  return text;
}

std::string MessageMaker::request() {
  std::string text;
  if (prng_.one_in(30)) {
    for (uint32_t i = prng_.below(6); i > 0; i--) text += line_end();
  }
  const bool odd = prng_.one_in(8);
  text += odd && rarely() ? one_of(kOddMethods) : one_of(kMethods);
  text += " " + (odd ? one_of(kOddTargets) : one_of(kTargets)) + " ";
  text += odd && prng_.one_in(3) ? one_of(kOddVersions) : one_of(kVersions);
  text += line_end();
  std::string lines = "Host: " + (rarely() ? one_of(kOddHosts) : one_of(kHosts)) + line_end();
  if (prng_.one_in(60)) lines.clear();
  for (uint32_t i = prng_.below(12); i > 0; i--)
    lines = prng_.one_in(2) ? lines + field() : field() + lines;
  lines = prng_.one_in(2) ? lines + framing(Shape::request) : framing(Shape::request) + lines;
  if (prng_.one_in(200)) {
    for (int i = 0; i < 200; i++) lines += "A: b\r\n";
  }
  if (prng_.one_in(200)) lines += "Long: " + std::string(prng_.below(40'000), 'x') + "\r\n";
  if (prng_.one_in(200)) text.insert(text.find('/') + 1, std::string(prng_.below(20'000), 'p'));
  return text + lines + "\r\n";
}

std::string MessageMaker::response() {
  std::string text = prng_.one_in(20) ? one_of(kOddVersions) : one_of(kVersions);
  text += " " + (prng_.one_in(20) ? one_of(kOddStatuses) : one_of(kStatuses));
  text += one_of(kReasons) + line_end();
  for (uint32_t i = prng_.below(12); i > 0; i--) text += field();
  return text + framing(Shape::response) + "\r\n";
}

std::string MessageMaker::chunk(uint32_t bytes) {
  char size[16];
  std::snprintf(size, sizeof(size), prng_.one_in(2) ? "%x" : "%X", bytes);
  std::string text = (bytes > 0 ? one_of(kSizes) : "") + size;
  if (prng_.one_in(100)) text = one_of(kOddSizes);
  if (prng_.one_in(8)) text += rarely() ? one_of(kOddExtensions) : one_of(kExtensions);
  if (prng_.one_in(60)) text += ";" + std::string(prng_.below(600), 'e');
  text += line_end();
  for (uint32_t i = 0; i < bytes; i++) text += static_cast<char>(prng_.below(256));
  return text;
}

std::string MessageMaker::body() {
  std::string text;
  uint32_t chunks = prng_.below(6);
  if (prng_.one_in(100)) chunks = 100;
  for (uint32_t i = 0; i < chunks; i++) {
    text += chunk(1 + prng_.below(prng_.one_in(4) ? 400 : 20)) + line_end();
    if (chunks == 100 && text.back() == '\n') text += "1;" + std::string(240, 'e') + "\r\nx\r\n";
  }
  text += chunk(0);
  if (prng_.one_in(4)) {
    for (uint32_t i = prng_.below(4); i > 0; i--) {
      text += (rarely() ? one_of(kOddTrailers) : one_of(kTrailers)) + line_end();
    }
  }
  return text + line_end();
}

std::string MessageMaker::request_with_body() {
  const std::string head = request();
  if (head.find("hunked") != std::string::npos) return head + body();
  return head.find("Content-Length: 5") != std::string::npos ? head + "hello" : head;
}

std::string MessageMaker::response_with_body() {
  const std::string head = response();
  if (head.find("hunked") != std::string::npos) return head + body();
  return head + "hello";
}

std::string MessageMaker::mutated(std::string text, Shape shape) {
  for (uint32_t i = 1 + prng_.below(3); i > 0; i--) {
    const auto size = static_cast<uint32_t>(text.size());
    const uint32_t at = prng_.below(size + 1);
    const uint32_t length = prng_.below(size - at < 30 ? size - at + 1 : 30);
    switch (prng_.below(6)) {
      case 0:
        if (at < size) text[at] = static_cast<char>(text[at] ^ 1 << prng_.below(8));
        break;
      case 1:
        if (at < size) text[at] = static_cast<char>(prng_.below(256));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4:
        text.insert(at, one_of(kInserts));
        break;
      default: {
        const size_t end = text.find("\r\n", at);
        const std::string line = shape == Shape::body ? chunk(prng_.below(9)) : field();
        if (end != std::string::npos) text.insert(end + 2, line);
      }
    }
  }
  return text;
}

}  // namespace sluice::http_fuzz
