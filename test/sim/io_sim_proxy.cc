// The mini proxy's connections: how they begin, pump, are cancelled, buried and closed.
#include "sim/io_sim_proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sluice::sim {

using io::BufferClass;
using io::BufferRef;
using io::Op;
using io::Side;
using io::Token;

namespace {

io::SocketAddress address_of(int family, uint32_t port) {
  io::SocketAddress address;
  if (family == AF_UNIX) {
    auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
    un->sun_family = AF_UNIX;
    std::snprintf(un->sun_path, sizeof un->sun_path, "/sim/%u", port);
    address.bytes = sizeof *un;
    return address;
  }
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(static_cast<uint16_t>(port));
  address.bytes = sizeof *in;
  return address;
}

unsigned at(Op op) {
  return static_cast<unsigned>(op);
}

}  // namespace

Proxy::Proxy(io::Engine& engine, World& world, FarEnds& far, uint64_t seed, Settings settings)
    : engine_(engine), world_(world), far_(far), prng_(seed), settings_(settings) {
  slots_.resize(settings.slots);
  for (uint32_t i = 0; i < settings.slots; i++) slots_[i].slot = i;
  for (unsigned cls = 0; cls < 2; cls++) {
    held_[cls].resize(engine.buffers().capacity(static_cast<BufferClass>(cls)));
  }
}

Proxy::~Proxy() {
  // After a broken invariant, so that the engine's end is a clean one.
  for (Connection& c : slots_) drop_buffers(c);
  for (Connection& c : graveyard_) drop_buffers(c);
}

void Proxy::fail(const Connection& c, const std::string& what) {
  world_.fail("slot " + std::to_string(c.slot) + " (pair " + std::to_string(c.pair) + "): " + what);
}

// --- Tokens and counts ---

Token Proxy::token(const Connection& c, Op op, Side side) const {
  return Token{op, side, c.generation, c.slot};
}

void Proxy::begin(Connection& c, Op op, Side side) {
  Running& running = c.running[io::index_of(side)][at(op)];
  if (running.now) return fail(c, "the model started an operation twice");
  running = Running{true, false};
  c.outstanding++;
}

Proxy::Connection* Proxy::find(const Token& t, bool* stale) {
  if (t.slot >= slots_.size()) return nullptr;
  Connection& current = slots_[t.slot];
  *stale = !current.used || current.generation != t.generation;
  if (!*stale) return &current;
  for (Connection& c : graveyard_) {
    if (c.slot == t.slot && c.generation == t.generation) return &c;
  }
  return nullptr;
}

// --- Buffers ---

void Proxy::take_over(BufferRef ref, int32_t result) {
  const unsigned cls = static_cast<unsigned>(ref.cls());
  if (cls > 1 || ref.index() >= held_[cls].size()) {
    return world_.fail("a completion names a buffer that does not exist");
  }
  if (held_[cls][ref.index()] != 0) world_.fail("a buffer was lent twice");
  held_[cls][ref.index()] = 1;
  held_count_[cls]++;
  const io::BufferPool::Meta& meta = engine_.buffers().meta(ref);
  if (meta.lent != 1 || meta.offset != 0 || meta.length != static_cast<uint32_t>(result)) {
    world_.fail("a lent buffer's range is not what was received");
  }
}

void Proxy::release(BufferRef ref) {
  const unsigned cls = static_cast<unsigned>(ref.cls());
  held_[cls][ref.index()] = 0;
  held_count_[cls]--;
  engine_.buffers().release(ref);
}

void Proxy::drop_buffers(Connection& c) {
  for (Half& half : c.half) {
    for (const BufferRef ref : half.chain) release(ref);
    half.chain.clear();
    half.queued = 0;
  }
}

void Proxy::check_conservation() {
  for (unsigned cls = 0; cls < 2; cls++) {
    if (engine_.buffers().lent_count(static_cast<BufferClass>(cls)) < held_count_[cls]) {
      world_.fail("the pool has lent fewer buffers than are held");
    }
  }
  for (const Connection& c : slots_) {
    if (!c.used) continue;
    for (const Half& half : c.half) {
      if (half.in != half.out + half.queued + half.piped) fail(c, "bytes got lost in the proxy");
    }
  }
}

// --- Life of a connection ---

