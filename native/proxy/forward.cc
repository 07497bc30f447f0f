// Copying bytes between a tunnel's sockets, with back-pressure by credit: a direction receives at
// most a window more than it has sent, and is armed again when half of that is gone. Received
// buffers are lent by the engine and come back from the queue (io/buffer_queue.h).

#include "proxy/tunnels.h"
#include "proxy/window.h"

namespace sluice::proxy {

uint32_t Tunnels::window_bytes(const Direction& direction) const {
  if (direction.large) return limits::kLargeWindowBytes;
  return small_window_bytes(buffers_);
}

void Tunnels::arm(uint32_t index, Side side) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  SLUICE_VERIFY(!direction.receiving && !direction.ended);
  direction.receiving = true;
  direction.armed_bytes = 0;
  direction.armed_reports = 0;
  tunnel.outstanding[io::index_of(side)]++;
  engine_.recv(tunnel.fd(side), token(index, io::Op::recv, side),
               direction.large ? io::BufferClass::large : io::BufferClass::small,
               window_bytes(direction) - direction.queue.bytes);
}

void Tunnels::received(uint32_t index, Side side, const io::Completion& completion) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  if (!completion.more) {
    direction.receiving = false;
    tunnel.outstanding[io::index_of(side)]--;
  }
  if (tunnel.state == Tunnel::State::closing) {
    if (!completion.buffer.is_none()) buffers_.release(completion.buffer);
    return free_if_quiet(index);
  }
  if (completion.result == 0) return ended(index, side);
  if (completion.result < 0) {
    direction.ended = true;
    return socket_failed(index, side);
  }

  const uint32_t bytes = static_cast<uint32_t>(completion.result);
  count_received(tunnel, side, bytes);
  if (direction.broken) {
    buffers_.release(completion.buffer);
    return;
  }
  direction.armed_bytes += bytes;
  direction.armed_reports++;
  direction.queue.append(buffers_, completion.buffer);
  if (!completion.more) choose_path(index, side);
  if (!direction.sending) send_queue(index, side);
  if (!direction.receiving && !direction.splice_wanted &&
      direction.queue.bytes <= window_bytes(direction) / 2) {
    arm(index, side);
  }
}

// Starts sending what was received from `side`: one buffer, or several as a vector.
void Tunnels::send_queue(uint32_t index, Side side) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  SLUICE_VERIFY(!direction.sending && !direction.queue.empty());
  const Side to = io::other(side);
  direction.sending = true;
  tunnel.outstanding[io::index_of(to)]++;
  const io::Token name = token(index, io::Op::send, to);
  iovec vectors[io::kSendVectorsMax];
  const uint32_t count = direction.queue.fill(buffers_, vectors, io::kSendVectorsMax);
  if (count == 1) {
    const auto* data = static_cast<const uint8_t*>(vectors[0].iov_base);
    return engine_.send(tunnel.fd(to), name, data, static_cast<uint32_t>(vectors[0].iov_len));
  }
  engine_.sendv(tunnel.fd(to), name, vectors, count);
}

// `side` is the socket that was written to.
void Tunnels::sent(uint32_t index, Side side, int result) {
  Tunnel& tunnel = slab_[index];
  const Side source = io::other(side);
  Direction& direction = tunnel.from(source);
  direction.sending = false;
  tunnel.outstanding[io::index_of(side)]--;
  if (tunnel.state == Tunnel::State::closing) return free_if_quiet(index);
  if (result < 0) return socket_failed(index, side);
  count_sent(tunnel, side, static_cast<uint32_t>(result));
  direction.queue.consume(buffers_, static_cast<uint32_t>(result));
  if (direction.broken) direction.queue.drop(buffers_);
  if (direction.queue.bytes > 0) {
    send_queue(index, source);
  } else if (direction.ended || direction.splice_wanted) {
    return drained(index, source);
  }
  if (!direction.receiving && !direction.ended && !direction.splice_wanted && !direction.broken &&
      direction.queue.bytes <= window_bytes(direction) / 2) {
    arm(index, source);
  }
}

// End of stream was read from `side`.
void Tunnels::ended(uint32_t index, Side side) {
  Direction& direction = slab_[index].from(side);
  direction.ended = true;
  direction.splice_wanted = false;
  if (!direction.sending && direction.queue.bytes == 0) drained(index, side);
}

bool Tunnels::is_done(const Direction& direction) const {
  return direction.ended && !direction.sending && direction.queue.bytes == 0 &&
         direction.pipe_bytes == 0;
}

// Everything received from `side` has been sent.
void Tunnels::drained(uint32_t index, Side side) {
  Tunnel& tunnel = slab_[index];
  Direction& direction = tunnel.from(side);
  const Side to = io::other(side);
  if (direction.ended) {
    if (direction.reset_after) {
      engine_.reset_on_close(tunnel.fd(to));
      return finish(index);
    }
    if (is_done(tunnel.from(to))) return finish(index);
    if (!direction.fin_sent && !direction.broken) {
      direction.fin_sent = true;
      engine_.shutdown_write(tunnel.fd(to));
    }
    return;
  }
  if (direction.splice_wanted) begin_splice(index, side);
}

// A receive from or a send to `side` failed: that peer is gone. What it had sent before still goes
// to the other side, which is then reset as well.
void Tunnels::socket_failed(uint32_t index, Side side) {
  Tunnel& tunnel = slab_[index];
  Direction& from = tunnel.from(side);
  Direction& to = tunnel.from(io::other(side));
  // What follows another failure is its consequence.
  if (side == kUpstream && !tunnel.first_byte_seen && !tunnel.early_end_counted) {
    outcomes_.exchange_failed(pool_words(tunnel), tunnel.backend, backend_incarnation(tunnel));
  }
  count_early_end(tunnel, side == kDownstream ? EarlyEnd::client_reset : EarlyEnd::backend_reset);
  to.broken = true;
  from.reset_after = true;
  if (!to.sending) to.queue.drop(buffers_);
  // While bytes of its own are under way, its receive will report what is left and then the end.
  const bool quiet = !from.sending && from.queue.bytes == 0 && from.pipe_bytes == 0;
  if (!from.ended && (from.receiving || !quiet)) return;
  from.ended = true;
  from.splice_wanted = false;
  if (quiet) drained(index, side);
}

}  // namespace sluice::proxy
