#include "proxy/router.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "shm/region.h"
#include "sim/snapshot_builder.h"

using namespace sluice;
using proxy::Router;
using sluice::test::ConfigSpec;
using sluice::test::ListenerSpec;
using List = std::vector<sluice::test::RouteSpec>;
using sluice::test::SnapshotBuilder;

namespace {

class Routes {
 public:
  explicit Routes(const List& routes, uint32_t listener = 3) {
    REQUIRE(region_.create(1) == 0);
    ConfigSpec config;
    config.listeners.push_back({.slot = listener, .mode = shm::Mode::http, .routes = routes});
    SnapshotBuilder(region_, 2).write(1, config);
  }

  // -1: none.
  int match(std::string_view authority, std::string_view path, uint32_t listener = 3) const {
    const shm::SnapshotView view(region_.snapshot_slot(2));
    const uint32_t route =
        Router::match(view, listener, bytes(authority), static_cast<uint32_t>(authority.size()),
                      bytes(path), static_cast<uint32_t>(path.size()));
    return route == Router::kNoRoute ? -1 : static_cast<int>(route);
  }

 private:
  static const uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<const uint8_t*>(text.data());
  }
  shm::Region region_;
};

}  // namespace

TEST_CASE("router: a route for everything, and none") {
  const Routes all(List{{.slot = 9}});
  CHECK(all.match("a.example", "/a/../b?c") == 9);
  CHECK(all.match("", "") == 9);
  const Routes none(List{});
  CHECK(none.match("a.example", "/") == -1);
  CHECK(none.match("", "*") == -1);
}

TEST_CASE("router: path prefixes end at segments, the longest wins") {
  const Routes routes(List{{.slot = 1, .path_prefix = "/a"},
                           {.slot = 2, .path_prefix = "/a/b"},
                           {.slot = 3, .path_prefix = "/ab/c/d"}});
  CHECK(routes.match("x", "/a") == 1);
  CHECK(routes.match("x", "/a/") == 1);
  CHECK(routes.match("x", "/a?b/c") == 1);
  CHECK(routes.match("x", "/a#b/c") == 1);
  CHECK(routes.match("x", "/a/bc") == 1);
  CHECK(routes.match("x", "/a/b") == 2);
  CHECK(routes.match("x", "/a/b/c/d/e/f") == 2);
  CHECK(routes.match("x", "/ab/c/d/") == 3);
  CHECK(routes.match("x", "/ab") == -1);
  CHECK(routes.match("x", "/ab/c") == -1);
  CHECK(routes.match("x", "/A") == -1);
  CHECK(routes.match("x", "/") == -1);
  CHECK(routes.match("x", "*") == -1);
  CHECK(routes.match("x", "") == -1);
  CHECK(routes.match("x", "/x/../%61/b") == 2);
  CHECK(routes.match("x", "/a%2Fb") == -1);
  CHECK(routes.match("x", "//a") == -1);
}

TEST_CASE("router: the most specific host is tried first, then the next") {
  const Routes routes(List{{.slot = 1, .host = "www.a.example", .path_prefix = "/x"},
                           {.slot = 2, .host = "*.a.example", .path_prefix = "/y"},
                           {.slot = 3, .host = "*.example"},
                           {.slot = 4, .path_prefix = "/z"},
                           {.slot = 5}});
  CHECK(routes.match("www.a.example", "/x/1") == 1);
  CHECK(routes.match("www.a.example", "/y") == 2);
  CHECK(routes.match("www.a.example", "/z") == 3);
  CHECK(routes.match("b.www.a.example", "/y") == 2);
  CHECK(routes.match("a.example", "/y") == 3);
  CHECK(routes.match("example", "/z") == 4);
  CHECK(routes.match("example", "/") == 5);
  CHECK(routes.match("xa.example", "/y") == 3);
  CHECK(routes.match(".a.example", "/y") == 3);
  CHECK(routes.match(".example", "/") == 5);
  CHECK(routes.match("", "/z") == 4);
}

TEST_CASE("router: an authority may have a port, a closing dot and any case") {
  const Routes routes(List{{.slot = 1, .host = "a.example"}, {.slot = 2, .host = "*.b.example"}});
  for (const char* authority : {"a.example", "A.EXAMPLE:80", "a.example.", "a.Example.:8080"}) {
    CHECK(routes.match(authority, "/") == 1);
  }
  CHECK(routes.match("X.b.example.:1", "/") == 2);
  for (const char* authority :
       {":80", ".", "a.example..", "[::1]:80", "[a.example", "[", "a", ""}) {
    CHECK(routes.match(authority, "/") == -1);
  }
}

TEST_CASE("router: names as long as they may be, and longer") {
  std::string label(63, 'a');
  const std::string tail = "." + label + "." + label + "." + label;
  const std::string longest = std::string(61, 'b') + tail;
  REQUIRE(longest.size() == 253);
  std::string many;
  while (many.size() < 250) many += "a.";
  const Routes routes(List{{.slot = 1, .host = longest},
                           {.slot = 2, .host = "*" + tail},
                           {.slot = 3, .host = "*." + many + "b"},
                           {.slot = 4, .host = "*.b"},
                           {.slot = 5,
                            .host = "*.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                                    "a.a.a.a.a.a.a.a.a.a.a.a.a.b"}});
  CHECK(routes.match(longest, "/") == 1);
  CHECK(routes.match("c" + longest.substr(1), "/") == 2);
  CHECK(routes.match("c" + longest, "/") == -1);
  CHECK(routes.match("x." + many + "b", "/") == 3);
  CHECK(routes.match(many + "b", "/") == 5);
  CHECK(routes.match(std::string(252, '.') + "b", "/") == 4);
  CHECK(routes.match(std::string(253, '.'), "/") == -1);
  CHECK(routes.match(std::string(100'000, 'a'), "/") == -1);
}

TEST_CASE("router: listeners do not see each other's routes") {
  const Routes routes(
      {{.slot = 1, .host = "a.example", .path_prefix = "/x"}, {.slot = 2, .path_prefix = "/x"}});
  CHECK(routes.match("a.example", "/x") == 1);
  CHECK(routes.match("a.example", "/x", 4) == -1);
}

TEST_CASE("router: any bytes are a request that finds something or nothing") {
  const Routes routes(List{{.slot = 1, .host = "*.a", .path_prefix = "/a/%FF"}, {.slot = 2}});
  std::string authority;
  std::string path = "/";
  uint32_t state = 1;
  for (uint32_t i = 0; i < 4000; i++) {
    state = state * 1664525 + 1013904223;
    const char byte = "./%aF:[\xff"[state >> 29];
    (state & 0x10000000 ? path : authority).push_back(byte);
    if (i % 300 == 0) authority.clear();
    const int route = routes.match(authority, path);
    CHECK((route == 1 || route == 2));
  }
}
