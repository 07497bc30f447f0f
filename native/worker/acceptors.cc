#include "worker/acceptors.h"

#include <algorithm>
#include <cerrno>

#include "base/limits.h"

namespace sluice::worker {
namespace {

// Up to so many workers their connections are summed for every accept.
constexpr uint32_t kSumEachTimeMax = 16;
// Twice the backlog: a listener that ends is not kept alive by a flood.
constexpr uint32_t kLastAcceptsMax = 8192;

// A socket on its way to another worker: descriptor | listener slot | low bits of its incarnation.
constexpr uint64_t encode_mail(int fd, uint32_t listener, uint32_t incarnation) {
  return static_cast<uint64_t>(static_cast<uint32_t>(fd)) |
         static_cast<uint64_t>(listener & 0xffff) << 32 |
         static_cast<uint64_t>(incarnation & 0xffff) << 48;
}

}  // namespace

Acceptors::Acceptors(io::Engine& engine, Intake& intake, shm::WorkerBlock& block,
                     const Mailboxes& mailboxes, bool hand_off, uint64_t seed)
    : engine_(engine),
      intake_(intake),
      block_(block),
      mailboxes_(mailboxes),
      hand_off_(hand_off),
      prng_(seed),
      slab_(shm::kDescriptorsMax) {}

bool Acceptors::is_wanted(const Acceptor& acceptor, shm::SnapshotView snapshot) {
  const shm::SnapshotListener& entry = snapshot.listener(acceptor.listener);
  if (entry.mode == 0 || entry.incarnation != acceptor.incarnation) return false;
  for (uint32_t i = 0; i < entry.descriptor_count; i++) {
    if (snapshot.descriptor(entry.descriptor_first + i) == acceptor.fd) return true;
  }
  return false;
}

bool Acceptors::prepare(shm::SnapshotView next) {
  if (snapshot_.is_none() || snapshot_.head().listeners_version == next.head().listeners_version) {
    return is_settled();
  }
  for (uint32_t index = 0; index < slab_.touched(); index++) {
    if (slab_.is_live(index) && !slab_[index].ending && !is_wanted(slab_[index], next)) end(index);
  }
  return is_settled() && on_their_way_to(block_.index()) == 0;
}

void Acceptors::adopt(shm::SnapshotView snapshot) {
  const shm::SnapshotView before = snapshot_;
  snapshot_ = snapshot;
  if (!before.is_none() && before.head().listeners_version == snapshot.head().listeners_version) {
    return;
  }
  for (uint32_t slot = 0; slot < snapshot.head().listeners_high; slot++) {
    const shm::SnapshotListener& entry = snapshot.listener(slot);
    if (entry.mode == 0) continue;
    for (uint32_t i = block_.index(); i < entry.descriptor_count; i += block_.workers()) {
      const int fd = snapshot.descriptor(entry.descriptor_first + i);
      const Acceptor wanted{fd, slot, entry.incarnation};
      // What the configuration before had is armed, or closed once all were ended.
      if (before.is_none() || !is_wanted(wanted, before)) add(wanted);
    }
  }
}

void Acceptors::add(const Acceptor& wanted) {
  const uint32_t index = slab_.take();
  SLUICE_ASSERT(index != Slab<Acceptor>::kNone);  // as many as the layout has descriptors
  slab_[index] = wanted;
  // Too late to accept, but the descriptor is this worker's to close.
  if (ended_) return end(index);
  arm(index);
}

void Acceptors::arm(uint32_t index) {
  Acceptor& acceptor = slab_[index];
  acceptor.started = true;
  acceptor.armed = true;
  engine_.accept(acceptor.fd,
                 io::Token{io::Op::accept, io::Side::downstream, slab_.generation(index), index});
}

void Acceptors::rest(uint32_t index) {
  slab_[index].resting = true;
  resting_++;
  rested_at_ms_ = engine_.now_ns() / 1'000'000 + limits::kAcceptRestMs;
}

void Acceptors::rearm_rested() {
  if (resting_ == 0 || engine_.now_ns() / 1'000'000 < rested_at_ms_) return;
  for (uint32_t index = 0; index < slab_.touched(); index++) {
    if (!slab_.is_live(index) || !slab_[index].resting) continue;
    slab_[index].resting = false;
    arm(index);
  }
  resting_ = 0;
}

void Acceptors::end_all() {
  ended_ = true;
  for (uint32_t index = 0; index < slab_.touched(); index++) {
    if (slab_.is_live(index) && !slab_[index].ending) end(index);
  }
}

void Acceptors::end(uint32_t index) {
  Acceptor& acceptor = slab_[index];
  acceptor.ending = true;
  ending_++;
  if (acceptor.resting) {
    acceptor.resting = false;
    resting_--;
  }
  if (acceptor.armed) return engine_.cancel(acceptor.fd);
  close(index);
}

// The accept is over: what the kernel still queues is taken, the rest it resets is counted.
void Acceptors::close(uint32_t index) {
  const Acceptor acceptor = slab_[index];
  int fd = 0;
  for (uint32_t left = kLastAcceptsMax; left > 0; left--) {
    fd = engine_.accept_now(acceptor.fd);
    if (fd == -EINTR || fd == -ECONNABORTED) continue;
    if (fd < 0) break;
    shm::add<uint64_t>(block_.words().accepted_total, 1);
    if (over_limit(acceptor.listener)) {
      engine_.close_now(fd);
    } else {
      intake_.take(fd, acceptor.listener, acceptor.incarnation);
    }
  }
  if (fd < 0 && fd != -EAGAIN) count_error(fd);
  shm::add<uint64_t>(block_.words().reset_at_stop_total, engine_.pending_accepts(acceptor.fd));
  // At once in either case: who waits for the acknowledgement wants the address free.
  acceptor.started ? engine_.close(acceptor.fd) : engine_.close_now(acceptor.fd);
  slab_.free(index);
  ending_--;
}

void Acceptors::count_error(int error) {
  auto& words = block_.words();
  switch (error) {
    case -EMFILE:
    case -ENFILE:
      return shm::add<uint64_t>(words.accept_errors_descriptors, 1);
    case -ENOMEM:
    case -ENOBUFS:
      return shm::add<uint64_t>(words.accept_errors_memory, 1);
    default:
      return shm::add<uint64_t>(words.accept_errors_other, 1);
  }
}

void Acceptors::complete(const io::Completion& completion, io::Token token) {
  if (!slab_.is_current(token.slot, token.generation)) {
    if (completion.result >= 0) engine_.close_now(completion.result);
    return;
  }
  Acceptor& acceptor = slab_[token.slot];
  if (!completion.more) acceptor.armed = false;
  if (completion.result >= 0) {
    accepted(completion.result, acceptor.listener, acceptor.incarnation);
  } else if (completion.result != -ECANCELED) {
    count_error(completion.result);
  }
  if (acceptor.armed) return;
  if (acceptor.ending) return close(token.slot);
  const bool exhausted = completion.result == -EMFILE || completion.result == -ENFILE ||
                         completion.result == -ENOMEM || completion.result == -ENOBUFS;
  // An unknown error may be permanent: it must not spin either.
  if (exhausted || (completion.result < 0 && completion.result != -ECONNABORTED)) {
    return rest(token.slot);
  }
  arm(token.slot);
}

void Acceptors::accepted(int fd, uint32_t listener, uint32_t incarnation) {
  shm::add<uint64_t>(block_.words().accepted_total, 1);
  if (over_limit(listener)) {
    engine_.close_now(fd);
    return;
  }
  if (hand_off_ && block_.workers() > 1 && hand_over(fd, listener, incarnation)) return;
  intake_.take(fd, listener, incarnation);
}

void Acceptors::receive(uint64_t value) {
  const int fd = descriptor_of(value);
  const uint32_t listener = static_cast<uint32_t>(value >> 32) & 0xffff;
  const uint32_t incarnation = static_cast<uint32_t>(value >> 48);
  shm::add<uint64_t>(block_.words().received_total, 1);
  if (snapshot_.is_none() || (snapshot_.listener(listener).incarnation & 0xffff) != incarnation) {
    shm::add<uint64_t>(block_.words().rejected_listener_gone, 1);
    engine_.close_now(fd);
    return;
  }
  intake_.take(fd, listener, snapshot_.listener(listener).incarnation);
}

// With many workers a sum is used for a while: reading it costs a cache line of each.
void Acceptors::refresh_total() {
  const uint32_t workers = block_.workers();
  const bool due = workers <= kSumEachTimeMax || total_read_ns_ == 0 ||
                   engine_.now_ns() - total_read_ns_ >= limits::kLoadRefreshNs;
  if (!due) {
    total_++;  // the connection that is being looked at
    return;
  }
  total_read_ns_ = engine_.now_ns();
  total_ = 0;
  for (uint32_t worker = 0; worker < workers; worker++) {
    const shm::Worker& words = block_.words_of(worker);
    total_ += words.connections.load(std::memory_order_relaxed) +
              static_cast<uint32_t>(words.handed_off_total.load(std::memory_order_relaxed)) -
              static_cast<uint32_t>(words.received_total.load(std::memory_order_relaxed));
  }
}

// What a worker holds and what is on its way to it. A worker that is not running just now would
// otherwise look idle to all others at once.
uint32_t Acceptors::load_of(uint32_t target) const {
  const uint32_t under_way = on_their_way_to(target);
  return block_.words_of(target).connections.load(std::memory_order_relaxed) + under_way;
}

// Sequentially consistent for the sake of a worker's own adoption, see hand_over.
uint32_t Acceptors::on_their_way_to(uint32_t target) const {
  const shm::Worker& words = block_.words_of(target);
  uint32_t under_way = -static_cast<uint32_t>(words.received_total.load(std::memory_order_acquire));
  for (uint32_t worker = 0; worker < block_.workers(); worker++) {
    under_way += block_.words_of(worker).handed_to[target].load(std::memory_order_seq_cst);
  }
  return under_way;
}

bool Acceptors::over_limit(uint32_t listener) {
  refresh_total();
  const uint32_t all = snapshot_.head().max_connections;
  if (all != 0 && total_ >= all) {
    shm::add<uint64_t>(block_.words().rejected_connections_max, 1);
    return true;
  }
  const shm::SnapshotListener& entry = snapshot_.listener(listener);
  if (entry.max_connections == 0) return false;
  uint32_t open = 0;
  for (uint32_t worker = 0; worker < block_.workers(); worker++) {
    open += block_.listener_connections_of(worker, listener, entry.incarnation);
  }
  if (open < entry.max_connections) return false;
  auto& words = block_.listener(listener);
  shm::WorkerBlock::claim(words, entry.incarnation);
  shm::add<uint64_t>(words.rejected_total, 1);
  return true;
}

// Power of two choices after the accept: a worker clearly above the mean gives the socket to the
// less loaded of two others.
bool Acceptors::hand_over(int fd, uint32_t listener, uint32_t incarnation) {
  const uint32_t workers = block_.workers();
  const uint32_t own = block_.index();
  const uint64_t load = uint64_t{load_of(own)} + 1;  // with this connection and those in the mail
  const uint64_t total = uint64_t{total_} + 1;
  // A fiftieth above: that all others may be so far above leaves a worker of four 6 % below.
  const bool above =
      load * workers * 50 > total * 51 && load * workers > total + 2 * uint64_t{workers};
  if (!above) return false;
  const auto draw = [&] { return (own + 1 + prng_.below(workers - 1)) % workers; };
  const uint32_t first = draw();
  const uint32_t second = draw();
  const uint32_t first_load = load_of(first);
  const uint32_t second_load = second == first ? first_load : load_of(second);
  const uint32_t target = second_load < first_load ? second : first;
  if (std::min(first_load, second_load) + 1 >= load) return false;
  // A worker that is behind may not know the listener yet, one that is ahead may have ended it.
  if (block_.words_of(target).adopted.load(std::memory_order_acquire) !=
      block_.words().adopted.load(std::memory_order_relaxed)) {
    return false;
  }
  io::Engine* engine = mailboxes_.engine_of(target);
  if (engine == nullptr) return false;
  // Counted first, so that nobody sees more received than sent; and then the target's words are
  // looked at again. Who is about to adopt names that first and looks at the counts then: either it
  // waits for this socket, or its name is seen here and the socket stays.
  auto& handed = block_.words().handed_to[target];
  const uint32_t before = handed.load(std::memory_order_relaxed);
  handed.store(before + 1, std::memory_order_seq_cst);
  const bool moves = block_.words_of(target).adopting.load(std::memory_order_seq_cst) !=
                     block_.words().adopted.load(std::memory_order_relaxed);
  if (moves || !engine->post(own, encode_mail(fd, listener, incarnation))) {
    handed.store(before, std::memory_order_seq_cst);
    engine->wake();  // it may have begun to wait for this one
    return false;
  }
  shm::add<uint64_t>(block_.words().handed_off_total, 1);
  return true;
}

}  // namespace sluice::worker
