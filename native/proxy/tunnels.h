// The behaviour of all tunnels of one worker: connecting, forwarding, timing out, closing.
// tunnels.cc holds a tunnel's life, forward.cc the copying of bytes, bulk.cc the splicing, and
// counts.cc what is counted.
#pragma once

#include <cstdint>

#include "balance/balancer.h"
#include "base/limits.h"
#include "base/slab.h"
#include "base/timer_wheel.h"
#include "io/buffer_queue.h"
#include "io/engine.h"
#include "proxy/outcomes.h"
#include "proxy/pipe_pool.h"
#include "proxy/tunnel.h"
#include "shm/snapshot.h"
#include "shm/worker_block.h"
#include "upstream/connector.h"

namespace sluice::proxy {

// Where a worker keeps count of who still uses which configuration.
class SnapshotHolder {
 public:
  virtual ~SnapshotHolder() = default;
  virtual uint8_t hold_current() = 0;  // returns the slot
  virtual shm::SnapshotView held(uint8_t slot) const = 0;
  virtual void let_go(uint8_t slot) = 0;
};

// Two connected sockets that become a tunnel, with what was received from each and not yet sent.
// Nothing of them is in the kernel, and `backend` counts them as in flight already.
struct Takeover {
  int32_t fds[2];
  io::BufferQueue from[2];
  bool ended[2];  // end of stream was read
  uint16_t listener;
  uint16_t pool;
  uint32_t listener_incarnation;
  uint32_t pool_incarnation;
  uint32_t backend;
  uint32_t idle_timeout_ms;
};

// Why a connection ended before both peers had ended it.
enum class EarlyEnd : uint8_t {
  no_backend,
  client_reset,
  backend_reset,
  idle_timeout,
  stalled,
  cut,
};

struct TunnelOptions {
  uint32_t connections_max;
  // Off in tests and measurements that compare the two ways of moving bulk.
  bool splice = true;
};

class Tunnels {
 public:
  // The wheel's nodes [0, connections_max) belong to the tunnels.
  Tunnels(io::Engine& engine, TimerWheel& wheel, balance::Balancer& balancer,
          upstream::Connector& connector, Outcomes& outcomes, shm::WorkerBlock& block,
          SnapshotHolder& holder, const TunnelOptions& options);

  bool ok() const { return slab_.ok() && backend_lists_.ok() && sink_.ok(); }
  uint32_t count() const { return slab_.used(); }
  // Gives back memory that has not been used since the last call.
  void rest() { slab_.rest(limits::kWarmRecords, limits::kRestReleasesMax); }

  void adopt(shm::SnapshotView snapshot) { snapshot_ = snapshot; }

  // Takes over an accepted socket of a listener and balances it to one of the route's pool.
  void open(int client_fd, uint32_t listener, uint32_t incarnation);

  // Goes on with a connection that is no longer HTTP. False when there is no room for it.
  bool take_over(const Takeover& from);

  // Handles a completion of one of the tunnels' operations.
  void complete(const io::Completion& completion, io::Token token);

  // The timer of tunnel `index` fired.
  void expire(uint32_t index);

  // Ends every connection on the backends whose live word says `cut`: their drain has run out or
  // they are removed. A removed backend may be in no configuration any more, so the question goes
  // by slot, to those that have connections.
  void cut_marked(const shm::BackendLive* live);
  void cut_all();

  uint64_t stale_completions() const { return stale_completions_; }
  const PipePool& pipes() const { return pipes_; }

  // What all large transfers of the worker share.
  PipePool& pipes() { return pipes_; }
  bool splices() const { return options_.splice; }
  bool take_large() {
    if (large_directions_ == limits::kLargeDirectionsMax) return false;
    large_directions_++;
    return true;
  }
  void give_large() { large_directions_--; }

 private:
  using Side = io::Side;
  static constexpr Side kDownstream = Side::downstream;
  static constexpr Side kUpstream = Side::upstream;

