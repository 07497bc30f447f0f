// The engine interface: every other room's only way to the kernel. Completion style: an operation
// is named by a Token, started by a call, and reported by `wait` as a Completion. Calls never
// deliver a completion themselves, so no handler is ever re-entered.
//
// Implementations: UringEngine, EpollEngine, and the simulated engine of the tests. One engine
// belongs to one worker thread; only `wake` and `post` may be called by other threads.
//
// Rules of the contract
//  * Every accepted call ends in exactly one terminal completion (`more == false`) for its token;
//    accept and recv may report several non-terminal ones before it. The caller counts started
//    operations and frees a connection only when none is outstanding.
//  * A terminal completion of accept or recv with a good result only means "start it again if you
//    want more"; it is not an error.
//  * recv: the engine picks buffers of the wanted class from the pool and lends them, with
//    `meta.length` set. It reports at most `credit_bytes` (overshooting by less than one buffer)
//    before it ends terminally. It never fails for want of buffers: it waits for one to be
//    returned, and counts that.
//  * At most one send (send, sendv or splice_out) and one receive (recv or splice_in) may be
//    outstanding per descriptor.
//  * splice_in may end with -EAGAIN: there is something to read that cannot be spliced (urgent
//    data); a recv gets past it.
//  * send and sendv may complete short. The bytes must stay in place until the completion; the
//    iovec array and a connect address are copied by the call.
//  * cancel ends all operations on a descriptor; each still reports its own terminal completion,
//    with -ECANCELED or with what it had achieved.
//  * close may be called only when nothing is outstanding on the descriptor.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "io/buffer_pool.h"
#include "io/op.h"

namespace sluice::io {

struct Completion {
  uint64_t token = 0;  // Token::encode
  uint64_t value = 0;  // Op::mail: the posted value
  int32_t result = 0;  // as its Op says, or -errno
  BufferRef buffer;    // recv with result > 0; the receiver owns it until BufferPool::release
  bool more = false;   // the operation stays armed and will report again
};

// A socket address with its length: IPv4, IPv6 or a Unix path.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  int family() const { return storage.ss_family; }
};

// Facts an engine counts about itself; exported as engine words. Plain 64-bit values written by the
// engine's thread and copied into shared memory by the worker.
struct EngineCounters {
  uint64_t waits = 0;              // calls that entered the kernel to wait
  uint64_t completions = 0;        // delivered to the worker
  uint64_t buffers_exhausted = 0;  // ENOBUFS, or no free buffer
  uint64_t cq_overflows = 0;       // the kernel had to keep completions aside
  uint64_t sq_full = 0;            // submitted early for want of entries
  uint64_t rearmed = 0;            // multishot operations that ended without being asked to
  uint64_t no_memory = 0;          // ENOMEM or EAGAIN from the kernel for the engine's own calls
  uint64_t mail_full = 0;          // posts refused because the receiver's mailbox was full
  uint64_t spliced_bytes = 0;
};

enum class EngineKind : uint8_t { none = 0, io_uring = 1, epoll = 2, simulated = 3 };

inline constexpr size_t kSendVectorsMax = 16;  // iovecs a sendv may carry

class Engine {
 public:
  explicit Engine(BufferPool& buffers) : buffers_(buffers) {}
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  virtual EngineKind kind() const = 0;
  BufferPool& buffers() { return buffers_; }
  const EngineCounters& counters() const { return counters_; }

  // Monotonic nanoseconds, read once per `wait` (cached) or now (a clock call).
  uint64_t now_ns() const { return now_ns_; }
  virtual uint64_t clock_ns() = 0;
  // Wall-clock time, in seconds since 1970. A simulated one may begin then.
  virtual uint64_t unix_seconds() { return clock_ns() / 1'000'000'000; }

  // --- Synchronous calls on a descriptor. Results are >= 0 or -errno. ---
  // A non-blocking close-on-exec stream socket; TCP_NODELAY is set for IPv4 and IPv6.
  virtual int open_socket(int family) = 0;
  // Sends FIN. Call it when no send is outstanding on `fd`.
  virtual int shutdown_write(int fd) = 0;
  // Makes the coming close send RST instead of FIN (SO_LINGER with zero time).
  virtual void reset_on_close(int fd) = 0;
  // Bytes the peer has not acknowledged (SIOCOUTQ): shows whether a stalled peer makes progress.
  virtual int64_t unacknowledged_bytes(int fd) = 0;
  // Address of the peer of a connected socket: 0 or -errno.
  virtual int peer_address(int /*fd*/, SocketAddress* /*address*/) { return -ENOTCONN; }
  // A non-blocking close-on-exec pipe, enlarged towards `bytes` as far as the kernel allows.
  // Returns its capacity in bytes, or -errno.
  virtual int open_pipe(int fds[2], uint32_t bytes) = 0;
  // Accepts one queued connection, non-blocking: a descriptor, -EAGAIN or another error.
  virtual int accept_now(int /*fd*/) { return -EAGAIN; }
  // Connections the kernel holds in a TCP listener's queue; closing it resets them.
  virtual uint32_t pending_accepts(int /*fd*/) { return 0; }
  // Closes a descriptor that has never been given to an operation (pipes, refused connections).
  virtual void close_now(int fd) = 0;

  // --- Operations; each reports completions under `token`. ---
  virtual void accept(int fd, Token token) = 0;
  virtual void recv(int fd, Token token, BufferClass cls, uint32_t credit_bytes) = 0;
  virtual void send(int fd, Token token, const uint8_t* data, uint32_t bytes) = 0;
  virtual void sendv(int fd, Token token, const iovec* vectors, uint32_t count) = 0;
  virtual void connect(int fd, Token token, const SocketAddress& address) = 0;
  // Waits once for POLLIN/POLLOUT/... on a descriptor that has no other operation outstanding.
  virtual void poll(int fd, Token token, uint32_t events) = 0;
  // Moves up to `bytes` from a socket into an empty pipe, or from a pipe into a socket, waiting for
  // the socket when it is not ready.
  virtual void splice_in(int socket_fd, int pipe_write_fd, Token token, uint32_t bytes) = 0;
  virtual void splice_out(int pipe_read_fd, int socket_fd, Token token, uint32_t bytes) = 0;
  virtual void cancel(int fd) = 0;
  // Closes in order after everything started before it; no completion.
  virtual void close(int fd) = 0;

  // Starts what was staged, waits until something completes, `deadline_ns` (monotonic; 0 = do not
  // wait) passes or `wake` is called, and writes up to `max` completions. Returns their number.
  virtual size_t wait(uint64_t deadline_ns, Completion* out, size_t max) = 0;

  // --- Callable from any thread. ---
  // Makes the current or next `wait` return.
  virtual void wake() = 0;
  // Posts a value from worker `lane`; it arrives as an Op::mail completion. One thread per lane.
  // False when the mailbox is full; the value then stays with the caller.
  virtual bool post(uint32_t lane, uint64_t value) = 0;

  // --- After the owning thread and all posting ones have ended. ---
  // A posted value that no `wait` has delivered; false when there is none left.
  virtual bool take_left_mail(uint64_t* /*value*/) { return false; }

 protected:
  BufferPool& buffers_;
  EngineCounters counters_;
  uint64_t now_ns_ = 0;
};

}  // namespace sluice::io
