#include "http_control.h"

#include <algorithm>
#include <numeric>

#include "log/ring.h"

namespace sluice::http_sim {
namespace {

constexpr uint32_t kPoolSlot = 0;
constexpr uint32_t kBackendsMax = 12;

uint64_t sum_of(const std::atomic<uint64_t>* buckets, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += buckets[i].load();
  return sum;
}

}  // namespace

Control::Control(World& world, const shm::Region& region, bool calm)
    : world_(world),
      region_(region),
      calm_(calm),
      prng_(world.prng.next()),
      live_(region),
      slot_contents_(shm::kSnapshotSlots, 0) {}

shm::Worker& Control::words() const {
  return *reinterpret_cast<shm::Worker*>(region_.worker_area(0) + shm::kWorkerOffset);
}

void Control::begin(uint32_t listeners, uint32_t backends) {
  const auto limit = [&](uint32_t most) { return calm_ ? 600'000 : 300 + prng_.below(most); };
  test::PoolSpec pool;
  pool.slot = kPoolSlot;
  pool.strategy = static_cast<shm::Strategy>(prng_.below(3));
  pool.connect_timeout_ms = 200 + prng_.below(2000);
  pool.connect_retries = prng_.below(3);
  pool.response_head_timeout_ms = limit(5000);
  pool.body_timeout_ms = limit(5000);
  pool.keep_alive_idle_ms = 1 + prng_.below(prng_.below(2) == 0 ? 100 : 20'000);
  pool.keep_alive_requests_max = prng_.below(3) == 0 ? 1 + prng_.below(5) : 0;
  pool.idle_max = prng_.below(6);
  test::draw_ejections(pool, world_.seed);
  config_.pools.push_back(pool);
  for (uint32_t i = 0; i < backends; i++) add_backend();
  for (uint32_t slot = 0; slot < listeners; slot++) {
    test::ListenerSpec listener;
    listener.mode = shm::Mode::http;
    listener.slot = slot;
    listener.routes = {{.slot = slot, .pool = kPoolSlot}};
    listener.http.request_head_timeout_ms = limit(5000);
    listener.http.client_idle_timeout_ms = limit(10'000);
    listener.http.body_timeout_ms = limit(5000);
    listener.http.tunnel_idle_timeout_ms = calm_ ? 60'000 : 300 + prng_.below(10'000);
    listener.http.server_close = prng_.below(8) == 0;
    config_.listeners.push_back(listener);
    add_listener(slot);
  }
  const test::HttpSpec& http = config_.listeners[0].http;
  world_.connect_timeout_ns = pool.connect_timeout_ms * kMs;
  // Every limit twice, since a stalled peer is given one more look, and late completions.
  world_.patience_ns = 2 * kMs *
                           (uint64_t{5000} + 5000 + 10'000 + 5000 + 10'000 + 3 * 2200 +
                            pool.response_head_timeout_ms + 2 * pool.body_timeout_ms +
                            http.request_head_timeout_ms + http.client_idle_timeout_ms) +
                       60 * kSecond;
  publish();
}

void Control::add_listener(uint32_t slot) {
  for (test::ListenerSpec& listener : config_.listeners) {
    if (listener.slot != slot) continue;
    listener.incarnation = ++incarnation_;
    listener.descriptors.assign(1, world_.listen());
  }
}

void Control::put_backend(uint32_t slot, uint32_t incarnation) {
  Backend& backend = backends_[slot];
  backend = Backend{};
  backend.spec.slot = slot;
  backend.spec.incarnation = incarnation;
  backend.spec.pool = kPoolSlot;
  backend.spec.port = 80;
  const uint32_t target = static_cast<uint32_t>(world_.targets.size());
  world_.targets.emplace_back();
  backend.spec.address[0] = 10;
  backend.spec.address[1] = static_cast<uint8_t>(target >> 16);
  backend.spec.address[2] = static_cast<uint8_t>(target >> 8);
  backend.spec.address[3] = static_cast<uint8_t>(target);
  if (!calm_ && prng_.below(10) == 0) {
    world_.targets.back().mode = static_cast<Target::Mode>(1 + prng_.below(2));
  }
  live_.set_weight(slot, 1);
  live_.set_admin(slot, shm::AdminState::up);
  live_.set_health(slot, incarnation, shm::HealthState::unknown);
  live_.touch(kPoolSlot);
}

void Control::add_backend() {
  shm::WorkerBlock block(region_, 0);
  for (Backend& backend : backends_) {
    const uint32_t slot = backend.spec.slot;
    const bool free = backend.removed && backend.removed_generation != 0 &&
                      adopted(backend.removed_generation) && block.in_flight(slot).load() == 0;
    if (!free) continue;
    bool seen = false;
    for (const uint32_t generation : slot_contents_) {
      seen = seen || (generation != 0 && generation >> 3 < backend.removed_generation >> 3);
    }
    if (seen) continue;
    whole_ = false;
    return put_backend(slot, backend.spec.incarnation + 1);
  }
  if (backends_.size() == kBackendsMax) return;
  backends_.emplace_back();
  put_backend(static_cast<uint32_t>(backends_.size()) - 1, 1);
}

// Snapshot slots that nobody can look at any more are scrambled at once.
void Control::reclaim() {
  for (uint32_t slot = 0; slot < shm::kSnapshotSlots; slot++) {
    const uint32_t content = slot_contents_[slot];
    const bool used = words().adopted.load() == content || words().adopting.load() == content ||
                      words().snapshot_refs[slot].load() != 0;
    if (content == 0 || content == generation_ || used) continue;
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
  config_.pools[0].members.clear();
  for (const Backend& backend : backends_) {
    if (backend.removed) continue;
    config_.backends.push_back(backend.spec);
    config_.pools[0].members.push_back(backend.spec.slot);
  }
  generation_ = test::SnapshotBuilder(region_, slot).write(++sequence_, config_);
  slot_contents_[slot] = generation_;
  for (Backend& backend : backends_) {
    if (backend.removed && backend.removed_generation == 0) {
      backend.removed_generation = generation_;
    }
  }
  for (const test::ListenerSpec& listener : config_.listeners) {
    const auto known = std::find_if(made_.begin(), made_.end(), [&](const Made& made) {
      return made.incarnation == listener.incarnation;
    });
    if (known == made_.end()) made_.push_back(Made{listener.incarnation, generation_});
  }
  live_.publish(generation_);
  dirty_ = false;
  world_.note("publish", sequence_, slot, config_.backends.size());
  world_.engine->wake();
  return true;
}

void Control::announce() {
  live_.touch(kPoolSlot);
  live_.next_sequence();
  world_.engine->wake();
}

void Control::set_admin(Backend& backend, shm::AdminState state) {
  backend.admin = state;
  live_.set_admin(backend.spec.slot, state);
  world_.note("admin", backend.spec.slot, static_cast<uint64_t>(state), 0);
  announce();
}

void Control::remove_backend(Backend& backend) {
  world_.faults.saw(Fault::backend_removed);
  backend.removed = true;
  set_admin(backend, prng_.below(2) == 0 ? shm::AdminState::drain : shm::AdminState::cut);
  publish();
}

void Control::change_listener() {
  test::ListenerSpec& listener =
      config_.listeners[prng_.below(static_cast<uint32_t>(config_.listeners.size()))];
  for (const Made& made : made_) {
    // A worker that skips the generation would never close its descriptor.
    if (made.incarnation == listener.incarnation && !adopted(made.generation)) return;
  }
  world_.faults.saw(Fault::listener_removed);
  whole_ = false;
  add_listener(listener.slot);
  config_.listeners_version++;
  publish();
}

void Control::edit() {
  edits_++;
  reclaim();
  if (dirty_) {
    publish();
    return;
  }
  Backend& backend = backends_[prng_.below(static_cast<uint32_t>(backends_.size()))];
  switch (prng_.below(8)) {
    case 0:
    case 1:
      add_backend();
      publish();
      return;
    case 2:
      if (!backend.removed) remove_backend(backend);
      return;
    case 3:
      return change_listener();
    case 4:
      world_.faults.saw(Fault::pool_replaced);
      whole_ = false;
      config_.pools[0].incarnation++;
      publish();
      return;
    case 5:
      world_.faults.saw(Fault::backend_cut);
      return set_admin(backend, shm::AdminState::cut);
    case 6:
      if (backend.removed) return;
      world_.faults.saw(Fault::backend_drained);
      return set_admin(backend, shm::AdminState::drain);
    default:
      if (!backend.removed) set_admin(backend, shm::AdminState::up);
  }
}

int Control::random_listener() {
  const auto& listener =
      config_.listeners[prng_.below(static_cast<uint32_t>(config_.listeners.size()))];
  for (const Listener& entry : world_.listeners) {
    if (entry.fd == listener.descriptors[0] && entry.is_open) return entry.fd;
  }
  return -1;
}

void Control::enter_phase(shm::Phase phase) {
  region_.control().phase.store(static_cast<uint32_t>(phase), std::memory_order_release);
  world_.stopping = world_.stopping || phase == shm::Phase::stopping;
  world_.draining = true;
  world_.faults.saw(phase == shm::Phase::stopping ? Fault::stopped : Fault::drained);
  world_.note("phase", static_cast<uint64_t>(phase), 0, 0);
  world_.engine->wake();
}

void Control::close_unadopted() {
  for (const test::ListenerSpec& listener : config_.listeners) {
    bool taken = false;
    for (const Made& made : made_) {
      taken = taken || (made.incarnation == listener.incarnation && adopted(made.generation));
    }
    if (!taken) world_.close_descriptor(listener.descriptors[0]);
  }
}

void Control::check_quiet(bool idle_too) {
  const auto zero = [&](const char* what, uint32_t at, uint64_t value) {
    if (value == 0) return;
    world_.fail("gauges return to zero", "%s[%u] = %llu", what, at,
                static_cast<unsigned long long>(value));
  };
  zero("connections", 0, words().connections.load());
  zero("buffers_lent_small", 0, words().buffers_lent_small.load());
  zero("buffers_lent_large", 0, words().buffers_lent_large.load());
  zero("pipes_lent", 0, words().pipes_lent.load());
  for (uint32_t s = 0; s < shm::kSnapshotSlots; s++) {
    zero("snapshot_refs", s, words().snapshot_refs[s].load());
  }
  shm::WorkerBlock block(region_, 0);
  for (const test::ListenerSpec& listener : config_.listeners) {
    zero("listener connections", listener.slot, block.listener(listener.slot).connections.load());
    zero("listener requests", listener.slot,
         block.listener(listener.slot).requests_in_flight.load());
    zero("route requests", listener.slot, block.route(listener.slot).requests_in_flight.load());
  }
  zero("pool connections", 0, block.pool(kPoolSlot).connections.load());
  zero("pool requests", 0, block.pool(kPoolSlot).requests_in_flight.load());
  for (uint32_t slot = 0; slot < backends_.size(); slot++) {
    zero("in flight", slot, block.in_flight(slot).load());
    if (idle_too) zero("idle connections", slot, block.backend(slot).idle_connections.load());
  }
}

// Every exchange ends once; it has a class if its final head was given to the client whole.
template <typename Words>
void Control::check_classes(const char* what, uint32_t slot, Words& words, uint64_t ended) {
  const uint64_t classes = words.requests1xx_total.load() + words.requests2xx_total.load() +
                           words.requests3xx_total.load() + words.requests4xx_total.load() +
                           words.requests5xx_total.load();
  if (classes <= ended) return;
  world_.fail("a request has one class at most", "%s %u: %llu of %llu", what, slot,
              static_cast<unsigned long long>(classes), static_cast<unsigned long long>(ended));
}

void Control::set_log(bool on) {
  logs_ = on;
  region_.control().access_log.store(on ? 1 : 0);
}

// One record for each exchange that is counted, with its class and its bytes; none while it is off.
void Control::check_log(uint64_t requests, uint64_t classes) {
  const auto differ = [&](const char* what, uint64_t logged, uint64_t counted) {
    if (logged == counted) return;
    world_.fail("the log says what the counters say", "%s: %llu logged, %llu counted", what,
                static_cast<unsigned long long>(logged), static_cast<unsigned long long>(counted));
  };
  uint64_t records = 0;
  uint64_t with_class = 0;
  uint64_t complete = 0;
  uint64_t routed_bytes = 0;
  log::RingReader ring(region_, 0);
  while (const log::Record* record = ring.next()) {
    records++;
    if (record->status != 0) with_class++;
    if (record->end == log::End::complete) complete++;
    if (record->route.slot != log::SlotName::kNoSlot) routed_bytes += record->bytes_out;
  }
  const auto& logged =
      *reinterpret_cast<const shm::WorkerLog*>(region_.worker_area(0) + shm::kWorkerLogOffset);
  differ("dropped", logged.dropped_total.load(), 0);
  differ("records", records, logs_ ? requests : 0);
  if (!logs_) return;
  differ("records with a status", with_class, classes);
  if (calm_) differ("complete", complete, requests);
  shm::WorkerBlock block(region_, 0);
  uint64_t counted_bytes = 0;
  for (const test::ListenerSpec& listener : config_.listeners) {
    counted_bytes += block.route(listener.slot).response_bytes_total.load();
  }
  differ("bytes to clients", routed_bytes, counted_bytes);
}

void Control::check_counters() {
  shm::WorkerBlock block(region_, 0);
  uint64_t classes = 0;
  uint64_t requests = 0;
  uint64_t answered = 0;
  for (const test::ListenerSpec& listener : config_.listeners) {
    auto& words = block.listener(listener.slot);
    const uint64_t ended = sum_of(words.request_duration, std::size(words.request_duration));
    if (words.requests_total.load() != ended) {
      world_.fail("every request ends once", "listener %u: %llu, %llu ended", listener.slot,
                  static_cast<unsigned long long>(words.requests_total.load()),
                  static_cast<unsigned long long>(ended));
    }
    check_classes("listener", listener.slot, words, ended);
    auto& route = block.route(listener.slot);
    check_classes("route", listener.slot, route, sum_of(route.duration, std::size(route.duration)));
    classes += words.requests1xx_total.load() + words.requests2xx_total.load() +
               words.requests3xx_total.load() + words.requests4xx_total.load() +
               words.requests5xx_total.load();
    requests += words.requests_total.load();
    for (const std::atomic<uint64_t>* word :
         {&words.answered400_total, &words.answered404_total, &words.answered408_total,
          &words.answered413_total, &words.answered414_total, &words.answered417_total,
          &words.answered431_total, &words.answered501_total, &words.answered502_total,
          &words.answered503_total, &words.answered504_total, &words.answered505_total}) {
      answered += word->load();
    }
  }
  if (whole_) check_log(requests, classes);
  auto& pool = block.pool(kPoolSlot);
  const uint64_t ended = sum_of(pool.request_duration, std::size(pool.request_duration));
  if (pool.requests_total.load() != ended) {
    world_.fail("every request ends once", "pool: %llu, %llu ended",
                static_cast<unsigned long long>(pool.requests_total.load()),
                static_cast<unsigned long long>(ended));
  }
  check_classes("pool", kPoolSlot, pool, ended);
  if (whole_ && (answered < world_.own_read || answered > requests)) {
    world_.fail("our answers are counted", "%llu of %llu that were read",
                static_cast<unsigned long long>(answered),
                static_cast<unsigned long long>(world_.own_read));
  }
  // The proxy knows of an answer's end before it sends the next, and counts nothing that it has not
  // given; without faults it counts all.
  const bool agree = classes >= world_.answers_over && classes <= world_.heads_given &&
                     (!calm_ || (classes == requests && classes == world_.heads_read));
  if (whole_ && !agree) {
    world_.fail("classes count heads that were given",
                "%llu counted, %llu given, %llu surely, %llu requests",
                static_cast<unsigned long long>(classes),
                static_cast<unsigned long long>(world_.heads_given),
                static_cast<unsigned long long>(world_.answers_over),
                static_cast<unsigned long long>(requests));
  }
}

}  // namespace sluice::http_sim
