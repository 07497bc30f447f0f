#include "worker/fleet.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

namespace sluice::worker {
namespace {

// Listeners, and whatever else the process has open.
constexpr uint32_t kOtherDescriptors = 65536;
// What is left of the access log is written within this.
constexpr uint32_t kLogFlushMs = 1000;

}  // namespace

Fleet::Fleet(std::unique_ptr<shm::Region> region) : region_(std::move(region)), logger_(*region_) {}

Fleet::~Fleet() {
  // A handed-over socket may still lie in the mailbox of a worker that has ended.
  for (uint32_t i = 0; i < region_->workers(); i++) seats_[i].engine.store(nullptr);
}

// Engines keep a record per descriptor number. Numbers are handed out lowest first, so two for each
// connection and a margin for the rest of the process bound them, whatever the system would allow.
uint32_t Fleet::descriptors_max() const {
  const uint64_t wanted = 2 * uint64_t{options_.connections_max} + kOtherDescriptors;
  rlimit limit{};
  const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY;
  return static_cast<uint32_t>(known && limit.rlim_max < wanted ? limit.rlim_max : wanted);
}

int Fleet::start(const FleetOptions& options) {
  options_ = options;
  // Threads inherit the mask they are made under: signals are the control thread's business.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 256 * 1024);
  int error = 0;
  for (uint32_t i = 0; i < region_->workers() && error == 0; i++) {
    Seat& seat = seats_[i];
    seat.fleet = this;
    seat.index = i;
    seat.cpu = options.cpus == nullptr ? -1 : options.cpus[i];
    error = ::pthread_create(&seat.thread, &attributes, &Fleet::run, &seat);
    seat.started = error == 0;
  }
  ::pthread_attr_destroy(&attributes);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  options_.cpus = nullptr;  // the caller's memory
  return -error;
}

void* Fleet::run(void* argument) {
  Seat& seat = *static_cast<Seat*>(argument);
  char name[16];
  std::snprintf(name, sizeof(name), "sluice-%u", seat.index);
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
  seat.fleet->serve(seat);
  seat.ended.store(true, std::memory_order_release);
  return nullptr;
}

void Fleet::serve(Seat& seat) {
  auto& words =
      *reinterpret_cast<shm::Worker*>(region_->worker_area(seat.index) + shm::kWorkerOffset);
  words.thread_id.store(static_cast<uint32_t>(::syscall(SYS_gettid)), std::memory_order_relaxed);
  if (seat.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(seat.cpu), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) == 0) {
      words.cpu.store(static_cast<uint32_t>(seat.cpu) + 1, std::memory_order_relaxed);
    }
  }
  const auto state = [&words](shm::WorkerState value) {
    words.state.store(static_cast<uint32_t>(value), std::memory_order_release);
  };
  seat.buffers = std::make_unique<io::BufferPool>(
      io::BufferClassSpec{limits::kSmallBufferBytes, limits::kSmallBuffers},
      io::BufferClassSpec{limits::kLargeBufferBytes, limits::kLargeBuffers});
  io::EngineOptions engine_options;
  engine_options.choice = options_.engine;
  engine_options.sq_entries = limits::kSubmissionEntries;
  engine_options.descriptors_max = descriptors_max();
  engine_options.mail_lanes = region_->workers();
  io::EngineResult made = io::make_engine(io::real_kernel(), *seat.buffers, engine_options);
  words.engine_fallback.store(static_cast<uint32_t>(made.fallback), std::memory_order_relaxed);
  words.engine_error.store(static_cast<uint32_t>(-made.error), std::memory_order_relaxed);
  if (made.engine == nullptr || !seat.buffers->ok()) return state(shm::WorkerState::failed);
  words.engine.store(static_cast<uint32_t>(made.engine->kind()), std::memory_order_relaxed);
  seat.made = std::move(made.engine);

  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  WorkerOptions options;
  options.index = seat.index;
  options.connections_max = options_.connections_max < limits::kConnectionsPerWorkerMax
                                ? options_.connections_max
                                : limits::kConnectionsPerWorkerMax;
  options.hand_off = options_.hand_off;
  options.splice = options_.splice;
  options.seed = static_cast<uint64_t>(now.tv_nsec) << 20 ^ reinterpret_cast<uintptr_t>(&seat);
  auto worker = std::make_unique<Worker>(*region_, *seat.made, *this, options);
  if (!worker->ok()) return state(shm::WorkerState::failed);
  // Sequentially consistent, as what is published: whoever publishes sees this engine and wakes it,
  // or its first turn sees what was published.
  seat.engine.store(seat.made.get(), std::memory_order_seq_cst);
  state(shm::WorkerState::running);
  while (worker->turn()) {
  }
  state(shm::WorkerState::stopped);
}

void Fleet::wake_all() {
  for (uint32_t i = 0; i < region_->workers(); i++) {
    if (io::Engine* engine = engine_of(i)) engine->wake();
  }
}

void Fleet::notify(uint32_t generation, uint32_t live_sequence) {
  // Sequentially consistent: workers name a generation and look here again
  // (Worker::adopt_published).
  region_->control().generation.store(generation, std::memory_order_seq_cst);
  region_->control().live_sequence.store(live_sequence, std::memory_order_seq_cst);
  wake_all();
}

void Fleet::enter_phase(shm::Phase phase) {
  region_->control().phase.store(static_cast<uint32_t>(phase), std::memory_order_seq_cst);
  wake_all();
}

uint32_t Fleet::stop(uint32_t bound_ms) {
  enter_phase(shm::Phase::stopping);
  timespec deadline{};
  ::clock_gettime(CLOCK_REALTIME, &deadline);
  const uint64_t nanoseconds = static_cast<uint64_t>(deadline.tv_nsec) + bound_ms * 1'000'000ull;
  deadline.tv_sec += static_cast<time_t>(nanoseconds / 1'000'000'000);
  deadline.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  uint32_t running = 0;
  for (uint32_t i = 0; i < region_->workers(); i++) {
    Seat& seat = seats_[i];
    if (!seat.started) continue;
    if (::pthread_timedjoin_np(seat.thread, nullptr, &deadline) == 0) {
      seat.started = false;
    } else {
      running++;
    }
  }
  // A destination that takes nothing is not waited for so long that it holds up the end.
  if (!logger_.stop(bound_ms < kLogFlushMs ? bound_ms : kLogFlushMs)) running++;
  if (running > 0) return running;
  for (uint32_t i = 0; i < region_->workers(); i++) {
    // Sockets handed to a worker that had just ended.
    uint64_t value;
    while (seats_[i].made != nullptr && seats_[i].made->take_left_mail(&value)) {
      seats_[i].made->close_now(Acceptors::descriptor_of(value));
    }
    seats_[i].engine.store(nullptr, std::memory_order_release);
    seats_[i].made.reset();
    seats_[i].buffers.reset();
  }
  region_->close_descriptor();
  return 0;
}

}  // namespace sluice::worker
