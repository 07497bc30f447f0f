// What the workers counted, held against what happened in the world and against each other.
#include "proxy_run.h"

namespace sluice::proxy_sim {
namespace {

using Word = std::atomic<uint64_t>;

template <typename Words>
uint64_t sum_of(const std::vector<const Words*>& all, Word Words::*word) {
  uint64_t sum = 0;
  for (const Words* words : all) sum += (words->*word).load();
  return sum;
}

}  // namespace

void Run::check_counters() {
  uint64_t stale_seen = 0;
  uint64_t stale_sent = 0;
  uint64_t rejected = 0;
  for (uint32_t w = 0; w < scenario_.workers; w++) {
    stale_seen += workers_[w]->tunnels().stale_completions();
    stale_sent += engines_[w]->stale_injected();
    const shm::Worker& words = shm::WorkerBlock(*region_, w).words();
    rejected += words.rejected_connections_max.load() + words.rejected_listener_gone.load();
    for (const io::BufferClass cls : {io::BufferClass::small, io::BufferClass::large}) {
      if (pools_[w]->lent_count(cls) != 0 ||
          pools_[w]->free_count(cls) != pools_[w]->capacity(cls)) {
        world_.fail("buffers are conserved", "worker %u class %u: %u lent, %u of %u free", w,
                    static_cast<unsigned>(cls), pools_[w]->lent_count(cls),
                    pools_[w]->free_count(cls), pools_[w]->capacity(cls));
      }
    }
  }
  if (stale_seen != stale_sent) {
    world_.fail("stale completions are dropped and counted", "%llu seen, %llu sent",
                static_cast<unsigned long long>(stale_seen),
                static_cast<unsigned long long>(stale_sent));
  }
  if (rejected != turned_away_) {
    world_.fail("whoever is turned away is counted", "%llu counted, %llu turned away",
                static_cast<unsigned long long>(rejected),
                static_cast<unsigned long long>(turned_away_));
  }
  if (!scenario_.faults && !scenario_.skewed && world_.clients_done != arrived_) {
    world_.fail("without faults every client is served", "%llu of %u",
                static_cast<unsigned long long>(world_.clients_done), arrived_);
  }
}

// Without faults, edits and reuse of slots the books agree with the world to the byte.
void Run::check_books() {
  uint64_t from_clients = 0;
  uint64_t to_clients = 0;
  uint64_t to_origins = 0;
  uint64_t from_origins = 0;
  uint64_t balanced = 0;
  for (uint32_t w = 0; w < scenario_.workers; w++) {
    shm::WorkerBlock block(*region_, w);
    for (uint32_t slot = 0; slot < scenario_.listeners; slot++) {
      from_clients += block.listener(slot).received_bytes_total.load();
      to_clients += block.listener(slot).sent_bytes_total.load();
    }
    for (uint32_t slot = 0; slot < scenario_.pools; slot++) {
      to_origins += block.pool(slot).to_backend_bytes_total.load();
      from_origins += block.pool(slot).from_backend_bytes_total.load();
      balanced += block.pool(slot).connections_total.load();
    }
  }
  uint64_t taken[2] = {};
  uint64_t delivered[2] = {};
  for (const Connection& conn : world_.conns) {
    taken[conn.is_client ? 0 : 1] += conn.taken;
    delivered[conn.is_client ? 0 : 1] += conn.delivered;
  }
  const bool agree = from_clients == taken[0] && to_clients == delivered[0] &&
                     to_origins == delivered[1] && from_origins == taken[1] &&
                     taken[0] == delivered[1] && taken[1] == delivered[0];
  if (!agree) {
    world_.fail("bytes in are bytes out, and are counted", "clients sent %llu, counted %llu",
                static_cast<unsigned long long>(taken[0]),
                static_cast<unsigned long long>(from_clients));
  }
  if (balanced + world_.conns.size() < 2 * uint64_t{arrived_} || balanced != arrived_) {
    world_.fail("connections are counted", "%llu of %u", static_cast<unsigned long long>(balanced),
                arrived_);
  }
}

// As long as no slot changes hands, everybody whom an event concerns has counted it as often.
void Run::check_reasons() {
  std::vector<const shm::WorkerListener*> listeners;
  std::vector<const shm::WorkerPool*> pools;
  std::vector<const shm::WorkerBackend*> backends;
  for (uint32_t w = 0; w < scenario_.workers; w++) {
    shm::WorkerBlock block(*region_, w);
    for (uint32_t s = 0; s < scenario_.listeners; s++) listeners.push_back(&block.listener(s));
    for (uint32_t s = 0; s < scenario_.pools; s++) pools.push_back(&block.pool(s));
    for (uint32_t s = 0; s < scenario_.pools * scenario_.backends; s++) {
      backends.push_back(&block.backend(s));
    }
  }
  const auto agree = [&](const char* what, uint64_t counted, uint64_t expected) {
    if (counted == expected) return;
    world_.fail("reasons are counted alike", "%s: %llu, not %llu", what,
                static_cast<unsigned long long>(counted),
                static_cast<unsigned long long>(expected));
  };
  using Listener = shm::WorkerListener;
  using Pool = shm::WorkerPool;
  using Backend = shm::WorkerBackend;
  const auto of_listeners = [&](const char* what, Word Listener::*word, Word Pool::*same) {
    agree(what, sum_of(listeners, word), sum_of(pools, same));
  };
  const auto of_backends = [&](const char* what, Word Backend::*word, Word Pool::*same) {
    agree(what, sum_of(backends, word), sum_of(pools, same));
  };
  of_listeners("connections", &Listener::connections_total, &Pool::connections_total);
  of_listeners("no_backend", &Listener::no_backend_total, &Pool::no_backend_total);
  of_listeners("client_reset", &Listener::client_reset_total, &Pool::client_reset_total);
  of_listeners("backend_reset", &Listener::backend_reset_total, &Pool::backend_reset_total);
  of_listeners("idle_timeout", &Listener::idle_timeout_total, &Pool::idle_timeout_total);
  of_listeners("stalled", &Listener::stalled_total, &Pool::stalled_total);
  of_listeners("cut", &Listener::cut_total, &Pool::cut_total);
  of_backends("refused", &Backend::connect_refused_total, &Pool::connect_refused_total);
  of_backends("timeout", &Backend::connect_timeout_total, &Pool::connect_timeout_total);
  of_backends("unreachable", &Backend::connect_unreachable_total, &Pool::connect_unreachable_total);
  of_backends("other", &Backend::connect_other_total, &Pool::connect_other_total);
  of_backends("backend_reset", &Backend::backend_reset_total, &Pool::backend_reset_total);
  of_backends("backend cut", &Backend::cut_total, &Pool::cut_total);
  agree("ejections", sum_of(backends, &Backend::ejections_total), ejections());
  agree("ejections of pools",
        sum_of(pools, &Pool::ejections_connect_total) +
            sum_of(pools, &Pool::ejections_failures_total),
        ejections());
  // A retry is a connect that follows a failed one.
  const uint64_t failed =
      sum_of(pools, &Pool::connect_refused_total) + sum_of(pools, &Pool::connect_timeout_total) +
      sum_of(pools, &Pool::connect_unreachable_total) + sum_of(pools, &Pool::connect_other_total);
  if (sum_of(pools, &Pool::retries_total) > failed) {
    world_.fail("reasons are counted alike", "more retries than failed connects");
  }
}

}  // namespace sluice::proxy_sim
