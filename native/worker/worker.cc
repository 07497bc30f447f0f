#include "worker/worker.h"

namespace sluice::worker {
namespace {

constexpr uint32_t kSlotBits = 3;
static_assert(shm::kSnapshotSlots == 1u << kSlotBits);

constexpr uint32_t slot_of(uint32_t generation) {
  return generation & (shm::kSnapshotSlots - 1);
}

}  // namespace

Worker::Worker(const shm::Region& region, io::Engine& engine, const Mailboxes& mailboxes,
               const WorkerOptions& options)
    : region_(region),
      engine_(engine),
      block_(region, options.index),
      options_(options),
      wheel_(options.connections_max + proxy::Exchanges::timers(options.connections_max),
             engine.clock_ns() / 1'000'000),
      balancer_(region, block_, options.seed),
      connector_(engine, block_),
      outcomes_(engine, balancer_, block_),
      tunnels_(engine, wheel_, balancer_, connector_, outcomes_, block_, *this,
               proxy::TunnelOptions{options.connections_max, options.splice}),
      exchanges_(engine, wheel_, options.connections_max, balancer_, connector_, outcomes_,
                 tunnels_, block_, options.connections_max),
      acceptors_(engine, *this, block_, mailboxes, options.hand_off, options.seed ^ 1) {}

bool Worker::ok() const {
  return wheel_.ok() && balancer_.ok() && tunnels_.ok() && exchanges_.ok() && acceptors_.ok();
}

bool Worker::turn() {
  const size_t count = engine_.wait(deadline_ns(), completions_, limits::kCompletionsPerTurn);
  began_ = true;
  for (size_t i = 0; i < count; i++) dispatch(completions_[i]);
  wheel_.advance(engine_.now_ns() / 1'000'000, [this](uint32_t timer) {
    timer < options_.connections_max ? tunnels_.expire(timer) : exchanges_.expire(timer);
  });
  acceptors_.rearm_rested();
  adopt_published();
  adopt_live();
  follow_phase();
  if (engine_.now_ns() >= rest_ns_) rest();
  report();
  // What was closed last may only be staged: one more turn brings it to the kernel.
  const bool was_quiet = quiet_;
  quiet_ = stopping_ && acceptors_.is_settled() && tunnels_.count() == 0 && exchanges_.is_empty();
  return !(was_quiet && quiet_);
}

uint64_t Worker::deadline_ns() const {
  // What was published before anybody could wake this worker is not to wait for a heartbeat.
  if (quiet_ || !began_) return engine_.now_ns();
  uint64_t deadline_ms = engine_.now_ns() / 1'000'000 + limits::kHeartbeatMs;
  if (wheel_.next_event_ms() < deadline_ms) deadline_ms = wheel_.next_event_ms();
  if (acceptors_.next_rearm_ms() < deadline_ms) deadline_ms = acceptors_.next_rearm_ms();
  return deadline_ms * 1'000'000;
}

void Worker::dispatch(const io::Completion& completion) {
  const io::Token token = io::Token::decode(completion.token);
  switch (token.op) {
    case io::Op::recv:
    case io::Op::send:
    case io::Op::connect:
    case io::Op::splice_in:
    case io::Op::splice_out:
      return (token.slot & proxy::Exchanges::kSlotBit) == 0
                 ? tunnels_.complete(completion, token)
                 : exchanges_.complete(completion, token);
    case io::Op::accept:
      return acceptors_.complete(completion, token);
    case io::Op::mail:
      return acceptors_.receive(completion.value);
    case io::Op::none:
    case io::Op::poll:
      break;
  }
  SLUICE_ASSERT(!"no room of this worker starts such an operation");
}

// One load decides. Listeners that go are ended first, so that what they have queued is
// still served by the configuration it came for; the rest is a change of pointers.
void Worker::adopt_published() {
  auto& published = region_.control().generation;
  uint32_t generation = published.load(std::memory_order_seq_cst);
  if (generation == adopted_ || stopping_) return;
  // Named first and looked at again: from then on the controller leaves its slot alone.
  for (uint32_t seen = 0; seen != generation;) {
    if (seen != 0) generation = seen;
    block_.words().adopting.store(generation, std::memory_order_seq_cst);
    seen = published.load(std::memory_order_seq_cst);
  }
  const shm::SnapshotView snapshot(region_.snapshot_slot(slot_of(generation)));
  if (!acceptors_.prepare(snapshot)) return;
  balancer_.adopt(snapshot);
  connector_.adopt(snapshot);
  tunnels_.adopt(snapshot);
  exchanges_.adopt(snapshot);
  adopted_ = generation;  // what the acceptors open from here on holds this one
  acceptors_.adopt(snapshot);
  block_.words().adopted.store(generation, std::memory_order_release);
}

void Worker::adopt_live() {
  const uint32_t sequence = region_.control().live_sequence.load(std::memory_order_seq_cst);
  if (sequence == live_adopted_ || adopted_ == 0) return;
  // Picks look at the words themselves; only what is to be ended needs somebody to act.
  tunnels_.cut_marked(region_.backend_live());
  exchanges_.cut_marked(region_.backend_live());
  live_adopted_ = sequence;
  block_.words().live_adopted.store(sequence, std::memory_order_release);
}

void Worker::follow_phase() {
  const auto phase =
      static_cast<shm::Phase>(region_.control().phase.load(std::memory_order_seq_cst));
  if (phase != shm::Phase::draining && phase != shm::Phase::stopping) return;
  if (!accepting_ended_) {
    accepting_ended_ = true;
    acceptors_.end_all();
  }
  if (acceptors_.is_settled()) {
    exchanges_.begin_drain();
    block_.words().state.store(static_cast<uint32_t>(shm::WorkerState::draining),
                               std::memory_order_relaxed);
  }
  if (phase == shm::Phase::stopping && acceptors_.is_settled()) {
    stopping_ = true;
    tunnels_.cut_all();
    exchanges_.cut_all();
  }
}

// What a burst has left behind goes back to the system, a little at a time. An idle worker comes
// here by its heartbeat.
void Worker::rest() {
  rest_ns_ = engine_.now_ns() + limits::kRestMs * 1'000'000;
  engine_.buffers().rest();
  tunnels_.rest();
  exchanges_.rest();
}

void Worker::report() {
  auto& words = block_.words();
  const auto put = [](auto& word, auto value) {
    word.store(static_cast<std::remove_reference_t<decltype(word.load())>>(value),
               std::memory_order_relaxed);
  };
  put(words.heartbeat, engine_.now_ns());
  shm::add<uint64_t>(words.turns_total, 1);
  put(words.buffers_lent_small, engine_.buffers().lent_count(io::BufferClass::small));
  put(words.buffers_lent_large, engine_.buffers().lent_count(io::BufferClass::large));
  put(words.pipes_lent, tunnels_.pipes().lent());
  put(words.head_blocks_lent, exchanges_.blocks_lent());
  put(words.pipes_refused_total, tunnels_.pipes().refused());
  put(words.stale_completions_total, tunnels_.stale_completions() + exchanges_.stale_completions());
  const io::EngineCounters& engine = engine_.counters();
  put(words.engine_waits, engine.waits);
  put(words.engine_completions, engine.completions);
  put(words.engine_buffers_exhausted, engine.buffers_exhausted);
  put(words.engine_cq_overflows, engine.cq_overflows);
  put(words.engine_sq_full, engine.sq_full);
  put(words.engine_rearmed, engine.rearmed);
  put(words.engine_no_memory, engine.no_memory);
  put(words.engine_mail_full, engine.mail_full);
  put(words.engine_spliced_bytes, engine.spliced_bytes);
}

void Worker::take(int fd, uint32_t listener, uint32_t incarnation) {
  // Of the configuration that the acceptors go by.
  const shm::SnapshotView snapshot(region_.snapshot_slot(slot_of(adopted_)));
  const auto mode = static_cast<shm::Mode>(snapshot.listener(listener).mode);
  mode == shm::Mode::http ? exchanges_.open(fd, listener, incarnation)
                          : tunnels_.open(fd, listener, incarnation);
}

uint8_t Worker::hold_current() {
  const uint32_t slot = slot_of(adopted_);
  shm::add(block_.words().snapshot_refs[slot], 1u);
  return static_cast<uint8_t>(slot);
}

shm::SnapshotView Worker::held(uint8_t slot) const {
  return shm::SnapshotView(region_.snapshot_slot(slot));
}

void Worker::let_go(uint8_t slot) {
  shm::add(block_.words().snapshot_refs[slot], UINT32_MAX);
}

}  // namespace sluice::worker
