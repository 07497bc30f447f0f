// Streams and pipes of the simulated world: the network between two streams, and the calls on them.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "sim/io_sim_world.h"

namespace sluice::sim {

// --- The network between two streams ---

void World::schedule_wire(int id) {
  Object& s = object(id);
  if (s.wire_due || s.dead || s.peer < 0) return;
  s.wire_due = true;
  schedule(now_ns_ + delay_ns(), What::wire, static_cast<uint32_t>(id));
}

void World::wire(int id) {
  Object& s = object(id);
  s.wire_due = false;
  if (s.dead || s.peer < 0) return;
  Object& p = object(s.peer);
  if (p.dead) return;
  if (s.family != AF_UNIX && faults_.fires(Fault::conn_reset)) {
    receive_reset(s.peer);
    return receive_reset(id);
  }
  if (s.tx.size() > 0 && p.closed) return receive_reset(id);  // nobody will read it
  uint32_t bytes = std::min(s.tx.size(), p.rx.space());
  if (bytes > 1 && prng_.one_in(3)) bytes = 1 + prng_.below(bytes);
  if (bytes > 0) {
    s.tx.move_to(p.rx, bytes);
    wake(s.peer, EPOLLIN | EPOLLRDNORM);
    if (s.nospace && is_writable(s)) {
      s.nospace = false;
      wake(id, EPOLLOUT | EPOLLWRNORM);
    }
  }
  if (s.tx.size() > 0) {
    if (p.rx.space() > 0) schedule_wire(id);
    return;  // with a full receive queue the reader's next call goes on
  }
  if (!s.tx_shut || s.fin_sent) return;
  s.fin_sent = true;
  p.rx_fin = true;
  wake(s.peer, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | (p.tx_shut ? EPOLLHUP : 0u));
  if (s.rx_fin) wake(id, EPOLLHUP);
}

void World::abort(int id) {
  Object& s = object(id);
  if (s.dead) return;
  s.dead = true;
  s.was_reset = true;
  s.tx.clear();
  if (s.peer < 0) return;
  object(s.peer).was_reset = true;
  schedule(now_ns_ + delay_ns(), What::reset, static_cast<uint32_t>(s.peer));
}

void World::receive_reset(int id) {
  Object& s = object(id);
  if (s.dead) return;
  s.error = s.rx_fin ? EPIPE : ECONNRESET;
  s.dead = true;
  s.was_reset = true;
  s.tx.clear();
  if (s.peer >= 0) object(s.peer).was_reset = true;
  wake(id, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

// --- Streams ---

int World::make_stream(int family) {
  const int id = make(Kind::stream);
  Object& s = object(id);
  s.family = family;
  s.rx.set_capacity(limits_.queue_bytes);
  s.tx.set_capacity(limits_.queue_bytes);
  return id;
}

void World::join(int a, int b) {
  object(a).peer = b;
  object(b).peer = a;
  object(a).connected = object(b).connected = true;
}

// The kernel reports room only when a good part of the queue is free, though a send may succeed
// with less.
bool World::is_writable(const Object& s) const {
  return s.tx.space() * 3 >= s.tx.capacity();
}

uint32_t World::poll(int id) {
  Object& o = object(id);
  switch (o.kind) {
    case Kind::listener:
      return o.backlog.empty() ? 0 : EPOLLIN | EPOLLRDNORM;
    case Kind::event:
      return EPOLLOUT | (o.counter > 0 ? EPOLLIN : 0u);
    case Kind::pipe_read:
      return (o.rx.size() > 0 ? EPOLLIN : 0u) | (o.rx_fin ? EPOLLHUP : 0u);
    case Kind::pipe_write:
      return object(o.peer).rx.space() > 0 ? EPOLLOUT : 0u;
    case Kind::stream:
      break;
    default:
      return 0;
  }
  if (o.connecting) return 0;
  uint32_t events = 0;
  if (o.error != 0) events |= EPOLLERR;
  if (o.dead || !o.connected || (o.rx_fin && o.tx_shut)) events |= EPOLLHUP;
  if (o.dead || o.rx_fin) events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
  if (o.rx.size() > 0) events |= EPOLLIN | EPOLLRDNORM;
  if (o.dead || o.tx_shut || !o.connected || is_writable(o)) {
    events |= EPOLLOUT | EPOLLWRNORM;
  } else {
    o.nospace = true;
  }
  return events;
}

int World::socket_error(int id) {
  Object& s = object(id);
  const int error = s.error;
  s.error = 0;
  return -error;
}

int64_t World::recv(int id, uint8_t* out, uint32_t bytes) {
  Object& s = object(id);
  if (bytes == 0) return 0;
  if (s.rx.size() > 0) {
    const uint32_t n = std::min(bytes, s.rx.size());
    s.rx.pop(out, n);
    if (s.peer >= 0 && object(s.peer).tx.size() > 0) schedule_wire(s.peer);
    return n;
  }
  if (s.error != 0) return socket_error(id);
  if (s.dead || s.rx_fin) return 0;
  if (s.connecting) return -EAGAIN;
  return s.connected ? -EAGAIN : -ENOTCONN;
}

int64_t World::send(int id, const iovec* vectors, size_t count, uint32_t limit) {
  Object& s = object(id);
  if (s.error != 0) return socket_error(id);
  if (s.dead || s.tx_shut) return -EPIPE;
  if (s.connecting) return -EAGAIN;
  if (!s.connected) return -EPIPE;
  uint64_t asked = 0;
  uint32_t sent = 0;
  for (size_t i = 0; i < count; i++) {
    asked += vectors[i].iov_len;
    const uint32_t room = std::min(s.tx.space(), limit - sent);
    const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(vectors[i].iov_len, room));
    s.tx.push(static_cast<const uint8_t*>(vectors[i].iov_base), n);
    sent += n;
  }
  if (sent > 0) schedule_wire(id);
  if (sent < asked && s.tx.space() == 0) s.nospace = true;
  return sent == 0 && asked > 0 ? -EAGAIN : static_cast<int64_t>(sent);
}

int World::shutdown_write(int id) {
  Object& s = object(id);
  if (!s.connected || s.dead) return -ENOTCONN;
  if (s.tx_shut) return 0;
  s.tx_shut = true;
  schedule_wire(id);
  return 0;
}

int World::connect(int id, uint32_t port) {
  Object& s = object(id);
  if (s.connected) return -EISCONN;
  if (s.connecting) return -EALREADY;
  if (s.dead) return -ECONNABORTED;
  const bool refused =
      open_ports_.find(port) == open_ports_.end() || faults_.fires(Fault::conn_refused);
  if (s.family == AF_UNIX) {
    // At once or not at all: nobody listens, or the listener's queue is full.
    if (refused) return prng_.one_in(2) ? -ECONNREFUSED : -EAGAIN;
    connect_done(id, port, false);
    return 0;
  }
  s.connecting = true;
  ref(id);  // the handshake's
  schedule(now_ns_ + delay_ns() * 2, What::connect, static_cast<uint32_t>(id),
           uint64_t{port} << 1 | (refused ? 1 : 0));
  return -EINPROGRESS;
}

void World::connect_done(int id, uint32_t port, bool refused) {
  Object& s = object(id);
  s.connecting = false;
  if (refused) {
    s.error = ECONNREFUSED;
    s.dead = true;
    return wake(id, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  }
  const int far = make_stream(s.family);
  ref(far);
  join(id, far);
  wake(id, EPOLLOUT | EPOLLWRNORM);
  if (on_backend_connected) on_backend_connected(far, port);
}

// --- Pipes ---

int World::make_pipe(int ends[2], uint32_t bytes) {
  if (limits_.descriptors - open_descriptors() < 2) return -EMFILE;
  const int read_end = make(Kind::pipe_read);
  const int write_end = make(Kind::pipe_write);
  object(read_end).rx.set_capacity(bytes);
  object(write_end).peer = read_end;
  object(read_end).peer = write_end;
  ends[0] = install(read_end);
  ends[1] = install(write_end);
  return static_cast<int>(bytes);
}

int64_t World::splice(int from, int to, uint32_t bytes) {
  Object& source = object(from);
  Object& sink = object(to);
  if (source.kind == Kind::stream && sink.kind == Kind::pipe_write) {
    return splice_to_pipe(from, object(sink.peer), bytes);
  }
  if (source.kind == Kind::pipe_read && sink.kind == Kind::stream) {
    return splice_to_stream(source, !source.rx_fin, to, bytes);
  }
  return -EINVAL;
}

int64_t World::splice_to_pipe(int from, Object& pipe, uint32_t bytes) {
  Object& s = object(from);
  if (pipe.dead) return -EPIPE;
  if (pipe.rx.space() == 0) return -EAGAIN;
  if (s.rx.size() == 0) return recv(from, nullptr, bytes);
  const uint32_t n = std::min({bytes, s.rx.size(), pipe.rx.space()});
  s.rx.move_to(pipe.rx, n);
  if (s.peer >= 0 && object(s.peer).tx.size() > 0) schedule_wire(s.peer);
  return n;
}

int64_t World::splice_to_stream(Object& pipe, bool writer_open, int to, uint32_t bytes) {
  Object& s = object(to);
  if (pipe.rx.size() == 0) return writer_open ? -EAGAIN : 0;
  if (s.error != 0 || s.dead || s.tx_shut || !s.connected) return send(to, nullptr, 0, 0);
  const uint32_t n = std::min({bytes, pipe.rx.size(), s.tx.space()});
  pipe.rx.move_to(s.tx, n);
  if (n > 0) schedule_wire(to);
  if (s.tx.space() == 0) s.nospace = true;
  return n == 0 ? -EAGAIN : static_cast<int64_t>(n);
}

}  // namespace sluice::sim
