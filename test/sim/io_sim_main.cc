// io_sim: runs the real engines on the simulated kernel, a seed at a time.
//
//   io_sim --seeds FROM..TO [--engine uring|epoll|both] [--hash] [--require-faults]
//   io_sim --seed N [--engine ...] [--verbose]
//   io_sim --file test/sim/seeds.txt
//
// A failing seed prints the broken invariant and the command that replays it.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "sim/io_sim_run.h"

// There only in builds with a sanitizer, whose reports end the process without an abort.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using sluice::io::EngineKind;
using sluice::sim::kFaults;

constexpr unsigned kFailuresMax = 20;

struct Arguments {
  uint64_t from = 1;
  uint64_t to = 1000;
  const char* file = nullptr;
  const char* binary = "io_sim";
  bool uring = true;
  bool epoll = true;
  bool verbose = false;
  bool hash = false;
  bool require_faults = false;
};

struct Totals {
  unsigned passed = 0;
  unsigned failed = 0;
  uint64_t completions = 0;
  uint64_t stale = 0;
  uint64_t calls = 0;
  uint64_t fired[2][kFaults] = {};  // io_uring, epoll
};

// What replays the seed under way, for a run that ends in an abort.
char g_replay[512];

void print_replay() {
  const char text[] = "the run aborted; replay: ";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  (void)!write(STDERR_FILENO, g_replay, std::strlen(g_replay));
  (void)!write(STDERR_FILENO, "\n", 1);
}

void on_abort(int) {
  print_replay();
  _exit(1);
}

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: io_sim (--seeds FROM..TO | --seed N | --file PATH) "
               "[--engine uring|epoll|both] [--verbose] [--hash] [--require-faults]\n");
  std::exit(2);
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  a.binary = argv[0];
  for (int i = 1; i < argc; i++) {
    const std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (flag == "--verbose") {
      a.verbose = true;
    } else if (flag == "--hash") {
      a.hash = true;
    } else if (flag == "--require-faults") {
      a.require_faults = true;
    } else if (value == nullptr) {
      usage();
    } else if (flag == "--seeds") {
      const char* dots = std::strstr(value, "..");
      if (dots == nullptr) usage();
      a.from = std::strtoull(value, nullptr, 10);
      a.to = std::strtoull(dots + 2, nullptr, 10);
      i++;
    } else if (flag == "--seed") {
      a.from = a.to = std::strtoull(value, nullptr, 10);
      i++;
    } else if (flag == "--file") {
      a.file = value;
      i++;
    } else if (flag == "--engine") {
      const std::string name = value;
      if (name != "uring" && name != "epoll" && name != "both") usage();
      a.uring = name != "epoll";
      a.epoll = name != "uring";
      i++;
    } else {
      usage();
    }
  }
  return a;
}

// False when the seed failed.
bool run_one(const Arguments& a, uint64_t seed, EngineKind kind, Totals& totals) {
  const char* name = kind == EngineKind::io_uring ? "uring" : "epoll";
  std::snprintf(g_replay, sizeof g_replay, "%s --seed %llu --engine %s --verbose", a.binary,
                static_cast<unsigned long long>(seed), name);
  const sluice::sim::RunResult result = sluice::sim::run_seed(seed, kind, a.verbose);
  totals.completions += result.completions;
  totals.stale += result.stale;
  totals.calls += result.calls;
  for (unsigned i = 0; i < kFaults; i++) {
    totals.fired[kind == EngineKind::io_uring ? 0 : 1][i] += result.fired[i];
  }
  if (a.hash) {
    std::printf("seed %llu %s hash %016llx\n", static_cast<unsigned long long>(seed), name,
                static_cast<unsigned long long>(result.hash));
  }
  if (result.passed) return true;
  std::printf("seed %llu %s FAILED after %.3f virtual ms: %s\n  replay: %s\n",
              static_cast<unsigned long long>(seed), name,
              static_cast<double>(result.virtual_ns) / 1e6, result.failure.c_str(), g_replay);
  return false;
}

std::vector<uint64_t> seeds_of_file(const char* path) {
  std::vector<uint64_t> seeds;
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) {
    std::fprintf(stderr, "io_sim: cannot read %s\n", path);
    std::exit(2);
  }
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char* end = nullptr;
    const uint64_t seed = std::strtoull(line, &end, 10);
    if (end != line) seeds.push_back(seed);
  }
  std::fclose(file);
  return seeds;
}

// Prints how often each fault happened. False when one never did.
bool print_faults(const Totals& totals) {
  bool complete = true;
  std::printf("%-20s %12s %12s\n", "fault", "uring", "epoll");
  for (unsigned i = 0; i < kFaults; i++) {
    const bool fired = totals.fired[0][i] + totals.fired[1][i] > 0;
    complete &= fired;
    std::printf("%-20s %12llu %12llu%s\n",
                sluice::sim::fault_name(static_cast<sluice::sim::Fault>(i)),
                static_cast<unsigned long long>(totals.fired[0][i]),
                static_cast<unsigned long long>(totals.fired[1][i]), fired ? "" : "  never");
  }
  return complete;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments a = parse(argc, argv);
  std::signal(SIGABRT, on_abort);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(print_replay);
  std::vector<uint64_t> seeds;
  if (a.file != nullptr) {
    seeds = seeds_of_file(a.file);
  } else {
    for (uint64_t seed = a.from; seed <= a.to; seed++) seeds.push_back(seed);
  }
  Totals totals;
  timespec start{};
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (const uint64_t seed : seeds) {
    bool good = true;
    if (a.uring) good &= run_one(a, seed, EngineKind::io_uring, totals);
    if (a.epoll) good &= run_one(a, seed, EngineKind::epoll, totals);
    (good ? totals.passed : totals.failed)++;
    if (totals.failed == kFailuresMax) break;
  }
  timespec end{};
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double seconds = static_cast<double>(end.tv_sec - start.tv_sec) +
                         static_cast<double>(end.tv_nsec - start.tv_nsec) / 1e9;
  const bool complete = print_faults(totals);
  std::printf("completions %llu, stale %llu, kernel calls %llu, %.1f s, %.0f seeds/s\n",
              static_cast<unsigned long long>(totals.completions),
              static_cast<unsigned long long>(totals.stale),
              static_cast<unsigned long long>(totals.calls), seconds,
              static_cast<double>(totals.passed + totals.failed) / seconds);
  const bool faults_missing = a.require_faults && !complete;
  if (faults_missing) std::printf("a fault never fired\n");
  std::printf("seeds: %u passed, %u failed\n", totals.passed, totals.failed);
  return totals.failed == 0 && !faults_missing ? 0 : 1;
}
