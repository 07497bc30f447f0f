#include "http_messages.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>

namespace sluice::http_sim {
namespace {

constexpr const char* kMethods[] = {"GET", "GET",     "GET",  "HEAD",  "POST",  "POST",
                                    "PUT", "OPTIONS", "BREW", "PATCH", "DELETE"};

bool has_body(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "BREW";
}

std::string some_lines(Prng& prng, uint32_t count) {
  std::string lines;
  for (uint32_t i = 0; i < count; i++) {
    lines += "X-Line-" + std::to_string(i) + ": ";
    lines.append(prng.below(prng.below(8) == 0 ? 3000 : 40), static_cast<char>('a' + i % 26));
    lines += "\r\n";
  }
  return lines;
}

const char* reason_of(uint32_t status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return nullptr;
  }
}

}  // namespace

std::string make_body(uint32_t stream, uint32_t bytes) {
  Prng prng(uint64_t{stream} * 0x9e37 + 77);
  std::string body;
  while (body.size() < bytes) {
    if (prng.below(6) == 0) {
      body += "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nX-Answer: 0\r\nContent-Length: 0\r\n\r\n";
    } else if (prng.below(6) == 0) {
      body += "GET /r0 HTTP/1.1\r\nHost: h\r\n\r\n";
    }
    const uint64_t word = prng.next();
    body.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  body.resize(bytes);
  return body;
}

// Its first byte begins no request: it is refused where it is taken for one.
std::string tunnel_from_client(uint32_t request, uint32_t bytes) {
  return "\x01" + make_body(request ^ 0x10000000u, bytes);
}

std::string tunnel_from_backend(uint32_t answer, uint32_t bytes) {
  return make_body(answer ^ 0x20000000u, bytes);
}

uint32_t draw_tunnel_bytes(Prng& prng) {
  return prng.below(prng.below(3) == 0 ? kTunnelBytesMax : 30'000);
}

std::string in_chunks(Prng& prng, std::string_view body, bool extensions) {
  std::string out;
  char size[32];
  uint32_t left = extensions ? 500 : 0;  // more are refused
  const uint32_t largest = prng.below(3) == 0 ? 20 : 9000;
  for (size_t at = 0; at < body.size();) {
    const size_t bytes = std::min<size_t>(body.size() - at, 1 + prng.below(largest));
    std::snprintf(size, sizeof size, prng.below(2) == 0 ? "%zx" : "0%zX", bytes);
    out += size;
    if (left > 0 && prng.below(4) == 0) {
      out += ";a=b";
      left--;
    }
    out += "\r\n";
    out += body.substr(at, bytes);
    out += "\r\n";
    at += bytes;
  }
  out += prng.below(3) == 0 ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n";
  return out;
}

Request make_request(Prng& prng, uint32_t id, uint32_t body_max, bool upgrade) {
  Request r;
  r.id = id;
  r.method = upgrade ? "GET" : kMethods[prng.below(sizeof kMethods / sizeof kMethods[0])];
  r.minor = !upgrade && prng.below(8) == 0 ? 0 : 1;
  r.upgrade = upgrade;
  // The upgrade of a request with a body is not offered.
  if (!upgrade && has_body(r.method) && prng.below(8) > 0) {
    r.framing = r.minor == 1 && prng.below(2) == 0 ? Framing::chunked : Framing::length;
    r.body = make_body(id, prng.below(prng.below(3) == 0 ? body_max : 3000));
    r.expects_continue = r.minor == 1 && prng.below(4) == 0;
  }
  const std::string target = "/r" + std::to_string(id);
  std::string lines = "Host: h\r\n" + some_lines(prng, prng.below(4));
  if (r.expects_continue) lines += "Expect: 100-continue\r\n";
  std::string framing;
  if (r.framing == Framing::length) {
    framing = "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
  } else if (r.framing == Framing::chunked) {
    framing = "Transfer-Encoding: chunked\r\n";
  }
  const std::string upgrades = "Connection: upgrade\r\nUpgrade: own\r\n";
  r.forwarded_head = r.method + " " + target + " HTTP/1.1\r\n" + lines +
                     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n" +
                     (upgrade ? upgrades : "") + framing + "\r\n";
  std::string hop;
  if (r.minor == 0) {
    r.keep = prng.below(2) == 0;
    if (r.keep) hop = "Connection: keep-alive\r\n";
  } else if (!upgrade && prng.below(12) == 0) {
    r.keep = false;
    hop = "Connection: close\r\n";
  }
  r.bytes = r.method + " " + target + (r.minor == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n") + lines +
            hop + (upgrade ? upgrades : "") + framing + "\r\n";
  r.head_bytes = r.bytes.size();
  r.bytes += r.framing == Framing::chunked ? in_chunks(prng, r.body, true) : r.body;
  return r;
}

Answer make_answer(Prng& prng, uint32_t id, const Request& request, uint32_t body_max) {
  Answer a;
  a.id = id;
  a.request = request.id;
  const uint32_t kind = prng.below(12);
  a.status = kind == 0 ? 204 : kind == 1 ? 304 : kind == 2 ? 404 : kind == 3 ? 503 : 200;
  const bool bare = request.is_head() || a.status == 204 || a.status == 304;
  a.framing = static_cast<Framing>(1 + prng.below(3));
  if (a.framing == Framing::until_close && prng.below(2) == 0) a.framing = Framing::length;
  a.minor = a.framing != Framing::chunked && prng.below(8) == 0 ? 0 : 1;
  a.close = a.minor == 0 || prng.below(8) == 0;
  const uint32_t bytes = prng.below(prng.below(3) == 0 ? body_max : 3000);
  if (bare) {
    a.framing = Framing::none;
  } else {
    a.body = make_body(id ^ 0x40000000u, bytes);
  }
  a.lines = "X-Answer: " + std::to_string(id) + "\r\n" + some_lines(prng, prng.below(4));
  a.dated = id % 4 == 0;
  if (a.dated) a.lines += "dAte: by the backend\r\n";
  a.bytes = "HTTP/1." + std::to_string(a.minor) + " " + std::to_string(a.status) + " R\r\n";
  a.bytes += a.lines;
  if (a.close && a.minor == 1) a.bytes += "Connection: close\r\n";
  if (a.framing == Framing::length) {
    a.bytes += "Content-Length: " + std::to_string(a.body.size()) + "\r\n\r\n" + a.body;
  } else if (a.framing == Framing::chunked) {
    a.bytes += "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(prng, a.body, true);
  } else {
    a.bytes += "\r\n" + a.body;
  }
  if (a.framing == Framing::until_close) a.close = true;
  if (prng.below(6) == 0) a.interim = 1 + prng.below(3);
  for (uint32_t i = 0; i < a.interim; i++) {
    a.interim_bytes += "HTTP/1.1 103 E\r\nX-Answer: " + std::to_string(id) + "\r\n\r\n";
  }
  return a;
}

Framing Answer::towards(const Request& request) const {
  if (framing == Framing::chunked && request.minor == 0) return Framing::until_close;
  return framing;
}

std::string Answer::expected_head(const Request& request) const {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " R\r\n" + lines;
  if (!dated && !upgrade) head += kDateLine;
  switch (towards(request)) {
    case Framing::length:
      return head + "Content-Length: " + std::to_string(body.size()) + "\r\n";
    case Framing::chunked:
      return head + "Transfer-Encoding: chunked\r\n";
    default:
      return head + (upgrade ? "Connection: upgrade\r\nUpgrade: own\r\n" : "");
  }
}

std::string garbage(Prng& prng) {
  constexpr const char* kTexts[] = {"\x16\x03\x01\x02",
                                    "HTTP/1.1 2x0 OK\r\n\r\n",
                                    "GET  / HTTP/1.1\r\n\r\n",
                                    "SSH-2.0-x\r\n",
                                    "GET / HTTP/1.1\r\n: x\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",
                                    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n\r\n"};
  return kTexts[prng.below(sizeof kTexts / sizeof kTexts[0])];
}

Own is_own_answer(std::string_view text, bool is_head, uint32_t status, size_t* bytes,
                  bool* closes) {
  const char* reason = reason_of(status);
  if (reason == nullptr) return Own::no;
  const std::string words = std::to_string(status) + " " + reason;
  const std::string begin = "HTTP/1.1 " + words + "\r\n" + kDateLine +
                            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                            std::to_string(words.size() + 1) + "\r\n";
  const std::string end = "\r\n" + (is_head ? std::string() : words + "\n");
  // 503 says when to ask again: as the pool does, or soon.
  constexpr const char* kNoRetry[] = {""};
  constexpr const char* kRetries[] = {"Retry-After: 5\r\n", "Retry-After: 1\r\n"};
  const std::span<const char* const> retries = status == 503
                                                   ? std::span<const char* const>(kRetries)
                                                   : std::span<const char* const>(kNoRetry);
  Own found = Own::no;
  for (uint32_t i = 0; i < 2 * retries.size(); i++) {
    const bool closing = i % 2 == 1;
    const std::string whole =
        begin + retries[i / 2] + (closing ? "Connection: close\r\n" : "") + end;
    const size_t there = std::min(whole.size(), text.size());
    if (text.substr(0, there) != std::string_view(whole).substr(0, there)) continue;
    if (there < whole.size()) {
      found = Own::maybe;
      continue;
    }
    *bytes = whole.size();
    *closes = closing;
    return Own::yes;
  }
  return found;
}

ChunkReader::State ChunkReader::run(std::string& in, std::string& out) {
  for (;;) {
    if (phase_ == Phase::data) {
      const size_t bytes = std::min<uint64_t>(left_, in.size());
      out.append(in, 0, bytes);
      in.erase(0, bytes);
      left_ -= bytes;
      if (left_ > 0) return State::more;
      phase_ = Phase::data_end;
    }
    const size_t end = in.find("\r\n");
    if (end == std::string::npos) return State::more;
    const std::string line = in.substr(0, end);
    in.erase(0, end + 2);
    if (phase_ == Phase::data_end) {
      if (!line.empty()) return State::wrong;
      phase_ = Phase::size;
    } else if (phase_ == Phase::trailer) {
      if (line.empty()) return State::done;
      if (line != "X-Trailer: t") return State::wrong;
    } else {
      char* rest = nullptr;
      left_ = std::strtoull(line.c_str(), &rest, 16);
      if (line.empty() || *rest != '\0') return State::wrong;
      phase_ = left_ == 0 ? Phase::trailer : Phase::data;
    }
  }
}

}  // namespace sluice::http_sim
