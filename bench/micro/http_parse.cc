// Nanoseconds per head and per byte of a chunked body. Heads are of the sizes and shapes that load
// generators, command line clients, browsers and application servers send.
//   make -C bench/micro && build/bench/micro/http_parse
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "base/prng.h"
#include "http/chunked.h"
#include "http/parse.h"

using namespace sluice::http;

namespace {

constexpr int kRounds = 9;

const std::string kLoadGenerator = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const std::string kCommandLine =
    "GET /v1/items/4711?expand=owner HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: "
    "curl/8.5.0\r\n"
    "Accept: */*\r\n\r\n";

const std::string kBrowser =
    "GET /shop/category/shoes?page=2&sort=price HTTP/1.1\r\nHost: www.example.com\r\n"
    "Connection: keep-alive\r\nCache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\nReferer: https://www.example.com/shop\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1\r\n\r\n";

const std::string kAnswer =
    "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json; "
    "charset=utf-8\r\nContent-Length: 1234\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
    "ETag: W/\"4d2-abcdef\"\r\nX-Powered-By: Express\r\nVary: Accept-Encoding\r\n\r\n";

// The best of several rounds: everything else a machine does only adds.
template <typename Body>
double best_ns(int count, const Body& body) {
  double best = 1e18;
  for (int round = 0; round < kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; i++) body(i);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    if (took.count() / count < best) best = took.count() / count;
  }
  return best;
}

uint64_t kept = 0;  // so that no work is optimised away

void parse_one(const std::string& text) {
  static RequestHead head;
  uint32_t scanned = 0;
  Refusal why;
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  parse_request(data, static_cast<uint32_t>(text.size()), &scanned, {}, &head, &why);
  kept += head.bytes + head.field_count;
}

void print(const char* name, size_t bytes, double ns) {
  std::printf("%-44s %6zu bytes %8.1f ns %7.2f GB/s\n", name, bytes, ns,
              static_cast<double>(bytes) / ns);
}

void measure_requests() {
  const std::pair<const char*, const std::string*> heads[] = {
      {"request, load generator", &kLoadGenerator},
      {"request, command line", &kCommandLine},
      {"request, browser", &kBrowser},
  };
  for (const auto& [name, text] : heads) {
    print(name, text->size(), best_ns(100'000, [&](int) { parse_one(*text); }));
  }
  // In an order no branch predictor can learn.
  sluice::Prng prng(1);
  uint8_t order[1 << 16];
  size_t bytes = 0;
  for (uint8_t& pick : order)
    bytes += heads[pick = static_cast<uint8_t>(prng.below(3))].second->size();
  const double ns = best_ns(1 << 16, [&](int i) { parse_one(*heads[order[i]].second); });
  print("request, the three at random", bytes / sizeof(order), ns);
}

void measure_answers() {
  static ResponseHead head;
  const auto* data = reinterpret_cast<const uint8_t*>(kAnswer.data());
  const double ns = best_ns(100'000, [&](int) {
    uint32_t scanned = 0;
    Refusal why;
    parse_response(data, static_cast<uint32_t>(kAnswer.size()), &scanned, {}, Method::get, &head,
                   &why);
    kept += head.bytes;
  });
  print("response, application server", kAnswer.size(), ns);
}

void measure_chunks(uint32_t chunk_bytes) {
  char size[16];
  std::snprintf(size, sizeof(size), "%x\r\n", chunk_bytes);
  std::string body;
  while (body.size() < 64 * 1024) body += size + std::string(chunk_bytes, 'x') + "\r\n";
  body += "0\r\n\r\n";
  auto* data = reinterpret_cast<uint8_t*>(body.data());
  const double ns = best_ns(200, [&](int) {
    ChunkedFilter filter;
    kept += filter.run(data, static_cast<uint32_t>(body.size())).produced;
  });
  char name[64];
  std::snprintf(name, sizeof(name), "chunked body, chunks of %u bytes", chunk_bytes);
  print(name, body.size(), ns);
}

}  // namespace

int main() {
  measure_requests();
  measure_answers();
  for (const uint32_t bytes : {16u, 1024u, 16384u}) measure_chunks(bytes);
  return kept == 0 ? 1 : 0;
}
