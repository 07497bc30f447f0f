// What goes wrong in a simulated run of HTTP, by whom, and what must have come of it. Every fault
// has a rate of its own, drawn from the seed, so that a run meets some often, some rarely, some
// never.
#pragma once

#include <cstdint>

#include "base/prng.h"

namespace sluice::http_sim {

enum class Fault : uint8_t {
  // The engine and its kernel.
  short_send,
  split_recv,
  credit_overshoot,
  recv_terminal,    // a receive ends although nothing asked it to
  accept_terminal,  // the same for an accept
  splice_short,
  reorder,          // completions of different sockets come in another order
  late_completion,  // milliseconds
  long_completion,  // seconds
  delayed_start,    // an operation is begun late: its bytes must stay where they are
  cancel_race,      // the cancelled operation succeeds first
  cancel_late,
  spurious_wait,
  accept_emfile,
  accept_aborted,
  socket_emfile,
  pipe_refused,
  no_buffers,        // the engine finds no receive buffer for a while
  stale_completion,  // of an earlier generation, with a lent buffer
  reset_drops_data,  // what a peer had sent before it reset is lost
  connect_refused,
  connect_hangs,
  connect_unreachable,
  connect_slow,
  // Clients.
  client_fin,
  client_reset,
  client_stops_writing,
  client_stops_reading,
  client_garbage,
  client_speaks_early,  // the upgraded protocol, before the 101
  // Backends.
  backend_stalls,
  backend_truncates,       // FIN within its answer
  backend_resets,          // RST within its answer
  backend_garbage,         // instead of a head
  backend_bad_chunk,       //
  backend_extra_bytes,     // behind a complete answer
  backend_idle_bytes,      // on a connection that nobody uses
  backend_idle_close,      //
  backend_close_at_reuse,  // as soon as another request begins to arrive
  backend_answers_early,   // before it has read the request's body
  backend_early_close,     // and hangs up at once
  backend_refuses_upgrade,
  backend_switches_unasked,
  // The configuration.
  backend_removed,
  backend_cut,
  backend_drained,
  pool_replaced,
  listener_removed,
  drained,
  stopped,
  // What must have come of all this.
  request_retried,
  connection_reused,
  interim_passed,
  body_stripped,  // chunks for a client of HTTP/1.0
  tunnelled,
  answered_by_us,
  answer_truncated,
};
inline constexpr unsigned kFaults = static_cast<unsigned>(Fault::answer_truncated) + 1;

const char* fault_name(Fault fault);

class FaultPlan {
 public:
  FaultPlan(uint64_t seed, bool enabled);

  // Draws once and counts when the fault happens.
  bool fires(Fault fault) {
    if (!enabled_ || !prng_.one_in(one_in_[static_cast<unsigned>(fault)])) return false;
    return saw(fault);
  }
  // It has happened.
  bool saw(Fault fault) {
    fired_[static_cast<unsigned>(fault)]++;
    return true;
  }
  void disable() { enabled_ = false; }
  bool enabled() const { return enabled_; }
  uint64_t fired(Fault fault) const { return fired_[static_cast<unsigned>(fault)]; }

 private:
  Prng prng_;
  bool enabled_;
  uint32_t one_in_[kFaults] = {};
  uint64_t fired_[kFaults] = {};
};

}  // namespace sluice::http_sim
