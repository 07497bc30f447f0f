// All workers over one region: makes their threads, pins them, wakes them and joins them within a
// bound. Used by the control thread only, but for `engine_of`, which workers call to hand over
// sockets.
#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>

#include "io/engines.h"
#include "log/logger.h"
#include "shm/region.h"
#include "worker/worker.h"

namespace sluice::worker {

struct FleetOptions {
  io::EngineChoice engine = io::EngineChoice::automatic;
  uint32_t connections_max = 0;   // of all workers together
  const int32_t* cpus = nullptr;  // one per worker; -1 leaves it unpinned
  bool hand_off = true;           // off only to show what it is for
  bool splice = true;
};

class Fleet final : public Mailboxes {
 public:
  explicit Fleet(std::unique_ptr<shm::Region> region);
  ~Fleet() override;

  shm::Region& region() { return *region_; }
  log::Logger& logger() { return logger_; }

  // Starts the threads. They report `running` or `failed` in their state words. 0 or -errno.
  int start(const FleetOptions& options);
  // Publishes both words with release order and wakes all workers.
  void notify(uint32_t generation, uint32_t live_sequence);
  // draining: ends accepting. stopping: ends everything.
  void enter_phase(shm::Phase phase);
  // Enters `stopping` and joins within `bound_ms`. Returns how many workers did not end; those
  // keep the fleet's memory, which must then not be freed (see `abandon` in the addon). The
  // logger's thread ends after them, when it has written what they left, and counts as one.
  uint32_t stop(uint32_t bound_ms);

  io::Engine* engine_of(uint32_t worker) const override {
    return seats_[worker].engine.load(std::memory_order_seq_cst);
  }

 private:
  struct Seat {
    Fleet* fleet = nullptr;
    uint32_t index = 0;
    int32_t cpu = -1;
    pthread_t thread{};
    bool started = false;
    std::atomic<bool> ended{false};
    std::unique_ptr<io::BufferPool> buffers;
    std::unique_ptr<io::Engine> made;          // written by the worker, freed after the join
    std::atomic<io::Engine*> engine{nullptr};  // the same, once it may be posted to
  };

  static void* run(void* seat);
  void serve(Seat& seat);
  uint32_t descriptors_max() const;
  void wake_all();

  std::unique_ptr<shm::Region> region_;
  log::Logger logger_;
  FleetOptions options_;
  Seat seats_[shm::kWorkersMax];
};

}  // namespace sluice::worker
