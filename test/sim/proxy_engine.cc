// The interface's calls, the waiting and the delivering. What an operation does is in
// proxy_operations.cc.
#include "proxy_engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace sluice::proxy_sim {
namespace {

constexpr uint32_t kIndexBits = 20;

}  // namespace

SimEngine::SimEngine(World& world, io::BufferPool& buffers, uint32_t index)
    : Engine(buffers), world_(world), index_(index) {
  now_ns_ = world.now;
}

SimEngine::~SimEngine() = default;

Connection& SimEngine::connection(int fd) {
  static Connection nothing;
  const Descriptor& entry = world_.descriptor(fd);
  if (entry.kind == Descriptor::Kind::stream) return world_.conns[entry.object];
  world_.fail("operations meet connected sockets", "descriptor %d", fd);
  nothing = Connection{};
  return nothing;
}

int SimEngine::open_socket(int) {
  if (world_.faults.fires(Fault::socket_emfile)) return -EMFILE;
  return world_.new_descriptor(Descriptor::Kind::socket, kNone);
}

int SimEngine::shutdown_write(int fd) {
  Connection& conn = connection(fd);
  if (world_.descriptor(fd).transmit >= 0) {
    world_.fail("shutdown_write with no send outstanding", "descriptor %d", fd);
  }
  if (conn.proxy_fin) world_.fail("FIN is sent once", "connection %u", conn.id);
  if (conn.peer_reset) return -ENOTCONN;
  conn.proxy_fin = true;
  world_.note("fin", conn.id, conn.delivered, 0);
  world_.peer_wakes(conn.id);
  return 0;
}

void SimEngine::reset_on_close(int fd) {
  const Descriptor& entry = world_.descriptor(fd);
  if (entry.kind == Descriptor::Kind::stream) world_.conns[entry.object].lingers = true;
}

int64_t SimEngine::unacknowledged_bytes(int fd) {
  const Connection& conn = connection(fd);
  return conn.peer_reset ? -EINVAL : conn.tx_queued;
}

int SimEngine::open_pipe(int fds[2], uint32_t bytes) {
  if (world_.faults.fires(Fault::pipe_refused)) return -EMFILE;
  const uint32_t object = static_cast<uint32_t>(world_.pipes.size());
  world_.pipes.emplace_back();
  PipeBuffer& pipe = world_.pipes.back();
  pipe.capacity = world_.faults.fires(Fault::pipe_small) ? 4096 : bytes;
  fds[0] = world_.new_descriptor(Descriptor::Kind::pipe, object);
  fds[1] = world_.new_descriptor(Descriptor::Kind::pipe, object);
  return static_cast<int>(pipe.capacity);
}

int SimEngine::accept_now(int fd) {
  const Descriptor entry = world_.descriptor(fd);
  if (entry.kind != Descriptor::Kind::listener) return -EINVAL;
  Listener& listener = world_.listeners[entry.object];
  if (listener.queued() == 0) return -EAGAIN;
  if (world_.faults.fires(Fault::accept_emfile)) return -EMFILE;
  return world_.conns[world_.pop_accept(listener)].fd;
}

uint32_t SimEngine::pending_accepts(int fd) {
  const Descriptor& entry = world_.descriptor(fd);
  return entry.kind == Descriptor::Kind::listener ? world_.listeners[entry.object].queued() : 0;
}

void SimEngine::close_now(int fd) {
  const Descriptor entry = world_.descriptor(fd);
  if (entry.kind == Descriptor::Kind::stream) {
    world_.turned_away(index_, world_.conns[entry.object]);
  }
  world_.close_socket(fd);
}

// Staged like everything else: the next wait does it.
void SimEngine::close(int fd) {
  const Descriptor& entry = world_.descriptor(fd);
  if (entry.receive >= 0 || entry.transmit >= 0) {
    world_.fail("close with nothing outstanding", "descriptor %d", fd);
  }
  closing_.push_back(fd);
}

int32_t SimEngine::start(int fd, io::Token token, bool transmits) {
  int32_t index;
  if (free_operations_.empty()) {
    index = static_cast<int32_t>(operations_.size());
    operations_.emplace_back();
  } else {
    index = free_operations_.back();
    free_operations_.pop_back();
  }
  Operation& op = operations_[static_cast<size_t>(index)];
  op = Operation{};
  op.token = token;
  op.fd = fd;
  op.used = true;
  op.serial = ++serial_ << kIndexBits | static_cast<uint64_t>(index);
  op.started_ns = world_.now;
  Descriptor& entry = world_.descriptor(fd);
  int32_t& place = transmits ? entry.transmit : entry.receive;
  if (place >= 0) {
    world_.fail("one send and one receive per descriptor", "descriptor %d, op %u", fd,
                static_cast<unsigned>(token.op));
  }
  place = static_cast<int32_t>(index_ << kIndexBits) | index;
  op.staged = true;
  staged_.push_back(index);
  if (world_.faults.fires(Fault::delayed_start)) {
    op.not_before_ns = world_.now + world_.prng.below(40) * kMs;
    world_.at(op.not_before_ns, EventKind::retry, index_, op.serial);
  }
  return index;
}

