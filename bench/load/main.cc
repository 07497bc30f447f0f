// A load program: clients and origins of a balancer in one thread, so that one CPU can saturate a
// balancer on another. Prints one line of JSON; see options.cc for its arguments.
//
// The loop spins. A sleeping client would have to be woken by the balancer's sends, and that
// wake-up would be charged to the balancer; in a real network an interrupt of another host does it.
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "meter.h"
#include "options.h"
#include "scenario.h"

namespace load {
namespace {

constexpr uint64_t kErrorsMax = 1000;
constexpr double kConnectSecondsMax = 20;
constexpr double kServeSecondsMax = 20;
constexpr double kBeyondSecondsMax = 5;

volatile sig_atomic_t stop_requested = 0;

void say_ready(uint64_t connections) {
  printf("{\"ready\":%llu}\n", static_cast<unsigned long long>(connections));
  fflush(stdout);
}

struct Window {
  CpuReading start;
  CpuReading end;
  uint64_t work = 0;
  uint64_t bytes = 0;
  uint64_t idle_ns = 0;  // spent in turns of the loop that found nothing to do
};

class Run {
 public:
  Run(const Options& options, Traffic& traffic, Scenario& scenario)
      : options_(options), traffic_(traffic), scenario_(scenario) {}

  Window measure() {
    const uint64_t give_up_ns = now_ns() + static_cast<uint64_t>(kConnectSecondsMax * 1e9);
    while (!scenario_.ready() && !hopeless()) {
      turn();
      if (traffic_.now() > give_up_ns) {
        traffic_.count_error("clients were not connected and answered in time", 0);
        break;
      }
    }
    if (options_.mode == Mode::idle) return hold();
    const Window window = watch();
    // The other program's requests go on until it ends.
    if (options_.mode == Mode::serve) wait_for_line(kServeSecondsMax);
    return window;
  }

 private:
  bool hopeless() const {
    return stop_requested != 0 || scenario_.dead() || traffic_.errors() >= kErrorsMax;
  }

  Window watch() {
    turn_for(options_.warmup_seconds);
    scenario_.clear_latency();
    idle_ns_ = 0;
    Window window;
    const uint64_t work = scenario_.work();
    const uint64_t bytes = traffic_.answer_bytes();
    window.start = read_cpu(options_.watched_pid, options_.watched_cpu);
    turn_for(options_.seconds);
    // Where others take all of the balancer's CPU for a while, a short window would see nothing.
    const uint64_t give_up_ns = traffic_.now() + static_cast<uint64_t>(kBeyondSecondsMax * 1e9);
    while (scenario_.work() == work && traffic_.now() < give_up_ns && !hopeless()) turn();
    window.end = read_cpu(options_.watched_pid, options_.watched_cpu);
    window.work = scenario_.work() - work;
    window.bytes = traffic_.answer_bytes() - bytes;
    window.idle_ns = idle_ns_;
    return window;
  }

  void turn() {
    const uint64_t before = traffic_.now();
    const uint32_t handled =
        scenario_.may_sleep() ? traffic_.wait(scenario_) : traffic_.poll(scenario_);
    if (handled == 0) idle_ns_ += traffic_.now() - before;
    scenario_.tick();
  }

  void turn_for(double seconds) {
    const uint64_t end = traffic_.now() + static_cast<uint64_t>(seconds * 1e9);
    while (traffic_.now() < end && !hopeless()) turn();
  }

  // Says that the connections are there and keeps them until told otherwise.
  Window hold() {
    Window window;
    window.start = window.end = read_cpu(options_.watched_pid, options_.watched_cpu);
    window.work = scenario_.work();
    window.bytes = traffic_.answer_bytes();
    say_ready(window.work);
    wait_for_line(options_.seconds);
    window.end.wall_ns = now_ns();
    return window;
  }

  void wait_for_line(double seconds) {
    const uint64_t end = now_ns() + static_cast<uint64_t>(seconds * 1e9);
    pollfd line{STDIN_FILENO, POLLIN, 0};
    const int patience_ms = scenario_.may_sleep() ? 0 : 20;
    while (!hopeless() && traffic_.now() < end && ::poll(&line, 1, patience_ms) == 0) turn();
  }

