#include "http_fault.h"

namespace sluice::http_sim {
namespace {

struct Row {
  const char* name;
  uint32_t usual;  // drawn once in so many chances; 0: counted only
};

constexpr Row kRows[] = {
    {"short_send", 4},
    {"split_recv", 4},
    {"credit_overshoot", 3},
    {"recv_terminal", 8},
    {"accept_terminal", 6},
    {"splice_short", 4},
    {"reorder", 3},
    {"late_completion", 10},
    {"long_completion", 2000},
    {"delayed_start", 12},
    {"cancel_race", 2},
    {"cancel_late", 4},
    {"spurious_wait", 30},
    {"accept_emfile", 40},
    {"accept_aborted", 40},
    {"socket_emfile", 40},
    {"pipe_refused", 2},
    {"no_buffers", 200},
    {"stale_completion", 60},
    {"reset_drops_data", 2},
    {"connect_refused", 20},
    {"connect_hangs", 40},
    {"connect_unreachable", 40},
    {"connect_slow", 10},
    {"client_fin", 12},
    {"client_reset", 12},
    {"client_stops_writing", 20},
    {"client_stops_reading", 20},
    {"client_garbage", 20},
    {"client_speaks_early", 4},
    {"backend_stalls", 30},
    {"backend_truncates", 15},
    {"backend_resets", 15},
    {"backend_garbage", 30},
    {"backend_bad_chunk", 20},
    {"backend_extra_bytes", 20},
    {"backend_idle_bytes", 20},
    {"backend_idle_close", 12},
    {"backend_close_at_reuse", 12},
    {"backend_answers_early", 8},
    {"backend_early_close", 3},
    {"backend_refuses_upgrade", 4},
    {"backend_switches_unasked", 40},
    {"backend_removed", 0},
    {"backend_cut", 0},
    {"backend_drained", 0},
    {"pool_replaced", 0},
    {"listener_removed", 0},
    {"drained", 0},
    {"stopped", 0},
    {"request_retried", 0},
    {"connection_reused", 0},
    {"interim_passed", 0},
    {"body_stripped", 0},
    {"tunnelled", 0},
    {"answered_by_us", 0},
    {"answer_truncated", 0},
};
static_assert(sizeof(kRows) / sizeof(kRows[0]) == kFaults);

}  // namespace

const char* fault_name(Fault fault) {
  return kRows[static_cast<unsigned>(fault)].name;
}

FaultPlan::FaultPlan(uint64_t seed, bool enabled) : prng_(seed ^ 0xfa0177), enabled_(enabled) {
  for (unsigned i = 0; i < kFaults; i++) {
    const uint32_t usual = kRows[i].usual;
    switch (prng_.below(4)) {
      case 0:
        one_in_[i] = 0;
        break;
      case 1:
        one_in_[i] = usual * 5;
        break;
      case 2:
        one_in_[i] = usual;
        break;
      default:
        one_in_[i] = usual > 4 ? usual / 4 : usual;
        break;
    }
  }
}

}  // namespace sluice::http_sim