  uint64_t now_ms() const { return engine_.now_ns() / 1'000'000; }
  io::Token token(uint32_t index, io::Op op, Side side) const {
    return io::Token{op, side, slab_.generation(index), index};
  }

  // The pool's counters, or a sink when the slot has gone to another pool since.
  shm::WorkerPool& pool_words(const Tunnel& tunnel) {
    shm::WorkerPool& words = block_.pool(tunnel.pool);
    const uint32_t incarnation = words.incarnation.load(std::memory_order_relaxed);
    return incarnation == tunnel.pool_incarnation ? words : sink_[0];
  }
  // The pool as it was published when the connection came.
  const shm::SnapshotPool& held_pool(const Tunnel& tunnel) const {
    return holder_.held(tunnel.snapshot_slot).pool(tunnel.pool);
  }
  // That of the backend it is connected to, or connecting.
  uint32_t backend_incarnation(const Tunnel& tunnel) {
    return block_.backend(tunnel.backend).incarnation.load(std::memory_order_relaxed);
  }
  shm::WorkerListener& listener_words(const Tunnel& tunnel) {
    shm::WorkerListener& words = block_.listener(tunnel.listener);
    const uint32_t incarnation = words.incarnation.load(std::memory_order_relaxed);
    return incarnation == tunnel.listener_incarnation ? words : listener_sink_;
  }

  // tunnels.cc: a tunnel's life
  void begin_connect(uint32_t index);
  void connected(uint32_t index, int result);
  void connect_failed(uint32_t index, int error);
  void opened(uint32_t index);
  void leave_backend(uint32_t index);
  void let_go_of_snapshot(Tunnel& tunnel);
  void finish(uint32_t index);
  void finish_early(uint32_t index, EarlyEnd reason);
  void free_if_quiet(uint32_t index);
  void expire_open(uint32_t index);
  void join_backend_list(uint32_t index, uint32_t backend);
  void leave_backend_list(uint32_t index);
  void cut(uint32_t backend);

  // forward.cc: bytes
  void received(uint32_t index, Side side, const io::Completion& completion);
  void sent(uint32_t index, Side side, int result);
  void arm(uint32_t index, Side side);
  void send_queue(uint32_t index, Side side);
  void ended(uint32_t index, Side side);
  void drained(uint32_t index, Side side);
  void socket_failed(uint32_t index, Side side);
  bool is_done(const Direction& direction) const;
  uint32_t window_bytes(const Direction& direction) const;

  // counts.cc
  void count_received(Tunnel& tunnel, Side side, uint32_t bytes);
  void count_sent(Tunnel& tunnel, Side side, uint32_t bytes);
  void count_connect_failure(Tunnel& tunnel, uint32_t backend, int error);
  void count_early_end(Tunnel& tunnel, EarlyEnd reason);

  // bulk.cc: large transfers
  void choose_path(uint32_t index, Side side);
  void begin_splice(uint32_t index, Side side);
  void spliced_in(uint32_t index, Side side, int result);
  void spliced_out(uint32_t index, Side side, int result);
  void splice_more(uint32_t index, Side side);
  void leave_splice(Direction& direction);
  void set_large(Direction& direction, bool wanted);

  io::Engine& engine_;
  io::BufferPool& buffers_;
  TimerWheel& wheel_;
  balance::Balancer& balancer_;
  upstream::Connector& connector_;
  Outcomes& outcomes_;
  shm::WorkerBlock& block_;
  SnapshotHolder& holder_;
  TunnelOptions options_;
  shm::SnapshotView snapshot_;
  PipePool pipes_;
  Slab<Tunnel> slab_;
  ReservedArray<uint32_t> backend_lists_;  // per backend slot: first tunnel index + 1
  uint32_t backends_high_ = 0;             // one past the highest slot that ever had a connection
  ReservedArray<shm::WorkerPool> sink_{1};
  shm::WorkerListener listener_sink_{};
  uint32_t large_directions_ = 0;
  uint64_t stale_completions_ = 0;
};

}  // namespace sluice::proxy