void SimEngine::accept(int fd, io::Token token) {
  start(fd, token, false);
}

void SimEngine::recv(int fd, io::Token token, io::BufferClass cls, uint32_t credit_bytes) {
  if (credit_bytes == 0) world_.fail("a receive has credit", "descriptor %d", fd);
  Operation& op = operations_[static_cast<size_t>(start(fd, token, false))];
  op.cls = cls;
  op.credit = credit_bytes;
  see_socket(fd, token);
}

void SimEngine::send(int fd, io::Token token, const uint8_t* data, uint32_t bytes) {
  const iovec vector{const_cast<uint8_t*>(data), bytes};
  sendv(fd, token, &vector, 1);
}

void SimEngine::sendv(int fd, io::Token token, const iovec* vectors, uint32_t count) {
  Operation& op = operations_[static_cast<size_t>(start(fd, token, true))];
  if (count == 0 || count > io::kSendVectorsMax) {
    world_.fail("a send has vectors", "%u of them", count);
    return;
  }
  for (uint32_t i = 0; i < count; i++) op.vectors[op.vector_count++] = vectors[i];
}

void SimEngine::connect(int fd, io::Token token, const io::SocketAddress& address) {
  const int32_t index = start(fd, token, true);
  Operation& op = operations_[static_cast<size_t>(index)];
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
  const uint32_t target = ntohl(in->sin_addr.s_addr) & 0xffffff;
  if (address.family() != AF_INET || target >= world_.targets.size()) {
    return world_.fail("connects go to known backends", "target %u", target);
  }
  const uint32_t conn = world_.connect_to(fd, target, world_.draw_plan(false));
  View& view = view_of(token);
  view.conns[1] = conn;
  world_.conns[conn].view = static_cast<uint32_t>(view_by_slot_[token.slot]);
  world_.picked(index_, target);
  op.budget_ns = world_.connect_timeout_ns;
  const Target& far = world_.targets[target];
  uint64_t delay = world_.prng.below(20) * kMs;
  op.answer = 0;
  if (far.mode == Target::Mode::refuses || world_.faults.fires(Fault::connect_refused)) {
    op.answer = -ECONNREFUSED;
  } else if (far.mode == Target::Mode::unreachable ||
             world_.faults.fires(Fault::connect_unreachable)) {
    op.answer = world_.prng.below(2) == 0 ? -EHOSTUNREACH : -ENETUNREACH;
    delay += world_.prng.below(3000) * kMs;
  } else if (far.mode == Target::Mode::hangs || world_.faults.fires(Fault::connect_hangs)) {
    return;
  }
  world_.at(world_.now + delay, EventKind::connect_ends, index_, op.serial);
}

void SimEngine::poll(int fd, io::Token, uint32_t) {
  world_.fail("the proxy polls nothing", "descriptor %d", fd);
}

void SimEngine::splice_in(int socket_fd, int pipe_write_fd, io::Token token, uint32_t bytes) {
  Operation& op = operations_[static_cast<size_t>(start(socket_fd, token, false))];
  op.pipe_fd = pipe_write_fd;
  op.bytes = bytes;
}

void SimEngine::splice_out(int pipe_read_fd, int socket_fd, io::Token token, uint32_t bytes) {
  Operation& op = operations_[static_cast<size_t>(start(socket_fd, token, true))];
  op.pipe_fd = pipe_read_fd;
  op.bytes = bytes;
}

void SimEngine::cancel(int fd) {
  const Descriptor entry = world_.descriptor(fd);
  if (entry.kind == Descriptor::Kind::stream) {
    const Connection& conn = world_.conns[entry.object];
    if (conn.view != kNone && world_.views[conn.view].both()) {
      View& view = world_.views[conn.view];
      if (view.cancelled_ns == 0) {
        view.cancelled_ns = world_.now;
        view.excused = world_.now - view.last_activity_ns + 9 * kMs >= view.idle_ns;
        check_stall(view);
        closing_views_.push_back(conn.view);
      }
    }
  }
  for (const int32_t id : {entry.receive, entry.transmit}) {
    if (id < 0) continue;
    if (static_cast<uint32_t>(id) >> kIndexBits != index_) {
      world_.fail("an engine cancels its own operations", "descriptor %d", fd);
      continue;
    }
    Operation& op = operations_[static_cast<size_t>(id) & ((1u << kIndexBits) - 1)];
    const uint64_t delay =
        world_.faults.fires(Fault::cancel_late) ? world_.prng.below(200) * kMs : 0;
    world_.at(world_.now + delay, EventKind::cancels, index_, op.serial);
  }
}

