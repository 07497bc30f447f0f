#include "http/rewrite.h"

#include "messages.h"

using namespace sluice::http;

namespace {

std::string forward(const std::string& text, const Forwarding& forwarding = {}) {
  CAPTURE(text);
  const auto parsed = request(text);
  REQUIRE(parsed.parsed == Parsed::complete);
  const uint32_t room = parsed.head.bytes + 2 * parsed.head.authority.bytes + kHeadGrowthBytes;
  const auto out = std::make_unique<uint8_t[]>(room);
  const auto copy = exact_copy(text);
  const uint32_t bytes = write_request_head(copy.get(), parsed.head, forwarding, out.get());
  REQUIRE(bytes <= room);
  return std::string(reinterpret_cast<char*>(out.get()), bytes);
}

std::string answer(const std::string& text, const ResponseRewrite& rewrite = {},
                   Method method = Method::get) {
  CAPTURE(text);
  const auto parsed = response(text, method);
  REQUIRE(parsed.parsed == Parsed::complete);
  const uint32_t room = parsed.head.bytes + kHeadGrowthBytes;
  const auto out = std::make_unique<uint8_t[]>(room);
  const auto copy = exact_copy(text);
  const uint32_t bytes = write_response_head(copy.get(), parsed.head, rewrite, out.get());
  REQUIRE(bytes <= room);
  return std::string(reinterpret_cast<char*>(out.get()), bytes);
}

Forwarding from(const char* peer, bool trusted = false) {
  Forwarding forwarding;
  forwarding.peer = peer;
  forwarding.peer_bytes = static_cast<uint32_t>(std::strlen(peer));
  forwarding.peer_trusted = trusted;
  return forwarding;
}

const std::string kNewPeer =
    "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n";

}  // namespace

