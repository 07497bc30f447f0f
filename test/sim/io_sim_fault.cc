#include "sim/io_sim_fault.h"

namespace sluice::sim {

namespace {

struct FaultRow {
  const char* name;
  uint32_t often;  // one in so many occasions, in a seed that has the fault often
  uint32_t rare;
};

constexpr FaultRow kRows[kFaults] = {
    {"short_recv", 3, 30},
    {"short_send", 3, 30},
    {"reorder", 2, 16},
    {"delayed", 4, 40},
    {"enobufs", 8, 60},
    {"tiny_cq", 1, 2},
    {"cq_overflow", 0, 0},
    {"multishot_end", 4, 40},
    {"cancel_too_late", 2, 8},
    {"cancel_late", 2, 8},
    {"cancel_after_target", 2, 8},
    {"accept_emfile", 3, 12},
    {"enter_eagain", 10, 100},
    {"enter_enomem", 20, 200},
    {"enter_partial", 8, 60},
    {"enter_eintr", 20, 200},
    {"setup_enomem", 2, 6},
    {"setup_refused", 4, 40},
    {"register_enomem", 10, 40},
    {"map_refused", 10, 60},
    {"epoll_spurious", 6, 60},
    {"epoll_early", 10, 100},
    {"conn_reset", 300, 3000},
    {"conn_refused", 4, 30},
    {"pipe_emfile", 2, 10},
    {"splice_short", 3, 30},
    {"spurious_eagain", 6, 60},
};

}  // namespace

const char* fault_name(Fault fault) {
  return kRows[static_cast<unsigned>(fault)].name;
}

FaultPlan::FaultPlan(uint64_t seed) : prng_(seed) {
  // One seed in eight is a calm one: what fails there fails without any fault.
  const bool calm = prng_.one_in(8);
  for (unsigned i = 0; i < kFaults; i++) {
    const uint32_t draw = prng_.below(4);
    if (calm || draw < 2) continue;
    one_in_[i] = draw == 2 ? kRows[i].rare : kRows[i].often;
  }
}

}  // namespace sluice::sim
