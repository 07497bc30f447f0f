#include "proxy_run.h"

#include <algorithm>

namespace sluice::proxy_sim {

Scenario draw_scenario(uint64_t seed) {
  Prng prng(seed ^ 0x5ce0a510);
  Scenario s;
  s.seed = seed;
  s.faults = seed % 8 != 0;
  s.edits = s.faults && prng.below(3) > 0;
  const uint32_t crowd = prng.below(10);
  s.workers = crowd < 6 ? 1 : crowd < 8 ? 2 : 3;
  s.splice = prng.below(4) > 0;
  s.hand_off = prng.below(4) > 0;
  s.clients = 5 + prng.below(prng.below(4) == 0 ? 400 : 100);
  s.duration_ns = kSecond + prng.next() % (60 * kSecond);
  s.listeners = 1 + prng.below(2);
  s.pools = 1 + prng.below(2);
  s.backends = 1 + prng.below(5);
  s.end = static_cast<Scenario::End>(prng.below(3));
  s.small_buffers = 8 + prng.below(prng.below(2) == 0 ? 24 : 500);
  s.large_buffers = 2 + prng.below(14);
  s.connections_max = prng.below(6) == 0 ? 8 + prng.below(20) : 512;
  if (!s.faults) {
    s.end = Scenario::End::quiet;
    s.small_buffers = 2048;
    s.connections_max = 512;
  }
  if (seed % 16 == 5) {
    s.skewed = true;
    s.faults = false;
    s.edits = false;
    s.hand_off = true;
    s.workers = 2 + prng.below(3);
    s.clients = 60 + prng.below(100);
    s.connections_max = 512;
    s.small_buffers = 2048;
  }
  // Few but real: hours, in which idle connections come and go.
  if (seed % 40 == 7) {
    s.duration_ns = 3600 * kSecond + prng.next() % (3 * 3600 * kSecond);
  }
  return s;
}

Run::Run(const Scenario& scenario)
    : scenario_(scenario),
      world_(WorldOptions{scenario.seed, scenario.faults, scenario.verbose, scenario.workers > 1}),
      prng_(scenario.seed ^ 0x2222),
      region_(std::make_unique<shm::Region>()) {
  if (region_->create(scenario.workers) < 0) world_.fail("setup", "no region");
  world_.script = [this](const Event& event) { on_event(event); };
  world_.plan_bytes_max = prng_.below(8) == 0 ? 2'000'000 : 20'000 + prng_.below(150'000);
  world_.plan_silence_ns = std::min<uint64_t>(scenario.duration_ns, 200 * kSecond);
  for (uint32_t w = 0; w < scenario.workers; w++) {
    pools_.push_back(std::make_unique<io::BufferPool>(
        io::BufferClassSpec{limits::kSmallBufferBytes, scenario.small_buffers},
        io::BufferClassSpec{limits::kLargeBufferBytes, scenario.large_buffers}));
    engines_.push_back(std::make_unique<SimEngine>(world_, *pools_[w], w));
    world_.engines.push_back(engines_[w].get());
  }
  control_ = std::make_unique<Control>(world_, *region_, scenario.workers);
  world_.picked = [this](uint32_t w, uint32_t target) { control_->on_pick(w, target); };
  world_.turned_away = [this](uint32_t w, const Connection& conn) {
    turned_away_++;
    if (scenario_.connections_max >= 512) control_->on_turned_away(w, conn);
  };
  region_->control().phase.store(static_cast<uint32_t>(shm::Phase::running));
  for (uint32_t w = 0; w < scenario.workers; w++) {
    worker::WorkerOptions options;
    options.index = w;
    options.connections_max = scenario.connections_max;
    options.hand_off = scenario.hand_off;
    options.splice = scenario.splice;
    options.seed = scenario.seed * 31 + w;
    workers_.push_back(std::make_unique<worker::Worker>(*region_, *engines_[w], *this, options));
    ended_.push_back(false);
    if (!workers_[w]->ok()) world_.fail("setup", "no memory for worker %u", w);
  }
}

Run::~Run() = default;

uint64_t Run::ejections() const {
  uint64_t sum = 0;
  for (uint32_t w = 0; w < scenario_.workers; w++) {
    sum += shm::WorkerBlock(*region_, w).words().ejections_total.load();
  }
  return sum;
}

void Run::abandon() {
  for (auto& worker : workers_) (void)worker.release();
  for (auto& engine : engines_) (void)engine.release();
  for (auto& pool : pools_) (void)pool.release();
  (void)region_.release();
}

void Run::arrive() {
  if (!arriving_) return;
  const int fd = scenario_.skewed ? control_->first_listener() : control_->random_listener();
  Plan plan = world_.draw_plan(true);
  if (scenario_.skewed) plan.end = Plan::End::vanishes;
  if (fd < 0) {
    refused_++;
  } else {
    world_.client_connects(fd, plan);
  }
  if (++arrived_ >= scenario_.clients) {
    arriving_ = false;
    return;
  }
  const uint64_t gap = scenario_.skewed ? kMs : scenario_.duration_ns / scenario_.clients;
  // Bursts, and pauses between them.
  const uint64_t wait = prng_.below(3) == 0 ? 0 : prng_.next() % (2 * gap);
  world_.at(world_.now + wait, EventKind::client_arrives);
}

