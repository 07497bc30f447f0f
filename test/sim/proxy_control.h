// The controller of a simulated run: keeps the wanted configuration, edits it at random, publishes
// snapshots, and honours the rules of reuse.
//   snapshot slot  free when no worker uses it, is about to or holds it
//   backend slot   free when, beyond that, no worker has it in flight
//   listener       removed only when every worker has adopted a generation that has it: a worker
//                  that skips that generation would never close its descriptor
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "proxy_engine.h"
#include "proxy_world.h"
#include "shm/worker_block.h"
#include "snapshot_builder.h"

namespace sluice::proxy_sim {

class Control {
 public:
  Control(World& world, const shm::Region& region, uint32_t workers);

  // proxy_edits.cc: makes and publishes the first configuration.
  void begin(uint32_t listeners, uint32_t pools, uint32_t backends_per_pool);
  // One random change of the configuration or of live words.
  void edit();
  // All listening descriptors a client may connect to; -1 when there is none.
  int random_listener();
  int first_listener() const;

  void on_pick(uint32_t worker, uint32_t target);
  // An ejected backend is picked only where nobody else is ready.
  void check_ejections(uint32_t worker, uint32_t target);
  void on_turned_away(uint32_t worker, const Connection& conn);
  // What must hold at any time: acknowledgement in time, nothing left on what is cut.
  void check();
  // What must hold when no connection is left.
  void check_quiet();
  void enter_phase(shm::Phase phase);
  // After the workers' end: descriptors that no worker ever took over are the controller's.
  void close_unadopted();
  bool publish();
  uint64_t edits() const { return edits_; }
  uint64_t publishes() const { return sequence_; }

 private:
  struct Backend {
    test::BackendSpec spec;
    uint32_t target = kNone;
    uint32_t weight = 1;
    shm::AdminState admin = shm::AdminState::up;
    bool unhealthy = false;
    bool removed = false;
    uint32_t removed_generation = 0;  // the first snapshot without it
    uint64_t cut_acknowledged_ns = 0;
  };

  shm::Worker& words(uint32_t worker) const;
  uint32_t in_flight(uint32_t slot) const;
  uint32_t first_generation(const test::ListenerSpec& listener) const;
  bool all_adopted(uint32_t generation) const;
  bool all_live(uint32_t sequence) const;
  void announce(Backend& backend);
  void set_ban(Backend& backend);
  void reclaim();

  // proxy_edits.cc
  void add_backend(uint32_t pool);
  void put_backend(uint32_t slot, uint32_t incarnation, uint32_t pool);
  void remove_backend(Backend& backend, bool later);
  void change_live(Backend& backend);
  void change_listener();
  void change_pool();
  Backend* random_backend();

  World& world_;
  const shm::Region& region_;
  const uint32_t workers_;
  Prng prng_;
  test::LiveWords live_;
  test::ConfigSpec config_;
  std::vector<Backend> backends_;                // by slot
  std::map<uint32_t, uint32_t> listener_since_;  // incarnation: the first snapshot that has it
  std::vector<uint32_t> slot_contents_;          // generation in each snapshot slot; 0: free
  uint32_t sequence_ = 0;
  uint32_t live_sequence_ = 0;
  uint32_t generation_ = 0;
  uint64_t published_ns_ = 0;
  uint64_t announced_ns_ = 0;
  uint64_t edits_ = 0;
  bool dirty_ = false;
};

}  // namespace sluice::proxy_sim
