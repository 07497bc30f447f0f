#include "sim/io_sim_run.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "sim/io_sim_far.h"
#include "sim/io_sim_kernel.h"
#include "sim/io_sim_proxy.h"
#include "sim/io_sim_world.h"

namespace sluice::sim {

namespace {

constexpr uint64_t kVirtualNsMax = 60'000'000'000;
constexpr uint64_t kTurnsMax = 400'000;
constexpr uint32_t kMailActor = 1u << 30;
constexpr uint32_t kMailLanes = 3;
constexpr int kStartTries = 20;

// Everything drawn from the seed before the run begins.
struct Plan {
  World::Limits limits;
  SimKernel::Options kernel;
  Proxy::Settings proxy;
  io::BufferClassSpec small;
  io::BufferClassSpec large;
  uint32_t pairs;
  uint32_t sq_entries;
  uint32_t batch;
  uint64_t abrupt_turn;  // the engine is destroyed in the midst of traffic; 0 = not
};

Plan draw(Prng& prng) {
  Plan plan{};
  constexpr uint32_t kQueues[] = {512, 4096, 16384, 65536};
  plan.limits.queue_bytes = kQueues[prng.below(4)];
  plan.limits.backlog = 4 + prng.below(60);
  plan.limits.descriptors = prng.one_in(8) ? 40 : 400;
  plan.limits.wire_ns = prng.one_in(2) ? 5000 : 100'000;
  plan.kernel.level = prng.one_in(2) ? Level::v6_18 : prng.one_in(2) ? Level::v6_6 : Level::v6_1;
  if (prng.one_in(8)) plan.kernel.level = Level::v6_0;
  if (prng.one_in(50)) plan.kernel.level = Level::v5_15;
  plan.pairs = 1 + prng.below(prng.one_in(2) ? 40 : 8);
  plan.small.bytes = 128u << prng.below(6);
  plan.small.count = 8u << prng.below(6);
  plan.large.bytes = plan.small.bytes * 4;
  plan.large.count = 4u << prng.below(4);
  plan.proxy.slots = prng.one_in(6) ? 4 : 40;
  plan.proxy.cls = prng.one_in(4) ? io::BufferClass::large : io::BufferClass::small;
  const uint32_t buffer =
      plan.proxy.cls == io::BufferClass::large ? plan.large.bytes : plan.small.bytes;
  plan.proxy.window = buffer * (1 + prng.below(16)) + (prng.one_in(2) ? 0 : prng.below(buffer));
  plan.proxy.family = prng.one_in(4) ? AF_UNIX : AF_INET;
  plan.proxy.mischief = prng.one_in(3) ? 0 : prng.one_in(3) ? 8 : 40 + prng.below(2000);
  plan.proxy.splice = prng.one_in(2) ? 0 : 1 + prng.below(6);
  plan.sq_entries = prng.one_in(3) ? 64 : 256;
  plan.abrupt_turn = prng.one_in(12) ? 1 + prng.below(1000) : 0;
  plan.batch = prng.one_in(4) ? 1 + prng.below(4) : 64;
  return plan;
}

class Run {
 public:
  Run(uint64_t seed, io::EngineKind kind, bool verbose)
      : prng_(seed * 2 + 1),
        plan_(draw(prng_)),
        faults_(prng_.next()),
        world_(prng_.next(), faults_, plan_.limits),
        far_(world_, prng_.next(), plan_.pairs),
        buffers_(plan_.small, plan_.large),
        kind_(kind),
        verbose_(verbose) {
    plan_.kernel.trace = verbose;
  }

  RunResult go() {
    {
      SimKernel kernel(world_, plan_.kernel);
      std::unique_ptr<io::Engine> engine = make(kernel);
      if (engine != nullptr) drive(kernel, *engine);
      result_.hash = kernel.hash();
      result_.calls = kernel.calls();
      if (engine != nullptr) finish(kernel, engine);
    }
    for (unsigned i = 0; i < kFaults; i++) {
      result_.fired[i] = faults_.fired(static_cast<Fault>(i));
    }
    result_.virtual_ns = world_.now_ns();
    result_.passed = !world_.failed();
    result_.failure = world_.failure();
    return result_;
  }

 private:
  std::unique_ptr<io::Engine> make(SimKernel& kernel);
  void drive(SimKernel& kernel, io::Engine& engine);
  void finish(SimKernel& kernel, std::unique_ptr<io::Engine>& engine);
  void schedule_mail(io::Engine& engine, Proxy& proxy);
  void check_start(const SimKernel& kernel, const io::EngineResult& made);

