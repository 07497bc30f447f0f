#include "http_world.h"

#include <cstdio>

#include "http_engine.h"
#include "http_peer.h"

namespace sluice::http_sim {

World::World(uint64_t seed, bool with_faults, bool verbose)
    : seed(seed), prng(seed ^ 0x303), faults(seed, with_faults), verbose_(verbose) {}

World::~World() = default;

void World::fail(const char* invariant, const char* format, ...) {
  if (failed()) return;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  char line[640];
  std::snprintf(line, sizeof(line), "%s: %s (at %.3f s)", invariant, text,
                static_cast<double>(now) / 1e9);
  failure_ = line;
}

// Everything that happens goes into the run's hash, and to the screen when asked.
void World::note(const char* what, uint64_t a, uint64_t b, uint64_t c) {
  for (const uint64_t value : {now, a, b, c}) hash_ = (hash_ ^ value) * 0x100000001b3ull;
  if (!verbose_) return;
  std::printf("%12.6f %-14s %llu %llu %lld\n", static_cast<double>(now) / 1e9, what,
              static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
              static_cast<long long>(c));
}

void World::at(uint64_t when, EventKind kind, uint64_t a) {
  events_.push(Event{when < now ? now : when, event_sequence_++, kind, a});
}

void World::run_next_event() {
  const Event event = events_.top();
  events_.pop();
  if (event.at > now) now = event.at;
  switch (event.kind) {
    case EventKind::tick:
      return;
    case EventKind::peer_acts:
      return sockets[event.a].peer->act();
    case EventKind::connect_ends:
    case EventKind::retry:
    case EventKind::cancels:
    case EventKind::feeds:
      return engine->on_event(event);
    case EventKind::client_arrives:
    case EventKind::control_edits:
      return script(event);
  }
}

// The lowest free number, as the kernel does: a confusion of descriptors shows early.
int World::new_descriptor(Descriptor::Kind kind, uint32_t object) {
  int fd = static_cast<int>(table_.size());
  if (free_fds_.empty()) {
    table_.emplace_back();
  } else {
    fd = free_fds_.top();
    free_fds_.pop();
  }
  table_[static_cast<size_t>(fd)] = Descriptor{kind, object, -1, -1};
  open_++;
  return fd;
}

Descriptor& World::descriptor(int fd) {
  static Descriptor nothing;
  if (fd >= 0 && static_cast<size_t>(fd) < table_.size() &&
      table_[static_cast<size_t>(fd)].kind != Descriptor::Kind::free) {
    return table_[static_cast<size_t>(fd)];
  }
  fail("descriptors are used while open", "descriptor %d is not open", fd);
  nothing = Descriptor{};
  return nothing;
}

Socket& World::socket_of(int fd) {
  static Socket nothing;
  const Descriptor& entry = descriptor(fd);
  if (entry.kind == Descriptor::Kind::stream) return sockets[entry.object];
  fail("operations meet connected sockets", "descriptor %d", fd);
  return nothing;
}

int World::listen() {
  listeners.emplace_back();
  listeners.back().fd =
      new_descriptor(Descriptor::Kind::listener, static_cast<uint32_t>(listeners.size()) - 1);
  return listeners.back().fd;
}

uint32_t World::add_socket() {
  const uint32_t id = static_cast<uint32_t>(sockets.size());
  sockets.emplace_back();
  Socket& socket = sockets.back();
  socket.id = id;
  socket.active_ns = now;
  socket.rx_capacity = 64 + prng.below(prng.below(4) == 0 ? 300 : 100'000);
  socket.tx_capacity = 64 + prng.below(prng.below(4) == 0 ? 300 : 100'000);
  return id;
}

void World::client_connects(int listener_fd) {
  const uint32_t id = add_socket();
  Socket& socket = sockets[id];
  socket.is_client = true;
  socket.established = true;
  socket.peer = make_client(*this, id);
  Listener& listener = listeners[descriptor(listener_fd).object];
  listener.queue.push_back(id);
  note("client", id, static_cast<uint64_t>(listener_fd), 0);
  socket.peer->wake(0);
  const int32_t op = descriptor(listener_fd).receive;
  if (op >= 0) engine->stir(op);
}

uint32_t World::pop_accept(Listener& listener) {
  const uint32_t id = listener.queue.front();
  listener.queue.pop_front();
  sockets[id].fd = new_descriptor(Descriptor::Kind::stream, id);
  sockets[id].active_ns = now;
  return id;
}

uint32_t World::connect_to(int fd, uint32_t target) {
  const uint32_t id = add_socket();
  Socket& socket = sockets[id];
  socket.target = target;
  socket.fd = fd;
  socket.peer = make_backend(*this, id);
  descriptor(fd).kind = Descriptor::Kind::stream;
  descriptor(fd).object = id;
  note("connect", id, target, static_cast<uint64_t>(fd));
  return id;
}

void World::close_descriptor(int fd) {
  Descriptor& entry = descriptor(fd);
  if (entry.receive >= 0 || entry.transmit >= 0) {
    fail("close with nothing outstanding", "descriptor %d", fd);
  }
  if (entry.kind == Descriptor::Kind::listener) {
    Listener& listener = listeners[entry.object];
    listener.is_open = false;
    while (!listener.queue.empty()) {
      Socket& socket = sockets[listener.queue.front()];
      listener.queue.pop_front();
      socket.proxy_reset = true;
      socket.peer->wake(0);
    }
  } else if (entry.kind == Descriptor::Kind::stream) {
    Socket& socket = sockets[entry.object];
    socket.fd = -1;
    // Unread bytes make a close a reset, as in TCP.
    if (socket.lingers || (!socket.rx.empty() && !socket.peer_reset)) {
      socket.proxy_reset = true;
      socket.tx.clear();
    } else {
      socket.proxy_fin = true;
    }
    note("close", socket.id, socket.proxy_reset, static_cast<uint64_t>(fd));
    socket.peer->wake(0);
  }
  entry = Descriptor{};
  free_fds_.push(fd);
  open_--;
}

std::string World::take(Socket& socket, uint32_t bytes) {
  std::string data = socket.rx.substr(0, bytes);
  socket.rx.erase(0, bytes);
  socket.taken += bytes;
  socket.active_ns = now;
  bytes_moved += bytes;
  socket.peer->taken();
  socket.peer->wake(0);
  return data;
}

void World::give(Socket& socket, const uint8_t* data, uint32_t bytes) {
  socket.tx.append(reinterpret_cast<const char*>(data), bytes);
  socket.delivered += bytes;
  socket.active_ns = now;
  bytes_moved += bytes;
  socket.peer->given(std::string_view(reinterpret_cast<const char*>(data), bytes));
  socket.peer->wake(0);
}

void World::stir(const Socket& socket) {
  if (socket.fd < 0) return;
  const Descriptor entry = descriptor(socket.fd);
  if (entry.receive >= 0) engine->stir(entry.receive);
  if (entry.transmit >= 0) engine->stir(entry.transmit);
}

void World::check_deadlines() {
  for (const Socket& socket : sockets) {
    if (!socket.is_client || socket.fd < 0 || now - socket.active_ns <= patience_ns) continue;
    fail("no exchange outlives its deadlines", "client %u: silent for %.3f s", socket.id,
         static_cast<double>(now - socket.active_ns) / 1e9);
  }
}

}  // namespace sluice::http_sim
