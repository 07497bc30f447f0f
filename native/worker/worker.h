// One core's data plane: engine, buffers, slabs, timers, listeners, tunnels and exchanges, and the
// loop that drives them. Everything here belongs to one thread. A turn:
//   wait for completions -> handle each by its kind -> timers -> adopt what was published -> report
#pragma once

#include <memory>

#include "balance/balancer.h"
#include "base/timer_wheel.h"
#include "io/engine.h"
#include "io/engines.h"
#include "proxy/exchanges.h"
#include "proxy/outcomes.h"
#include "proxy/tunnels.h"
#include "shm/region.h"
#include "shm/worker_block.h"
#include "upstream/connector.h"
#include "worker/acceptors.h"

namespace sluice::worker {

struct WorkerOptions {
  uint32_t index = 0;
  uint32_t connections_max = limits::kConnectionsPerWorkerMax;
  bool hand_off = true;
  bool splice = true;
  uint64_t seed = 0;
};

class Worker final : private proxy::SnapshotHolder, private Intake {
 public:
  // The engine outlives the worker; it was made on this thread.
  Worker(const shm::Region& region, io::Engine& engine, const Mailboxes& mailboxes,
         const WorkerOptions& options);

  bool ok() const;

  // One turn. False when the worker has been told to stop and nothing of it is left.
  bool turn();
  uint32_t connections() const { return tunnels_.count() + exchanges_.count(); }
  const proxy::Tunnels& tunnels() const { return tunnels_; }
  const proxy::Exchanges& exchanges() const { return exchanges_; }

 private:
  uint8_t hold_current() override;
  shm::SnapshotView held(uint8_t slot) const override;
  void let_go(uint8_t slot) override;
  void take(int fd, uint32_t listener, uint32_t incarnation) override;

  uint64_t deadline_ns() const;
  void dispatch(const io::Completion& completion);
  void adopt_published();
  void adopt_live();
  void follow_phase();
  void rest();
  void report();

  const shm::Region& region_;
  io::Engine& engine_;
  shm::WorkerBlock block_;
  const WorkerOptions options_;
  TimerWheel wheel_;
  balance::Balancer balancer_;
  upstream::Connector connector_;
  proxy::Outcomes outcomes_;
  proxy::Tunnels tunnels_;
  proxy::Exchanges exchanges_;
  Acceptors acceptors_;
  uint32_t adopted_ = 0;
  uint32_t live_adopted_ = 0;
  uint64_t rest_ns_ = 0;  // when to look for unused memory again
  bool accepting_ended_ = false;
  bool began_ = false;
  bool stopping_ = false;
  bool quiet_ = false;  // stopping, and nothing was left after the last turn
  io::Completion completions_[limits::kCompletionsPerTurn];
};

}  // namespace sluice::worker
