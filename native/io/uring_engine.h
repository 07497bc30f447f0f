// The engine over io_uring. A turn is one call into the kernel: it submits what the handlers have
// staged, waits, and brings completions. uring_engine.cc is the turn, uring_ops.cc the operations.
//
// A completion names {kind, descriptor}; what the caller calls the operation is kept in a small
// record per descriptor, which at most one receiving and one sending operation use at a time.
// Belongs to one thread, but for `wake` and `post`; may be destroyed by another once that ended.
#pragma once

#include "io/system_engine.h"
#include "io/uring_buffers.h"
#include "io/uring_ring.h"

namespace sluice::io {

class UringEngine final : public SystemEngine {
 public:
  UringEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options);
  ~UringEngine() override;

  // Opens ring and buffer rings of this size. 0 or -errno.
  int open(uint32_t sq_entries, uint32_t cq_entries);
  // Tries out on a pair of sockets what this engine relies on, by means of its own operations:
  // buffer rings, multishot receive and cancelling must work; capping a receive may be missing.
  // 0 or -errno.
  int preflight();
  bool receive_cap() const { return receive_cap_; }

  EngineKind kind() const override { return EngineKind::io_uring; }

  void accept(int fd, Token token) override;
  void recv(int fd, Token token, BufferClass cls, uint32_t credit_bytes) override;
  void send(int fd, Token token, const uint8_t* data, uint32_t bytes) override;
  void sendv(int fd, Token token, const iovec* vectors, uint32_t count) override;
  void connect(int fd, Token token, const SocketAddress& address) override;
  void poll(int fd, Token token, uint32_t events) override;
  void splice_in(int socket_fd, int pipe_write_fd, Token token, uint32_t bytes) override;
  void splice_out(int pipe_read_fd, int socket_fd, Token token, uint32_t bytes) override;
  void cancel(int fd) override;
  void close(int fd) override;
  size_t wait(uint64_t deadline_ns, Completion* out, size_t max) override;

 private:
  // What a ring completion is about.
  enum class Kind : uint8_t {
    silent,  // cancelled or closed: reported only on failure, of no interest
    accept,
    recv,
    poll,
    splice_in_ready,   // the socket may be spliced from
    splice_out_ready,  // the socket may be spliced to
    send,
    connect,
    cancel,      // of everything on a descriptor
    cancel_in,   // of its receiving operation, when `cancel` had not found it
    cancel_out,  // the same for the sending one
    wake,
  };
  // Where a descriptor's operation is. From `in_kernel` on it has an entry in the ring.
  enum class Phase : uint8_t {
    idle,
    starved,     // recv: waits for a buffer, see starved_
    spliceable,  // splice: in splices_, tried next
    in_kernel,
  };
  struct Descriptor {
    uint64_t in_token;   // accept, recv, poll, splice_in
    uint64_t out_token;  // send, sendv, connect, splice_out
    uint32_t in_bytes;   // recv: credit left; splice_in: bytes wanted
    uint32_t out_bytes;  // splice_out: bytes wanted
    int32_t in_pipe;
    int32_t out_pipe;
    Phase in_phase;
    Phase out_phase;
    Kind in_kind;  // whose completion the operation waits for
    Kind out_kind;
    BufferClass cls : 1;
    bool in_cancelled : 1;
    bool out_cancelled : 1;
    bool in_polled : 1;  // splice_in: reported readable since the last try
    // A bit per buffer class: an entry of that queue of starved_ names it, maybe in vain.
    uint8_t in_starved_queues : 2;
  };
  static_assert(sizeof(Descriptor) <= 40);
  // Arguments that the kernel reads when an entry is submitted.
  struct Staged {
    msghdr message;
    iovec vectors[kSendVectorsMax];
  };

  Descriptor& at(int fd) { return descriptors_[static_cast<uint32_t>(fd)]; }
  static uint64_t user_data(Kind kind, int fd) {
    return static_cast<uint64_t>(kind) << 32 | static_cast<uint32_t>(fd);
  }

  // uring_ops.cc
  io_uring_sqe& stage(Kind kind, int fd, uint8_t opcode);
  io_uring_sqe& stage_when_full();
  void submit_early();
  Staged& take_staged();
  void stage_recv(int fd, const Descriptor& descriptor, bool poll_first);
  void stage_poll(Kind kind, int fd, uint32_t events);
  void stage_wake();
  void stage_cancel(int fd);
  void stage_cancel_again(Kind kind, int fd);
  Descriptor& begin_in(int fd, Token token, Kind kind, Phase phase);
  Descriptor& begin_out(int fd, Token token, Kind kind, Phase phase);

  // uring_preflight.cc
  struct Trial;
  void try_receive(Trial& trial, uint32_t credit_bytes, bool cancelled);
  int try_pair(const int pair[2], uint64_t deadline_ns);

  // uring_engine.cc
  void enter(uint32_t min_complete, uint64_t timeout_ns);
  void entered(int result);
  void enter_and_harvest(Output& output, uint64_t deadline_ns);
  void harvest(Output& output);
  void handle(const io_uring_cqe& completion, Output& output);
  void handle_accept(Descriptor& descriptor, const io_uring_cqe& completion, Output& output);
  void handle_recv(int fd, Descriptor& descriptor, const io_uring_cqe& completion, Output& output);
  void starve(int fd, Descriptor& descriptor, Output& output);
  void handle_splice_ready(int fd, bool out, int32_t result, Output& output);
  void handle_cancel(Kind kind, int fd, int32_t result);
  void end_in(Descriptor& descriptor, int32_t result, Output& output);
  void end_out(Descriptor& descriptor, int32_t result, Output& output);
  void rearm_starved(BufferClass cls);
  void run_splices(Output& output);
  void run_splice(int fd, bool out, Output& output);

  UringRing ring_;
  UringBuffers provided_;
  ReservedArray<Descriptor> descriptors_;
  ReservedArray<Staged> staged_;
  uint32_t staged_used_ = 0;
  ReservedQueue<uint32_t> starved_[2];  // descriptors, by buffer class; each once at most
  ReservedQueue<uint32_t> splices_;     // descriptor * 2 + (1 for out)
  bool receive_cap_;
  bool overflow_seen_ = false;
};

}  // namespace sluice::io
