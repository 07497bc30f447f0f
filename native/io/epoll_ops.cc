// Starting and ending operations of the epoll engine. Sends and connects are tried at once; their
// results wait for the next turn, as everything does.
#include <algorithm>

#include "io/epoll_engine.h"

namespace sluice::io {
namespace {

constexpr uint32_t kInterest = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;

}  // namespace

// --- Registration ---

int EpollEngine::control(int operation, int fd, const Descriptor& d) {
  epoll_event event{};
  event.events = kInterest | (d.awaits_room != 0 ? uint32_t{EPOLLOUT} : 0u);
  event.data.u64 = static_cast<uint64_t>(d.generation) << 32 | static_cast<uint32_t>(fd);
  return kernel_.epoll_control(epoll_, operation, fd, &event);
}

int EpollEngine::ensure_registered(int fd, Descriptor& d) {
  if (d.registered) return 0;
  const int result = control(EPOLL_CTL_ADD, fd, d);
  if (result < 0) {
    counters_.no_memory++;
    return result;
  }
  d.registered = true;
  return 0;
}

// Room to send is asked for when it was found wanting: a Unix socket otherwise reports it after
// each message that its peer has read. A registration that is changed reports what holds now.
void EpollEngine::await_room(int fd, Descriptor& d) {
  d.not_writable = true;
  if (d.awaits_room != 0) return;
  d.awaits_room = 1;
  if (d.registered) (void)control(EPOLL_CTL_MOD, fd, d);
}

void EpollEngine::begin_in(int fd, Token token, In in) {
  Descriptor& d = at(fd);
  SLUICE_VERIFY(d.in == In::none);
  const int error = ensure_registered(fd, d);
  if (error < 0) return report_later(token.encode(), error);
  d.in_token = token.encode();
  d.in = in;
  d.hungry = false;
  if (may_receive(d)) enqueue(fd, d);
}

// False when the operation has failed already.
bool EpollEngine::begin_out(int fd, Token token) {
  Descriptor& d = at(fd);
  SLUICE_VERIFY(d.out == Out::none);
  const int error = ensure_registered(fd, d);
  if (error < 0) report_later(token.encode(), error);
  d.out_token = token.encode();
  return error == 0;
}

// --- Receiving ---

void EpollEngine::accept(int fd, Token token) {
  SLUICE_ASSERT(static_cast<uint32_t>(fd) < descriptors_max_);
  at(fd).listener = true;
  begin_in(fd, token, In::accept);
}

void EpollEngine::recv(int fd, Token token, BufferClass cls, uint32_t credit_bytes) {
  Descriptor& d = at(fd);
  d.cls = cls;
  d.in_bytes = std::max(credit_bytes, 1u);
  begin_in(fd, token, In::recv);
}

// A registration that is changed, even to what it was, reports what holds now.
void EpollEngine::poll(int fd, Token token, uint32_t events) {
  Descriptor& d = at(fd);
  const bool again = d.registered;
  if ((events & EPOLLOUT) != 0) d.awaits_room = 1;
  begin_in(fd, token, In::poll);
  d.in_bytes = events;
  if (again && d.in == In::poll) (void)control(EPOLL_CTL_MOD, fd, d);
}

void EpollEngine::splice_in(int socket_fd, int pipe_write_fd, Token token, uint32_t bytes) {
  Descriptor& d = at(socket_fd);
  d.in_bytes = bytes;
  d.in_pipe = pipe_write_fd;
  begin_in(socket_fd, token, In::splice);
}

// --- Sending ---

// Bytes taken, -EAGAIN, or another error. A short count means the socket is full.
int64_t EpollEngine::try_send(int fd, Descriptor& d, const iovec* vectors, uint32_t count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors);
  message.msg_iovlen = count;
  int64_t sent;
  do {
    sent = count == 1 ? kernel_.send_bytes(fd, vectors->iov_base, vectors->iov_len)
                      : kernel_.send(fd, &message);
  } while (sent == -EINTR);
  if (sent == -EAGAIN) {
    await_room(fd, d);
    return sent;
  }
  int64_t asked = 0;
  for (uint32_t i = 0; i < count; i++) asked += static_cast<int64_t>(vectors[i].iov_len);
  if (sent >= 0 && sent < asked && !d.hung_up) await_room(fd, d);
  return sent;
}

