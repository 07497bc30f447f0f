#include "http_run.h"

#include <algorithm>

namespace sluice::http_sim {

Scenario draw_scenario(uint64_t seed) {
  Prng prng(seed ^ 0x5ce0a511);
  Scenario s;
  s.seed = seed;
  s.calm = seed % 8 == 0;
  s.edits = !s.calm && prng.below(3) > 0;
  s.splice = prng.below(4) > 0;
  s.clients = 1 + prng.below(prng.below(4) == 0 ? 60 : 15);
  s.duration_ns = kSecond + prng.next() % (15 * kSecond);
  s.listeners = 1 + prng.below(2);
  s.backends = 1 + prng.below(3);
  s.end = static_cast<Scenario::End>(prng.below(3));
  s.small_buffers = 8 + prng.below(prng.below(3) == 0 ? 24 : 500);
  s.connections_max = prng.below(8) == 0 ? 2 + prng.below(6) : 512;
  s.log = prng.below(3) > 0;
  if (s.calm) {
    s.end = Scenario::End::quiet;
    s.small_buffers = 4096;
    s.connections_max = 512;
  }
  return s;
}

Run::Run(const Scenario& scenario)
    : scenario_(scenario),
      world_(scenario.seed, !scenario.calm, scenario.verbose),
      prng_(scenario.seed ^ 0x2222),
      region_(std::make_unique<shm::Region>()) {
  if (region_->create(1) < 0) world_.fail("setup", "no region");
  world_.script = [this](const Event& event) { on_event(event); };
  world_.body_max = prng_.below(8) == 0 ? 300'000 : 1 + prng_.below(20'000);
  world_.requests.emplace_back();  // number 0 is nobody's
  world_.answers.emplace_back();
  pool_ = std::make_unique<io::BufferPool>(
      io::BufferClassSpec{limits::kSmallBufferBytes, scenario.small_buffers},
      io::BufferClassSpec{limits::kLargeBufferBytes, 16});
  engine_ = std::make_unique<SimEngine>(world_, *pool_);
  world_.engine = engine_.get();
  control_ = std::make_unique<Control>(world_, *region_, scenario.calm);
  region_->control().phase.store(static_cast<uint32_t>(shm::Phase::running));
  control_->set_log(scenario.log);
  worker::WorkerOptions options;
  options.connections_max = scenario.connections_max;
  options.splice = scenario.splice;
  options.seed = scenario.seed * 31;
  worker_ = std::make_unique<worker::Worker>(*region_, *engine_, *this, options);
  if (!worker_->ok()) world_.fail("setup", "no memory for the worker");
}

Run::~Run() = default;

uint64_t Run::ejections() const {
  return shm::WorkerBlock(*region_, 0).words().ejections_total.load();
}

void Run::abandon() {
  (void)worker_.release();
  (void)engine_.release();
  (void)pool_.release();
  (void)region_.release();
}

void Run::arrive() {
  if (!arriving_) return;
  const int fd = control_->random_listener();
  if (fd < 0) {
    turned_away_++;
  } else {
    world_.client_connects(fd);
  }
  if (++arrived_ >= scenario_.clients) {
    arriving_ = false;
    return;
  }
  // Bursts, and pauses between them.
  const uint64_t gap = scenario_.duration_ns / scenario_.clients;
  const uint64_t wait = prng_.below(3) == 0 ? 0 : prng_.next() % (2 * gap);
  world_.at(world_.now + wait, EventKind::client_arrives);
}

void Run::on_event(const Event& event) {
  if (event.kind == EventKind::client_arrives) return arrive();
  if (!editing_) return;
  control_->edit();
  const uint64_t gap = prng_.below(4) == 0 ? 10 * kMs : scenario_.duration_ns / 8;
  world_.at(world_.now + 1 + prng_.next() % gap, EventKind::control_edits);
}

