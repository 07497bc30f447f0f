// Our way to a backend: starts a connection to the one that was picked. Failure is a value. One
// per worker. It also keeps, per backend, the worker's count of what is in flight.
#pragma once

#include <cstdint>

#include "io/engine.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"

namespace sluice::upstream {

class Connector {
 public:
  Connector(io::Engine& engine, shm::WorkerBlock& block) : engine_(engine), block_(block) {}

  void adopt(shm::SnapshotView snapshot) { snapshot_ = snapshot; }

  // Starts connecting to a backend of the adopted configuration; the end is reported under
  // `token`. Returns the socket, or -errno when it could not even be made.
  int dial(uint32_t backend, io::Token token);

  // `backend` has one connection (TCP) or exchange (HTTP) more in flight, until `release`.
  void occupy(uint32_t backend) {
    shm::WorkerBlock::claim(block_.backend(backend), snapshot_.backend(backend).incarnation);
    shm::add(block_.in_flight(backend), 1u);
  }
  void release(uint32_t backend) { shm::add(block_.in_flight(backend), UINT32_MAX); }

 private:
  bool address_of(uint32_t backend, io::SocketAddress* address) const;

  io::Engine& engine_;
  shm::WorkerBlock& block_;
  shm::SnapshotView snapshot_;
};

}  // namespace sluice::upstream
