#include "proxy_day.h"

#include <cinttypes>
#include <cstdio>

#include "proxy_run.h"

namespace sluice::proxy_sim {

// Long runs of several seeds: calm, with faults, with edits.
int run_day(const char* binary) {
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Scenario scenario = draw_scenario(seed);
    scenario.faults = seed > 1;
    scenario.edits = seed == 3;
    scenario.workers = 1;
    scenario.skewed = false;
    scenario.clients = 3000;
    scenario.connections_max = 4096;
    scenario.duration_ns = 24 * 3600 * kSecond;
    scenario.end = Scenario::End::quiet;
    Run run(scenario);
    run.play();
    std::printf("day %" PRIu64 ": %" PRIu64 " turns, %zu connections, %" PRIu64 " bytes, %s\n",
                seed, run.turns(), run.world().conns.size(), run.world().bytes_moved,
                run.world().failed() ? run.world().failure().c_str() : "all invariants held");
    if (run.world().failed()) {
      run.abandon();
      std::printf("  replay: %s --day\n", binary);
      std::printf("seeds: %" PRIu64 " passed, 1 failed\n", seed - 1);
      return 1;
    }
  }
  std::printf("seeds: 3 passed, 0 failed\n");
  return 0;
}

}  // namespace sluice::proxy_sim
