// Receiving: data, ends of streams, credit, buffers that run out.
#include <sys/socket.h>
#include <unistd.h>

#include "native/io/host.h"

using namespace sluice::test;

namespace {

void reset_far(int far) {
  const linger at_once{1, 0};
  ::setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(far);
}

}  // namespace

TEST_CASE_TEMPLATE("io: echo round trips", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv, 1);
  const Token out = token(Op::send, 1);
  host->recv(pair.near, in, BufferClass::small, 1 << 20);
  for (int round = 0; round < 50; round++) {
    host.reports().clear();
    const std::string text = pattern(100 + static_cast<size_t>(round));
    write_all(pair.far, text);
    REQUIRE(host.until([&] { return host.received(in).size() >= text.size(); }));
    CHECK(host.received(in) == text);
    host->send(pair.near, out, reinterpret_cast<const uint8_t*>(text.data()),
               static_cast<uint32_t>(text.size()));
    CHECK(host.ended(out).result == static_cast<int>(text.size()));
    CHECK(read_some(pair.far, text.size()) == text);
    CHECK_FALSE(host.has_terminal(in));
  }
  CHECK(host->counters().completions >= 100);
  CHECK(host->counters().waits > 0);
  ::close(pair.far);
  CHECK(host.ended(in).result == 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: many messages on one armed receive", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv);
  host->recv(pair.near, in, BufferClass::small, 1 << 20);
  for (size_t count = 1; count <= 1000; count++) {
    write_all(pair.far, "message");
    REQUIRE(host.until([&] { return host.reports().size() == count; }));
  }
  CHECK(host.received(in).size() == 7000);
  CHECK_FALSE(host.has_terminal(in));
  ::close(pair.far);
  CHECK(host.ended(in).result == 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: data that was there before the receive", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  write_all(pair.far, "early");
  ::close(pair.far);
  host->recv(pair.near, token(Op::recv), BufferClass::small, 1000);
  CHECK(host.ended(token(Op::recv)).result == 0);
  CHECK(host.received(token(Op::recv)) == "early");
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: half-close both ways", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv);
  host->recv(pair.near, in, BufferClass::small, 100000);
  host.turn(1);
  CHECK(host->shutdown_write(pair.near) == 0);
  CHECK(read_some(pair.far, 1).empty());
  write_all(pair.far, "still here");
  REQUIRE(host.until([&] { return host.received(in).size() == 10; }));
  ::shutdown(pair.far, SHUT_WR);
  CHECK(host.ended(in).result == 0);
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: data and end of stream at once", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv);
  host->recv(pair.near, in, BufferClass::small, 1 << 20);
  host.turn(1);
  const std::string text = pattern(10000);
  write_all(pair.far, text);
  ::close(pair.far);
  CHECK(host.ended(in).result == 0);
  CHECK(host.received(in) == text);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a reset from the peer", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  host->recv(pair.near, token(Op::recv), BufferClass::small, 100000);
  host.turn(1);
  reset_far(pair.far);
  CHECK(host.ended(token(Op::recv)).result == -ECONNRESET);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a reset to the peer", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  host->reset_on_close(pair.near);
  host->close(pair.near);
  host.turn(1);
  char byte;
  CHECK(::recv(pair.far, &byte, 1, 0) == -1);
  CHECK(errno == ECONNRESET);
  ::close(pair.far);
}

TEST_CASE_TEMPLATE("io: credit is overshot by less than a buffer, and ends the receive", T,
                   ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv);
  const std::string text = pattern(40000);
  write_all(pair.far, text);
  std::string all;
  while (all.size() < text.size()) {
    const size_t left = text.size() - all.size();
    const size_t credit = left < 10000 ? left : 10000;
    host->recv(pair.near, in, BufferClass::small, static_cast<uint32_t>(credit));
    // The contract lets a receive end early, and then it is started again.
    REQUIRE(host.until([&] { return host.has_terminal(in); }));
    const std::string part = host.received(in);
    CHECK(part.size() > 0);
    CHECK(part.size() < credit + kSmall);
    all += part;
    host.reports().clear();
    host.settle();
    CHECK(host.reports().empty());
  }
  CHECK(all == text);
  ::close(pair.far);
  host->recv(pair.near, in, BufferClass::small, 1);
  CHECK(host.ended(in).result == 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: large buffers", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair();
  const Token in = token(Op::recv);
  const std::string text = pattern(300000);
  std::string all;
  size_t largest = 0;
  host->recv(pair.near, in, BufferClass::large, 1 << 20);
  size_t written = 0;
  REQUIRE(host.until([&] {
    if (written < text.size()) {
      const ssize_t n = ::send(pair.far, text.data() + written, text.size() - written,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) written += static_cast<size_t>(n);
    }
    return host.received(in).size() == text.size();
  }));
  for (const Report& report : host.reports()) largest = std::max(largest, report.data.size());
  CHECK(host.received(in) == text);
  CHECK(largest > kSmall);
  ::close(pair.far);
  CHECK(host.ended(in).result == 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: receives wait for buffers and go on when some come back", T, ENGINES) {
  On<T> host({.small_buffers = 4});
  constexpr uint32_t kPairs = 12;
  Pair pairs[kPairs];
  host.hold(true);
  for (uint32_t i = 0; i < kPairs; i++) {
    pairs[i] = tcp_pair();
    write_all(pairs[i].far, pattern(100 + i));
    host->recv(pairs[i].near, token(Op::recv, i), BufferClass::small, 100000);
  }
  REQUIRE(host.until([&] { return host.held() == 4; }));
  host.settle();
  CHECK(host.reports().size() == 4);
  CHECK(host->counters().buffers_exhausted > 0);
  while (host.reports().size() < kPairs) {
    const size_t before = host.reports().size();
    host.release_held(1);
    REQUIRE(host.until([&] { return host.reports().size() > before; }));
    CHECK(host.reports().size() == before + 1);
  }
  for (uint32_t i = 0; i < kPairs; i++) {
    CHECK(host.received(token(Op::recv, i)) == pattern(100 + i));
    CHECK_FALSE(host.has_terminal(token(Op::recv, i)));
  }
  host.hold(false);
  host.release_held(4);
  for (uint32_t i = 0; i < kPairs; i++) {
    ::close(pairs[i].far);
    CHECK(host.ended(token(Op::recv, i)).result == 0);
    host->close(pairs[i].near);
  }
}

TEST_CASE_TEMPLATE("io: a receive that waits for a buffer can be cancelled", T, ENGINES) {
  On<T> host({.small_buffers = 2});
  constexpr uint32_t kPairs = 6;
  Pair pairs[kPairs];
  host.hold(true);
  for (uint32_t i = 0; i < kPairs; i++) {
    pairs[i] = tcp_pair();
    write_all(pairs[i].far, "data");
    host->recv(pairs[i].near, token(Op::recv, i), BufferClass::small, 100000);
  }
  REQUIRE(host.until([&] { return host.held() == 2; }));
  host.settle();
  for (uint32_t i = 0; i < kPairs; i++) host->cancel(pairs[i].near);
  for (uint32_t i = 0; i < kPairs; i++) {
    CHECK(host.ended(token(Op::recv, i)).result == -ECANCELED);
  }
  // Once more on the same descriptors, whose entries are still queued.
  for (uint32_t i = 0; i < kPairs; i++) {
    host->recv(pairs[i].near, token(Op::recv, 100 + i), BufferClass::small, 100000);
  }
  host.settle();
  host.hold(false);
  host.release_held(2);
  size_t bytes = 0;
  REQUIRE(host.until([&] {
    bytes = 0;
    for (uint32_t i = 0; i < kPairs; i++) bytes += host.received(token(Op::recv, 100 + i)).size();
    return bytes == 4 * (kPairs - 2);
  }));
  for (uint32_t i = 0; i < kPairs; i++) {
    ::close(pairs[i].far);
    CHECK(host.ended(token(Op::recv, 100 + i)).result == 0);
    host->close(pairs[i].near);
  }
}

TEST_CASE_TEMPLATE("io: one flooded socket leaves turns to the others", T, ENGINES) {
  On<T> host;
  const Pair flooded = unix_pair();
  const Pair quiet = unix_pair();
  const std::string flood = pattern(150000);
  write_all(flooded.far, flood);
  write_all(quiet.far, "me too");
  host->recv(flooded.near, token(Op::recv, 1), BufferClass::small, 1 << 20);
  host->recv(quiet.near, token(Op::recv, 2), BufferClass::small, 1 << 20);
  REQUIRE(host.until([&] { return host.received(token(Op::recv, 1)).size() == flood.size(); }));
  size_t before_quiet = 0;
  for (const Report& report : host.reports()) {
    if (report.token.slot == 2) break;
    before_quiet += report.data.size();
  }
  CHECK(before_quiet < 140000);
  CHECK(host.received(token(Op::recv, 1)) == flood);
  for (const Pair& pair : {flooded, quiet}) {
    ::close(pair.far);
    host->cancel(pair.near);
  }
  CHECK(host.ended(token(Op::recv, 1)).result <= 0);
  CHECK(host.ended(token(Op::recv, 2)).result <= 0);
  host->close(flooded.near);
  host->close(quiet.near);
}
