// Our way to a backend: picks one and starts a connection to it. Failure is a value. One per
// worker. It also keeps, per backend, the worker's count of connections in flight.
#pragma once

#include <cstdint>

#include "balance/balancer.h"
#include "io/engine.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"

namespace sluice::upstream {

struct Connecting {
  uint32_t backend = balance::kNoBackend;
  int fd = -1;    // a socket with a connect under way; -1 when `error` or no backend
  int error = 0;  // -errno: the socket could not even be made
};

class Connector {
 public:
  Connector(io::Engine& engine, balance::Balancer& balancer, shm::WorkerBlock& block)
      : engine_(engine), balancer_(balancer), block_(block) {}

  void adopt(shm::SnapshotView snapshot) { snapshot_ = snapshot; }

  // Picks a backend of `pool` outside `tried` and starts connecting; the end is reported under
  // `token`. The backend counts as in flight until `release`.
  Connecting start(uint32_t pool, const balance::Tried& tried, io::Token token);

  // The connection to `backend` has ended or never came about.
  void release(uint32_t backend) { shm::add(block_.in_flight(backend), UINT32_MAX); }

 private:
  bool address_of(uint32_t backend, io::SocketAddress* address) const;

  io::Engine& engine_;
  balance::Balancer& balancer_;
  shm::WorkerBlock& block_;
  shm::SnapshotView snapshot_;
};

}  // namespace sluice::upstream
