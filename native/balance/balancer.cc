#include "balance/balancer.h"

#include <algorithm>

namespace sluice::balance {
namespace {

// One turn of a backend of weight 1 in virtual time; heavier ones take less.
constexpr uint64_t kTurn = uint64_t{1} << 32;
constexpr uint64_t kVirtualTimeMax = uint64_t{1} << 62;
// Least connections looks at so many candidates at most, from a moving start.
constexpr uint32_t kScanMax = 1024;

}  // namespace

Balancer::Balancer(const shm::Region& region, const shm::WorkerBlock& block, uint64_t seed)
    : region_(region),
      block_(block),
      prng_(seed),
      ready_(shm::kBackendsMax),
      pools_(shm::kPoolsMax),
      backends_(shm::kBackendsMax),
      ejections_(shm::kBackendsMax) {}

void Balancer::adopt(shm::SnapshotView snapshot) {
  snapshot_ = snapshot;
  generation_ = snapshot.head().generation;
}

// Notes in `state` when to look again, where time decides.
Balancer::Grade Balancer::grade(PoolState& state, uint32_t slot, uint32_t* weight,
                                uint64_t now_ns) {
  const shm::BackendLive& live = region_.backend_live()[slot];
  const uint32_t incarnation = snapshot_.backend(slot).incarnation;
  *weight = live.weight.load(std::memory_order_relaxed);
  const uint32_t admin = live.admin.load(std::memory_order_relaxed);
  if (admin != static_cast<uint32_t>(shm::AdminState::up) || *weight == 0) return Grade::none;
  const uint32_t word = live.health.load(std::memory_order_relaxed);
  const bool known = word >> 8 == (incarnation & 0xffffff);
  const auto health =
      known ? static_cast<shm::HealthState>(word & 0xff) : shm::HealthState::unknown;
  if (health == shm::HealthState::unhealthy) {
    ejections_.end_wait(slot, now_ns);
    return Grade::none;
  }
  if (state.ejects && is_out(slot, incarnation, now_ns)) {
    state.review_ns = std::min(state.review_ns, ejections_.until_ns(slot));
    return Grade::ejected;
  }
  return health == shm::HealthState::checking ? Grade::checking : Grade::good;
}

Balancer::PoolState& Balancer::refreshed(uint32_t pool, uint64_t now_ns) {
  PoolState& state = pools_[pool];
  const uint32_t epoch = region_.pool_live()[pool].epoch.load(std::memory_order_acquire);
  if (state.generation != generation_ || state.epoch != epoch || now_ns >= state.review_ns) {
    rebuild(pool, state, epoch, now_ns);
  }
  return state;
}

void Balancer::rebuild(uint32_t pool, PoolState& state, uint32_t epoch, uint64_t now_ns) {
  const shm::SnapshotPool& entry = snapshot_.pool(pool);
  if (state.incarnation != entry.incarnation) {
    state = PoolState{};
    state.incarnation = entry.incarnation;
    // Workers must not march in step.
    state.cursor = prng_.below(1u << 16);
  }
  state.generation = generation_;
  state.epoch = epoch;
  state.first = entry.member_first;
  state.equal_weights = true;
  state.ejects = entry.ejection_failures > 0;
  state.half_open = false;
  state.loads_summed_ns = 0;
  const bool restart = state.virtual_time > kVirtualTimeMax;
  if (restart) state.virtual_time = 0;
  for (const Grade wanted : {Grade::good, Grade::checking, Grade::ejected}) {
    collect(state, entry, wanted, restart, now_ns);
    if (state.count > 0) break;
  }
  if (!state.equal_weights) {
    for (uint32_t at = state.count / 2; at-- > 0;) sift_down(state, at);
  }
}

void Balancer::collect(PoolState& state, const shm::SnapshotPool& entry, Grade wanted, bool restart,
                       uint64_t now_ns) {
  state.count = 0;
  state.review_ns = UINT64_MAX;
  for (uint32_t i = 0; i < entry.member_count; i++) {
    const uint32_t slot = snapshot_.member(entry.member_first + i);
    uint32_t weight;
    if (grade(state, slot, &weight, now_ns) != wanted) continue;
    BackendState& backend = backends_[slot];
    const uint32_t incarnation = snapshot_.backend(slot).incarnation;
    // A newcomer starts within one of its own turns from now, at a phase of its own, so that
    // turns of different backends interleave.
    if (restart || backend.incarnation != incarnation || backend.weight != weight ||
        backend.finish < state.virtual_time) {
      const uint64_t turn = kTurn / weight;
      const uint64_t phase = turn * (2 * i + 1) / (2 * entry.member_count);
      backend.finish = state.virtual_time + phase;
    }
    backend.incarnation = incarnation;
    backend.weight = weight;
    ready_[state.first + state.count++] = slot;
    if (backend.weight != backends_[ready_[state.first]].weight) state.equal_weights = false;
    if (state.ejects && is_half_open(slot, incarnation, now_ns)) state.half_open = true;
  }
}

uint32_t Balancer::pick(uint32_t pool, const Tried& tried, uint64_t now_ns) {
  PoolState& state = refreshed(pool, now_ns);
  if (state.count == 0) return kNoBackend;
  const uint32_t slot = choose(pool, state, tried, now_ns);
  if (!state.half_open || slot == kNoBackend) return slot;
  const uint32_t incarnation = snapshot_.backend(slot).incarnation;
  if (is_half_open(slot, incarnation, now_ns)) {
    ejections_.begin_try(slot, now_ns);
    state.generation = 0;  // rebuilt without it at the next pick
  }
  return slot;
}

uint32_t Balancer::choose(uint32_t pool, PoolState& state, const Tried& tried, uint64_t now_ns) {
  switch (static_cast<shm::Strategy>(snapshot_.pool(pool).strategy)) {
    case shm::Strategy::least_connections:
      refresh_loads(state, now_ns);
      return pick_least_connections(state, tried);
    case shm::Strategy::p2c:
      refresh_loads(state, now_ns);
      return pick_p2c(state, tried);
    case shm::Strategy::round_robin:
      break;
  }
  return state.equal_weights ? pick_round_robin(state, tried) : pick_weighted(state, tried);
}

// The pool's ready list is to be made anew.
void Balancer::review(uint32_t backend) {
  pools_[snapshot_.backend(backend).pool].generation = 0;
}

uint64_t Balancer::failed(uint32_t backend, uint32_t incarnation, Failure failure, uint32_t streak,
                          uint64_t now_ns) {
  const shm::SnapshotBackend& entry = snapshot_.backend(backend);
  if (entry.incarnation != incarnation) return 0;  // no longer ours to pick
  const shm::SnapshotPool& pool = snapshot_.pool(entry.pool);
  const EjectionPolicy policy{pool.ejection_failures, pool.ejection_base_ms, pool.ejection_max_ms};
  const uint64_t until_ns =
      ejections_.failed(backend, incarnation, failure, streak, policy, now_ns);
  if (until_ns != 0) review(backend);
  return until_ns;
}

bool Balancer::succeeded(uint32_t backend, uint32_t incarnation, uint64_t began_ns) {
  const bool ejected = ejections_.is_ejected(backend, incarnation);
  if (!ejections_.succeeded(backend, incarnation, began_ns)) return false;
  if (ejected && snapshot_.backend(backend).incarnation == incarnation) review(backend);
  return true;
}

uint32_t Balancer::pick_round_robin(PoolState& state, const Tried& tried) {
  for (uint32_t step = 0; step < state.count; step++) {
    if (++state.cursor >= state.count) state.cursor = state.cursor % state.count;
    const uint32_t slot = ready_[state.first + state.cursor];
    if (!tried.contains(slot)) return slot;
  }
  return kNoBackend;
}

// Earliest virtual finish time first: over any stretch each backend gets its weight's share, spread
// out. The ready list is kept as a binary heap.
uint32_t Balancer::pick_weighted(PoolState& state, const Tried& tried) {
  for (uint32_t attempt = 0; attempt <= tried.count; attempt++) {
    const uint32_t slot = ready_[state.first];
    BackendState& backend = backends_[slot];
    state.virtual_time = backend.finish;
    backend.finish += kTurn / backend.weight;
    sift_down(state, 0);
    if (state.virtual_time > kVirtualTimeMax) state.generation = 0;  // rebuilt at the next pick
    if (!tried.contains(slot)) return slot;
  }
  // The heap's head was tried each time: any other will do.
  return pick_round_robin(state, tried);
}

void Balancer::sift_down(PoolState& state, uint32_t at) {
  for (;;) {
    uint32_t least = at;
    for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < state.count; child++) {
      if (finish_of(state.first + child) < finish_of(state.first + least)) least = child;
    }
    if (least == at) return;
    const uint32_t moved = ready_[state.first + at];
    ready_[state.first + at] = ready_[state.first + least];
    ready_[state.first + least] = moved;
    at = least;
  }
}

