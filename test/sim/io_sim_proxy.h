// The model program: a mini proxy that drives an engine exactly by the contract of io/engine.h and
// checks that the engine keeps its side. It is a stand-in for the worker: it forwards both ways
// under credit, sometimes through a pipe, cancels and resumes, gives up, and closes.
//
// A connection it gives up may leave its slot at once and end in the graveyard: its late
// completions are then stale for the slot, which the generation in the token tells.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/prng.h"
#include "io/engine.h"
#include "sim/io_sim_far.h"
#include "sim/io_sim_world.h"

namespace sluice::sim {

class Proxy {
 public:
  struct Settings {
    uint32_t slots;
    uint32_t window;
    io::BufferClass cls;
    int family;         // of the upstream sockets
    uint32_t mischief;  // one spontaneous action in so many turns of a connection; 0 = none
    uint32_t splice;    // one re-arm in so many goes through a pipe; 0 = none
  };

  Proxy(io::Engine& engine, World& world, FarEnds& far, uint64_t seed, Settings settings);
  ~Proxy();

  void listen(int fd);
  // One turn: wait, handle, pump. `deadline_ns` as for Engine::wait.
  void turn(uint64_t deadline_ns, size_t max);
  void stop_listening() { stopping_ = true; }
  bool idle() const;  // no connection, and the listener is closed
  // Completions of the mailbox: values must arrive once and in order of each lane.
  void expect_mail(uint32_t lane, uint64_t value);
  // Another thread calls `wake` now: the current or the next wait is to return soon.
  void expect_wake() {
    if (woken_at_ns_ == 0) woken_at_ns_ = world_.now_ns();
  }
  bool mail_arrived() const { return mail_.empty(); }
  uint64_t completions() const { return completions_; }
  uint64_t stale() const { return stale_; }
  void describe() const;

 private:
  static constexpr unsigned kOps = 9;
  static constexpr uint32_t kListenerSlot = 0xffff0000u;

  struct Running {
    bool now = false;
    bool cancelled = false;  // -ECANCELED is a possible end
  };
  // The flow from the socket of its side to the other one.
  struct Half {
    std::deque<io::BufferRef> chain;
    uint64_t in = 0;
    uint64_t out = 0;
    uint32_t queued = 0;
    uint32_t piped = 0;
    uint32_t credit = 0;
    uint32_t credit_used = 0;
    uint32_t sending = 0;  // bytes of the send under way
    bool end = false;
    bool fin_done = false;
    int pipe[2] = {-1, -1};
  };
  struct Connection {
    bool used = false;
    bool closing = false;
    bool upstream_ready = false;
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint32_t pair = 0;
    uint32_t outstanding = 0;
    int fd[2] = {-1, -1};
    Running running[2][kOps];
    Half half[2];
  };

  io::Token token(const Connection& c, io::Op op, io::Side side) const;
  void begin(Connection& c, io::Op op, io::Side side);
  Connection* find(const io::Token& token, bool* stale);
  void handle(const io::Completion& completion);
  void handle_accept(const io::Completion& completion);
  void handle_mail(const io::Completion& completion);
  bool account(Connection& c, const io::Token& token, const io::Completion& completion);
  void handle_stale(Connection& c, const io::Completion& completion);
  void dispatch(Connection& c, const io::Token& token, const io::Completion& completion);
  void handle_recv(Connection& c, io::Side side, const io::Completion& completion);
  void handle_send(Connection& c, io::Side side, int32_t result);
  void handle_splice(Connection& c, const io::Token& token, int32_t result);
  void handle_error(Connection& c, const io::Token& token, int32_t result);

  void admit(int fd);
  void pump(Connection& c);
  void pump_half(Connection& c, io::Side side);
  void start_receive(Connection& c, io::Side side);
  void start_send(Connection& c, io::Side side);
  bool start_splice(Connection& c, io::Side side);
  void mischief(Connection& c);
  void cancel(Connection& c, io::Side side);
  void close_connection(Connection& c);
  void bury(Connection& c);
  bool try_finish(Connection& c);
  void drop_buffers(Connection& c);
  void release(io::BufferRef ref);
  void take_over(io::BufferRef ref, int32_t result);
  void check_conservation();
  void fail(const Connection& c, const std::string& what);

  io::Engine& engine_;
  World& world_;
  FarEnds& far_;
  Prng prng_;
  Settings settings_;
  std::vector<Connection> slots_;
  std::deque<Connection> graveyard_;
  std::vector<uint8_t> held_[2];  // by class and index: this program holds the buffer
  uint32_t held_count_[2] = {0, 0};
  std::deque<std::pair<uint32_t, uint64_t>> mail_;
  int listener_ = -1;
  Running accepting_;
  uint64_t accept_again_ns_ = 0;
  uint64_t woken_at_ns_ = 0;
  bool stopping_ = false;
  uint64_t completions_ = 0;
  uint64_t stale_ = 0;
};

}  // namespace sluice::sim
