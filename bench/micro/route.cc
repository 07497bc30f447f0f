// What finding a route costs: with a single route for everything, with one route by host and path,
// and with 4,096 of them. The last two are asked by as many requests of the same lengths, so that
// they differ in the tables alone. Prints one line of JSON, in nanoseconds a request.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "proxy/router.h"
#include "shm/region.h"
#include "sim/snapshot_builder.h"

namespace {

using namespace sluice;
using sluice::test::ConfigSpec;
using sluice::test::RouteSpec;
using sluice::test::SnapshotBuilder;

constexpr uint32_t kHosts = 64;
constexpr uint32_t kPrefixes = 64;
constexpr uint32_t kRequests = kHosts * kPrefixes;
constexpr uint32_t kPasses = 50;  // over all requests, in one measurement
constexpr uint32_t kRounds = 21;

// Of this thread: what others do on the machine shows less in it than in the time of day.
double cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Request {
  std::string authority;
  std::string path;
};

class Case {
 public:
  Case(const shm::Region& region, uint32_t slot, const std::vector<RouteSpec>& routes)
      : view_(region.snapshot_slot(slot)) {
    ConfigSpec config;
    config.listeners.push_back({.slot = 0, .mode = shm::Mode::http, .routes = routes});
    SnapshotBuilder(region, slot).write(1, config);
  }

  void ask(Request request) { requests_.push_back(std::move(request)); }

  // Mean over all requests; NaN when one of them finds no route.
  double measure() const {
    uint32_t found = 0;
    const double start = cpu_ns();
    for (uint32_t pass = 0; pass < kPasses; pass++) {
      for (const Request& request : requests_) {
        found += match(request) != proxy::Router::kNoRoute ? 1 : 0;
      }
    }
    const double took = cpu_ns() - start;
    const double asked = static_cast<double>(kPasses) * static_cast<double>(requests_.size());
    return static_cast<double>(found) == asked ? took / asked : 0.0 / 0.0;
  }

 private:
  uint32_t match(const Request& request) const {
    const auto* authority = reinterpret_cast<const uint8_t*>(request.authority.data());
    const auto* path = reinterpret_cast<const uint8_t*>(request.path.data());
    return proxy::Router::match(view_, 0, authority,
                                static_cast<uint32_t>(request.authority.size()), path,
                                static_cast<uint32_t>(request.path.size()));
  }

  shm::SnapshotView view_;
  std::vector<Request> requests_;
};

std::string two_digits(uint32_t number) {
  return {static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
}
std::string host(uint32_t number) {
  return "tenant-" + two_digits(number) + ".example.com";
}
std::string prefix(uint32_t number) {
  return "/api/service-" + two_digits(number);
}

Request request(uint32_t host_number, uint32_t prefix_number) {
  return {host(host_number), prefix(prefix_number) + "/v1/orders/4711?expand=items"};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  shm::Region region;
  if (region.create(1) != 0) return 1;
  std::vector<RouteSpec> many;
  for (uint32_t at = 0; at < kRequests; at++) {
    many.push_back(
        {.slot = at, .host = host(at / kPrefixes), .path_prefix = prefix(at % kPrefixes)});
  }
  Case any(region, 0, {RouteSpec{.slot = 0}});
  Case one(region, 1, {RouteSpec{.slot = 0, .host = host(0), .path_prefix = prefix(0)}});
  Case all(region, 2, many);
  for (uint32_t at = 0; at < kRequests; at++) {
    // 1,009 has no common divisor with their number: every route is asked for, in no handy order.
    const uint32_t picked = at * 1009 % kRequests;
    any.ask(request(0, 0));
    one.ask(request(0, 0));
    all.ask(request(picked / kPrefixes, picked % kPrefixes));
  }
  std::vector<double> any_ns;
  std::vector<double> one_ns;
  std::vector<double> all_ns;
  std::vector<double> over;
  for (uint32_t round = 0; round <= kRounds; round++) {
    const double figures[] = {any.measure(), one.measure(), all.measure()};
    if (round == 0) continue;  // faults the pages in
    any_ns.push_back(figures[0]);
    one_ns.push_back(figures[1]);
    all_ns.push_back(figures[2]);
    over.push_back(figures[2] - figures[1]);
  }
  std::printf("{\"any_ns\":%.2f,\"one_ns\":%.2f,\"all_ns\":%.2f,\"over_one_ns\":%.2f}\n",
              median(any_ns), median(one_ns), median(all_ns), median(over));
  return 0;
}
