// Staging operations of the io_uring engine: what a handler asks for becomes an entry of the
// submission queue, which the next `wait` submits. Splices are kept aside: they are system calls on
// this thread, because the ring would hand them to a kernel thread.
#include <algorithm>

#include "io/uring_engine.h"

namespace sluice::io {
namespace {

// Without MSG_WAITALL: the kernel retries such a send only so often (128 times on 6.18) and then
// gives it to a kernel thread, so a peer that reads slowly could make us have many of them. A short
// count comes back instead, and with it the buffers that are done.
constexpr uint32_t kSendFlags = MSG_NOSIGNAL;
// After the kernel had no memory for an entry.
constexpr uint64_t kMemoryPauseNs = 1'000'000;

}  // namespace

// --- Entries ---

io_uring_sqe& UringEngine::stage(Kind kind, int fd, uint8_t opcode) {
  io_uring_sqe* next = ring_.next_entry();
  io_uring_sqe& entry = next != nullptr ? *next : stage_when_full();
  entry.opcode = opcode;
  entry.fd = fd;
  entry.user_data = user_data(kind, fd);
  return entry;
}

[[gnu::noinline]] io_uring_sqe& UringEngine::stage_when_full() {
  submit_early();
  return *ring_.next_entry();
}

// Returns when the kernel has taken at least one of the staged entries.
void UringEngine::submit_early() {
  counters_.sq_full++;
  const uint32_t staged = ring_.staged();
  for (;;) {
    entered(ring_.submit());
    if (ring_.staged() < staged) return;
    // Out of memory for requests. Ending some of those under way is what helps.
    (void)ring_.enter_only(1, kMemoryPauseNs);
  }
}

// A block that stays in place until the next entry staged has been submitted. Blocks are given back
// all at once, when nothing is staged; so there is room first for the entry, then for the block.
UringEngine::Staged& UringEngine::take_staged() {
  if (ring_.staged() == ring_.sq_entries()) submit_early();
  while (staged_used_ == staged_.capacity()) submit_early();
  return staged_[staged_used_++];
}

UringEngine::Descriptor& UringEngine::begin_in(int fd, Token token, Kind kind, Phase phase) {
  Descriptor& descriptor = at(fd);
  SLUICE_VERIFY(descriptor.in_phase == Phase::idle);
  descriptor.in_token = token.encode();
  descriptor.in_phase = phase;
  descriptor.in_kind = kind;
  descriptor.in_cancelled = false;
  return descriptor;
}

UringEngine::Descriptor& UringEngine::begin_out(int fd, Token token, Kind kind, Phase phase) {
  Descriptor& descriptor = at(fd);
  SLUICE_VERIFY(descriptor.out_phase == Phase::idle);
  descriptor.out_token = token.encode();
  descriptor.out_phase = phase;
  descriptor.out_kind = kind;
  descriptor.out_cancelled = false;
  return descriptor;
}

// --- Receiving ---

void UringEngine::accept(int fd, Token token) {
  SLUICE_ASSERT(static_cast<uint32_t>(fd) < descriptors_max_);
  begin_in(fd, token, Kind::accept, Phase::in_kernel);
  io_uring_sqe& entry = stage(Kind::accept, fd, IORING_OP_ACCEPT);
  entry.ioprio = IORING_ACCEPT_MULTISHOT;
  entry.accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
}

void UringEngine::recv(int fd, Token token, BufferClass cls, uint32_t credit_bytes) {
  Descriptor& descriptor = begin_in(fd, token, Kind::recv, Phase::in_kernel);
  descriptor.in_bytes = std::max(credit_bytes, 1u);
  descriptor.cls = cls;
  // A ring without buffers would answer at once that it has none, even for a quiet socket.
  stage_recv(fd, descriptor, provided_.filled(cls) == 0);
}

void UringEngine::stage_recv(int fd, const Descriptor& descriptor, bool poll_first) {
  io_uring_sqe& entry = stage(Kind::recv, fd, IORING_OP_RECV);
  entry.flags = IOSQE_BUFFER_SELECT;
  entry.buf_group = UringBuffers::group(descriptor.cls);
  if (poll_first) entry.ioprio = IORING_RECVSEND_POLL_FIRST;
  if (receive_cap_) {
    entry.ioprio |= IORING_RECV_MULTISHOT;
    abi::set_receive_cap(entry, descriptor.in_bytes);
  } else {
    entry.len = std::min(descriptor.in_bytes, buffers_.buffer_bytes(descriptor.cls));
  }
}

void UringEngine::poll(int fd, Token token, uint32_t events) {
  begin_in(fd, token, Kind::poll, Phase::in_kernel);
  stage_poll(Kind::poll, fd, events);
}

void UringEngine::stage_poll(Kind kind, int fd, uint32_t events) {
  io_uring_sqe& entry = stage(kind, fd, IORING_OP_POLL_ADD);
  entry.poll32_events = events;
}

void UringEngine::stage_wake() {
  io_uring_sqe& entry = stage(Kind::wake, event_fd_, IORING_OP_POLL_ADD);
  entry.poll32_events = EPOLLIN;
  entry.len = IORING_POLL_ADD_MULTI;
}

void UringEngine::splice_in(int socket_fd, int pipe_write_fd, Token token, uint32_t bytes) {
  Descriptor& descriptor = begin_in(socket_fd, token, Kind::splice_in_ready, Phase::spliceable);
  descriptor.in_bytes = bytes;
  descriptor.in_pipe = pipe_write_fd;
  descriptor.in_polled = false;
  splices_.push(static_cast<uint32_t>(socket_fd) * 2);
}

// --- Sending ---

void UringEngine::send(int fd, Token token, const uint8_t* data, uint32_t bytes) {
  begin_out(fd, token, Kind::send, Phase::in_kernel);
  io_uring_sqe& entry = stage(Kind::send, fd, IORING_OP_SEND);
  entry.addr = reinterpret_cast<uint64_t>(data);
  entry.len = bytes;
  entry.msg_flags = kSendFlags;
}

void UringEngine::sendv(int fd, Token token, const iovec* vectors, uint32_t count) {
  SLUICE_ASSERT(count > 0 && count <= kSendVectorsMax);
  begin_out(fd, token, Kind::send, Phase::in_kernel);
  Staged& staged = take_staged();
  std::copy_n(vectors, count, staged.vectors);
  staged.message = msghdr{};
  staged.message.msg_iov = staged.vectors;
  staged.message.msg_iovlen = count;
  io_uring_sqe& entry = stage(Kind::send, fd, IORING_OP_SENDMSG);
  entry.addr = reinterpret_cast<uint64_t>(&staged.message);
  entry.len = 1;
  entry.msg_flags = kSendFlags;
}

void UringEngine::connect(int fd, Token token, const SocketAddress& address) {
  // A Unix socket connects at once or not at all; on the ring, a listener with a full queue would
  // be waited for by a kernel thread.
  if (address.family() == AF_UNIX) {
    const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
    return report_later(token.encode(), kernel_.connect(fd, raw, address.bytes));
  }
  begin_out(fd, token, Kind::connect, Phase::in_kernel);
  Staged& staged = take_staged();
  static_assert(sizeof(staged.vectors) >= sizeof(sockaddr_storage));
  std::copy_n(reinterpret_cast<const uint8_t*>(&address.storage), sizeof(sockaddr_storage),
              reinterpret_cast<uint8_t*>(staged.vectors));
  io_uring_sqe& entry = stage(Kind::connect, fd, IORING_OP_CONNECT);
  entry.addr = reinterpret_cast<uint64_t>(staged.vectors);
  entry.off = address.bytes;
}

void UringEngine::splice_out(int pipe_read_fd, int socket_fd, Token token, uint32_t bytes) {
  Descriptor& descriptor = begin_out(socket_fd, token, Kind::splice_out_ready, Phase::spliceable);
  descriptor.out_bytes = bytes;
  descriptor.out_pipe = pipe_read_fd;
  splices_.push(static_cast<uint32_t>(socket_fd) * 2 + 1);
}

// --- Ending ---

void UringEngine::cancel(int fd) {
  Descriptor& descriptor = at(fd);
  bool in_kernel = false;
  if (descriptor.in_phase == Phase::in_kernel) {
    descriptor.in_cancelled = in_kernel = true;
  } else if (descriptor.in_phase != Phase::idle) {
    descriptor.in_phase = Phase::idle;
    report_later(descriptor.in_token, -ECANCELED);
  }
  if (descriptor.out_phase == Phase::in_kernel) {
    descriptor.out_cancelled = in_kernel = true;
  } else if (descriptor.out_phase != Phase::idle) {
    descriptor.out_phase = Phase::idle;
    report_later(descriptor.out_token, -ECANCELED);
  }
  if (in_kernel) stage_cancel(fd);
}

void UringEngine::stage_cancel(int fd) {
  io_uring_sqe& entry = stage(Kind::cancel, fd, IORING_OP_ASYNC_CANCEL);
  entry.cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
}

// Names the one operation, so that a newer one on the same descriptor is left alone.
void UringEngine::stage_cancel_again(Kind kind, int fd) {
  const Descriptor& descriptor = at(fd);
  io_uring_sqe& entry = stage(kind, fd, IORING_OP_ASYNC_CANCEL);
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
  entry.addr = user_data(kind == Kind::cancel_in ? descriptor.in_kind : descriptor.out_kind, fd);
}

// A listener is closed at once: whoever ended it wants its address free, and it has nothing staged.
void UringEngine::close(int fd) {
  if (at(fd).in_kind == Kind::accept) {
    at(fd).in_kind = Kind::silent;
    return close_now(fd);
  }
  SLUICE_VERIFY(at(fd).in_phase == Phase::idle && at(fd).out_phase == Phase::idle);
  io_uring_sqe& entry = stage(Kind::silent, fd, IORING_OP_CLOSE);
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
}

}  // namespace sluice::io