template <typename Until>
void Run::run_until(uint64_t bound_ns, const char* what, Until&& until) {
  const uint64_t limit = world_.now + bound_ns;
  const uint64_t turns_limit = turns_ + 20'000'000;
  while (!world_.failed() && !ended_ && !until()) {
    turns_++;
    if (!worker_->turn()) ended_ = true;
    if (world_.now > limit || turns_ > turns_limit) {
      world_.fail("no hang", "%s: still %u connections, %u descriptors", what,
                  worker_->connections(), world_.open_descriptors());
    }
  }
}

void Run::play() {
  control_->begin(scenario_.listeners, scenario_.backends);
  world_.at(world_.now + kMs, EventKind::client_arrives);
  editing_ = scenario_.edits;
  if (editing_) world_.at(world_.now + kMs, EventKind::control_edits);
  const uint64_t end = world_.now + scenario_.duration_ns;
  run_until(2 * scenario_.duration_ns + kSecond, "traffic", [&] { return world_.now >= end; });
  finish();
}

void Run::finish() {
  constexpr uint64_t kLong = 2 * 3600 * kSecond;
  if (!world_.failed() && scenario_.end == Scenario::End::drain) {
    control_->enter_phase(shm::Phase::draining);
    // The configuration may change while the worker drains.
    const uint64_t quiet = world_.now + 2 * kSecond;
    run_until(kLong, "draining", [&] { return world_.now >= quiet; });
  }
  editing_ = false;
  if (scenario_.end != Scenario::End::stop) {
    run_until(kLong, "arrivals", [this] { return !arriving_; });
    const auto is_quiet = [this] {
      return worker_->connections() == 0 && worker_->exchanges().is_empty();
    };
    run_until(kLong, "ending by themselves", is_quiet);
    // One more turn, so that words are written.
    const uint64_t settled = world_.now + 5 * kSecond;
    run_until(kLong, "settling", [&] { return world_.now >= settled && is_quiet(); });
    if (scenario_.calm) {  // slow readers have more to read
      run_until(kLong, "serving", [this] { return world_.clients_content == arrived_; });
    }
    if (!world_.failed()) control_->check_quiet(true);
  }
  if (!world_.failed()) control_->enter_phase(shm::Phase::stopping);
  arriving_ = false;
  run_until(60 * kSecond, "stopping", [] { return false; });
  if (world_.failed()) return;
  control_->check_quiet(true);
  check_end();
}

void Run::check_end() {
  control_->check_counters();
  for (const io::BufferClass cls : {io::BufferClass::small, io::BufferClass::large}) {
    if (pool_->lent_count(cls) != 0 || pool_->free_count(cls) != pool_->capacity(cls)) {
      world_.fail("buffers are conserved", "class %u: %u lent, %u of %u free",
                  static_cast<unsigned>(cls), pool_->lent_count(cls), pool_->free_count(cls),
                  pool_->capacity(cls));
    }
  }
  if (worker_->exchanges().blocks_lent() != 0) {
    world_.fail("head blocks are conserved", "%u are lent", worker_->exchanges().blocks_lent());
  }
  if (engine_->outstanding() != 0) {
    world_.fail("nothing is left in the kernel", "%u operations", engine_->outstanding());
  }
  const uint64_t seen =
      worker_->exchanges().stale_completions() + worker_->tunnels().stale_completions();
  if (seen != engine_->stale_injected()) {
    world_.fail("stale completions are dropped and counted", "%llu seen, %llu sent",
                static_cast<unsigned long long>(seen),
                static_cast<unsigned long long>(engine_->stale_injected()));
  }
  if (scenario_.calm && world_.clients_content != arrived_) {
    world_.fail("without faults every client is served", "%llu of %u",
                static_cast<unsigned long long>(world_.clients_content), arrived_);
  }
  if (world_.failed()) return;
  worker_.reset();
  control_->close_unadopted();
  if (world_.open_descriptors() != 0) {
    world_.fail("every descriptor is closed", "%u are open", world_.open_descriptors());
  }
}

}  // namespace sluice::http_sim