// An idle timeout must not hit a peer that reads slowly but reads.
void SimEngine::check_stall(const View& view) {
  const Connection& down = world_.conns[view.conns[0]];
  const Connection& up = world_.conns[view.conns[1]];
  if (!view.excused || world_.stopping || world_.targets[up.target].cut) return;
  if (down.peer_reset || up.peer_reset || down.tx_queued + up.tx_queued == 0) return;
  const uint64_t ack = std::max(down.last_ack_ns, up.last_ack_ns);
  if (world_.now - ack + 9 * kMs < view.idle_ns) {
    world_.fail("a slow reader is not idle", "connection %u: read %.3f s ago", down.id,
                static_cast<double>(world_.now - ack) / 1e9);
  }
}

bool SimEngine::post(uint32_t lane, uint64_t value) {
  if (lane >= world_.engines.size() || lane == index_) {
    world_.fail("a lane is another worker's", "lane %u of worker %u", lane, index_);
  }
  if (mail_waiting_ >= 256 || world_.faults.fires(Fault::mailbox_full)) {
    counters_.mail_full++;
    return false;
  }
  mail_waiting_++;
  io::Completion mail;
  mail.token = io::Token{io::Op::mail, io::Side::downstream, 0, 0}.encode();
  mail.value = value;
  const uint64_t delay = world_.faults.fires(Fault::late_completion) ? world_.prng.below(50) : 0;
  pending_.push_back(Pending{mail, -1, world_.now + delay * kMs});
  world_.at(pending_.back().due_ns, EventKind::tick);
  return true;
}

uint32_t SimEngine::drop_mail() {
  uint32_t dropped = 0;
  for (const Pending& pending : pending_) {
    if (io::Token::decode(pending.completion.token).op != io::Op::mail) continue;
    world_.close_socket(static_cast<int>(static_cast<uint32_t>(pending.completion.value)));
    dropped++;
  }
  pending_.clear();
  mail_waiting_ = 0;
  return dropped;
}

void SimEngine::stir_operation(World& world, int32_t id) {
  SimEngine& engine = *world.engines[static_cast<uint32_t>(id) >> kIndexBits];
  const int32_t index = id & ((1 << kIndexBits) - 1);
  Operation& op = engine.operations_[static_cast<size_t>(index)];
  if (op.staged) return;
  op.staged = true;
  engine.staged_.push_back(index);
}

SimEngine::Operation* SimEngine::find(uint64_t serial) {
  Operation& op = operations_[serial & ((1u << kIndexBits) - 1)];
  return op.used && op.serial == serial ? &op : nullptr;
}

void SimEngine::on_event(const Event& event) {
  if (event.kind == EventKind::feeds) return feed_starving();
  Operation* op = find(event.b);
  if (op == nullptr || op->done) return;
  const int32_t index = static_cast<int32_t>(event.b & ((1u << kIndexBits) - 1));
  switch (event.kind) {
    case EventKind::connect_ends:
      op->answered = true;
      return attempt_connect(index);
    case EventKind::cancels:
      return resolve_cancel(index);
    default:
      return attempt(index, false);
  }
}

bool SimEngine::is_due() const {
  if (starting_ || woken_ || !staged_.empty() || !closing_.empty() || deadline_ns_ <= world_.now)
    return true;
  for (const Pending& pending : pending_) {
    if (pending.due_ns <= world_.now) return true;
  }
  return false;
}

void SimEngine::begin_staged() {
  while (!staged_.empty()) {
    const size_t at = world_.faults.fires(Fault::reorder)
                          ? world_.prng.below(static_cast<uint32_t>(staged_.size()))
                          : 0;
    const int32_t index = staged_[at];
    staged_.erase(staged_.begin() + static_cast<ptrdiff_t>(at));
    Operation& op = operations_[static_cast<size_t>(index)];
    op.staged = false;
    if (op.used && !op.done) attempt(index, false);
  }
}

size_t SimEngine::wait(uint64_t deadline_ns, io::Completion* out, size_t max) {
  starting_ = false;
  deadline_ns_ = deadline_ns;
  for (const int fd : closing_) world_.close_socket(fd);
  closing_.clear();
  counters_.waits++;
  check();
  feed_starving();
  size_t count = 0;
  if (world_.faults.fires(Fault::spurious_wait)) woken_ = true;
  for (;;) {
    begin_staged();
    count = deliver(out, max);
    if (count > 0 || woken_ || world_.failed() || deadline_ns == 0) break;
    if (world_.options.shared_clock) break;
    const uint64_t next = world_.next_event_ns();
    if (next > deadline_ns) {
      if (deadline_ns > world_.now) world_.now = deadline_ns;
      break;
    }
    world_.run_next_event();
  }
  woken_ = false;
  now_ns_ = world_.now;
  counters_.completions += count;
  return count;
}

}  // namespace sluice::proxy_sim
