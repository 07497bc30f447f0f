// One simulated run: a region, workers on simulated engines, a controller, clients and origins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy_control.h"
#include "worker/worker.h"

namespace sluice::proxy_sim {

struct Scenario {
  uint64_t seed = 0;
  bool verbose = false;
  uint32_t workers = 1;
  bool faults = true;
  bool edits = true;
  bool hand_off = true;
  bool splice = true;
  bool skewed = false;  // all clients come to worker 0 and stay
  uint32_t clients = 60;
  uint64_t duration_ns = 30 * kSecond;
  uint32_t small_buffers = 256;
  uint32_t large_buffers = 16;
  uint32_t connections_max = 512;
  uint32_t listeners = 1;
  uint32_t pools = 1;
  uint32_t backends = 3;
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
  // Of backends, by all workers.
  uint64_t ejections() const;
  // After a failure nothing is torn down: the worker's state is whatever it is.
  void abandon();
  io::Engine* engine_of(uint32_t worker) const override { return engines_[worker].get(); }

 private:
  void on_event(const Event& event);
  void arrive();
  bool turn_all();
  void turn_one(uint32_t worker);
  template <typename Until>
  void run_until(uint64_t bound_ns, const char* what, Until&& until);
  uint32_t connections() const;
  void check_balance();
  // proxy_books.cc
  void check_counters();
  void check_books();
  void check_reasons();
  void finish();

  const Scenario scenario_;
  World world_;
  Prng prng_;
  std::unique_ptr<shm::Region> region_;
  std::vector<std::unique_ptr<io::BufferPool>> pools_;
  std::vector<std::unique_ptr<SimEngine>> engines_;
  std::vector<std::unique_ptr<worker::Worker>> workers_;
  std::vector<bool> ended_;
  std::unique_ptr<Control> control_;
  uint32_t arrived_ = 0;
  uint32_t refused_ = 0;
  uint64_t turned_away_ = 0;
  bool arriving_ = true;
  bool editing_ = false;
  uint64_t turns_ = 0;
  uint64_t checked_ns_ = 0;
};

}  // namespace sluice::proxy_sim
