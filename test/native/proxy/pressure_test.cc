// What one peer that does not read may take from the others: small buffers, large buffers, pipes,
// and time. Origins are Unix sockets, which stall their sender after a fixed number of bytes.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

#include "native/worker/worker_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// A client and the origin's end of the same tunnel, with what has gone in and come out.
struct Path {
  int client = -1;
  int origin = -1;
  uint64_t sent = 0;
  uint64_t received = 0;
  bool intact = true;
};

uint8_t byte_at(uint64_t position) {
  return static_cast<uint8_t>(position * 131 >> 3);
}

// Non-blocking; sends what goes, up to `bytes`. Returns how much that was.
size_t push(Path& path, size_t bytes) {
  std::vector<uint8_t> chunk(bytes);
  for (size_t i = 0; i < bytes; i++) chunk[i] = byte_at(path.sent + i);
  const ssize_t n = ::send(path.client, chunk.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n > 0) path.sent += static_cast<uint64_t>(n);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

void pull(Path& path) {
  static uint8_t chunk[1 << 18];
  for (;;) {
    const ssize_t n = ::recv(path.origin, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n <= 0) return;
    for (ssize_t i = 0; i < n; i++) {
      if (chunk[i] != byte_at(path.received++)) path.intact = false;
    }
  }
}

class Bench {
 public:
  Bench(io::EngineChoice engine, bool splice)
      : origin_("origin"), listener_("listener"), host({.engine = engine, .splice = splice}) {
    host.add_backend(origin_);
    host.add_listener(listener_).idle_timeout_ms = kIdleMs;
    host.publish_and_adopt();
  }
  ~Bench() {
    for (const Path& path : paths_) {
      ::close(path.client);
      ::close(path.origin);
    }
    host.settle();
  }

  Path& open() {
    Path& path = *paths_.insert(paths_.end(), Path{});
    path.client = listener_.connect();
    CHECK(host.until([&] { return (path.origin = origin_.accept()) >= 0; }));
    host.settle();
    return path;
  }
  // Sends until nothing goes any more: every buffer on the way is full.
  void stall(Path& path) {
    for (int idle = 0; idle < 50; host.turn()) idle = push(path, 65536) > 0 ? 0 : idle + 1;
  }
  // Sends so many bytes and reads them all.
  bool move(Path& path, uint64_t bytes) {
    const uint64_t end = path.sent + bytes;
    const bool done = host.until([&] { return path.received == end; },
                                 [&] {
                                   if (path.sent < end)
                                     push(path, std::min(end - path.sent, kPush));
                                   pull(path);
                                 });
    return done && path.intact;
  }
  // Reads what is under way.
  bool drain(Path& path) { return move(path, 0); }
  void pass_ms(uint64_t ms) {
    host.kernel().passed_ns += ms * 1'000'000;
    for (int i = 0; i < 4; i++) host.turn();
  }

  static constexpr uint32_t kIdleMs = 10'000;
  static constexpr uint64_t kPush = 256 * 1024;

 private:
  UnixListener origin_;
  UnixListener listener_;
  std::deque<Path> paths_;

 public:
  WorkerHost host;
};

}  // namespace

TEST_CASE("pressure: small pieces of a stalled stream share buffers") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine, true);
    Path& path = bench.open();
    constexpr uint32_t kPieceBytes = 10;
    // The origin's socket is full after some hundreds; what comes then is kept.
    for (int i = 0; i < 3000; i++) {
      REQUIRE(push(path, kPieceBytes) == kPieceBytes);
      bench.host.turn();
    }
    bench.host.settle();
    const uint32_t lent = bench.host.buffers().lent_count(io::BufferClass::small);
    CHECK(lent >= 2);  // it is stalled, indeed
    CHECK(lent <= 2 + 3000 * kPieceBytes / (limits::kSmallBufferBytes - limits::kMergeBytesMax));
    CHECK(bench.drain(path));
    CHECK(bench.host.buffers().lent_count(io::BufferClass::small) == 0);
  }
}