  Prng prng_;
  Plan plan_;
  FaultPlan faults_;
  World world_;
  FarEnds far_;
  io::BufferPool buffers_;
  io::EngineKind kind_;
  bool verbose_;
  bool abrupt_ = false;
  RunResult result_;
};

// A refused start leaves nothing behind, and says why.
void Run::check_start(const SimKernel& kernel, const io::EngineResult& made) {
  if (made.engine != nullptr) return;
  if (made.error == 0) world_.fail("no engine, and no reason given");
  if (world_.open_descriptors() != 0) world_.fail("a refused start leaks a descriptor");
  if (kernel.mappings() != 0) world_.fail("a refused start leaks a mapping");
  for (const auto cls : {io::BufferClass::small, io::BufferClass::large}) {
    if (buffers_.free_count(cls) != buffers_.capacity(cls)) {
      world_.fail("a refused start leaks buffers");
    }
  }
}

std::unique_ptr<io::Engine> Run::make(SimKernel& kernel) {
  io::EngineOptions options;
  options.sq_entries = plan_.sq_entries;
  options.descriptors_max = plan_.limits.descriptors;
  options.mail_lanes = kMailLanes;
  options.choice = kind_ == io::EngineKind::epoll ? io::EngineChoice::epoll
                   : prng_.one_in(4)              ? io::EngineChoice::automatic
                                                  : io::EngineChoice::io_uring;
  for (int attempt = 0; attempt < kStartTries; attempt++) {
    // The faults of the start are met at the first tries only: the run itself is to follow.
    faults_.enable(attempt < 3);
    io::EngineResult made = io::make_engine(kernel, buffers_, options);
    check_start(kernel, made);
    if (world_.failed()) return nullptr;
    if (made.engine == nullptr) {
      if (plan_.kernel.level == Level::v5_15) options.choice = io::EngineChoice::epoll;
      continue;
    }
    const bool asked = options.choice == io::EngineChoice::epoll;
    const bool fell_back = made.engine->kind() == io::EngineKind::epoll && !asked;
    if (fell_back && made.fallback == io::EngineFallback::none) {
      world_.fail("a fallback without a reason");
    }
    if (verbose_) std::printf("engine %d\n", static_cast<int>(made.engine->kind()));
    faults_.enable(true);
    return std::move(made.engine);
  }
  world_.fail("no engine although nothing refuses it any more");
  return nullptr;
}

// Other threads' posts and wakes: they come while the engine sleeps in the kernel.
void Run::schedule_mail(io::Engine& engine, Proxy& proxy) {
  const uint32_t count = prng_.below(40);
  uint64_t at = world_.now_ns();
  for (uint32_t i = 0; i < count; i++) {
    at += prng_.one_in(4) ? 0 : prng_.below(2'000'000);
    world_.schedule(at, World::What::actor, kMailActor | i);
  }
  world_.on_actor_event = [this, &engine, &proxy](uint32_t who, uint64_t) {
    if ((who & kMailActor) == 0) return far_.actor(who);
    const uint32_t lane = who % kMailLanes;
    const uint64_t value = uint64_t{lane} << 32 | (who & ~kMailActor);
    proxy.expect_wake();
    if (who % 5 == 0) return engine.wake();
    if (engine.post(lane, value)) {
      proxy.expect_mail(lane, value);
    } else {
      world_.fail("a mailbox refused a value although it was nearly empty");
    }
  };
}

void Run::drive(SimKernel& kernel, io::Engine& engine) {
  Proxy proxy(engine, world_, far_, prng_.next(), plan_.proxy);
  const int listener = world_.make(Kind::listener);
  proxy.listen(world_.install(listener));
  schedule_mail(engine, proxy);
  far_.start(listener);
  bool done = false;
  for (uint64_t turn = 0; turn < kTurnsMax && !done && !world_.failed(); turn++) {
    const uint64_t deadline =
        prng_.one_in(8) ? 0
                        : world_.now_ns() + prng_.below(prng_.one_in(10) ? 200'000'000 : 500'000);
    proxy.turn(deadline, 1 + prng_.below(plan_.batch));
    if (far_.finished()) proxy.stop_listening();
    done = far_.finished() && proxy.idle() && proxy.mail_arrived();
    if (world_.now_ns() > kVirtualNsMax) break;
    abrupt_ = plan_.abrupt_turn == turn + 1;
    if (abrupt_) break;
  }
  world_.on_actor_event = nullptr;
  if (abrupt_) return;
  if (!done && !world_.failed()) world_.fail("hang: something never ends");
  for (uint32_t i = 0; i < far_.pairs() && !world_.failed(); i++) far_.check_complete(i);
  if (world_.failed()) {
    proxy.describe();
    far_.describe();
  }
  // Closes that are still staged go out; nothing may report any more.
  faults_.enable(false);
  io::Completion late[16];
  for (int i = 0; i < 8 && !world_.failed(); i++) {
    if (engine.wait(0, late, 16) != 0) world_.fail("a completion although nothing is outstanding");
  }
  kernel.mix(proxy.completions());
  result_.completions = proxy.completions();
  result_.stale = proxy.stale();
}

void Run::finish(SimKernel& kernel, std::unique_ptr<io::Engine>& engine) {
  engine.reset();
  if (world_.failed()) return;
  for (const auto cls : {io::BufferClass::small, io::BufferClass::large}) {
    if (buffers_.lent_count(cls) != 0) world_.fail("a buffer is still lent at the end");
    if (buffers_.free_count(cls) != buffers_.capacity(cls)) {
      world_.fail("buffers are missing at the end: " + std::to_string(buffers_.free_count(cls)) +
                  " of " + std::to_string(buffers_.capacity(cls)));
    }
  }
  if (abrupt_) {
    if (world_.open_of(Kind::ring) + world_.open_of(Kind::epoll) + world_.open_of(Kind::event) >
        0) {
      world_.fail("the engine leaves a descriptor of its own open");
    }
  } else if (world_.open_descriptors() != 0) {
    world_.fail(std::to_string(world_.open_descriptors()) + " descriptors leak");
  }
  if (kernel.mappings() != 0) world_.fail("a mapping leaks");
}

}  // namespace

RunResult run_seed(uint64_t seed, io::EngineKind kind, bool verbose) {
  return Run(seed, kind, verbose).go();
}

}  // namespace sluice::sim
