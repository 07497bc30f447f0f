// The faults of the simulated engine and its network. Every fault has a rate of its own, drawn
// from the seed, so that a run meets some often, some rarely and some not at all.
#pragma once

#include <cstdint>

#include "base/prng.h"

namespace sluice::proxy_sim {

enum class Fault : uint8_t {
  short_send,        // a send ends with fewer bytes than there is room for
  split_recv,        // a receive reports fewer bytes than lie there
  credit_overshoot,  // a receive reports beyond its credit, by less than a buffer
  recv_terminal,     // a receive ends although nothing asked it to
  accept_terminal,   // the same for an accept
  splice_short,      // a splice moves less than it could
  reorder,           // completions of different sockets come in another order
  late_completion,   // a completion comes milliseconds late
  long_completion,   // a completion comes seconds late
  delayed_start,     // an operation is begun late: its bytes must stay where they are
  cancel_race,       // the cancelled operation succeeds first
  cancel_late,       // the cancel is noticed late
  spurious_wait,     // wait returns without cause
  accept_emfile,     // no descriptor for a queued connection
  accept_enomem,     // no memory for one
  accept_aborted,    // the queued connection is gone
  socket_emfile,     // no descriptor for a connect
  pipe_refused,      // no pipe
  pipe_small,        // a pipe of one page run
  no_buffers,        // the engine finds no receive buffer for a while
  mailbox_full,      // a post is refused
  stale_completion,  // a completion of a slot's earlier generation, with a lent buffer
  network_reset,     // a peer resets at any moment
  reset_drops_data,  // and what it had sent before is lost
  reader_stalls,     // a peer stops reading for long
  writer_pauses,     // a peer stays idle for long
  peer_vanishes,     // a peer neither reads nor writes nor closes
  connect_refused,   //
  connect_hangs,     // no answer at all
  connect_unreachable,
};
inline constexpr unsigned kFaults = static_cast<unsigned>(Fault::connect_unreachable) + 1;

const char* fault_name(Fault fault);

class FaultPlan {
 public:
  FaultPlan(uint64_t seed, bool enabled);

  // Draws once and counts when the fault happens.
  bool fires(Fault fault) {
    if (!enabled_ || !prng_.one_in(one_in_[static_cast<unsigned>(fault)])) return false;
    fired_[static_cast<unsigned>(fault)]++;
    return true;
  }
  // From now on nothing is drawn any more: a run's last stretch is calm.
  void disable() { enabled_ = false; }
  bool enabled() const { return enabled_; }
  uint64_t fired(Fault fault) const { return fired_[static_cast<unsigned>(fault)]; }

 private:
  Prng prng_;
  bool enabled_;
  uint32_t one_in_[kFaults] = {};
  uint64_t fired_[kFaults] = {};
};

}  // namespace sluice::proxy_sim
