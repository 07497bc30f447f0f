// The faults the simulated kernel can inject. Every fault has a rate of its own, drawn from the
// seed, so that a run meets some faults often, some rarely and some not at all: a fault that is
// always on hides what happens without it.
#pragma once

#include <cstdint>

#include "base/prng.h"

namespace sluice::sim {

enum class Fault : uint8_t {
  short_recv,           // fewer bytes than lie in the socket and fit in the buffer
  short_send,           // fewer bytes than there is room for
  reorder,              // ready requests run in another order than they became ready
  delayed,              // readiness is noticed late
  enobufs,              // no provided buffer, although the ring holds some
  tiny_cq,              // the kernel clamps the rings to a handful of entries
  cq_overflow,          // a completion had to be kept aside
  multishot_end,        // a multishot request ends although it went well
  cancel_too_late,      // the target completes by itself before the cancel finds it
  cancel_late,          // cancelled, but the target may still succeed for a while
  cancel_after_target,  // the target's completion precedes the cancel's
  accept_emfile,        // no descriptor for a queued connection
  enter_eagain,         // io_uring_enter has no memory for requests: EAGAIN, nothing consumed
  enter_enomem,         // the same as ENOMEM
  enter_partial,        // io_uring_enter consumes some entries and does not wait
  enter_eintr,          // a wait is interrupted
  setup_enomem,         // the ring is too large for the memlock limit
  setup_refused,        // io_uring is not permitted
  register_enomem,      // no memory for a buffer ring
  map_refused,          // mmap of a ring fails
  epoll_spurious,       // an event that is not true any more
  epoll_early,          // epoll_wait returns nothing before its timeout
  conn_reset,           // the network resets a connection
  conn_refused,         // a connect is refused
  pipe_emfile,          // no descriptors for a pipe
  splice_short,         // splice moves less than it could
  spurious_eagain,      // EAGAIN although ready; readiness is signalled again later
};
inline constexpr unsigned kFaults = static_cast<unsigned>(Fault::spurious_eagain) + 1;

const char* fault_name(Fault fault);

class FaultPlan {
 public:
  explicit FaultPlan(uint64_t seed);

  // Draws once and counts when the fault happens.
  bool fires(Fault fault) {
    if (!enabled_ || !prng_.one_in(one_in_[index(fault)])) return false;
    fired_[index(fault)]++;
    return true;
  }
  // For faults that follow from another one.
  void count(Fault fault) { fired_[index(fault)]++; }
  void enable(bool enabled) { enabled_ = enabled; }
  uint64_t fired(Fault fault) const { return fired_[index(fault)]; }
  uint32_t rate(Fault fault) const { return one_in_[index(fault)]; }
  Prng& prng() { return prng_; }

 private:
  static unsigned index(Fault fault) { return static_cast<unsigned>(fault); }

  Prng prng_;
  bool enabled_ = true;
  uint32_t one_in_[kFaults] = {};
  uint64_t fired_[kFaults] = {};
};

}  // namespace sluice::sim
