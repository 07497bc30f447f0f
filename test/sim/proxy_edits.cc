// What is decided: the first configuration, and random changes of it and of live words.
#include <algorithm>

#include "proxy_control.h"

namespace sluice::proxy_sim {

void Control::begin(uint32_t listeners, uint32_t pools, uint32_t backends_per_pool) {
  const uint32_t connect_timeout_ms = 200 + prng_.below(3000);
  const uint32_t retries = prng_.below(3);
  world_.connect_timeout_ns = connect_timeout_ms * kMs;
  for (uint32_t slot = 0; slot < pools; slot++) {
    test::PoolSpec pool;
    pool.slot = slot;
    pool.strategy = static_cast<shm::Strategy>(prng_.below(3));
    pool.connect_timeout_ms = connect_timeout_ms;
    pool.connect_retries = retries;
    test::draw_ejections(pool, world_.options.seed);
    config_.pools.push_back(pool);
  }
  for (uint32_t i = 0; i < pools * backends_per_pool; i++) add_backend(i % pools);
  for (uint32_t slot = 0; slot < listeners; slot++) {
    test::ListenerSpec listener;
    listener.slot = slot;
    listener.incarnation = 1 + slot;
    listener.pool = slot % pools;
    listener.idle_timeout_ms = 500 + prng_.below(60'000);
    for (uint32_t w = 0; w < workers_; w++) {
      listener.descriptors.push_back(world_.listen(
          listener.idle_timeout_ms * kMs, (retries + 1) * (world_.connect_timeout_ns + kSecond)));
    }
    config_.listeners.push_back(listener);
  }
  publish();
}

void Control::put_backend(uint32_t slot, uint32_t incarnation, uint32_t pool) {
  Backend& backend = backends_[slot];
  backend = Backend{};
  backend.spec.slot = slot;
  backend.spec.incarnation = incarnation;
  backend.spec.pool = pool;
  backend.spec.port = 80;
  backend.target = static_cast<uint32_t>(world_.targets.size());
  world_.targets.emplace_back();
  backend.spec.address[0] = 10;
  backend.spec.address[1] = static_cast<uint8_t>(backend.target >> 16);
  backend.spec.address[2] = static_cast<uint8_t>(backend.target >> 8);
  backend.spec.address[3] = static_cast<uint8_t>(backend.target);
  backend.weight = prng_.below(2) == 0 ? 1 : 1 + prng_.below(10);
  live_.set_weight(slot, backend.weight);
  live_.set_admin(slot, shm::AdminState::up);
  live_.set_health(slot, incarnation, shm::HealthState::unknown);
  live_.touch(pool);
  if (world_.options.faults && prng_.below(6) == 0) {
    world_.targets.back().mode = static_cast<Target::Mode>(prng_.below(4));
  }
}

void Control::add_backend(uint32_t pool) {
  for (Backend& backend : backends_) {
    const bool free = backend.removed && backend.removed_generation != 0 &&
                      all_adopted(backend.removed_generation) && in_flight(backend.spec.slot) == 0;
    if (!free || prng_.below(3) == 0) continue;
    for (const uint32_t generation : slot_contents_) {
      // Nobody may hold a snapshot that has the old one.
      if (generation != 0 && generation >> 3 < backend.removed_generation >> 3) return;
    }
    return put_backend(backend.spec.slot, backend.spec.incarnation + 1, pool);
  }
  backends_.emplace_back();
  put_backend(static_cast<uint32_t>(backends_.size()) - 1, 1, pool);
}

Control::Backend* Control::random_backend() {
  if (backends_.empty()) return nullptr;
  Backend& backend = backends_[prng_.below(static_cast<uint32_t>(backends_.size()))];
  return backend.removed ? nullptr : &backend;
}

// Removed backends lose their connections: cut together with the publication, or after a while.
void Control::remove_backend(Backend& backend, bool later) {
  backend.removed = true;
  backend.admin = later ? shm::AdminState::drain : shm::AdminState::cut;
  if (!later) world_.targets[backend.target].cut = true;
  live_.set_admin(backend.spec.slot, backend.admin);
  announce(backend);
  publish();
}

void Control::change_live(Backend& backend) {
  switch (prng_.below(6)) {
    case 0:
      backend.admin = shm::AdminState::drain;
      break;
    case 1:
      backend.admin = shm::AdminState::cut;
      world_.targets[backend.target].cut = true;
      break;
    case 2:
      backend.weight = prng_.below(4) == 0 ? 0 : 1 + prng_.below(10);
      break;
    case 3:
      backend.unhealthy = true;
      break;
    default:
      backend.admin = shm::AdminState::up;
      backend.unhealthy = false;
      if (backend.weight == 0) backend.weight = 1;
      break;
  }
  live_.set_admin(backend.spec.slot, backend.admin);
  live_.set_weight(backend.spec.slot, backend.weight);
  live_.set_health(backend.spec.slot, backend.spec.incarnation,
                   backend.unhealthy ? shm::HealthState::unhealthy : shm::HealthState::healthy);
  announce(backend);
}

void Control::change_listener() {
  if (prng_.below(2) == 0 && config_.listeners.size() > 1) {
    const uint32_t at = prng_.below(static_cast<uint32_t>(config_.listeners.size()));
    const uint32_t since = first_generation(config_.listeners[at]);
    if (since == 0 || !all_adopted(since)) return;
    for (Listener& entry : world_.listeners) {
      const auto& fds = config_.listeners[at].descriptors;
      if (std::find(fds.begin(), fds.end(), entry.fd) != fds.end()) entry.is_wanted = false;
    }
    config_.listeners.erase(config_.listeners.begin() + at);
  } else if (config_.listeners.size() < 4) {
    test::ListenerSpec listener = config_.listeners[0];
    uint32_t slot = 0;
    for (const test::ListenerSpec& other : config_.listeners) {
      if (other.slot == slot) slot = prng_.below(8);
    }
    for (const test::ListenerSpec& other : config_.listeners) {
      if (other.slot == slot) return;
    }
    listener.slot = slot;
    listener.incarnation = 1000 + static_cast<uint32_t>(edits_);
    listener.pool = prng_.below(static_cast<uint32_t>(config_.pools.size()));
    const uint64_t budget =
        (config_.pools[0].connect_retries + 1) * (world_.connect_timeout_ns + kSecond);
    for (int& fd : listener.descriptors) fd = world_.listen(listener.idle_timeout_ms * kMs, budget);
    config_.listeners.push_back(listener);
  } else {
    return;
  }
  config_.listeners_version++;
  publish();
}

void Control::change_pool() {
  test::PoolSpec& pool = config_.pools[prng_.below(static_cast<uint32_t>(config_.pools.size()))];
  pool.strategy = static_cast<shm::Strategy>(prng_.below(3));
  if (prng_.below(3) == 0) pool.incarnation++;
  for (test::ListenerSpec& listener : config_.listeners) {
    listener.pool = prng_.below(static_cast<uint32_t>(config_.pools.size()));
  }
  publish();
}

void Control::edit() {
  edits_++;
  reclaim();
  if (dirty_) {
    publish();
    return;
  }
  Backend* backend = random_backend();
  switch (prng_.below(10)) {
    case 0:
    case 1:
      add_backend(prng_.below(static_cast<uint32_t>(config_.pools.size())));
      publish();
      return;
    case 2:
    case 3:
      if (backend != nullptr) remove_backend(*backend, prng_.below(2) == 0);
      return;
    case 4:
      return change_listener();
    case 5:
      return change_pool();
    case 6:  // the drain of a removed backend runs out
      for (Backend& gone : backends_) {
        if (!gone.removed || gone.admin == shm::AdminState::cut) continue;
        gone.admin = shm::AdminState::cut;
        world_.targets[gone.target].cut = true;
        live_.set_admin(gone.spec.slot, gone.admin);
        announce(gone);
      }
      return;
    default:
      if (backend != nullptr) change_live(*backend);
  }
}

}  // namespace sluice::proxy_sim
