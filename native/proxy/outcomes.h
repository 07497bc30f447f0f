// What work on a backend tells about it: counted in its words, and told to the balancer, which
// ejects it or takes it back. The same for tunnels and exchanges.
#pragma once

#include <cerrno>
#include <cstdint>

#include "balance/balancer.h"
#include "io/engine.h"
#include "shm/worker_block.h"

namespace sluice::proxy {

class Outcomes {
 public:
  Outcomes(io::Engine& engine, balance::Balancer& balancer, shm::WorkerBlock& block)
      : engine_(engine), balancer_(balancer), block_(block) {}

  // `pool`: the counters of the backend's pool. Errors that are this host's own (no descriptors, no
  // ports, no memory) say nothing about the backend.
  void connect_failed(shm::WorkerPool& pool, uint32_t backend, uint32_t incarnation, int error);
  // Connected, but no answer came, or none that can be understood.
  void exchange_failed(shm::WorkerPool& pool, uint32_t backend, uint32_t incarnation) {
    failed(pool, backend, incarnation, balance::Failure::exchange);
  }
  // A connect succeeded: that takes back failures of connecting only.
  void connected(uint32_t backend, uint32_t incarnation, uint64_t began_ns) {
    if (is_fine(backend) || !balancer_.failed_to_connect(backend, incarnation)) return;
    take_back(backend, incarnation, began_ns);
  }
  // The backend answered. `began_ns`: when the work began that it answered.
  void answered(uint32_t backend, uint32_t incarnation, uint64_t began_ns) {
    if (!is_fine(backend)) take_back(backend, incarnation, began_ns);
  }

 private:
  // Nothing to take back: true for nearly everything that succeeds.
  bool is_fine(uint32_t backend) {
    return block_.backend(backend).failure_streak.load(std::memory_order_relaxed) == 0;
  }
  void failed(shm::WorkerPool& pool, uint32_t backend, uint32_t incarnation,
              balance::Failure failure);
  void take_back(uint32_t backend, uint32_t incarnation, uint64_t began_ns);

  io::Engine& engine_;
  balance::Balancer& balancer_;
  shm::WorkerBlock& block_;
};

}  // namespace sluice::proxy
