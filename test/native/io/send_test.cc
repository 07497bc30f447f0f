// Sending: whole, short, blocked, from several pieces; splices.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "native/io/host.h"

using namespace sluice::test;

namespace {

constexpr int kTinyBuffer = 4096;

const uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
const uint8_t* bytes_of(std::string&&) = delete;

// Reads in the background, slowly at first.
class Reader {
 public:
  Reader(int fd, size_t bytes)
      : thread_([this, fd, bytes] {
          ::usleep(30000);
          text_ = read_some(fd, bytes);
        }) {}
  std::string join() {
    thread_.join();
    return text_;
  }

 private:
  std::string text_;
  std::thread thread_;
};

}  // namespace

TEST_CASE_TEMPLATE("io: sends that block, with a tiny send buffer", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair(kTinyBuffer, kTinyBuffer);
  const std::string text = pattern(1 << 20);
  Reader reader(pair.far, text.size());
  size_t sent = 0;
  while (sent < text.size()) {
    host->send(pair.near, token(Op::send), bytes_of(text) + sent,
               static_cast<uint32_t>(text.size() - sent));
    const int result = host.ended(token(Op::send)).result;
    REQUIRE(result > 0);
    if (result <= 0) break;
    sent += static_cast<size_t>(result);
  }
  CHECK(sent == text.size());
  CHECK(reader.join() == text);
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a vector send of 16 pieces that blocks in the middle", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair(kTinyBuffer, kTinyBuffer);
  constexpr size_t kPiece = 30000;
  const std::string text = pattern(16 * kPiece);
  Reader reader(pair.far, text.size());
  size_t sent = 0;
  while (sent < text.size()) {
    // The vectors may be gone when the call returns.
    {
      iovec vectors[16];
      uint32_t count = 0;
      for (size_t at = sent; at < text.size(); at = (at / kPiece + 1) * kPiece) {
        const size_t end = (at / kPiece + 1) * kPiece;
        vectors[count++] = iovec{const_cast<uint8_t*>(bytes_of(text)) + at, end - at};
      }
      host->sendv(pair.near, token(Op::send), vectors, count);
      for (iovec& vector : vectors) vector = iovec{nullptr, 1 << 30};
    }
    const int result = host.ended(token(Op::send)).result;
    REQUIRE(result > 0);
    if (result <= 0) break;
    sent += static_cast<size_t>(result);
  }
  CHECK(sent == text.size());
  CHECK(reader.join() == text);
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: sending to a peer that is gone", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  ::close(pair.far);
  const std::string text = "x";
  host->send(pair.near, token(Op::send), bytes_of(text), 1);
  CHECK(host.ended(token(Op::send)).result == -EPIPE);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a send and a receive on one socket at the same time", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair(kTinyBuffer, kTinyBuffer);
  const std::string text = pattern(400000);
  host->recv(pair.near, token(Op::recv), BufferClass::small, 1 << 20);
  size_t sent = 0;
  bool sending = false;
  std::string back;
  ::fcntl(pair.far, F_SETFL, O_NONBLOCK);
  std::string pending;
  REQUIRE(host.until([&] {
    for (size_t i = 0; i < host.reports().size(); i++) {
      const Report& report = host.reports()[i];
      if (report.token.op == Op::send) {
        sending = false;
        if (report.result > 0) sent += static_cast<size_t>(report.result);
      } else {
        back += report.data;
      }
    }
    host.reports().clear();
    if (!sending && sent < text.size()) {
      sending = true;
      host->send(pair.near, token(Op::send), bytes_of(text) + sent,
                 static_cast<uint32_t>(text.size() - sent));
    }
    for (int i = 0; i < 20; i++) {
      char chunk[8192];
      const ssize_t n = ::recv(pair.far, chunk, sizeof(chunk), 0);
      if (n > 0) pending.append(chunk, static_cast<size_t>(n));
      const ssize_t m = ::send(pair.far, pending.data(), pending.size(), MSG_NOSIGNAL);
      if (m > 0) pending.erase(0, static_cast<size_t>(m));
      if (n <= 0 && m <= 0) break;
    }
    host.turn(1);
    return back.size() == text.size() && !sending;
  }));
  CHECK(back == text);
  ::close(pair.far);
  CHECK(host.ended(token(Op::recv)).result <= 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: splicing through a pipe, with a blocked destination", T, ENGINES) {
  On<T> host;
  const Pair source = tcp_pair();
  const Pair sink = tcp_pair(kTinyBuffer, kTinyBuffer);
  int pipe[2];
  const int capacity = host->open_pipe(pipe, 256 * 1024);
  REQUIRE(capacity >= 65536);
  const std::string text = pattern(600000);
  std::thread writer([&] {
    ::usleep(20000);
    write_all(source.far, text);
    ::shutdown(source.far, SHUT_WR);
  });
  Reader reader(sink.far, text.size());
  for (;;) {
    host->splice_in(source.near, pipe[1], token(Op::splice_in), static_cast<uint32_t>(capacity));
    int in_pipe = host.ended(token(Op::splice_in)).result;
    REQUIRE(in_pipe >= 0);
    if (in_pipe <= 0) break;
    while (in_pipe > 0) {
      host->splice_out(pipe[0], sink.near, token(Op::splice_out), static_cast<uint32_t>(in_pipe));
      const int out = host.ended(token(Op::splice_out)).result;
      REQUIRE(out > 0);
      if (out <= 0) break;
      in_pipe -= out;
    }
  }
  writer.join();
  CHECK(reader.join() == text);
  CHECK(host->counters().spliced_bytes == text.size());
  host->close_now(pipe[0]);
  host->close_now(pipe[1]);
  for (const Pair& pair : {source, sink}) {
    ::close(pair.far);
    host->close(pair.near);
  }
}

TEST_CASE_TEMPLATE("io: splice errors are results", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  int pipe[2];
  REQUIRE(host->open_pipe(pipe, 65536) > 0);
  ::close(pair.far);
  REQUIRE(::write(pipe[1], "abc", 3) == 3);
  host->splice_out(pipe[0], pair.near, token(Op::splice_out), 3);
  CHECK(host.ended(token(Op::splice_out)).result == -EPIPE);
  host->splice_in(pair.near, pipe[1], token(Op::splice_in), 65536);
  CHECK(host.ended(token(Op::splice_in)).result == 0);
  host->close_now(pipe[0]);
  host->close_now(pipe[1]);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a Unix peer that reads what was sent wakes nobody", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  host->recv(pair.near, token(Op::recv), BufferClass::small, kSmall);
  const std::string text = "asked";
  const auto length = static_cast<uint32_t>(text.size());
  // A wait may end a little early by itself, and is then made again: not each time.
  uint64_t fewest = UINT64_MAX;
  for (int round = 0; round < 5 && fewest > 1; round++) {
    host->send(pair.near, token(Op::send), bytes_of(text), length);
    CHECK(host.ended(token(Op::send)).result == 5);
    host.settle();
    CHECK(read_some(pair.far, text.size()) == text);
    const uint64_t before = host->counters().waits;
    host.turn(30);
    fewest = std::min(fewest, host->counters().waits - before);
  }
  CHECK(fewest == 1);
  host->cancel(pair.near);
  host.ended(token(Op::recv));
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a Unix socket that was full goes on, again and again", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  const std::string text = pattern(1 << 20);
  for (int round = 0; round < 2; round++) {
    Reader reader(pair.far, text.size());
    for (size_t sent = 0; sent < text.size();) {
      host->send(pair.near, token(Op::send), bytes_of(text) + sent,
                 static_cast<uint32_t>(text.size() - sent));
      const int result = host.ended(token(Op::send)).result;
      REQUIRE(result > 0);
      if (result <= 0) break;
      sent += static_cast<size_t>(result);
    }
    CHECK(reader.join() == text);
  }
  ::close(pair.far);
  host->close(pair.near);
}
