// One run of the simulator: a seed and an engine. Everything a run does follows from these two.
#pragma once

#include <cstdint>
#include <string>

#include "io/engines.h"
#include "sim/io_sim_fault.h"

namespace sluice::sim {

struct RunResult {
  bool passed = false;
  std::string failure;
  uint64_t hash = 0;
  uint64_t completions = 0;
  uint64_t stale = 0;
  uint64_t virtual_ns = 0;
  uint64_t calls = 0;
  uint64_t fired[kFaults] = {};
};

RunResult run_seed(uint64_t seed, io::EngineKind kind, bool verbose);

}  // namespace sluice::sim
