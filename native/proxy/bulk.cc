// Large transfers. A direction whose receives come back full is moved to splice: bytes go from
// socket to pipe to socket without being copied through us. It returns to copying when the traffic
// turns small, because a splice costs a poll and two calls. Where pipes are refused or used up,
// receives go to large buffers instead.
#include "proxy/tunnels.h"

namespace sluice::proxy {
namespace {

// A receive arm that moved this much in nearly full buffers shows bulk.
constexpr uint32_t kBulkBytes = 32 * 1024;
// Splices below this are small; so many in a row end splicing.
constexpr uint32_t kSmallSpliceBytes = 16 * 1024;
constexpr uint8_t kSmallSplicesMax = 4;

}  // namespace

// A receive has used up its credit: decides how the next bytes are moved.
void Tunnels::choose_path(uint32_t index, Side side) {
  Direction& direction = slab_[index].from(side);
  const uint32_t buffer_bytes =
      buffers_.buffer_bytes(direction.large ? io::BufferClass::large : io::BufferClass::small);
  const bool full =
      uint64_t{direction.armed_bytes} >= uint64_t{direction.armed_reports} * buffer_bytes * 3 / 4;
  const bool bulk = direction.large ? direction.armed_bytes >= kBulkBytes
                                    : full && direction.armed_bytes >= kBulkBytes;
  if (!bulk) return set_large(direction, false);
  if (options_.splice && !direction.large && !direction.broken) {
    direction.splice_wanted = true;
    return;
  }
  set_large(direction, true);
}

void Tunnels::set_large(Direction& direction, bool wanted) {
  if (wanted == direction.large) return;
  if (wanted && !take_large()) return;
  if (!wanted) give_large();
  direction.large = wanted;
}

// The queue is empty and nothing is being sent, so the pipe may take over in order.
void Tunnels::begin_splice(uint32_t index, Side side) {
  Direction& direction = slab_[index].from(side);
  direction.splice_wanted = false;
  direction.pipe = pipes_.take(engine_.now_ns());
  if (direction.pipe == PipePool::kNone) {
    set_large(direction, true);
    return arm(index, side);
  }
  direction.small_splices = 0;
  splice_more(index, side);
}

void Tunnels::splice_more(uint32_t index, Side side) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  direction.receiving = true;
  tunnel.outstanding[io::index_of(side)]++;
  engine_.splice_in(tunnel.fd(side), pipes_.write_end(direction.pipe),
                    token(index, io::Op::splice_in, side), pipes_.bytes(direction.pipe));
}

void Tunnels::spliced_in(uint32_t index, Side side, int result) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  direction.receiving = false;
  tunnel.outstanding[io::index_of(side)]--;
  // Counted before anything else: a pipe with bytes in it is not given back as empty.
  if (result > 0) direction.pipe_bytes = static_cast<uint32_t>(result);
  if (tunnel.state == Tunnel::State::closing) return free_if_quiet(index);
  if (result == -EAGAIN) {  // readable, but not by splice
    leave_splice(direction);
    return arm(index, side);
  }
  if (result <= 0) {
    leave_splice(direction);
    if (result == 0) return ended(index, side);
    direction.ended = true;
    return socket_failed(index, side);
  }
  const uint32_t bytes = static_cast<uint32_t>(result);
  count_received(tunnel, side, bytes);
  if (direction.broken) {
    // Nobody wants these bytes; the pipe goes back dirty and the rest is received and dropped.
    leave_splice(direction);
    return arm(index, side);
  }
  direction.small_splices =
      bytes < kSmallSpliceBytes ? static_cast<uint8_t>(direction.small_splices + 1) : 0;
  if (pipes_.is_scarce() && bytes < pipes_.bytes(direction.pipe) / 4) {
    direction.small_splices = kSmallSplicesMax;
  }
  const Side to = io::other(side);
  direction.sending = true;
  tunnel.outstanding[io::index_of(to)]++;
  engine_.splice_out(pipes_.read_end(direction.pipe), tunnel.fd(to),
                     token(index, io::Op::splice_out, to), direction.pipe_bytes);
}

// `side` is the socket that was written to.
void Tunnels::spliced_out(uint32_t index, Side side, int result) {
  Tunnel& tunnel = slab_[index];
  const Side source = io::other(side);
  Direction& direction = tunnel.from(source);
  direction.sending = false;
  tunnel.outstanding[io::index_of(side)]--;
  if (result > 0) {
    SLUICE_ASSERT(static_cast<uint32_t>(result) <= direction.pipe_bytes);
    direction.pipe_bytes -= static_cast<uint32_t>(result);
  }
  if (tunnel.state == Tunnel::State::closing) return free_if_quiet(index);
  if (result < 0) {
    leave_splice(direction);
    return socket_failed(index, side);
  }
  count_sent(tunnel, side, static_cast<uint32_t>(result));
  if (direction.broken) {
    leave_splice(direction);
    return;
  }
  if (direction.pipe_bytes > 0) {
    direction.sending = true;
    tunnel.outstanding[io::index_of(side)]++;
    return engine_.splice_out(pipes_.read_end(direction.pipe), tunnel.fd(side),
                              token(index, io::Op::splice_out, side), direction.pipe_bytes);
  }
  if (direction.ended) return drained(index, source);
  if (direction.small_splices >= kSmallSplicesMax) {
    leave_splice(direction);
    return arm(index, source);
  }
  splice_more(index, source);
}

void Tunnels::leave_splice(Direction& direction) {
  if (direction.pipe == PipePool::kNone) return;
  pipes_.give_back(direction.pipe, direction.pipe_bytes);
  direction.pipe = PipePool::kNone;
  direction.pipe_bytes = 0;
}

}  // namespace sluice::proxy
