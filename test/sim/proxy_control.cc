// Publishing what was decided, and holding the workers to it.
#include "proxy_control.h"

#include <algorithm>

namespace sluice::proxy_sim {
namespace {

constexpr uint64_t kAcknowledgeSlack = 10 * kSecond;

}  // namespace

Control::Control(World& world, const shm::Region& region, uint32_t workers)
    : world_(world),
      region_(region),
      workers_(workers),
      prng_(world.options.seed ^ 0xc0117401),
      live_(region),
      slot_contents_(shm::kSnapshotSlots, 0) {}

shm::Worker& Control::words(uint32_t worker) const {
  return *reinterpret_cast<shm::Worker*>(region_.worker_area(worker) + shm::kWorkerOffset);
}

uint32_t Control::first_generation(const test::ListenerSpec& listener) const {
  const auto found = listener_since_.find(listener.incarnation);
  return found == listener_since_.end() ? 0 : found->second;
}

void Control::close_unadopted() {
  for (const test::ListenerSpec& listener : config_.listeners) {
    const uint32_t since = first_generation(listener);
    for (uint32_t w = 0; w < workers_; w++) {
      const bool adopted = since != 0 && words(w).adopted.load() >> 3 >= since >> 3;
      if (!adopted) world_.close_socket(listener.descriptors[w]);
    }
  }
}

uint32_t Control::in_flight(uint32_t slot) const {
  uint32_t sum = 0;
  for (uint32_t w = 0; w < workers_; w++) {
    sum += reinterpret_cast<shm::WorkerInFlight*>(region_.worker_area(w) +
                                                  shm::kWorkerInFlightOffset)[slot]
               .count.load();
  }
  return sum;
}

bool Control::all_adopted(uint32_t generation) const {
  for (uint32_t w = 0; w < workers_; w++) {
    if (words(w).adopted.load() >> 3 < generation >> 3) return false;
  }
  return true;
}

bool Control::all_live(uint32_t sequence) const {
  for (uint32_t w = 0; w < workers_; w++) {
    if (words(w).live_adopted.load() < sequence) return false;
  }
  return true;
}

// Snapshot slots that nobody can look at any more are scrambled at once.
void Control::reclaim() {
  for (uint32_t slot = 0; slot < shm::kSnapshotSlots; slot++) {
    const uint32_t content = slot_contents_[slot];
    if (content == 0 || content == generation_) continue;
    bool free = true;
    for (uint32_t w = 0; w < workers_; w++) {
      free = free && words(w).adopted.load() != content && words(w).adopting.load() != content &&
             words(w).snapshot_refs[slot].load() == 0;
    }
    if (!free) continue;
    test::SnapshotBuilder(region_, slot).poison();
    slot_contents_[slot] = 0;
  }
}

bool Control::publish() {
  dirty_ = true;
  reclaim();
  uint32_t slot = 0;
  while (slot < shm::kSnapshotSlots && slot_contents_[slot] != 0) slot++;
  if (slot == shm::kSnapshotSlots) return false;
  config_.backends.clear();
  for (test::PoolSpec& pool : config_.pools) pool.members.clear();
  for (const Backend& backend : backends_) {
    if (backend.removed) continue;
    config_.backends.push_back(backend.spec);
    config_.pools[backend.spec.pool].members.push_back(backend.spec.slot);
  }
  generation_ = test::SnapshotBuilder(region_, slot).write(++sequence_, config_);
  slot_contents_[slot] = generation_;
  for (Backend& backend : backends_) {
    if (!backend.removed || backend.removed_generation != 0) continue;
    backend.removed_generation = generation_;
    world_.targets[backend.target].banned_generation = generation_;
  }
  for (const test::ListenerSpec& listener : config_.listeners) {
    listener_since_.try_emplace(listener.incarnation, generation_);
  }
  live_.publish(generation_);
  published_ns_ = world_.now;
  dirty_ = false;
  world_.note("publish", sequence_, slot, config_.backends.size());
  for (SimEngine* engine : world_.engines) engine->wake();
  return true;
}

// Live words have changed: workers look, and from their acknowledgement on the ban holds.
void Control::announce(Backend& backend) {
  live_.touch(backend.spec.pool);
  live_sequence_ = live_.next_sequence();
  announced_ns_ = world_.now;
  set_ban(backend);
  for (SimEngine* engine : world_.engines) engine->wake();
  world_.note("live", backend.spec.slot, static_cast<uint64_t>(backend.admin), backend.weight);
}

void Control::set_ban(Backend& backend) {
  const bool out = backend.admin != shm::AdminState::up || backend.weight == 0 || backend.unhealthy;
  Target& target = world_.targets[backend.target];
  if (!out) {
    target.banned_live = kNone;
  } else if (target.banned_live == kNone) {
    target.banned_live = live_sequence_;
  }
}

void Control::on_pick(uint32_t worker, uint32_t index) {
  Target& target = world_.targets[index];
  target.picks++;
  if (target.banned_generation != kNone &&
      words(worker).adopted.load() >> 3 >= target.banned_generation >> 3) {
    world_.fail("a removed backend is never picked", "target %u by worker %u", index, worker);
  }
  if (target.banned_live != kNone && words(worker).live_adopted.load() >= target.banned_live) {
    world_.fail("a backend that is out is never picked", "target %u by worker %u", index, worker);
  }
  check_ejections(worker, index);
}

void Control::check_ejections(uint32_t worker, uint32_t target) {
  const shm::SnapshotView snapshot(region_.snapshot_slot(words(worker).adopted.load() & 7));
  shm::WorkerBlock block(region_, worker);
  // 0: known to be good.
  const auto ejected_until = [&](uint32_t slot) -> uint64_t {
    const shm::WorkerBackend& own = block.backend(slot);
    const bool met = own.incarnation.load() == snapshot.backend(slot).incarnation;
    return met ? own.ejected_until.load() : 0;
  };
  const auto is_ready = [&](uint32_t slot) {
    const shm::BackendLive& live = region_.backend_live()[slot];
    const uint32_t health = live.health.load();
    const bool unhealthy = health >> 8 == snapshot.backend(slot).incarnation &&
                           (health & 0xff) == static_cast<uint32_t>(shm::HealthState::unhealthy);
    return live.admin.load() == static_cast<uint32_t>(shm::AdminState::up) &&
           live.weight.load() > 0 && !unhealthy;
  };
  for (uint32_t slot = 0; slot < snapshot.head().backends_high; slot++) {
    const shm::SnapshotBackend& backend = snapshot.backend(slot);
    const uint8_t* to = backend.address;
    const uint32_t number = uint32_t{to[1]} << 16 | uint32_t{to[2]} << 8 | to[3];
    if (backend.incarnation == 0 || number != target) continue;
    const uint64_t until = ejected_until(slot);
    if (until <= world_.now) continue;
    const shm::SnapshotPool& pool = snapshot.pool(backend.pool);
    const uint64_t longest = std::max(pool.ejection_base_ms, pool.ejection_max_ms) * kMs;
    if (until > world_.now + longest) {
      world_.fail("ejections end", "backend %u of worker %u", slot, worker);
    }
    for (uint32_t i = 0; i < pool.member_count; i++) {
      const uint32_t other = snapshot.member(pool.member_first + i);
      if (!is_ready(other) || ejected_until(other) != 0) continue;
      world_.fail("an ejected backend is picked for want of others only",
                  "backend %u by worker %u, and %u is ready", slot, worker, other);
    }
  }
}

// With room for everybody, only clients of a removed listener may go unserved.
void Control::on_turned_away(uint32_t worker, const Connection& conn) {
  // Also those whose listener is removed meanwhile: they came in while it was there.
  if (world_.stopping) return;
  world_.fail("accepted connections are served", "connection %u at worker %u", conn.id, worker);
}

int Control::random_listener() {
  if (config_.listeners.empty()) return -1;
  const auto& listener =
      config_.listeners[prng_.below(static_cast<uint32_t>(config_.listeners.size()))];
  const int fd =
      listener.descriptors[prng_.below(static_cast<uint32_t>(listener.descriptors.size()))];
  for (const Listener& entry : world_.listeners) {
    if (entry.fd == fd && entry.is_open) return fd;
  }
  return -1;
}

int Control::first_listener() const {
  return config_.listeners[0].descriptors[0];
}

void Control::enter_phase(shm::Phase phase) {
  region_.control().phase.store(static_cast<uint32_t>(phase), std::memory_order_release);
  if (phase == shm::Phase::stopping) world_.stopping = true;
  world_.note("phase", static_cast<uint64_t>(phase), 0, 0);
  for (SimEngine* engine : world_.engines) engine->wake();
}

void Control::check() {
  if (world_.stopping) return;
  if (!all_adopted(generation_) && world_.now - published_ns_ > kAcknowledgeSlack) {
    world_.fail("a published configuration is adopted", "sequence %u", sequence_);
  }
  if (!all_live(live_sequence_) && world_.now - announced_ns_ > kAcknowledgeSlack) {
    world_.fail("live words are acknowledged", "sequence %u", live_sequence_);
  }
  for (Backend& backend : backends_) {
    if (backend.admin != shm::AdminState::cut) {
      backend.cut_acknowledged_ns = 0;
      continue;
    }
    if (!all_live(live_sequence_)) continue;
    if (backend.cut_acknowledged_ns == 0) backend.cut_acknowledged_ns = world_.now;
    if (world_.now - backend.cut_acknowledged_ns > kAcknowledgeSlack &&
        in_flight(backend.spec.slot) > 0) {
      world_.fail("nothing is left on a cut backend", "slot %u: %u connections", backend.spec.slot,
                  in_flight(backend.spec.slot));
    }
  }
}

void Control::check_quiet() {
  for (uint32_t w = 0; w < workers_; w++) {
    const auto zero = [&](const char* what, uint32_t at, uint64_t value) {
      if (value == 0) return;
      world_.fail("gauges return to zero", "worker %u: %s[%u] = %llu", w, what, at,
                  static_cast<unsigned long long>(value));
    };
    shm::Worker& own = words(w);
    zero("connections", 0, own.connections.load());
    zero("buffers_lent_small", 0, own.buffers_lent_small.load());
    zero("buffers_lent_large", 0, own.buffers_lent_large.load());
    zero("pipes_lent", 0, own.pipes_lent.load());
    for (uint32_t s = 0; s < shm::kSnapshotSlots; s++) {
      zero("snapshot_refs", s, own.snapshot_refs[s].load());
    }
    shm::WorkerBlock block(region_, w);
    for (uint32_t s = 0; s < 16; s++) {
      zero("listener connections", s, block.listener(s).connections.load());
    }
    for (uint32_t s = 0; s < config_.pools.size(); s++) {
      zero("pool connections", s, block.pool(s).connections.load());
    }
    for (uint32_t s = 0; s < backends_.size(); s++) zero("in_flight", s, block.in_flight(s).load());
  }
}

}  // namespace sluice::proxy_sim