void Run::on_event(const Event& event) {
  if (event.kind == EventKind::client_arrives) return arrive();
  if (event.kind == EventKind::control_edits && editing_) {
    control_->edit();
    const uint64_t gap = prng_.below(4) == 0 ? 10 * kMs : scenario_.duration_ns / 20;
    world_.at(world_.now + 1 + prng_.next() % gap, EventKind::control_edits);
  }
}

uint32_t Run::connections() const {
  uint32_t sum = 0;
  for (const auto& worker : workers_) sum += worker->connections();
  return sum;
}

void Run::turn_one(uint32_t w) {
  turns_++;
  if (!workers_[w]->turn()) ended_[w] = true;
}

// Lets every worker that has something to do take a turn, or moves the clock. False when nothing
// can ever happen any more.
bool Run::turn_all() {
  if (workers_.size() == 1) {
    if (ended_[0]) return false;
    turn_one(0);
    return true;
  }
  const uint32_t count = static_cast<uint32_t>(workers_.size());
  const uint32_t first = prng_.below(count);
  bool any = false;
  uint64_t deadline = kNever;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t w = (first + i) % count;
    if (ended_[w]) continue;
    if (engines_[w]->is_due()) {
      turn_one(w);
      any = true;
    }
    deadline = std::min(deadline, engines_[w]->deadline_ns());
  }
  if (any) return true;
  const uint64_t next = world_.next_event_ns();
  if (next == kNever && deadline == kNever) return false;
  if (next <= deadline) {
    world_.run_next_event();
  } else if (deadline > world_.now) {
    world_.now = deadline;
  }
  return true;
}

template <typename Until>
void Run::run_until(uint64_t bound_ns, const char* what, Until&& until) {
  const uint64_t limit = world_.now + bound_ns;
  const uint64_t turns_limit = turns_ + 40'000'000;
  while (!world_.failed() && !until()) {
    if (!turn_all()) break;
    if (world_.now > limit || turns_ > turns_limit) {
      world_.fail("no hang", "%s: still %u connections, %u descriptors", what, connections(),
                  world_.open_descriptors());
    }
    if (world_.now - checked_ns_ >= kSecond) {
      checked_ns_ = world_.now;
      control_->check();
    }
  }
}

// Every client sits on worker 0's socket: hand-off alone spreads them.
void Run::check_balance() {
  uint32_t most = 0;
  for (const auto& worker : workers_) most = std::max(most, worker->connections());
  const double mean = static_cast<double>(connections()) / static_cast<double>(workers_.size());
  if (connections() < 40) {
    world_.fail("skewed clients stay", "%u connections are left", connections());
  }
  if (most > mean * 1.05 + 4) {
    world_.fail("accepted connections are shared out", "most %u, mean %.1f", most, mean);
  }
}

void Run::play() {
  control_->begin(scenario_.listeners, scenario_.pools, scenario_.backends);
  world_.at(world_.now + kMs, EventKind::client_arrives);
  editing_ = scenario_.edits;
  if (editing_) world_.at(world_.now + kMs, EventKind::control_edits);
  const uint64_t end = world_.now + scenario_.duration_ns;
  if (scenario_.skewed) {
    run_until(scenario_.duration_ns + 60 * kSecond, "arrivals", [this] { return !arriving_; });
    const uint64_t settled = world_.now + 100 * kMs;
    world_.at(settled, EventKind::tick);
    run_until(kSecond, "settling", [&] { return world_.now >= settled; });
    if (!world_.failed()) check_balance();
  }
  run_until(2 * scenario_.duration_ns + kSecond, "traffic", [&] { return world_.now >= end; });
  finish();
}

void Run::finish() {
  constexpr uint64_t kLong = 2 * 3600 * kSecond;
  if (!world_.failed() && scenario_.end == Scenario::End::drain) {
    control_->enter_phase(shm::Phase::draining);
    // The configuration may change while the workers drain.
    const uint64_t quiet = world_.now + 2 * kSecond;
    run_until(kLong, "draining", [&] { return world_.now >= quiet; });
  }
  editing_ = false;
  if (scenario_.end != Scenario::End::stop) {
    run_until(kLong, "arrivals", [this] { return !arriving_; });
    run_until(kLong, "ending by themselves", [this] { return connections() == 0; });
    // One more turn of everybody, so that words are written.
    const uint64_t settled = world_.now + 5 * kSecond;
    run_until(kLong, "settling", [&] { return world_.now >= settled && connections() == 0; });
    if (!scenario_.faults && !scenario_.skewed) {  // slow readers have more to read
      run_until(kLong, "serving", [this] { return world_.clients_done == arrived_; });
    }
    if (!world_.failed()) control_->check_quiet();
  }
  if (!world_.failed()) control_->enter_phase(shm::Phase::stopping);
  arriving_ = false;
  run_until(60 * kSecond, "stopping", [this] {
    return std::all_of(ended_.begin(), ended_.end(), [](bool ended) { return ended; });
  });
  for (auto& engine : engines_) {
    if (!world_.failed()) engine->drop_mail();
  }
  if (world_.failed()) return;
  control_->check_quiet();
  check_counters();
  if (!scenario_.faults && !scenario_.skewed) check_books();
  if (!scenario_.edits) check_reasons();
  if (world_.failed()) return;
  workers_.clear();
  control_->close_unadopted();
  if (world_.open_descriptors() != 0) {
    const Descriptor& left = *world_.first_open();
    world_.fail("every descriptor is closed", "%u are open, one of kind %u, object %u",
                world_.open_descriptors(), static_cast<unsigned>(left.kind), left.object);
  }
}

}  // namespace sluice::proxy_sim
