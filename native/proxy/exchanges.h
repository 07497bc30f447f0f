// The behaviour of all HTTP connections and exchanges of one worker. By file:
//   downstreams.cc  a client's connection: open, read heads, timers, close
//   request.cc      a request: route, rewrite, body to the backend
//   backends.cc     the way to a backend: pick, reuse or connect, retry, give back
//   response.cc     a response: head, body to the client, end
//   response_bulk.cc  large bodies: splice, large buffers
//   answer.cc       our own answers
//   upgrade.cc      what becomes a tunnel
//   account.cc      counters
//   record.cc       records for the access log
#pragma once

#include <cstdint>

#include "balance/balancer.h"
#include "base/limits.h"
#include "base/slab.h"
#include "base/timer_wheel.h"
#include "http/date.h"
#include "http/parse.h"
#include "http/rewrite.h"
#include "io/engine.h"
#include "log/journal.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/head_blocks.h"
#include "proxy/outcomes.h"
#include "proxy/router.h"
#include "proxy/tunnels.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"
#include "upstream/connections.h"
#include "upstream/connector.h"

namespace sluice::proxy {

class Exchanges {
 public:
  // Slots of this room's tokens have this bit set; those of tunnels do not.
  static constexpr uint32_t kSlotBit = 1u << 31;

  // The wheel's nodes [timers_first, timers_first + timers(connections_max)) belong to them.
  Exchanges(io::Engine& engine, TimerWheel& wheel, uint32_t timers_first,
            balance::Balancer& balancer, upstream::Connector& connector, Outcomes& outcomes,
            Tunnels& tunnels, shm::WorkerBlock& block, uint32_t connections_max);

  static constexpr uint32_t timers(uint32_t connections_max) { return connections_max * 2; }

  bool ok() const {
    return downstreams_.ok() && exchanges_.ok() && connections_.ok() && blocks_.ok() &&
           journal_.ok() && sink_.ok();
  }
  // Connections of clients.
  uint32_t count() const { return downstreams_.used(); }
  // Nothing is left, towards clients or backends.
  bool is_empty() const { return downstreams_.used() == 0 && connections_.count() == 0; }
  uint64_t stale_completions() const { return stale_completions_; }
  uint32_t blocks_lent() const { return blocks_.lent(); }
  // Gives back memory that has not been used since the last call.
  void rest() {
    blocks_.rest();
    downstreams_.rest(limits::kWarmRecords, limits::kRestReleasesMax);
    exchanges_.rest(limits::kWarmRecords, limits::kRestReleasesMax);
    connections_.rest();
  }

  // Ends idle connections whose listener or backend the configuration no longer has.
  void adopt(shm::SnapshotView snapshot);
  // Takes over an accepted socket of a listener.
  void open(int client_fd, uint32_t listener, uint32_t incarnation);
  void complete(const io::Completion& completion, io::Token token);
  void expire(uint32_t timer);
  // No response lets its client go on; idle clients are let go now.
  void begin_drain();
  // Ends every exchange on backends whose live word says `cut`.
  void cut_marked(const shm::BackendLive* live);
  void cut_all();

 private:
  using Side = io::Side;
  static constexpr uint32_t kNone = UINT32_MAX;

  uint64_t now_ms() const { return engine_.now_ns() / 1'000'000; }
  io::Token down_token(uint32_t index, io::Op op) const {
    return io::Token{op, Side::downstream, downstreams_.generation(index), index | kSlotBit};
  }
  io::Token up_token(uint32_t index, io::Op op) const {
    return io::Token{op, Side::upstream, connections_.generation(index), index | kSlotBit};
  }
  Downstream& client_of(const Exchange& x) { return downstreams_[x.downstream]; }
  bool is_listener_current(const Downstream& d) const {
    return snapshot_.listener(d.listener).incarnation == d.listener_incarnation;
  }

  // downstreams.cc
  void received_down(uint32_t index, const io::Completion& completion);
  void read_request(uint32_t index);
  void wait_for_head(uint32_t index);
  void arm_down(uint32_t index);
  void set_deadline(uint32_t index, uint64_t timeout_ms);
  void client_left(uint32_t index);
  void next_request(uint32_t index);
  void close_orderly(uint32_t index);
  void finish_down(uint32_t index);
  void free_down_if_quiet(uint32_t index);
  void expire_down(uint32_t index);
  void expire_exchange(uint32_t index);
  bool peer_moves(Exchange& x, int fd);
  template <typename Parse>
  http::Parsed read_head(HeadReader& reader, io::BufferQueue& in, const uint8_t** data,
                         Parse&& parse);
  void consume_head(HeadReader& reader, io::BufferQueue& in, uint32_t bytes);

