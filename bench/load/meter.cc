#include "meter.h"

#include <cstdio>
#include <cstring>
#include <ctime>

namespace load {
namespace {

uint64_t read_clock(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

void read_cpu_ticks(int cpu, CpuReading& reading) {
  FILE* file = fopen("/proc/stat", "r");
  if (file == nullptr) return;
  char line[512];
  char name[16];
  snprintf(name, sizeof name, "cpu%d ", cpu);
  while (fgets(line, sizeof line, file) != nullptr) {
    if (strncmp(line, name, strlen(name)) != 0) continue;
    unsigned long long t[8] = {};  // user nice system idle iowait irq softirq steal
    sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
           &t[3], &t[4], &t[5], &t[6], &t[7]);
    for (auto ticks : t) reading.cpu_total_ticks += ticks;
    reading.cpu_idle_ticks = t[3] + t[4];
    break;
  }
  fclose(file);
}

}  // namespace

uint64_t now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}

CpuReading read_cpu(pid_t watched, int cpu) {
  CpuReading reading;
  if (cpu >= 0) read_cpu_ticks(cpu, reading);
  reading.self_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
  clockid_t clock{};
  if (watched > 0 && clock_getcpuclockid(watched, &clock) == 0) {
    reading.process_ns = read_clock(clock);
  }
  reading.wall_ns = now_ns();
  return reading;
}

}  // namespace load