TEST_CASE("pressure: stalled bulk takes no more than its share of large buffers") {
  constexpr uint32_t kStalled = 4 * limits::kLargeDirectionsMax;
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine, false);
    const io::BufferPool& buffers = bench.host.buffers();
    std::vector<Path*> stalled;
    uint32_t lent_max = 0;
    for (uint32_t i = 0; i < kStalled; i++) {
      stalled.push_back(&bench.open());
      bench.stall(*stalled.back());
      lent_max = std::max(lent_max, buffers.lent_count(io::BufferClass::large));
    }
    CHECK(lent_max >= limits::kLargeDirectionsMax);  // one each, at least
    CHECK(lent_max <= limits::kLargeDirectionsMax * limits::kLargeBuffersEachMax);
    // Bulk of others goes on while those wait.
    Path& moving = bench.open();
    CHECK(bench.move(moving, 8 << 20));
    for (Path* path : stalled) CHECK(bench.drain(*path));
    CHECK(buffers.lent_count(io::BufferClass::large) == 0);
    // All places have been given back: the next ones get theirs.
    for (Path* path : stalled) CHECK(bench.move(*path, 1 << 20));
  }
}

TEST_CASE("pressure: middling pieces of a stalled stream share large buffers") {
  for (const auto engine : kEngines) {
    for (const size_t piece : {size_t{3000}, size_t{40'000}, size_t{140'000}}) {
      CAPTURE(static_cast<int>(engine));
      CAPTURE(piece);
      Bench bench(engine, false);
      const io::BufferPool& buffers = bench.host.buffers();
      Path& path = bench.open();
      CHECK(bench.move(path, 4 << 20));
      uint32_t lent_max = 0;
      for (int idle = 0; idle < 50; bench.host.turn()) {
        idle = push(path, piece) > 0 ? 0 : idle + 1;
        lent_max = std::max(lent_max, buffers.lent_count(io::BufferClass::large));
      }
      CHECK(lent_max >= 2);
      CHECK(lent_max <= limits::kLargeBuffersEachMax);
      CHECK(bench.drain(path));
      CHECK(buffers.lent_count(io::BufferClass::large) == 0);
    }
  }
}

TEST_CASE("pressure: when few pipes are left, who splices little gives its pipe back") {
  constexpr uint32_t kScarce = limits::kPipesMax * 3 / 4;
  constexpr uint32_t kLittle = 20 * 1024;  // no small splice, but far below a pipe's size
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine, true);
    const auto lent = [&] { return bench.host.words().pipes_lent.load(); };
    Path& modest = bench.open();
    CHECK(bench.move(modest, 4 << 20));
    bench.host.settle();
    REQUIRE(bench.host.counters().spliced_bytes > 0);
    for (int i = 0; i < 20; i++) CHECK(bench.move(modest, kLittle));
    REQUIRE(lent() == 1);  // it splices, and keeps its pipe
    for (uint32_t i = 1; i < kScarce; i++) bench.stall(bench.open());
    REQUIRE(lent() == kScarce);
    CHECK(bench.move(modest, kLittle));
    bench.host.settle();
    CHECK(lent() == kScarce - 1);
  }
}

TEST_CASE("pressure: a stalled peer's time counts from the last thing that moved") {
  for (const auto engine : kEngines) {
    CAPTURE(static_cast<int>(engine));
    Bench bench(engine, false);
    Path& path = bench.open();
    bench.stall(path);
    constexpr uint64_t kStep = Bench::kIdleMs / 2 + 20;
    const auto is_open = [&] { return bench.host.words().connections.load() == 1; };
    bench.pass_ms(2 * kStep);  // the first look: what lies in the socket is remembered
    CHECK(is_open());
    bench.pass_ms(kStep);
    // The other direction moves; what the stalled one has in its socket stays the same.
    REQUIRE(::send(path.origin, "moves", 5, MSG_NOSIGNAL) == 5);
    char answer[8];
    CHECK(bench.host.until([&] { return ::recv(path.client, answer, 8, MSG_DONTWAIT) == 5; }));
    bench.host.settle();
    bench.pass_ms(kStep);
    CHECK(is_open());
    bench.pass_ms(kStep);  // idle for the timeout once more: a first look again
    CHECK(is_open());
    CHECK(bench.host.words().stalls_cut_total.load() == 0);
    bench.pass_ms(2 * kStep);
    CHECK(bench.host.until([&] { return !is_open(); }));
    CHECK(bench.host.words().stalls_cut_total.load() == 1);
  }
}