void Proxy::admit(int fd) {
  const int object = world_.lookup(fd);
  if (object < 0 || world_.object(object).kind != Kind::stream) {
    return world_.fail("accept reported a descriptor that is not a connection");
  }
  const uint32_t pair = world_.object(object).tag;
  Connection* c = nullptr;
  for (Connection& slot : slots_) {
    if (!slot.used) c = &slot;
  }
  const int upstream = c == nullptr ? -EMFILE : engine_.open_socket(settings_.family);
  if (upstream < 0) {
    far_.pair(pair).aborted = true;
    return engine_.close_now(fd);
  }
  const uint32_t slot = c->slot;
  const uint32_t generation = c->generation;
  *c = Connection{};
  c->slot = slot;
  c->generation = generation;
  c->used = true;
  c->pair = pair;
  c->fd[0] = fd;
  c->fd[1] = upstream;
  {
    const io::SocketAddress address = address_of(settings_.family, kPortBase + pair);
    begin(*c, Op::connect, Side::upstream);
    engine_.connect(upstream, token(*c, Op::connect, Side::upstream), address);
  }
  if (prng_.one_in(4)) {
    begin(*c, Op::poll, Side::downstream);
    engine_.poll(fd, token(*c, Op::poll, Side::downstream), POLLIN);
  }
  pump(*c);
}

void Proxy::cancel(Connection& c, Side side) {
  for (Running& running : c.running[io::index_of(side)]) running.cancelled |= running.now;
  engine_.cancel(c.fd[io::index_of(side)]);
}

void Proxy::close_connection(Connection& c) {
  if (c.closing) return;
  c.closing = true;
  for (const Side side : {Side::downstream, Side::upstream}) {
    const auto& ops = c.running[io::index_of(side)];
    const bool busy = std::any_of(std::begin(ops), std::end(ops), [](Running r) { return r.now; });
    if (busy) cancel(c, side);
  }
}

// The slot is free again at once; what is still in the kernel ends under the old generation.
void Proxy::bury(Connection& c) {
  graveyard_.push_back(c);
  const uint32_t slot = c.slot;
  const uint32_t generation = c.generation;
  c = Connection{};
  c.slot = slot;
  c.generation = (generation + 1) & 0xffffff;
}

bool Proxy::try_finish(Connection& c) {
  if (!c.closing || c.outstanding > 0) return false;
  drop_buffers(c);
  for (const int fd : c.fd) {
    if (fd >= 0) engine_.close(fd);
  }
  for (const Half& half : c.half) {
    for (const int end : half.pipe) {
      if (end >= 0) engine_.close_now(end);
    }
  }
  c.used = false;
  c.generation = (c.generation + 1) & 0xffffff;
  return true;
}

void Proxy::mischief(Connection& c) {
  const Side side = prng_.one_in(2) ? Side::downstream : Side::upstream;
  switch (prng_.below(settings_.mischief < 20 ? 40 : 8)) {
    case 0:  // gives up, politely or not
      far_.pair(c.pair).aborted = true;
      if (prng_.one_in(2)) engine_.reset_on_close(c.fd[io::index_of(side)]);
      return close_connection(c);
    case 1:
      if (engine_.unacknowledged_bytes(c.fd[io::index_of(side)]) < 0) {
        fail(c, "SIOCOUTQ failed on an open socket");
      }
      return;
    case 2:
      expect_wake();
      return engine_.wake();
    default:
      if (!c.closing) cancel(c, side);
      return;
  }
}

void Proxy::pump(Connection& c) {
  if (c.closing) return;
  pump_half(c, Side::downstream);
  pump_half(c, Side::upstream);
  if (c.half[0].fin_done && c.half[1].fin_done) close_connection(c);
}