  const Options& options_;
  Traffic& traffic_;
  Scenario& scenario_;
  uint64_t idle_ns_ = 0;
};

void print_result(const Window& window, const Traffic& traffic, const Scenario& scenario) {
  const double wall_ns =
      std::max<double>(static_cast<double>(window.end.wall_ns - window.start.wall_ns), 1);
  const double ticks =
      static_cast<double>(window.end.cpu_total_ticks - window.start.cpu_total_ticks);
  const double idle = static_cast<double>(window.end.cpu_idle_ticks - window.start.cpu_idle_ticks);
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  const Histogram& latency = scenario.latency();
  printf("{\"work\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"errors\":%llu,\"first_error\":\"%s\",",
         static_cast<unsigned long long>(window.work),
         static_cast<unsigned long long>(window.bytes), wall_ns / 1e9,
         static_cast<unsigned long long>(traffic.errors()), traffic.first_error().c_str());
  printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,",
         us(latency.quantile(0.5)), us(latency.quantile(0.99)), us(latency.quantile(0.999)),
         us(latency.max()));
  printf("\"watched_cpu_seconds\":%.6f,\"watched_cpu_busy\":%.4f,",
         static_cast<double>(window.end.process_ns - window.start.process_ns) / 1e9,
         ticks > 0 ? 1 - idle / ticks : 0);
  printf("\"load_busy\":%.4f,\"load_cpu\":%.4f}\n",
         std::max(1 - static_cast<double>(window.idle_ns) / wall_ns, 0.0),
         static_cast<double>(window.end.self_ns - window.start.self_ns) / wall_ns);
}

bool prepare_process(const Options& options) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
  // Both ends of every client's path through the balancer, and a few more.
  if (uint64_t{options.connections} * 2 + 64 > files.rlim_cur) {
    fprintf(stderr, "load: %u connections need %u descriptors, the limit is %llu\n",
            options.connections, options.connections * 2 + 64,
            static_cast<unsigned long long>(files.rlim_cur));
    return false;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, [](int) { stop_requested = 1; });
  signal(SIGINT, [](int) { stop_requested = 1; });
  if (options.cpu < 0) return true;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(options.cpu, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) == 0) return true;
  fprintf(stderr, "load: cannot run on CPU %d: %s\n", options.cpu, strerror(errno));
  return false;
}

// A ring is torn down after its process has gone, so the port of an earlier run may be held for a
// moment longer.
bool listen_patiently(Traffic& traffic, const Origin& origin) {
  for (int tries = 0; tries < 200; tries++) {
    if (traffic.listen(origin)) return true;
    if (errno != EADDRINUSE) return false;
    usleep(10'000);
  }
  return false;
}

int run(const Options& options) {
  Protocol& protocol = options.http ? http_protocol(options.forwarded) : raw_protocol();
  if (std::min(options.request_bytes, options.answer_bytes) < protocol.bytes_min()) {
    fprintf(stderr, "load: a message has at least %u bytes\n", protocol.bytes_min());
    return 2;
  }
  if (!prepare_process(options)) return 2;
  Traffic traffic(protocol);
  // Bodies want large buffers, few enough to stay in the cache; messages want many small ones.
  const bool bodies = std::max(options.request_bytes, options.answer_bytes) > 16 * 1024;
  if (!make_pattern(std::max(options.request_bytes, options.answer_bytes)) ||
      !traffic.open(options.connections * 2 + 1024, bodies ? 16 : 1024,
                    bodies ? 128 * 1024 : 4096)) {
    fprintf(stderr, "load: io_uring with buffer rings is needed: %s\n", strerror(errno));
    return 3;
  }
  for (uint32_t i = 0; i < options.origin_count; i++) {
    const Origin& origin = options.origins[i];
    if (listen_patiently(traffic, origin)) continue;
    fprintf(stderr, "load: cannot listen on %s %u: %s\n",
            origin.path != nullptr ? origin.path : "port", origin.port, strerror(errno));
    return 1;
  }
  if (options.mode == Mode::serve) say_ready(0);
  const auto scenario = make_scenario(traffic, options);
  scenario->start();
  const Window window = Run(options, traffic, *scenario).measure();
  print_result(window, traffic, *scenario);
  return traffic.errors() == 0 && window.work > 0 ? 0 : 1;
}

}  // namespace
}  // namespace load

int main(int argc, char** argv) {
  load::Options options;
  if (!load::parse_options(argc, argv, options)) return 2;
  return load::run(options);
}
