// One pair of sockets with bytes going both ways: a TCP connection through the balancer, later also
// an upgraded HTTP connection. Plain data in a slab; Tunnels (tunnels.h) is its behaviour.
//
// States:  connecting -> open -> closing -> (freed)
//   connecting  the client's socket is ours, a backend is being connected to
//   open        both directions run, each until its end of stream
//   closing     everything outstanding was cancelled; freed when nothing is in the kernel any more
// A waiting direction has one of two reasons: it is paused (its queue is full) or a send is in
// flight. A timer bounds every state but closing, which the kernel bounds.
#pragma once

#include <cstdint>

#include "io/buffer_queue.h"
#include "io/op.h"
#include "proxy/pipe_pool.h"

namespace sluice::proxy {

// Bytes read from one socket and written to the other. Named by the side it reads from.
struct Direction {
  io::BufferQueue queue;       // received, not yet sent
  uint32_t armed_bytes = 0;    // received since the receive was armed
  uint16_t armed_reports = 0;  // in so many completions
  uint16_t pipe = PipePool::kNone;
  uint32_t pipe_bytes = 0;         // in the pipe, not yet sent
  uint8_t small_splices = 0;       // in a row: the traffic has turned small
  bool receiving : 1 = false;      // recv or splice_in outstanding
  bool sending : 1 = false;        // send or splice_out outstanding
  bool ended : 1 = false;          // end of stream (or reset) was read
  bool fin_sent : 1 = false;       // and passed on
  bool reset_after : 1 = false;    // the other side gets a reset once the queue has been sent
  bool broken : 1 = false;         // its destination is gone: what arrives is dropped
  bool large : 1 = false;          // receives into large buffers
  bool splice_wanted : 1 = false;  // switches to its pipe when the queue is empty
};

struct Tunnel {
  enum class State : uint8_t { connecting, open, closing };

  int32_t fds[2] = {-1, -1};
  Direction directions[2];
  uint64_t opened_ns = 0;
  uint64_t connect_started_ns = 0;
  uint64_t last_activity_ms = 0;
  uint32_t idle_timeout_ms = 0;
  uint32_t unacknowledged = 0;  // bytes at the last look at a stalled peer
  uint32_t backend = UINT32_MAX;
  uint32_t listener_incarnation = 0;
  uint32_t pool_incarnation = 0;
  uint32_t backend_next = 0;  // tunnel index + 1 in the backend's list; 0 ends it
  uint32_t backend_prev = 0;
  uint32_t tried[2] = {};
  uint16_t listener = 0;
  uint16_t pool = 0;
  State state = State::connecting;
  uint8_t outstanding[2] = {};  // operations in the kernel, per socket
  uint8_t tried_count = 0;
  uint8_t snapshot_slot = kNoSnapshot;  // the configuration it holds while connecting
  bool first_byte_seen : 1 = false;
  bool connect_timed_out : 1 = false;
  bool early_end_counted : 1 = false;

  static constexpr uint8_t kNoSnapshot = 0xff;

  Direction& from(io::Side side) { return directions[io::index_of(side)]; }
  int fd(io::Side side) const { return fds[io::index_of(side)]; }
};

}  // namespace sluice::proxy