void Proxy::pump_half(Connection& c, Side side) {
  const Side sink = io::other(side);
  Half& half = c.half[io::index_of(side)];
  const Running(&here)[kOps] = c.running[io::index_of(side)];
  const Running(&there)[kOps] = c.running[io::index_of(sink)];
  const bool source_ready =
      (side == Side::downstream || c.upstream_ready) && !here[at(Op::poll)].now;
  const bool sink_ready = (side == Side::upstream || c.upstream_ready) && !there[at(Op::poll)].now;
  const bool receiving = here[at(Op::recv)].now || here[at(Op::splice_in)].now;
  const bool sending = there[at(Op::send)].now || there[at(Op::splice_out)].now;
  if (source_ready && !receiving && !half.end) {
    const bool drained = half.chain.empty() && half.piped == 0 && !sending;
    const bool piped =
        drained && sink_ready && prng_.one_in(settings_.splice) && start_splice(c, side);
    if (!piped && half.queued <= settings_.window / 2) start_receive(c, side);
  }
  // A waiting poll has the descriptor for itself: it gives way to what is to be sent.
  const Running& polling = there[at(Op::poll)];
  if (polling.now && !polling.cancelled && (half.end || !half.chain.empty())) cancel(c, sink);
  if (!sink_ready || sending) return;
  if (half.piped > 0) {
    begin(c, Op::splice_out, sink);
    engine_.splice_out(half.pipe[0], c.fd[io::index_of(sink)], token(c, Op::splice_out, sink),
                       half.piped);
  } else if (!half.chain.empty()) {
    start_send(c, side);
  } else if (half.end && !half.fin_done && !here[at(Op::splice_in)].now) {
    const int result = engine_.shutdown_write(c.fd[io::index_of(sink)]);
    if (result < 0 && result != -ENOTCONN) fail(c, "shutdown_write failed");
    half.fin_done = true;
  }
}

void Proxy::start_receive(Connection& c, Side side) {
  Half& half = c.half[io::index_of(side)];
  half.credit = settings_.window - half.queued;
  half.credit_used = 0;
  begin(c, Op::recv, side);
  engine_.recv(c.fd[io::index_of(side)], token(c, Op::recv, side), settings_.cls, half.credit);
}

void Proxy::start_send(Connection& c, Side side) {
  Half& half = c.half[io::index_of(side)];
  const Side sink = io::other(side);
  const int fd = c.fd[io::index_of(sink)];
  iovec vectors[io::kSendVectorsMax];
  const uint32_t limit = 1 + prng_.below(io::kSendVectorsMax);
  uint32_t count = 0;
  half.sending = 0;
  for (const BufferRef ref : half.chain) {
    if (count == limit) break;
    const io::BufferPool::Meta& meta = engine_.buffers().meta(ref);
    vectors[count++] = iovec{engine_.buffers().data(ref) + meta.offset, meta.length};
    half.sending += meta.length;
  }
  begin(c, Op::send, sink);
  const Token t = token(c, Op::send, sink);
  if (count == 1 && prng_.one_in(2)) {
    engine_.send(fd, t, static_cast<const uint8_t*>(vectors[0].iov_base), half.sending);
  } else {
    engine_.sendv(fd, t, vectors, count);
  }
  std::memset(vectors, 0xee, sizeof vectors);  // the call has copied them
}

bool Proxy::start_splice(Connection& c, Side side) {
  Half& half = c.half[io::index_of(side)];
  if (half.pipe[0] < 0) {
    int ends[2] = {-1, -1};
    if (engine_.open_pipe(ends, 65536) < 0) return false;
    half.pipe[0] = ends[0];
    half.pipe[1] = ends[1];
  }
  begin(c, Op::splice_in, side);
  engine_.splice_in(c.fd[io::index_of(side)], half.pipe[1], token(c, Op::splice_in, side),
                    1 + prng_.below(65536));
  return true;
}

void Proxy::describe() const {
  for (const auto* list : {&graveyard_}) {
    for (const Connection& c : *list) {
      std::printf("  buried slot %u.%u pair %u: %u outstanding\n", c.slot, c.generation, c.pair,
                  c.outstanding);
    }
  }
  for (const Connection& c : slots_) {
    if (!c.used) continue;
    std::printf("  slot %u.%u pair %u fd %d,%d%s%s: %u outstanding", c.slot, c.generation, c.pair,
                c.fd[0], c.fd[1], c.upstream_ready ? "" : " connecting",
                c.closing ? " closing" : "", c.outstanding);
    for (unsigned side = 0; side < 2; side++) {
      for (unsigned op = 0; op < kOps; op++) {
        if (!c.running[side][op].now) continue;
        std::printf(" op%u@%u%s", op, side, c.running[side][op].cancelled ? "(cancelled)" : "");
      }
      const Half& half = c.half[side];
      std::printf(" [in %llu out %llu queued %u piped %u%s%s]",
                  static_cast<unsigned long long>(half.in),
                  static_cast<unsigned long long>(half.out), half.queued, half.piped,
                  half.end ? " end" : "", half.fin_done ? " fin" : "");
    }
    std::printf("\n");
  }
}

}  // namespace sluice::sim
