// The controller of a simulated HTTP run: keeps the wanted configuration, edits it at random and
// publishes snapshots, honouring the rules of reuse (see proxy_control.h). One worker.
#pragma once

#include <vector>

#include "http_engine.h"
#include "http_world.h"
#include "shm/worker_block.h"
#include "snapshot_builder.h"

namespace sluice::http_sim {

class Control {
 public:
  Control(World& world, const shm::Region& region, bool calm);

  // Makes and publishes the first configuration.
  void begin(uint32_t listeners, uint32_t backends);
  // One random change of the configuration or of live words.
  void edit();
  // A listening descriptor a client may connect to; -1 when there is none.
  int random_listener();
  void enter_phase(shm::Phase phase);
  // After the worker's end: descriptors that it never took over are the controller's.
  void close_unadopted();
  // What must hold when no connection of a client is left: `idle_too`, also none to a backend.
  void check_quiet(bool idle_too);
  // What counters say of each other, once everything has ended.
  void check_counters();
  // Whether the worker makes records for the access log; before it begins.
  void set_log(bool on);

 private:
  struct Backend {
    test::BackendSpec spec;
    bool removed = false;
    uint32_t removed_generation = 0;
    shm::AdminState admin = shm::AdminState::up;
  };
  struct Made {
    uint32_t incarnation;
    uint32_t generation;  // the first that has it
  };

  shm::Worker& words() const;
  bool adopted(uint32_t generation) const { return words().adopted.load() >> 3 >= generation >> 3; }
  void add_backend();
  void put_backend(uint32_t slot, uint32_t incarnation);
  void remove_backend(Backend& backend);
  void set_admin(Backend& backend, shm::AdminState state);
  void change_listener();
  void add_listener(uint32_t slot);
  void reclaim();
  bool publish();
  void check_log(uint64_t requests, uint64_t classes);
  void announce();
  template <typename Words>
  void check_classes(const char* what, uint32_t slot, Words& words, uint64_t ended);

  World& world_;
  const shm::Region& region_;
  const bool calm_;
  Prng prng_;
  test::LiveWords live_;
  test::ConfigSpec config_;
  std::vector<Backend> backends_;  // by slot
  std::vector<uint32_t> slot_contents_;
  std::vector<Made> made_;
  uint32_t sequence_ = 0;
  uint32_t incarnation_ = 0;
  uint32_t generation_ = 0;
  uint32_t edits_ = 0;
  bool dirty_ = false;
  bool logs_ = false;
  bool whole_ = true;  // no slot was given to another: counters tell about everything
};

}  // namespace sluice::http_sim
