// The interface's calls, the waiting and the delivering. What an operation does is in
// http_operations.cc.
#include "http_engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "http_peer.h"

namespace sluice::http_sim {
namespace {

constexpr uint32_t kIndexBits = 20;

}  // namespace

SimEngine::SimEngine(World& world, io::BufferPool& buffers) : Engine(buffers), world_(world) {
  now_ns_ = world.now;
}

SimEngine::~SimEngine() = default;

int SimEngine::open_socket(int) {
  if (world_.faults.fires(Fault::socket_emfile)) return -EMFILE;
  return world_.new_descriptor(Descriptor::Kind::socket, kNone);
}

int SimEngine::shutdown_write(int fd) {
  Socket& socket = world_.socket_of(fd);
  if (world_.descriptor(fd).transmit >= 0) {
    world_.fail("shutdown_write with no send outstanding", "descriptor %d", fd);
  }
  if (socket.proxy_fin) world_.fail("FIN is sent once", "socket %u", socket.id);
  if (socket.peer_reset) return -ENOTCONN;
  socket.proxy_fin = true;
  world_.note("fin", socket.id, socket.delivered, 0);
  socket.peer->wake(0);
  return 0;
}

void SimEngine::reset_on_close(int fd) {
  world_.socket_of(fd).lingers = true;
}

int64_t SimEngine::unacknowledged_bytes(int fd) {
  const Socket& socket = world_.socket_of(fd);
  return socket.peer_reset ? -EINVAL : static_cast<int64_t>(socket.tx.size());
}

int SimEngine::open_pipe(int fds[2], uint32_t bytes) {
  if (world_.faults.fires(Fault::pipe_refused)) return -EMFILE;
  const uint32_t object = static_cast<uint32_t>(world_.pipes.size());
  world_.pipes.emplace_back();
  world_.pipes.back().capacity = bytes;
  fds[0] = world_.new_descriptor(Descriptor::Kind::pipe, object);
  fds[1] = world_.new_descriptor(Descriptor::Kind::pipe, object);
  return static_cast<int>(bytes);
}

int SimEngine::accept_now(int fd) {
  Listener& listener = world_.listeners[world_.descriptor(fd).object];
  if (listener.queue.empty()) return -EAGAIN;
  if (world_.faults.fires(Fault::accept_emfile)) return -EMFILE;
  return world_.sockets[world_.pop_accept(listener)].fd;
}

uint32_t SimEngine::pending_accepts(int fd) {
  return static_cast<uint32_t>(world_.listeners[world_.descriptor(fd).object].queue.size());
}

// Staged like everything else: the next wait does it.
void SimEngine::close(int fd) {
  const Descriptor& entry = world_.descriptor(fd);
  if (entry.receive >= 0 || entry.transmit >= 0) {
    world_.fail("close with nothing outstanding", "descriptor %d", fd);
  }
  closing_.push_back(fd);
}

// Tokens of slots that were given to somebody else meanwhile may be heard of again.
void SimEngine::remember(io::Token token) {
  const uint64_t key = uint64_t{token.slot} << 1 | io::index_of(token.side);
  const auto [entry, is_new] = generations_.try_emplace(key, token.generation);
  if (is_new || entry->second == token.generation) return;
  io::Token old = token;
  old.generation = entry->second;
  old_tokens_.push_back(old);
  entry->second = token.generation;
}

SimEngine::Operation& SimEngine::start(int fd, io::Token token, bool transmits) {
  int32_t index = static_cast<int32_t>(operations_.size());
  if (free_.empty()) {
    operations_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Operation& op = operations_[static_cast<size_t>(index)];
  op = Operation{};
  op.token = token;
  op.fd = fd;
  op.used = true;
  op.staged = true;
  op.serial = ++serial_ << kIndexBits | static_cast<uint64_t>(index);
  op.started_ns = world_.now;
  Descriptor& entry = world_.descriptor(fd);
  int32_t& place = transmits ? entry.transmit : entry.receive;
  if (place >= 0) {
    world_.fail("one send and one receive per descriptor", "descriptor %d, op %u", fd,
                static_cast<unsigned>(token.op));
  }
  place = index;
  if (token.op != io::Op::accept) remember(token);
  staged_.push_back(index);
  if (world_.faults.fires(Fault::delayed_start)) {
    op.not_before_ns = world_.now + world_.prng.below(40) * kMs;
    world_.at(op.not_before_ns, EventKind::retry, op.serial);
  }
  return op;
}

void SimEngine::accept(int fd, io::Token token) {
  start(fd, token, false);
}

void SimEngine::recv(int fd, io::Token token, io::BufferClass cls, uint32_t credit_bytes) {
  if (credit_bytes == 0) world_.fail("a receive has credit", "descriptor %d", fd);
  Operation& op = start(fd, token, false);
  op.cls = cls;
  op.credit = credit_bytes;
}

void SimEngine::send(int fd, io::Token token, const uint8_t* data, uint32_t bytes) {
  const iovec vector{const_cast<uint8_t*>(data), bytes};
  sendv(fd, token, &vector, 1);
}

void SimEngine::sendv(int fd, io::Token token, const iovec* vectors, uint32_t count) {
  Operation& op = start(fd, token, true);
  if (count == 0 || count > io::kSendVectorsMax) {
    return world_.fail("a send has vectors", "%u of them", count);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (vectors[i].iov_len == 0) world_.fail("a vector has bytes", "descriptor %d", fd);
    op.vectors[op.vector_count++] = vectors[i];
    op.image.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
}

void SimEngine::connect(int fd, io::Token token, const io::SocketAddress& address) {
  Operation& op = start(fd, token, true);
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
  const uint32_t target = ntohl(in->sin_addr.s_addr) & 0xffffff;
  if (address.family() != AF_INET || target >= world_.targets.size()) {
    return world_.fail("connects go to known backends", "target %u", target);
  }
  world_.connect_to(fd, target);
  const Target::Mode mode = world_.targets[target].mode;
  uint64_t delay = world_.prng.below(20) * kMs;
  if (mode == Target::Mode::refuses || world_.faults.fires(Fault::connect_refused)) {
    op.answer = -ECONNREFUSED;
  } else if (mode == Target::Mode::hangs || world_.faults.fires(Fault::connect_hangs)) {
    return;
  } else if (world_.faults.fires(Fault::connect_unreachable)) {
    op.answer = -EHOSTUNREACH;
    delay += world_.prng.below(3000) * kMs;
  } else if (world_.faults.fires(Fault::connect_slow)) {
    delay += world_.prng.below(3000) * kMs;
  }
  world_.at(world_.now + delay, EventKind::connect_ends, op.serial);
}

void SimEngine::poll(int fd, io::Token, uint32_t) {
  world_.fail("the proxy polls nothing", "descriptor %d", fd);
}

void SimEngine::splice_in(int socket_fd, int pipe_write_fd, io::Token token, uint32_t bytes) {
  Operation& op = start(socket_fd, token, false);
  op.pipe_fd = pipe_write_fd;
  op.bytes = bytes;
}

void SimEngine::splice_out(int pipe_read_fd, int socket_fd, io::Token token, uint32_t bytes) {
  Operation& op = start(socket_fd, token, true);
  op.pipe_fd = pipe_read_fd;
  op.bytes = bytes;
}

void SimEngine::cancel(int fd) {
  const Descriptor entry = world_.descriptor(fd);
  for (const int32_t index : {entry.receive, entry.transmit}) {
    if (index < 0) continue;
    const uint64_t delay =
        world_.faults.fires(Fault::cancel_late) ? world_.prng.below(200) * kMs : 0;
    world_.at(world_.now + delay, EventKind::cancels,
              operations_[static_cast<size_t>(index)].serial);
  }
}

void SimEngine::stir(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  if (op.staged) return;
  op.staged = true;
  staged_.push_back(index);
}

void SimEngine::on_event(const Event& event) {
  if (event.kind == EventKind::feeds) return feed_starving();
  const int32_t index = static_cast<int32_t>(event.a & ((1u << kIndexBits) - 1));
  Operation& op = operations_[static_cast<size_t>(index)];
  if (!op.used || op.serial != event.a || op.done) return;
  if (event.kind == EventKind::connect_ends) {
    op.answered = true;
    return attempt_connect(index);
  }
  if (event.kind == EventKind::retry) return attempt(index, false);
  if (world_.faults.fires(Fault::cancel_race)) attempt(index, true);
  if (!operations_[static_cast<size_t>(index)].done) report(index, -ECANCELED, false);
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
  for (const int fd : closing_) world_.close_descriptor(fd);
  closing_.clear();
  counters_.waits++;
  check_connects();
  feed_starving();
  size_t count = 0;
  if (world_.faults.fires(Fault::spurious_wait)) woken_ = true;
  for (;;) {
    begin_staged();
    count = deliver(out, max);
    if (count > 0 || woken_ || world_.failed() || deadline_ns == 0) break;
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

}  // namespace sluice::http_sim
