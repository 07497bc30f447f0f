#include "sim/io_sim_world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace sluice::sim {

void ByteQueue::push(const uint8_t* data, uint32_t bytes) {
  SLUICE_ASSERT(bytes <= space());
  if (bytes == 0) return;
  if (bytes_.empty()) bytes_.resize(capacity_);
  const uint32_t tail = (head_ + size_) % capacity_;
  const uint32_t first = std::min(bytes, capacity_ - tail);
  std::memcpy(&bytes_[tail], data, first);
  if (bytes > first) std::memcpy(&bytes_[0], data + first, bytes - first);
  size_ += bytes;
}

void ByteQueue::pop(uint8_t* out, uint32_t bytes) {
  SLUICE_ASSERT(bytes <= size_);
  if (bytes == 0) return;
  const uint32_t first = std::min(bytes, capacity_ - head_);
  std::memcpy(out, &bytes_[head_], first);
  if (bytes > first) std::memcpy(out + first, &bytes_[0], bytes - first);
  head_ = (head_ + bytes) % capacity_;
  size_ -= bytes;
}

void ByteQueue::move_to(ByteQueue& other, uint32_t bytes) {
  while (bytes > 0) {
    const uint32_t run = std::min(bytes, capacity_ - head_);
    other.push(&bytes_[head_], run);
    head_ = (head_ + run) % capacity_;
    size_ -= run;
    bytes -= run;
  }
}

World::World(uint64_t seed, FaultPlan& faults, Limits limits)
    : faults_(faults), prng_(seed), limits_(limits) {}

void World::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

// --- Time ---

void World::schedule(uint64_t at_ns, What what, uint32_t a, uint64_t b) {
  events_.push(Event{std::max(at_ns, now_ns_), order_++, what, a, b});
}

void World::advance_to(uint64_t at_ns) {
  if (in_event_) return;
  in_event_ = true;
  while (!events_.empty() && events_.top().at_ns <= at_ns) {
    const Event event = events_.top();
    events_.pop();
    now_ns_ = std::max(now_ns_, event.at_ns);
    events_run_++;
    run(event);
  }
  now_ns_ = std::max(now_ns_, at_ns);
  in_event_ = false;
}

uint32_t World::delay_ns() {
  // Mostly quick; once in a while a packet takes far longer than everything else.
  const uint32_t range = prng_.one_in(50) ? limits_.wire_ns * 50 : limits_.wire_ns;
  return 500 + prng_.below(range);
}

void World::run(const Event& event) {
  const int id = static_cast<int>(event.a);
  switch (event.what) {
    case What::wire:
      return wire(id);
    case What::reset:
      return receive_reset(id);
    case What::arrive:
      return arrive(id, static_cast<int>(event.b));
    case What::connect:
      return connect_done(id, static_cast<uint32_t>(event.b >> 1), (event.b & 1) != 0);
    case What::wake:
      return wake(id, poll(id));
    case What::kernel:
      if (on_kernel_event) on_kernel_event(event.a, event.b);
      return;
    case What::actor:
      if (on_actor_event) on_actor_event(event.a, event.b);
      return;
  }
}

// --- Objects and descriptors ---

int World::make(Kind kind) {
  objects_.emplace_back();
  objects_.back().kind = kind;
  return static_cast<int>(objects_.size()) - 1;
}

int World::install(int id) {
  if (table_full()) return -EMFILE;
  size_t fd = 0;
  while (fd < table_.size() && table_[fd] >= 0) fd++;
  if (fd == table_.size()) table_.push_back(-1);
  table_[fd] = id;
  object(id).fd = static_cast<int>(fd);
  ref(id);
  return static_cast<int>(fd);
}

int World::lookup(int fd) const {
  if (fd < 0 || static_cast<size_t>(fd) >= table_.size()) return -1;
  return table_[static_cast<size_t>(fd)];
}

int World::close_fd(int fd) {
  const int id = lookup(fd);
  if (id < 0) return -EBADF;
  table_[static_cast<size_t>(fd)] = -1;
  object(id).fd = -1;
  unref(id);
  return 0;
}

uint32_t World::open_descriptors() const {
  return static_cast<uint32_t>(
      std::count_if(table_.begin(), table_.end(), [](int id) { return id >= 0; }));
}

void World::unref(int id) {
  SLUICE_ASSERT(object(id).refs > 0);
  if (--object(id).refs == 0) release(id);
}

void World::release(int id) {
  if (on_release) on_release(id);
  Object& o = object(id);
  if (o.kind == Kind::pipe_read) o.dead = true;
  if (o.kind == Kind::pipe_write) object(o.peer).rx_fin = true;
  if (o.kind == Kind::listener) {
    for (const int near : o.backlog) {
      abort(near);
      unref(near);
    }
    o.backlog.clear();
    o.dead = true;
  }
  if (o.kind != Kind::stream) return;
  o.closed = true;
  if (o.dead || !o.connected) return;
  if (o.linger_reset || o.rx.size() > 0) return abort(id);
  o.tx_shut = true;
  schedule_wire(id);
}

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
  if (faults_.fires(Fault::conn_reset)) {
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
bool World::is_writable(const Object& s) const { return s.tx.space() * 3 >= s.tx.capacity(); }

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
  s.connecting = true;
  if (s.family == AF_UNIX) {
    connect_done(id, port, refused);
    return refused ? socket_error(id) : 0;
  }
  ref(id);
  schedule(now_ns_ + delay_ns() * 2, What::connect, static_cast<uint32_t>(id),
           uint64_t{port} << 1 | (refused ? 1 : 0));
  return -EINPROGRESS;
}

void World::connect_done(int id, uint32_t port, bool refused) {
  Object& s = object(id);
  s.connecting = false;
  const bool counted = s.family != AF_UNIX;
  if (counted && s.refs == 1) return unref(id);  // closed meanwhile
  if (refused) {
    s.error = ECONNREFUSED;
    s.dead = counted;  // a Unix socket may try again
    if (counted) wake(id, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  } else {
    const int far = make_stream(s.family);
    ref(far);
    join(id, far);
    if (counted) wake(id, EPOLLOUT | EPOLLWRNORM);
    if (on_backend_connected) on_backend_connected(far, port);
  }
  if (counted) unref(id);
}

// --- Listeners ---

int World::connect_client(int listener, uint32_t tag) {
  const int far = make_stream(AF_INET);
  const int near = make_stream(AF_INET);
  ref(far);
  ref(near);
  object(near).tag = tag;
  join(near, far);
  schedule(now_ns_ + delay_ns(), What::arrive, static_cast<uint32_t>(listener),
           static_cast<uint64_t>(near));
  return far;
}

void World::arrive(int listener, int near) {
  Object& l = object(listener);
  if (l.refs == 0 || l.backlog.size() >= limits_.backlog) {
    abort(near);
    return unref(near);
  }
  l.backlog.push_back(near);
  wake(listener, EPOLLIN | EPOLLRDNORM);
}

int World::accept(int listener) {
  Object& l = object(listener);
  if (l.backlog.empty()) return -EAGAIN;
  const int near = l.backlog.front();
  l.backlog.erase(l.backlog.begin());
  return near;
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