void EpollEngine::send(int fd, Token token, const uint8_t* data, uint32_t bytes) {
  if (!begin_out(fd, token)) return;
  Descriptor& d = at(fd);
  if (!d.not_writable) {
    const iovec vector{const_cast<uint8_t*>(data), bytes};
    const int64_t sent = try_send(fd, d, &vector, 1);
    if (sent != -EAGAIN) return report_later(d.out_token, static_cast<int32_t>(sent));
  }
  d.out = Out::send;
  d.out_data = data;
  d.out_bytes = bytes;
}

void EpollEngine::sendv(int fd, Token token, const iovec* vectors, uint32_t count) {
  SLUICE_ASSERT(count > 0 && count <= kSendVectorsMax);
  if (!begin_out(fd, token)) return;
  Descriptor& d = at(fd);
  if (!d.not_writable) {
    const int64_t sent = try_send(fd, d, vectors, count);
    if (sent != -EAGAIN) return report_later(d.out_token, static_cast<int32_t>(sent));
  }
  const uint32_t block = take_block();
  if (block == UINT32_MAX) {
    // Sending less than asked is allowed, so the first piece will do.
    d.out = Out::send;
    d.out_data = static_cast<const uint8_t*>(vectors[0].iov_base);
    d.out_bytes = static_cast<uint32_t>(vectors[0].iov_len);
    return;
  }
  std::copy_n(vectors, count, blocks_[block].vectors);
  blocks_[block].count = count;
  d.out = Out::sendv;
  d.out_block = block;
}

uint32_t EpollEngine::take_block() {
  if (free_block_ != 0) {
    const uint32_t index = free_block_ - 1;
    free_block_ = blocks_[index].next_free;
    return index;
  }
  return blocks_touched_ < blocks_.capacity() ? blocks_touched_++ : UINT32_MAX;
}

void EpollEngine::free_block(uint32_t index) {
  blocks_[index].next_free = free_block_;
  free_block_ = index + 1;
}

// Registered after the call: a socket that is neither connected nor connecting counts as hung up.
void EpollEngine::connect(int fd, Token token, const SocketAddress& address) {
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  const int result = kernel_.connect(fd, raw, address.bytes);
  if (result < 0 && result != -EINPROGRESS) return report_later(token.encode(), result);
  if (result < 0) await_room(fd, at(fd));
  if (!begin_out(fd, token)) return;
  Descriptor& d = at(fd);
  if (result == 0) return report_later(d.out_token, 0);
  d.out = Out::connect;
}

void EpollEngine::splice_out(int pipe_read_fd, int socket_fd, Token token, uint32_t bytes) {
  if (!begin_out(socket_fd, token)) return;
  Descriptor& d = at(socket_fd);
  d.out = Out::splice;
  d.out_pipe = static_cast<uint64_t>(pipe_read_fd);
  d.out_bytes = bytes;
  if (may_send(d)) enqueue(socket_fd, d);
}

// --- Ending ---

// Entries in the queues stay; they are found to be in vain when their turn comes.
void EpollEngine::cancel(int fd) {
  Descriptor& d = at(fd);
  if (d.in != In::none) {
    d.in = In::none;
    report_later(d.in_token, -ECANCELED);
  }
  if (d.out != Out::none) {
    if (d.out == Out::sendv) free_block(static_cast<uint32_t>(d.out_block));
    d.out = Out::none;
    report_later(d.out_token, -ECANCELED);
  }
}

void EpollEngine::close(int fd) {
  Descriptor& d = at(fd);
  SLUICE_VERIFY(d.in == In::none && d.out == Out::none);
  // Another process may hold a listener that was inherited; then only this ends the events.
  if (d.registered && d.listener) (void)control(EPOLL_CTL_DEL, fd, d);
  d.generation++;
  d.registered = d.not_readable = d.not_writable = d.hung_up = d.listener = false;
  d.awaits_room = 0;
  (void)kernel_.close(fd);
}

}  // namespace sluice::io
