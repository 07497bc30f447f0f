// The simulator of the proxy: whole workers on simulated engines, in virtual time.
//   proxy_sim --seeds A..B [--require-faults] [--seed N --verbose] [--hash] [--file F] [--day]
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "proxy_day.h"
#include "proxy_run.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sluice::proxy_sim {
namespace {

struct Totals {
  uint64_t passed = 0;
  uint64_t failed = 0;
  uint64_t fired[kFaults] = {};
  uint64_t hash = 0xcbf29ce484222325ull;
  uint64_t turns = 0;
  uint64_t ejections = 0;
  uint64_t bytes = 0;
  uint64_t clients = 0;
};

constexpr uint64_t kDay = UINT64_MAX;  // in place of a seed

uint64_t current_seed = 0;
const char* binary = "";
Totals totals;

// An assertion of the product, a sanitizer's finding or an endless loop: the seed is what counts.
void on_death(const char* why) {
  char how[48] = "--day";
  if (current_seed != kDay) {
    std::snprintf(how, sizeof(how), "--seed %" PRIu64 " --verbose", current_seed);
  }
  char text[1024];
  const int bytes =
      std::snprintf(text, sizeof(text),
                    "FAILED: %s\n  replay: %s %s\nseeds: %" PRIu64 " passed, %" PRIu64 " failed\n",
                    why, binary, how, totals.passed, totals.failed + 1);
  const size_t kept = std::min(static_cast<size_t>(bytes), sizeof(text) - 1);
  (void)!::write(STDOUT_FILENO, text, kept);
}

void on_signal(int number) {
  on_death(number == SIGALRM   ? "no hang: the seed takes longer than a minute"
           : number == SIGABRT ? "an assertion of the product"
                               : "memory error");
  ::_exit(1);
}

void run_seed(uint64_t seed, bool verbose) {
  current_seed = seed;
  ::alarm(60);
  Scenario scenario = draw_scenario(seed);
  scenario.verbose = verbose;
  auto run = std::make_unique<Run>(scenario);
  run->play();
  const World& world = run->world();
  for (unsigned i = 0; i < kFaults; i++)
    totals.fired[i] += world.faults.fired(static_cast<Fault>(i));
  totals.hash = (totals.hash ^ world.hash()) * 0x100000001b3ull;
  totals.turns += run->turns();
  totals.ejections += run->ejections();
  totals.bytes += world.bytes_moved;
  totals.clients += world.conns.size();
  if (!world.failed()) {
    totals.passed++;
    return;
  }
  totals.failed++;
  std::printf("FAILED seed %" PRIu64 ": %s\n  replay: %s --seed %" PRIu64 " --verbose\n", seed,
              world.failure().c_str(), binary, seed);
  run->abandon();
  (void)run.release();
}

bool print_faults() {
  bool all = true;
  std::printf("%-22s %12s\n", "fault", "fired");
  for (unsigned i = 0; i < kFaults; i++) {
    std::printf("%-22s %12" PRIu64 "\n", fault_name(static_cast<Fault>(i)), totals.fired[i]);
    all = all && totals.fired[i] > 0;
  }
  std::printf("%-22s %12" PRIu64 "\n", "backend_ejected", totals.ejections);
  return all && totals.ejections > 0;
}

// One seed a line; what follows it on the line says why it is kept.
int run_file(const char* path) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 2;
  char line[256];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (line[0] >= '0' && line[0] <= '9') run_seed(std::strtoull(line, nullptr, 10), false);
  }
  std::fclose(file);
  return 0;
}

int run(int argc, char** argv) {
  binary = argv[0];
  uint64_t first = 1;
  uint64_t last = 0;
  const char* file = nullptr;
  bool require_faults = false;
  bool verbose = false;
  bool hash = false;
  for (int i = 1; i < argc; i++) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (is("--seeds") && i + 1 < argc) {
      char* rest = nullptr;
      first = std::strtoull(argv[++i], &rest, 10);
      last = std::strncmp(rest, "..", 2) == 0 ? std::strtoull(rest + 2, nullptr, 10) : first;
    } else if (is("--seed") && i + 1 < argc) {
      first = last = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--file") && i + 1 < argc) {
      file = argv[++i];
    } else if (is("--require-faults")) {
      require_faults = true;
    } else if (is("--verbose")) {
      verbose = true;
    } else if (is("--hash")) {
      hash = true;
    } else if (is("--day")) {
      current_seed = kDay;
      return run_day(binary);
    } else {
      std::fprintf(stderr,
                   "usage: proxy_sim --seeds A..B [--require-faults] "
                   "[--seed N --verbose] [--hash] [--file F] [--day]\n");
      return 2;
    }
  }
  if (file != nullptr && run_file(file) != 0) {
    std::fprintf(stderr, "cannot read %s\n", file);
    return 2;
  }
  for (uint64_t seed = first; seed <= last; seed++) run_seed(seed, verbose);
  const bool all_fired = print_faults();
  std::printf("turns %" PRIu64 ", connections %" PRIu64 ", bytes %" PRIu64 "\n", totals.turns,
              totals.clients, totals.bytes);
  if (hash) std::printf("hash: %016" PRIx64 "\n", totals.hash);
  if (require_faults && !all_fired) std::printf("FAILED: a fault never fired\n");
  std::printf("seeds: %" PRIu64 " passed, %" PRIu64 " failed\n", totals.passed, totals.failed);
  return totals.failed > 0 || (require_faults && !all_fired) ? 1 : 0;
}

}  // namespace

// Undefined behaviour ends the process without asking anybody.
void die_of_undefined_behaviour() {
  on_death("undefined behaviour");
}

}  // namespace sluice::proxy_sim

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __ubsan_on_report() {
  sluice::proxy_sim::die_of_undefined_behaviour();
}
#endif

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  ::signal(SIGABRT, sluice::proxy_sim::on_signal);
  ::signal(SIGALRM, sluice::proxy_sim::on_signal);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback([] { sluice::proxy_sim::on_death("a sanitizer's finding"); });
#else
  ::signal(SIGSEGV, sluice::proxy_sim::on_signal);
  ::signal(SIGFPE, sluice::proxy_sim::on_signal);
#endif
  return sluice::proxy_sim::run(argc, argv);
}
