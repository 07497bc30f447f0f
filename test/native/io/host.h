// One engine on the real kernel, for the conformance cases: runs turns, keeps what was reported,
// and checks at the end that every buffer and descriptor came back. The far ends of connections are
// plain descriptors of the case itself.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/engines.h"

namespace sluice::test {

using io::BufferClass;
using io::Completion;
using io::Op;
using io::Token;

// The engines a case runs on.
struct Uring {
  static constexpr io::EngineChoice kChoice = io::EngineChoice::io_uring;
  static constexpr bool kCap = true;
};
struct UringWithoutCap {
  static constexpr io::EngineChoice kChoice = io::EngineChoice::io_uring;
  static constexpr bool kCap = false;
};
struct Epoll {
  static constexpr io::EngineChoice kChoice = io::EngineChoice::epoll;
  static constexpr bool kCap = true;
};
#define ENGINES ::sluice::test::Uring, ::sluice::test::UringWithoutCap, ::sluice::test::Epoll

inline constexpr uint32_t kSmall = 4096;
inline constexpr uint32_t kLarge = 65536;

struct Report {
  Token token;
  int result;
  bool more;
  uint64_t value;
  std::string data;  // of a recv
};

class Host {
 public:
  struct Options {
    uint32_t small_buffers = 256;
    uint32_t large_buffers = 8;
    uint32_t sq_entries = 64;
    uint32_t cq_entries = 0;
    uint32_t lanes = 1;
    size_t reports_max = 64;  // of one wait
  };

  Host(io::EngineChoice choice, bool cap, Options options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  io::Engine& engine() { return *engine_; }
  io::Engine* operator->() { return engine_.get(); }
  io::BufferPool& pool() { return pool_; }
  std::vector<Report>& reports() { return reports_; }

  // One wait of at most `ms`.
  size_t turn(uint64_t ms = 20);
  // Some turns, to see that nothing more happens.
  void settle();
  // Turns until a terminal report for the token is there (2 s at most); takes it out of `reports`.
  // A result of kMissing when there is none.
  Report ended(Token token);
  // Turns until `done`; false after 5 s.
  template <typename Done>
  bool until(Done&& done) {
    for (int i = 0; i < 250; i++) {
      if (done()) return true;
      turn();
    }
    return done();
  }
  // All bytes received so far under a token, in order, and how many reports said so.
  std::string received(Token token) const;
  bool has_terminal(Token token) const;

  // While held, received buffers stay lent.
  void hold(bool on) { hold_ = on; }
  size_t held() const { return held_.size(); }
  void release_held(size_t count);

  static constexpr int kMissing = -100000;

 private:
  io::BufferPool pool_;
  std::unique_ptr<io::Engine> engine_;
  std::vector<Report> reports_;
  std::vector<io::BufferRef> held_;
  size_t reports_max_;
  bool hold_ = false;
  int descriptors_before_;
};

template <typename T>
struct On : Host {
  explicit On(Options options = Options()) : Host(T::kChoice, T::kCap, options) {}
};

// A connected pair: `near` is the engine's (non-blocking), `far` the case's (blocking, with a
// timeout of 5 s).
struct Pair {
  int near = -1;
  int far = -1;
};
Pair tcp_pair(int send_buffer_bytes = 0, int far_receive_buffer_bytes = 0);
Pair unix_pair();
int tcp_listener(io::SocketAddress* address, int backlog = 128);

Token token(Op op, uint32_t slot = 0);
std::string pattern(size_t bytes);
void write_all(int fd, const std::string& data);
// Reads up to `bytes`; stops at the end of the stream or after a timeout.
std::string read_some(int fd, size_t bytes);
int open_descriptors();

}  // namespace sluice::test
