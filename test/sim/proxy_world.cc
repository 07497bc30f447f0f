#include "proxy_world.h"

#include <cstdio>
#include <cstring>

#include "proxy_engine.h"

namespace sluice::proxy_sim {
namespace {

uint64_t word_of(uint32_t stream, uint64_t index) {
  uint64_t z = (uint64_t{stream} + 1) * 0x9e3779b97f4a7c15ull + index * 0xff51afd7ed558ccdull;
  z = (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9ull;
  return z ^ (z >> 32);
}

}  // namespace

void make_bytes(uint32_t stream, uint64_t offset, uint8_t* out, uint32_t bytes) {
  while (bytes > 0) {
    const uint64_t word = word_of(stream, offset / 8);
    const uint32_t skip = static_cast<uint32_t>(offset % 8);
    const uint32_t part = bytes < 8 - skip ? bytes : 8 - skip;
    std::memcpy(out, reinterpret_cast<const uint8_t*>(&word) + skip, part);
    out += part;
    offset += part;
    bytes -= part;
  }
}

bool are_bytes(uint32_t stream, uint64_t offset, const uint8_t* data, uint32_t bytes) {
  while (bytes > 0) {
    const uint64_t word = word_of(stream, offset / 8);
    const uint32_t skip = static_cast<uint32_t>(offset % 8);
    const uint32_t part = bytes < 8 - skip ? bytes : 8 - skip;
    if (std::memcmp(data, reinterpret_cast<const uint8_t*>(&word) + skip, part) != 0) return false;
    data += part;
    offset += part;
    bytes -= part;
  }
  return true;
}

World::World(const WorldOptions& options)
    : now(kSecond),
      prng(options.seed ^ 0x303),
      faults(options.seed, options.faults),
      options(options) {}

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
  if (!options.verbose) return;
  std::printf("%12.6f %-14s %llu %llu %lld\n", static_cast<double>(now) / 1e9, what,
              static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
              static_cast<long long>(c));
}

void World::at(uint64_t when, EventKind kind, uint32_t a, uint64_t b) {
  events_.push(Event{when < now ? now : when, event_sequence_++, kind, a, b});
}

void World::run_next_event() {
  const Event event = events_.top();
  events_.pop();
  if (event.at > now) now = event.at;
  switch (event.kind) {
    case EventKind::tick:
      return;
    case EventKind::peer_writes:
      return peer_writes(conns[event.a]);
    case EventKind::peer_reads:
      return peer_reads(conns[event.a]);
    case EventKind::peer_resets:
      return peer_resets(conns[event.a]);
    case EventKind::connect_ends:
    case EventKind::retry:
    case EventKind::cancels:
    case EventKind::feeds:
      return engines[event.a]->on_event(event);
    case EventKind::client_arrives:
    case EventKind::control_edits:
    case EventKind::run_step:
      return script(event);
  }
}

// The lowest free number, as the kernel does: a confusion of descriptors shows early.
int World::new_descriptor(Descriptor::Kind kind, uint32_t object) {
  int fd;
  if (free_fds_.empty()) {
    fd = static_cast<int>(table_.size());
    table_.emplace_back();
  } else {
    fd = free_fds_.top();
    free_fds_.pop();
  }
  table_[static_cast<size_t>(fd)] = Descriptor{kind, object, -1, -1};
  open_++;
  return fd;
}

void World::free_descriptor(int fd) {
  Descriptor& entry = descriptor(fd);
  if (entry.receive >= 0 || entry.transmit >= 0) {
    fail("close with nothing outstanding", "descriptor %d", fd);
  }
  entry = Descriptor{};
  free_fds_.push(fd);
  open_--;
}

bool World::is_open(int fd) const {
  return fd >= 0 && static_cast<size_t>(fd) < table_.size() &&
         table_[static_cast<size_t>(fd)].kind != Descriptor::Kind::free;
}

const Descriptor* World::first_open() const {
  for (const Descriptor& entry : table_) {
    if (entry.kind != Descriptor::Kind::free) return &entry;
  }
  return nullptr;
}

Descriptor& World::descriptor(int fd) {
  static Descriptor nothing;
  if (is_open(fd)) return table_[static_cast<size_t>(fd)];
  fail("descriptors are used while open", "descriptor %d is not open", fd);
  nothing = Descriptor{};
  return nothing;
}

int World::listen(uint64_t idle_ns, uint64_t connect_budget_ns) {
  const uint32_t index = static_cast<uint32_t>(listeners.size());
  listeners.emplace_back();
  listeners.back().idle_ns = idle_ns;
  listeners.back().connect_budget_ns = connect_budget_ns;
  listeners.back().fd = new_descriptor(Descriptor::Kind::listener, index);
  return listeners.back().fd;
}

uint32_t World::add_connection(const Plan& plan) {
  const uint32_t id = static_cast<uint32_t>(conns.size());
  conns.emplace_back();
  Connection& conn = conns.back();
  conn.id = id;
  conn.plan = plan;
  conn.rx_capacity = 1024 + prng.below(128 * 1024);
  conn.tx_capacity = 1024 + prng.below(128 * 1024);
  return id;
}

void World::client_connects(int listener_fd, const Plan& plan) {
  const uint32_t id = add_connection(plan);
  Connection& conn = conns[id];
  conn.is_client = true;
  conn.established = true;
  conn.accepted_ns = now;
  conn.listener = descriptor(listener_fd).object;
  listeners[conn.listener].queue.push_back(id);
  note("client", id, conn.listener, conn.plan.total);
  peer_wakes(id);
  const int32_t op = descriptor(listener_fd).receive;
  if (op >= 0) SimEngine::stir_operation(*this, op);
}

uint32_t World::pop_accept(Listener& listener) {
  const uint32_t id = listener.queue[listener.queue_head++];
  Connection& conn = conns[id];
  conn.fd = new_descriptor(Descriptor::Kind::stream, id);
  conn.accepted_ns = now;
  return id;
}

uint32_t World::connect_to(int fd, uint32_t target, const Plan& plan) {
  const uint32_t id = add_connection(plan);
  Connection& conn = conns[id];
  conn.target = target;
  conn.fd = fd;
  descriptor(fd).kind = Descriptor::Kind::stream;
  descriptor(fd).object = id;
  note("connect", id, target, static_cast<uint64_t>(fd));
  return id;
}

void World::close_socket(int fd) {
  Descriptor& entry = descriptor(fd);
  if (entry.kind == Descriptor::Kind::listener) {
    Listener& listener = listeners[entry.object];
    listener.is_open = false;
    while (listener.queued() > 0) {
      Connection& conn = conns[listener.queue[listener.queue_head++]];
      conn.proxy_reset = true;
      peer_wakes(conn.id);
    }
  } else if (entry.kind == Descriptor::Kind::stream) {
    Connection& conn = conns[entry.object];
    judge_close(conn);
    conn.fd = -1;
    // Unread bytes make a close a reset, as in TCP.
    if (conn.lingers || (conn.rx_queued > 0 && !conn.peer_reset)) {
      conn.proxy_reset = true;
      conn.tx_queued = 0;
    } else {
      conn.proxy_fin = true;
    }
    note("close", conn.id, conn.proxy_reset, static_cast<uint64_t>(fd));
    peer_wakes(conn.id);
  } else if (entry.kind == Descriptor::Kind::pipe) {
    PipeBuffer& pipe = pipes[entry.object];
    if (--pipe.ends_open == 0) pipe = PipeBuffer{};
  }
  free_descriptor(fd);
}

void World::proxy_received(Connection& conn, uint32_t bytes) {
  conn.rx_queued -= bytes;
  conn.taken += bytes;
  bytes_moved += bytes;
  schedule_write(conn, 0);
}

void World::proxy_sent(Connection& conn, uint32_t bytes) {
  conn.tx_queued += bytes;
  conn.delivered += bytes;
  schedule_read(conn, conn.plan.read_gap_ns);
}

void World::check_unopened() {
  for (const Listener& listener : listeners) {
    if (!listener.is_open || listener.queued() == 0 || stopping) continue;
    const Connection& oldest = conns[listener.queue[listener.queue_head]];
    if (now - oldest.accepted_ns > 30 * kSecond) {
      fail("queued connections are accepted", "connection %u", oldest.id);
    }
  }
  for (const Descriptor& entry : table_) {
    if (entry.kind != Descriptor::Kind::stream) continue;
    const Connection& conn = conns[entry.object];
    if (!conn.is_client || conn.view != kNone) continue;
    const uint64_t budget = listeners[conn.listener].connect_budget_ns + 20 * kSecond;
    if (now - conn.accepted_ns > budget) {
      fail("no connection outlives its connect timeouts", "connection %u", conn.id);
    }
  }
}

// A tunnel's socket may be closed early only for a cause: the other side ended, a reset, silence,
// a cut, or the end of the worker.
void World::judge_close(Connection& conn) {
  if (conn.view == kNone || !views[conn.view].both()) return;
  View& view = views[conn.view];
  const Connection& up = conns[view.conns[1]];
  const Connection& down = conns[view.conns[0]];
  const Connection& partner = conn.is_client ? up : down;
  const uint64_t decided = view.cancelled_ns != 0 ? view.cancelled_ns : now;
  const bool idle = decided - view.last_activity_ns + 9 * kMs >= view.idle_ns;
  const bool excused = view.excused || idle || stopping || targets[up.target].cut;
  const bool reset = conn.peer_reset || partner.peer_reset;
  const bool complete = partner.peer_fin && partner.taken == partner.sent &&
                        conn.delivered == partner.sent && partner.rx_queued == 0;
  if (!complete && !excused && !reset) {
    fail("a connection ends for a cause",
         "connection %u (partner %u): got %llu of %llu bytes, fin %d, silent %.3f s of %.3f s",
         conn.id, partner.id, static_cast<unsigned long long>(conn.delivered),
         static_cast<unsigned long long>(partner.sent), partner.peer_fin,
         static_cast<double>(decided - view.last_activity_ns) / 1e9,
         static_cast<double>(view.idle_ns) / 1e9);
  }
  // Data that a reset cut short must not look complete.
  if (!complete && !excused && partner.peer_reset && !conn.peer_reset && !conn.lingers &&
      conn.rx_queued == 0) {
    fail("a reset is passed on", "connection %u ends with FIN, its partner %u was reset", conn.id,
         partner.id);
  }
}

}  // namespace sluice::proxy_sim