void Balancer::refresh_loads(PoolState& state, uint64_t now_ns) {
  const uint32_t workers = block_.workers();
  if (workers == 1) return;
  // 5 ms old at most: exactness is not worth the cache misses.
  if (state.loads_summed_ns != 0 && now_ns - state.loads_summed_ns < 5'000'000) return;
  state.loads_summed_ns = now_ns;
  for (uint32_t i = 0; i < state.count; i++) {
    const uint32_t slot = ready_[state.first + i];
    uint32_t sum = 0;
    for (uint32_t worker = 0; worker < workers; worker++) {
      if (worker != block_.index()) sum += block_.in_flight_of(worker, slot);
    }
    backends_[slot].others = sum;
  }
}

bool Balancer::less_loaded(uint32_t a, uint32_t b) const {
  const auto load = [this](uint32_t slot) -> uint64_t {
    return uint64_t{backends_[slot].others} + block_.in_flight_of(block_.index(), slot) + 1;
  };
  return load(a) * backends_[b].weight < load(b) * backends_[a].weight;
}

// Ties go to the next in turn, so equal loads are shared out round robin.
uint32_t Balancer::pick_least_connections(PoolState& state, const Tried& tried) {
  uint32_t best = kNoBackend;
  const uint32_t steps = state.count < kScanMax ? state.count : kScanMax;
  const uint32_t start = ++state.cursor % state.count;
  for (uint32_t step = 0; step < steps; step++) {
    const uint32_t at = start + step < state.count ? start + step : start + step - state.count;
    const uint32_t slot = ready_[state.first + at];
    if (tried.contains(slot)) continue;
    if (best == kNoBackend || less_loaded(slot, best)) best = slot;
  }
  if (steps < state.count) state.cursor = start + steps - 1;
  return best;
}

uint32_t Balancer::pick_p2c(PoolState& state, const Tried& tried) {
  if (state.count == 1 || tried.count > 0) return pick_least_connections(state, tried);
  const uint32_t first = prng_.below(state.count);
  uint32_t second = prng_.below(state.count - 1);
  if (second >= first) second++;
  const uint32_t a = ready_[state.first + first];
  const uint32_t b = ready_[state.first + second];
  return less_loaded(b, a) ? b : a;
}

}  // namespace sluice::balance