  // request.cc
  void begin_exchange(uint32_t index, const uint8_t* data);
  void refuse_request(uint32_t index, http::Refusal why);
  uint32_t take_exchange(uint32_t index);
  bool write_request(uint32_t x_index, const uint8_t* data);
  void look_at_peer(Downstream& d);
  void take_inline_body(Exchange& x, Downstream& d);
  bool pump_request(uint32_t x_index);
  void send_request(uint32_t x_index);
  void sent_up(uint32_t index, int result);

  // backends.cc
  void dispatch(uint32_t x_index);
  void connect(uint32_t x_index);
  void connected(uint32_t index, int result);
  void connect_failed(uint32_t index, int error);
  void begin_request(uint32_t x_index);
  bool may_retry(const Exchange& x) const;
  void upstream_died(uint32_t x_index);
  void release_connection(uint32_t x_index, bool keep);
  void keep_idle(uint32_t index);
  void close_connection(uint32_t index);
  void free_connection_if_quiet(uint32_t index);
  void arm_up(uint32_t index);

  // response.cc
  void received_up(uint32_t index, const io::Completion& completion);
  void rearm_up(uint32_t index, uint32_t generation);
  void upstream_ended(uint32_t x_index, int result);
  void read_response(uint32_t x_index);
  void begin_response(uint32_t x_index, const uint8_t* data);
  void begin_interim(uint32_t x_index, const uint8_t* data);
  bool write_response(Exchange& x, const uint8_t* data, const http::ResponseRewrite& rewrite);
  void pump_response(uint32_t x_index);
  void response_received(uint32_t x_index);
  void send_response(uint32_t x_index);
  void sent_down(uint32_t index, int result);
  void finish_exchange(uint32_t x_index);
  void cut_response(uint32_t x_index);
  void abort_exchange(uint32_t x_index);
  void free_exchange(uint32_t x_index);
  bool is_sent(const Exchange& x) const { return x.response_head.left() == 0 && x.down.empty(); }

  // response_bulk.cc
  bool may_splice(const Exchange& x);
  bool begin_splice(uint32_t x_index);
  void splice_more(uint32_t x_index);
  void splice_out(uint32_t x_index);
  void spliced_in(uint32_t index, int result);
  void spliced_out(uint32_t index, int result);
  void leave_splice(Exchange& x);
  void part_from_pipe(Exchange& x);
  void drop_pipe(uint16_t& pipe);
  io::BufferClass response_class(Exchange& x);
  void drop_large(Exchange& x);

  // answer.cc
  void answer(uint32_t x_index, uint16_t status);
  uint32_t retry_after_s(const Exchange& x) const;

  // upgrade.cc
  void begin_upgrade(uint32_t x_index, const uint8_t* data);
  void continue_upgrade(uint32_t x_index);

  // account.cc
  void count_began(Exchange& x);
  void count_routed(Exchange& x);
  void count_responded(Exchange& x);
  void count_answer(Exchange& x);
  void count_connect_failure(Exchange& x, int error);
  void count_request_failure(Exchange& x);
  void count_stall(Exchange& x);
  void count_ended(Exchange& x);
  shm::WorkerListener& listener_words(const Downstream& d);
  shm::WorkerPool& pool_words(const Exchange& x);
  shm::WorkerRoute& route_words(const Exchange& x);
  shm::WorkerBackend& backend_words(const upstream::Connection& connection);

  // record.cc
  void begin_record(uint32_t x_index);
  void record_request(uint32_t x_index, const uint8_t* data);
  void finish_record(uint32_t x_index);
  void explain_answer(Exchange& x, uint16_t status);

  io::Engine& engine_;
  io::BufferPool& buffers_;
  TimerWheel& wheel_;
  const uint32_t timers_first_;
  const uint32_t connections_max_;
  balance::Balancer& balancer_;
  upstream::Connector& connector_;
  Outcomes& outcomes_;
  Tunnels& tunnels_;
  shm::WorkerBlock& block_;
  shm::SnapshotView snapshot_;
  Slab<Downstream> downstreams_;
  Slab<Exchange> exchanges_;
  upstream::Connections connections_;
  HeadBlocks blocks_;
  Router router_;
  http::DateText date_;
  log::Journal journal_;
  bool draining_ = false;
  uint64_t stale_completions_ = 0;
  // Filled by one parse and used before the next.
  http::RequestHead request_;
  http::ResponseHead response_;
  // Where counts go whose slot belongs to another incarnation by now.
  struct Sink {
    shm::WorkerListener listener;
    shm::WorkerPool pool;
    shm::WorkerRoute route;
    shm::WorkerBackend backend;
  };
  ReservedArray<Sink> sink_{1};
};

}  // namespace sluice::proxy
