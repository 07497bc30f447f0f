// What the balancer and its CPU did between two moments, read by the load program itself, because a
// reader in another process would look some milliseconds too early or too late.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace load {

struct CpuReading {
  uint64_t wall_ns = 0;
  uint64_t process_ns = 0;  // of all threads of the watched process, ended ones included
  uint64_t self_ns = 0;
  uint64_t cpu_total_ticks = 0;  // of the watched CPU
  uint64_t cpu_idle_ticks = 0;
};

uint64_t now_ns();

// `watched` 0: no process. `cpu` negative: no CPU.
CpuReading read_cpu(pid_t watched, int cpu);

}  // namespace load
