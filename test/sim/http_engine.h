// An io::Engine in memory with virtual time, over sockets that hold their bytes. It keeps the
// contract of io/engine.h to the letter and uses the whole freedom the contract leaves, as the
// seeded faults say; it also checks its caller's half of the contract. One worker.
#pragma once

#include <map>
#include <vector>

#include "http_world.h"
#include "io/engine.h"

namespace sluice::http_sim {

class SimEngine final : public io::Engine {
 public:
  SimEngine(World& world, io::BufferPool& buffers);
  ~SimEngine() override;

  io::EngineKind kind() const override { return io::EngineKind::simulated; }
  uint64_t clock_ns() override { return world_.now; }
  uint64_t unix_seconds() override { return kUnixSeconds; }

  int open_socket(int family) override;
  int shutdown_write(int fd) override;
  void reset_on_close(int fd) override;
  int64_t unacknowledged_bytes(int fd) override;
  int open_pipe(int fds[2], uint32_t bytes) override;
  int accept_now(int fd) override;
  uint32_t pending_accepts(int fd) override;
  void close_now(int fd) override { world_.close_descriptor(fd); }

  void accept(int fd, io::Token token) override;
  void recv(int fd, io::Token token, io::BufferClass cls, uint32_t credit_bytes) override;
  void send(int fd, io::Token token, const uint8_t* data, uint32_t bytes) override;
  void sendv(int fd, io::Token token, const iovec* vectors, uint32_t count) override;
  void connect(int fd, io::Token token, const io::SocketAddress& address) override;
  void poll(int fd, io::Token token, uint32_t events) override;
  void splice_in(int socket_fd, int pipe_write_fd, io::Token token, uint32_t bytes) override;
  void splice_out(int pipe_read_fd, int socket_fd, io::Token token, uint32_t bytes) override;
  void cancel(int fd) override;
  void close(int fd) override;
  size_t wait(uint64_t deadline_ns, io::Completion* out, size_t max) override;
  void wake() override { woken_ = true; }
  bool post(uint32_t, uint64_t) override { return false; }

  // --- For the world and the run. ---
  void stir(int32_t op);
  void on_event(const Event& event);
  uint64_t stale_injected() const { return stale_injected_; }
  uint32_t outstanding() const { return static_cast<uint32_t>(operations_.size() - free_.size()); }

 private:
  struct Operation {
    io::Token token;
    int fd = -1;
    int pipe_fd = -1;
    io::BufferClass cls = io::BufferClass::small;
    int64_t credit = 0;
    uint32_t bytes = 0;
    uint32_t vector_count = 0;
    iovec vectors[io::kSendVectorsMax];
    std::string image;  // of what a send was given: it must stay what it is
    uint64_t serial = 0;
    uint64_t started_ns = 0;
    uint64_t not_before_ns = 0;
    bool used = false;
    bool staged = false;
    bool done = false;      // its terminal completion is on the way
    bool answered = false;  // connects: the far side has decided
    int answer = 0;
  };
  struct Pending {
    io::Completion completion;
    int32_t op;  // -1: injected
    uint64_t due_ns;
  };

  Operation& start(int fd, io::Token token, bool transmits);
  void attempt(int32_t index, bool last_chance);
  void attempt_accept(int32_t index, bool last_chance);
  void attempt_recv(int32_t index, bool last_chance);
  void attempt_send(int32_t index);
  void attempt_connect(int32_t index);
  void attempt_splice_in(int32_t index);
  void attempt_splice_out(int32_t index);
  bool is_writable(int32_t index, Socket& socket);
  void begin_staged();
  void feed_starving();
  void report(int32_t op, int32_t result, bool more, io::BufferRef buffer = io::BufferRef());
  size_t deliver(io::Completion* out, size_t max);
  void delivered(const Pending& pending);
  void inject_stale();
  void remember(io::Token token);
  void check_connects();

  World& world_;
  std::vector<Operation> operations_;
  std::vector<int32_t> free_;
  std::vector<int32_t> staged_;
  std::vector<int32_t> starving_;
  std::vector<int> closing_;
  std::vector<Pending> pending_;
  std::map<uint64_t, uint32_t> generations_;  // by side and slot
  std::vector<io::Token> old_tokens_;
  uint64_t starving_until_ns_ = 0;
  uint64_t checked_ns_ = 0;
  uint64_t serial_ = 0;
  uint64_t stale_injected_ = 0;
  bool woken_ = false;
};

}  // namespace sluice::http_sim
