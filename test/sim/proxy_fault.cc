#include "proxy_fault.h"

namespace sluice::proxy_sim {
namespace {

struct Row {
  const char* name;
  uint32_t usual;  // drawn once in so many chances
};

constexpr Row kRows[] = {
    {"short_send", 4},        {"split_recv", 4},       {"credit_overshoot", 3},
    {"recv_terminal", 8},     {"accept_terminal", 6},  {"splice_short", 4},
    {"reorder", 3},           {"late_completion", 10}, {"long_completion", 2000},
    {"delayed_start", 12},    {"cancel_race", 2},      {"cancel_late", 4},
    {"spurious_wait", 30},    {"accept_emfile", 40},   {"accept_enomem", 40},
    {"accept_aborted", 40},   {"socket_emfile", 40},   {"pipe_refused", 4},
    {"pipe_small", 3},        {"no_buffers", 200},     {"mailbox_full", 10},
    {"stale_completion", 60}, {"network_reset", 12},   {"reset_drops_data", 2},
    {"reader_stalls", 12},    {"writer_pauses", 12},   {"peer_vanishes", 30},
    {"connect_refused", 12},  {"connect_hangs", 20},   {"connect_unreachable", 25},
};
static_assert(sizeof(kRows) / sizeof(kRows[0]) == kFaults);

}  // namespace

const char* fault_name(Fault fault) {
  return kRows[static_cast<unsigned>(fault)].name;
}

FaultPlan::FaultPlan(uint64_t seed, bool enabled) : prng_(seed ^ 0xfa017), enabled_(enabled) {
  for (unsigned i = 0; i < kFaults; i++) {
    switch (prng_.below(4)) {
      case 0:
        one_in_[i] = 0;
        break;
      case 1:
        one_in_[i] = kRows[i].usual * 5;
        break;
      case 2:
        one_in_[i] = kRows[i].usual;
        break;
      default:
        one_in_[i] = kRows[i].usual > 4 ? kRows[i].usual / 4 : 2;
        break;
    }
  }
}

}  // namespace sluice::proxy_sim
