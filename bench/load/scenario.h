// The kinds of load: what a client does next when it is connected, answered or closed.
#pragma once

#include <cstdint>
#include <memory>

#include "histogram.h"
#include "options.h"
#include "traffic.h"

namespace load {

class Scenario : public ClientEvents {
 public:
  Scenario(Traffic& traffic, const Options& options) : traffic_(traffic), options_(options) {}

  virtual void start();
  // Whether the loop may sleep until something happens.
  virtual bool may_sleep() const { return false; }
  // Called once a turn of the loop, with the time of the latest poll.
  virtual void tick() {}
  // Every connection that should be there is there: warm-up may begin (idle: hold may begin).
  virtual bool ready() const { return connected_ >= options_.connections; }
  // No client is left that could ever work again.
  virtual bool dead() const { return live_ == 0; }

  void connected(Connection& client) override;
  void answered(Connection& client) override;
  void closed(Connection& client, bool orderly) override;

  virtual uint64_t work() const { return work_; }
  const Histogram& latency() const { return latency_; }
  void clear_latency() { latency_.clear(); }

 protected:
  void connect();
  void request(Connection& client) {
    traffic_.request(client, options_.request_bytes, options_.answer_bytes);
  }
  virtual void next(Connection& client) = 0;

  Traffic& traffic_;
  const Options& options_;
  uint32_t live_ = 0;       // connecting or open
  uint32_t connected_ = 0;  // ever

 private:
  uint32_t next_source_ = 0;
  uint64_t work_ = 0;
  Histogram latency_;
};

std::unique_ptr<Scenario> make_scenario(Traffic& traffic, const Options& options);

}  // namespace load
