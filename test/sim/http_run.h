// One simulated run of HTTP: a region, a worker on a simulated engine, a controller, clients and
// backends.
#pragma once

#include <memory>

#include "http_control.h"
#include "worker/worker.h"

namespace sluice::http_sim {

struct Scenario {
  uint64_t seed = 0;
  bool verbose = false;
  bool calm = false;  // nothing goes wrong: everybody must be served
  bool edits = true;
  bool splice = true;
  bool log = false;
  uint32_t clients = 20;
  uint64_t duration_ns = 10 * kSecond;
  uint32_t small_buffers = 256;
  uint32_t connections_max = 512;
  uint32_t listeners = 1;
  uint32_t backends = 2;
  enum class End : uint8_t { quiet, drain, stop } end = End::quiet;
};

// The scenario of a seed.
Scenario draw_scenario(uint64_t seed);

class Run final : public worker::Mailboxes {
 public:
  explicit Run(const Scenario& scenario);
  ~Run() override;

  // Plays the scenario; afterwards `world().failure()` names the broken invariant, if any.
  void play();
  const World& world() const { return world_; }
  uint64_t turns() const { return turns_; }
  // Of backends.
  uint64_t ejections() const;
  // After a failure nothing is torn down: the worker's state is whatever it is.
  void abandon();
  io::Engine* engine_of(uint32_t) const override { return engine_.get(); }

 private:
  void on_event(const Event& event);
  void arrive();
  template <typename Until>
  void run_until(uint64_t bound_ns, const char* what, Until&& until);
  void finish();
  void check_end();

  const Scenario scenario_;
  World world_;
  Prng prng_;
  std::unique_ptr<shm::Region> region_;
  std::unique_ptr<io::BufferPool> pool_;
  std::unique_ptr<SimEngine> engine_;
  std::unique_ptr<worker::Worker> worker_;
  std::unique_ptr<Control> control_;
  bool ended_ = false;
  uint32_t arrived_ = 0;
  uint32_t turned_away_ = 0;
  bool arriving_ = true;
  bool editing_ = false;
  uint64_t turns_ = 0;
};

}  // namespace sluice::http_sim
