// A worker's listening sockets: arms accepts, rests a listener when the system is out of
// descriptors, shares accepted sockets out by power of two choices, and ends a listener in order:
// cancel the accept, take what is queued, close.
#pragma once

#include <cstdint>

#include "base/prng.h"
#include "base/slab.h"
#include "io/engine.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"

namespace sluice::worker {

// The engines of the fleet, by worker; null until a worker has made its own. Read by all workers.
class Mailboxes {
 public:
  virtual ~Mailboxes() = default;
  virtual io::Engine* engine_of(uint32_t worker) const = 0;
};

// Where accepted sockets go.
class Intake {
 public:
  virtual ~Intake() = default;
  virtual void take(int fd, uint32_t listener, uint32_t incarnation) = 0;
};

class Acceptors {
 public:
  Acceptors(io::Engine& engine, Intake& intake, shm::WorkerBlock& block, const Mailboxes& mailboxes,
            bool hand_off, uint64_t seed);

  bool ok() const { return slab_.ok(); }

  // Ends the listeners that `next` does not have; what they queue is still served by the snapshot
  // in use, and so are sockets on their way here from other workers. True when nothing of that is
  // left and `next` may be adopted.
  bool prepare(shm::SnapshotView next);
  // Starts the listeners that the snapshot adds; after `end_all` it closes them instead.
  void adopt(shm::SnapshotView snapshot);
  // Ends all of them.
  void end_all();
  // No listener is on its way out.
  bool is_settled() const { return ending_ == 0; }

  void complete(const io::Completion& completion, io::Token token);
  // Another worker handed a socket over.
  void receive(uint64_t value);
  // The socket in such a message.
  static int descriptor_of(uint64_t value) {
    return static_cast<int>(static_cast<uint32_t>(value));
  }
  // Arms listeners that have rested long enough. Call it each turn; cheap when none rests.
  void rearm_rested();
  // When a resting listener is to be armed again (monotonic ms), or UINT64_MAX.
  uint64_t next_rearm_ms() const { return resting_ > 0 ? rested_at_ms_ : UINT64_MAX; }

 private:
  struct Acceptor {
    int fd = -1;
    uint32_t listener = 0;
    uint32_t incarnation = 0;
    bool started = false;  // the engine has seen its descriptor
    bool armed = false;
    bool resting = false;
    bool ending = false;
  };

  void add(const Acceptor& wanted);
  void arm(uint32_t index);
  void rest(uint32_t index);
  void end(uint32_t index);
  void close(uint32_t index);
  void accepted(int fd, uint32_t listener, uint32_t incarnation);
  void count_error(int error);
  static bool is_wanted(const Acceptor& acceptor, shm::SnapshotView snapshot);
  bool over_limit(uint32_t listener);
  void refresh_total();
  uint32_t load_of(uint32_t worker) const;
  uint32_t on_their_way_to(uint32_t worker) const;
  bool hand_over(int fd, uint32_t listener, uint32_t incarnation);

  io::Engine& engine_;
  Intake& intake_;
  shm::WorkerBlock& block_;
  const Mailboxes& mailboxes_;
  const bool hand_off_;
  Prng prng_;
  shm::SnapshotView snapshot_;
  Slab<Acceptor> slab_;
  bool ended_ = false;  // all of them, for good
  uint32_t ending_ = 0;
  uint32_t resting_ = 0;
  uint64_t rested_at_ms_ = 0;
  // Connections of all workers, those on their way between two included, and when that was summed.
  uint32_t total_ = 0;
  uint64_t total_read_ns_ = 0;
};

}  // namespace sluice::worker
