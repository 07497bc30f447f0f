// The engine over epoll and non-blocking calls, for where io_uring is refused. Same contract.
// epoll_engine.cc is the turn, epoll_ops.cc the operations.
//
// A socket is registered once, edge-triggered, when its first operation comes; after that only I/O
// calls are made. A send that finds no room adds the interest in it, which then stays. What is
// known of a socket's readiness is kept in a record per descriptor: it is ready until a call says
// otherwise. A descriptor that has both readiness and an operation is in the ready queue, which
// each turn serves once around. Belongs to one thread, but for `wake` and `post`; may be destroyed
// by another once that ended.
#pragma once

#include "io/system_engine.h"

namespace sluice::io {

class EpollEngine final : public SystemEngine {
 public:
  EpollEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options);
  ~EpollEngine() override;

  int open();  // 0 or -errno

  EngineKind kind() const override { return EngineKind::epoll; }

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
  enum class In : uint8_t { none, accept, recv, poll, splice };
  enum class Out : uint8_t { none, send, sendv, connect, splice };

  struct Descriptor {
    uint64_t in_token;
    uint64_t out_token;
    union {
      const uint8_t* out_data;  // send
      uint64_t out_block;       // sendv: index in blocks_
      uint64_t out_pipe;        // splice
    };
    uint32_t out_bytes;  // send, splice
    uint32_t in_bytes;   // recv: credit left; splice: bytes wanted; poll: events wanted
    int32_t in_pipe;     // splice
    // Of the registration; an event with another one is of a former owner.
    uint16_t generation : 15;
    uint16_t awaits_room : 1;  // registered for room to send as well
    In in : 3;
    Out out : 3;
    BufferClass cls : 1;
    bool registered : 1;
    bool not_readable : 1;  // a call found nothing; cleared by an event
    bool not_writable : 1;
    bool hung_up : 1;  // the end of the stream, or an error, is to be read behind the data
    bool queued : 1;   // an entry of ready_ names it
    bool hungry : 1;   // the receive waits for a buffer
    bool listener : 1;
    // A bit per buffer class: an entry of that queue of starved_ names it, maybe in vain.
    uint8_t starved : 2;
  };
  static_assert(sizeof(Descriptor) <= 40);

  // What is left of a blocked sendv.
  struct Block {
    iovec vectors[kSendVectorsMax];
    uint32_t count;
    uint32_t next_free;  // index + 1; 0 ends the list
  };

  Descriptor& at(int fd) { return descriptors_[static_cast<uint32_t>(fd)]; }
  bool may_receive(const Descriptor& d) const {
    return d.in != In::none && d.in != In::poll && !d.not_readable && !d.hungry;
  }
  bool may_send(const Descriptor& d) const { return d.out != Out::none && !d.not_writable; }

  // epoll_ops.cc
  int ensure_registered(int fd, Descriptor& d);
  int control(int operation, int fd, const Descriptor& d);
  void await_room(int fd, Descriptor& d);
  void begin_in(int fd, Token token, In in);
  bool begin_out(int fd, Token token);
  int64_t try_send(int fd, Descriptor& d, const iovec* vectors, uint32_t count);
  uint32_t take_block();
  void free_block(uint32_t index);

  // epoll_engine.cc
  void enqueue(int fd, Descriptor& d);
  void feed_starved(BufferClass cls);
  void harvest(uint64_t timeout_ns, Output& output);
  void note(const epoll_event& event, Output& output);
  void serve_ready(Output& output);
  void serve_in(int fd, Descriptor& d, Output& output);
  void serve_accept(int fd, Descriptor& d, Output& output);
  void serve_recv(int fd, Descriptor& d, Output& output);
  void serve_splice_in(int fd, Descriptor& d, Output& output);
  void serve_out(int fd, Descriptor& d, Output& output);
  void serve_connect(int fd, Descriptor& d, Output& output);
  void serve_splice_out(int fd, Descriptor& d, Output& output);
  void starve(int fd, Descriptor& d);
  void end_in(Descriptor& d, int32_t result, Output& output);
  void end_out(Descriptor& d, int32_t result, Output& output);

  int epoll_ = -1;
  ReservedArray<Descriptor> descriptors_;
  ReservedQueue<uint32_t> ready_;       // descriptors; at most one entry each
  ReservedQueue<uint32_t> starved_[2];  // the same, by buffer class
  ReservedArray<Block> blocks_;
  uint32_t free_block_ = 0;  // index + 1
  uint32_t blocks_touched_ = 0;
};

}  // namespace sluice::io