TEST_CASE("rewrite: a request keeps its lines and order, and says who sent it") {
  CHECK(forward("GET /x?y HTTP/1.1\r\nHost: a\r\nB: c \r\nb:d\r\n\r\n", from("1.2.3.4")) ==
        "GET /x?y HTTP/1.1\r\nHost: a\r\nB: c \r\nb:d\r\n" + kNewPeer + "\r\n");
  CHECK(forward("get-it /x HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "get-it /x HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: leading empty lines are not passed on") {
  CHECK(forward("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "GET / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: a Unix socket has no address") {
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n");
}

TEST_CASE("rewrite: targets are sent in origin form") {
  CHECK(forward("GET http://a/p?q HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "GET /p?q HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
  CHECK(forward("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "GET / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
  CHECK(forward("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: HTTP/1.0 without Host is given an empty one") {
  CHECK(forward("GET / HTTP/1.0\r\n\r\n", from("1.2.3.4")) ==
        "GET / HTTP/1.1\r\nHost:\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n\r\n");
}

TEST_CASE("rewrite: hop-by-hop fields of a request stay here") {
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-own\r\nX-Own: 1\r\n"
                "Keep-Alive: 1\r\nTE: trailers\r\nProxy-Connection: x\r\nTrailer: b\r\n"
                "K: v\r\nx_under: 1\r\n\r\n",
                from("1.2.3.4")) ==
        "GET / HTTP/1.1\r\nHost: a\r\nTrailer: b\r\nK: v\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: framing is written anew") {
  CHECK(forward("POST / HTTP/1.1\r\ncontent-length: 007\r\nHost: a\r\n\r\n", from("1.2.3.4")) ==
        "POST / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "Content-Length: 7\r\n\r\n");
  CHECK(forward("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
                from("1.2.3.4")) ==
        "POST / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(forward("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4611686018427387903\r\n\r\n",
                from("1.2.3.4")) == "POST / HTTP/1.1\r\nHost: a\r\n" + kNewPeer +
                                        "Content-Length: 4611686018427387903\r\n\r\n");
}

TEST_CASE("rewrite: what a stranger says about the way is replaced") {
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: s\r\n"
                "X-Forwarded-Host: z\r\nForwarded: for=9\r\nK: v\r\n\r\n",
                from("1.2.3.4")) == "GET / HTTP/1.1\r\nHost: a\r\nK: v\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: what a trusted proxy says is kept and continued in one line") {
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, 8.8.8.8\r\n"
                "X-Forwarded-For:\r\nX-Forwarded-Proto: https\r\nx-forwarded-for: 7.7.7.7\r\n"
                "X-Forwarded-Host: z\r\nForwarded: for=9\r\n\r\n",
                from("1.2.3.4", true)) ==
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: z\r\n"
        "Forwarded: for=9\r\nX-Forwarded-For: 9.9.9.9, 8.8.8.8, 7.7.7.7, 1.2.3.4\r\n\r\n");
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\n\r\n", from("1.2.3.4", true)) ==
        "GET / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: Via is added behind those that are there") {
  Forwarding forwarding = from("1.2.3.4");
  forwarding.via = true;
  CHECK(forward("GET / HTTP/1.1\r\nVia: 1.1 b\r\nHost: a\r\n\r\n", forwarding) ==
        "GET / HTTP/1.1\r\nVia: 1.1 b\r\nHost: a\r\n" + kNewPeer + "Via: 1.1 sluice\r\n\r\n");
}

TEST_CASE("rewrite: an upgrade is asked for, h2c is not") {
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                from("1.2.3.4")) == "GET / HTTP/1.1\r\nHost: a\r\n" + kNewPeer +
                                        "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK(forward("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
                from("1.2.3.4")) == "GET / HTTP/1.1\r\nHost: a\r\n" + kNewPeer + "\r\n");
}

TEST_CASE("rewrite: growth stays within what is promised") {
  const std::string host(255, 'h');
  Forwarding forwarding = from("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
  forwarding.via = true;
  forward("GET / HTTP/1.1\r\nHost:" + host + "\r\nTransfer-Encoding:chunked\r\n\r\n", forwarding);
  forward("GET / HTTP/1.1\r\nHost:" + host + "\r\nContent-Length:9\r\n\r\n", forwarding);
}

TEST_CASE("rewrite: a response keeps status, reason and lines") {
  ResponseRewrite rewrite;
  rewrite.framing = Framing::length;
  CHECK(answer("HTTP/1.0 299 So so\r\nA: b\r\nContent-Length: 3\r\nSet-Cookie: x\r\n"
               "set-cookie: y\r\n\r\n",
               rewrite) ==
        "HTTP/1.1 299 So so\r\nA: b\r\nSet-Cookie: x\r\nset-cookie: y\r\n"
        "Content-Length: 3\r\n\r\n");
  CHECK(answer("HTTP/1.1 204 \r\n\r\n") == "HTTP/1.1 204 \r\n\r\n");
}

TEST_CASE("rewrite: how the response is framed towards the client") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  ResponseRewrite rewrite;
  rewrite.framing = Framing::chunked;
  CHECK(answer(chunked, rewrite) == chunked);
  rewrite.framing = Framing::until_close;
  rewrite.close = true;
  CHECK(answer(chunked, rewrite) == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  rewrite = ResponseRewrite{};
  rewrite.framing = Framing::length;
  rewrite.keep_alive = true;
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", rewrite) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("rewrite: a length without a body tells about the body that is not sent") {
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", {}, Method::head) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  CHECK(answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n") ==
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
  CHECK(answer("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n") ==
        "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(answer("HTTP/1.1 103 Early\r\nContent-Length: 7\r\nLink: x\r\n\r\n") ==
        "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n");
}

TEST_CASE("rewrite: hop-by-hop fields of a response stay here") {
  ResponseRewrite rewrite;
  rewrite.framing = Framing::length;
  rewrite.via = true;
  rewrite.close = true;
  CHECK(answer("HTTP/1.1 200 OK\r\nConnection: keep-alive, x-own\r\nX-Own: 1\r\nKeep-Alive: 5\r\n"
               "Proxy-Connection: x\r\nUpgrade: h2\r\nContent-Length: 2\r\nx_under: 1\r\n\r\n",
               rewrite) ==
        "HTTP/1.1 200 OK\r\nx_under: 1\r\nVia: 1.1 sluice\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n");
}

TEST_CASE("rewrite: a 101 says what is spoken now") {
  ResponseRewrite rewrite;
  rewrite.upgrades = true;
  CHECK(
      answer("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nK: v\r\n\r\n",
             rewrite) ==
      "HTTP/1.1 101 Switching\r\nK: v\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
}
