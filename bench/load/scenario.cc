#include "scenario.h"

#include <deque>

namespace load {

void Scenario::start() {
  for (uint32_t i = 0; i < options_.connections; i++) connect();
}

void Scenario::connect() {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next_source_++ % options_.sources);
  const bool spread = options_.sources > 1;
  if (traffic_.connect(options_.target, spread ? &source : nullptr) != nullptr) live_++;
}

void Scenario::connected(Connection& client) {
  connected_++;
  request(client);
}

void Scenario::answered(Connection& client) {
  work_++;
  latency_.record(traffic_.now() - client.started_ns);
  next(client);
}

void Scenario::closed(Connection&, bool) {
  live_--;
}

namespace {

class ClosedLoop final : public Scenario {
 public:
  using Scenario::Scenario;
  void next(Connection& client) override {
    client.started_ns = traffic_.now();
    request(client);
  }
};

// Requests fall due evenly spaced, whatever the answers do. The connection that has rested longest
// takes the next one; when none rests, requests wait with their due time.
class OpenLoop final : public Scenario {
 public:
  using Scenario::Scenario;
  void tick() override {
    if (!ready()) return;
    if (next_due_ns_ == 0) next_due_ns_ = traffic_.now();
    while (next_due_ns_ <= traffic_.now()) {
      due_.push_back(next_due_ns_);
      next_due_ns_ += static_cast<uint64_t>(1e9 / options_.rate);
    }
    while (!due_.empty() && !resting_.empty()) {
      Connection& client = *resting_.front();
      resting_.pop_front();
      client.started_ns = due_.front();
      due_.pop_front();
      request(client);
    }
  }
  void next(Connection& client) override { resting_.push_back(&client); }
  void closed(Connection& client, bool orderly) override {
    std::erase(resting_, &client);
    Scenario::closed(client, orderly);
  }

 private:
  std::deque<Connection*> resting_;
  std::deque<uint64_t> due_;
  uint64_t next_due_ns_ = 0;
};

// The client ends first and waits for the balancer's end before it closes, so that no reset is
// ever sent and the balancer's handling of the end is part of the work.
class ConnectEach final : public Scenario {
 public:
  using Scenario::Scenario;
  void next(Connection& client) override { traffic_.finish(client); }
  void closed(Connection& client, bool orderly) override {
    Scenario::closed(client, orderly);
    if (orderly) connect();
  }
};

class HoldIdle final : public Scenario {
 public:
  using Scenario::Scenario;
  // Few at a time: the measured memory is that of idle connections, not of a burst.
  static constexpr uint32_t kAtOnce = 16;

  void start() override {
    while (begun_ < options_.connections && begun_ < kAtOnce) begin();
  }
  bool ready() const override { return work() >= options_.connections; }
  void next(Connection&) override {
    if (begun_ < options_.connections) begin();
  }

 private:
  void begin() {
    begun_++;
    connect();
  }
  uint32_t begun_ = 0;
};

// No clients: another program asks, and competes for the CPU with origins that would spin.
class ServeOnly final : public Scenario {
 public:
  using Scenario::Scenario;
  void start() override {}
  bool may_sleep() const override { return true; }
  bool ready() const override { return traffic_.served() > 0; }
  bool dead() const override { return false; }
  uint64_t work() const override { return traffic_.served(); }
  void next(Connection&) override {}
};

}  // namespace

std::unique_ptr<Scenario> make_scenario(Traffic& traffic, const Options& options) {
  switch (options.mode) {
    case Mode::open:
      return std::make_unique<OpenLoop>(traffic, options);
    case Mode::connect:
      return std::make_unique<ConnectEach>(traffic, options);
    case Mode::idle:
      return std::make_unique<HoldIdle>(traffic, options);
    case Mode::serve:
      return std::make_unique<ServeOnly>(traffic, options);
    case Mode::roundtrip:
    case Mode::bulk:
      break;
  }
  return std::make_unique<ClosedLoop>(traffic, options);
}

}  // namespace load
