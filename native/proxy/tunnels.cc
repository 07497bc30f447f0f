// A tunnel's life: accept, connect (with up to two further backends), open, close.
#include "proxy/tunnels.h"

#include <algorithm>
#include <cerrno>

namespace sluice::proxy {

Tunnels::Tunnels(io::Engine& engine, TimerWheel& wheel, balance::Balancer& balancer,
                 upstream::Connector& connector, Outcomes& outcomes, shm::WorkerBlock& block,
                 SnapshotHolder& holder, const TunnelOptions& options)
    : engine_(engine),
      buffers_(engine.buffers()),
      wheel_(wheel),
      balancer_(balancer),
      connector_(connector),
      outcomes_(outcomes),
      block_(block),
      holder_(holder),
      options_(options),
      pipes_(engine),
      slab_(options.connections_max),
      backend_lists_(shm::kBackendsMax) {}

void Tunnels::open(int client_fd, uint32_t listener, uint32_t incarnation) {
  const shm::SnapshotListener& entry = snapshot_.listener(listener);
  const shm::SnapshotRoute* route =
      entry.incarnation == incarnation ? snapshot_.any_route(listener) : nullptr;
  if (route == nullptr) {
    shm::add<uint64_t>(block_.words().rejected_listener_gone, 1);
    engine_.close_now(client_fd);
    return;
  }
  const uint32_t index = slab_.take();
  if (index == Slab<Tunnel>::kNone) {
    shm::add<uint64_t>(block_.words().rejected_connections_max, 1);
    engine_.close_now(client_fd);
    return;
  }
  const shm::SnapshotPool& pool = snapshot_.pool(route->pool);
  Tunnel& tunnel = slab_[index];
  tunnel.fds[io::index_of(kDownstream)] = client_fd;
  tunnel.opened_ns = engine_.now_ns();
  tunnel.idle_timeout_ms = entry.idle_timeout_ms;
  tunnel.listener = static_cast<uint16_t>(listener);
  tunnel.listener_incarnation = entry.incarnation;
  tunnel.pool = static_cast<uint16_t>(route->pool);
  tunnel.pool_incarnation = pool.incarnation;
  tunnel.snapshot_slot = holder_.hold_current();

  auto& listener_words = block_.listener(listener);
  shm::WorkerBlock::claim(listener_words, entry.incarnation);
  shm::add(listener_words.connections, 1u);
  shm::add<uint64_t>(listener_words.connections_total, 1);
  auto& pool_words = block_.pool(route->pool);
  shm::WorkerBlock::claim(pool_words, pool.incarnation);
  shm::add(pool_words.connections, 1u);
  shm::add<uint64_t>(pool_words.connections_total, 1);
  shm::add(block_.words().connections, 1u);
  begin_connect(index);
}

bool Tunnels::take_over(const Takeover& from) {
  const uint32_t index = slab_.take();
  if (index == Slab<Tunnel>::kNone) return false;
  Tunnel& tunnel = slab_[index];
  tunnel.state = Tunnel::State::open;
  tunnel.first_byte_seen = true;
  tunnel.opened_ns = engine_.now_ns();
  tunnel.last_activity_ms = now_ms();
  tunnel.idle_timeout_ms = from.idle_timeout_ms;
  tunnel.listener = from.listener;
  tunnel.listener_incarnation = from.listener_incarnation;
  tunnel.pool = from.pool;
  tunnel.pool_incarnation = from.pool_incarnation;
  shm::add(pool_words(tunnel).connections, 1u);
  shm::add<uint64_t>(pool_words(tunnel).connections_total, 1);
  shm::add(block_.words().connections, 1u);
  join_backend_list(index, from.backend);
  wheel_.schedule(index, tunnel.last_activity_ms + tunnel.idle_timeout_ms);
  for (const Side side : {kDownstream, kUpstream}) {
    const unsigned at = io::index_of(side);
    tunnel.fds[at] = from.fds[at];
    Direction& direction = tunnel.directions[at];
    direction.queue = from.from[at];
    direction.ended = from.ended[at];
  }
  for (const Side side : {kDownstream, kUpstream}) {
    Direction& direction = tunnel.from(side);
    if (direction.queue.bytes > 0) send_queue(index, side);
    if (direction.ended) {
      if (direction.queue.bytes == 0) drained(index, side);
    } else if (direction.queue.bytes <= window_bytes(direction) / 2) {
      arm(index, side);
    }
  }
  return true;
}

void Tunnels::begin_connect(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  balance::Tried tried;
  for (; tried.count < tunnel.tried_count; tried.count++) {
    tried.slots[tried.count] = tunnel.tried[tried.count];
  }
  // A pool that was removed meanwhile has nobody left to connect to.
  const bool known = snapshot_.pool(tunnel.pool).incarnation == tunnel.pool_incarnation;
  const uint32_t backend =
      known ? balancer_.pick(tunnel.pool, tried, engine_.now_ns()) : balance::kNoBackend;
  if (backend == balance::kNoBackend) return finish_early(index, EarlyEnd::no_backend);
  if (tunnel.tried_count > 0) shm::add<uint64_t>(pool_words(tunnel).retries_total, 1);
  const int fd = connector_.dial(backend, token(index, io::Op::connect, kUpstream));
  if (fd < 0) {
    count_connect_failure(tunnel, backend, fd);
    return finish_early(index, EarlyEnd::no_backend);
  }
  connector_.occupy(backend);
  tunnel.fds[io::index_of(kUpstream)] = fd;
  tunnel.outstanding[io::index_of(kUpstream)]++;
  tunnel.connect_started_ns = engine_.now_ns();
  tunnel.connect_timed_out = false;
  join_backend_list(index, backend);
  wheel_.schedule(index, now_ms() + held_pool(tunnel).connect_timeout_ms);
}

void Tunnels::connected(uint32_t index, int result) {
  Tunnel& tunnel = slab_[index];
  tunnel.outstanding[io::index_of(kUpstream)]--;
  if (tunnel.state == Tunnel::State::closing) return free_if_quiet(index);
  if (result < 0) return connect_failed(index, result);
  opened(index);
}

void Tunnels::connect_failed(uint32_t index, int error) {
  Tunnel& tunnel = slab_[index];
  const uint32_t failed = tunnel.backend;
  if (tunnel.connect_timed_out) error = -ETIMEDOUT;
  count_connect_failure(tunnel, failed, error);
  outcomes_.connect_failed(pool_words(tunnel), failed, backend_incarnation(tunnel), error);
  leave_backend(index);
  if (tunnel.tried_count >= held_pool(tunnel).connect_retries ||
      tunnel.tried_count >= limits::kConnectRetriesMax) {
    return finish_early(index, EarlyEnd::no_backend);
  }
  tunnel.tried[tunnel.tried_count++] = failed;
  begin_connect(index);
}

void Tunnels::opened(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  const uint64_t connect_us = (engine_.now_ns() - tunnel.connect_started_ns) / 1000;
  auto& pool = pool_words(tunnel);
  auto& backend = block_.backend(tunnel.backend);
  shm::record(pool.connect_time, pool.connect_time_sum, connect_us);
  shm::add<uint64_t>(backend.connections_total, 1);
  shm::add<uint64_t>(backend.connect_time_sum, connect_us);
  outcomes_.connected(tunnel.backend, backend_incarnation(tunnel), tunnel.connect_started_ns);
  let_go_of_snapshot(tunnel);
  tunnel.state = Tunnel::State::open;
  tunnel.last_activity_ms = now_ms();
  wheel_.schedule(index, tunnel.last_activity_ms + tunnel.idle_timeout_ms);
  arm(index, kDownstream);
  arm(index, kUpstream);
}

// Gives the backend's socket and its place in the books back. Nothing of it may be in the kernel.
void Tunnels::leave_backend(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  if (tunnel.backend == UINT32_MAX) return;
  SLUICE_ASSERT(tunnel.outstanding[io::index_of(kUpstream)] == 0);
  leave_backend_list(index);
  connector_.release(tunnel.backend);
  engine_.close(tunnel.fd(kUpstream));
  tunnel.fds[io::index_of(kUpstream)] = -1;
  tunnel.backend = UINT32_MAX;
}

void Tunnels::let_go_of_snapshot(Tunnel& tunnel) {
  if (tunnel.snapshot_slot == Tunnel::kNoSnapshot) return;
  holder_.let_go(tunnel.snapshot_slot);
  tunnel.snapshot_slot = Tunnel::kNoSnapshot;
}

// The one way out. Cancels what is in the kernel; the last terminal completion frees the tunnel.
void Tunnels::finish(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  SLUICE_ASSERT(tunnel.state != Tunnel::State::closing);
  tunnel.state = Tunnel::State::closing;
  wheel_.cancel(index);
  for (const Side side : {kDownstream, kUpstream}) {
    if (tunnel.outstanding[io::index_of(side)] > 0) engine_.cancel(tunnel.fd(side));
  }
  free_if_quiet(index);
}

void Tunnels::finish_early(uint32_t index, EarlyEnd reason) {
  count_early_end(slab_[index], reason);
  finish(index);
}

void Tunnels::free_if_quiet(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  if (tunnel.outstanding[0] + tunnel.outstanding[1] > 0) return;
  for (Direction& direction : tunnel.directions) {
    direction.queue.drop(buffers_);
    leave_splice(direction);
    set_large(direction, false);
  }
  leave_backend(index);
  engine_.close(tunnel.fd(kDownstream));
  let_go_of_snapshot(tunnel);
  shm::add(listener_words(tunnel).connections, UINT32_MAX);
  auto& pool = pool_words(tunnel);
  shm::add(pool.connections, UINT32_MAX);
  shm::record(pool.duration, pool.duration_sum, (engine_.now_ns() - tunnel.opened_ns) / 1000);
  slab_.free(index);
  shm::add(block_.words().connections, UINT32_MAX);
}

void Tunnels::complete(const io::Completion& completion, io::Token token) {
#ifndef SLUICE_BREAK_accept_stale
  if (!slab_.is_current(token.slot, token.generation)) {
    if (!completion.buffer.is_none()) buffers_.release(completion.buffer);
    stale_completions_++;
    return;
  }
#endif
  switch (token.op) {
    case io::Op::recv:
      return received(token.slot, token.side, completion);
    case io::Op::send:
      return sent(token.slot, token.side, completion.result);
    case io::Op::connect:
      return connected(token.slot, completion.result);
    case io::Op::splice_in:
      return spliced_in(token.slot, token.side, completion.result);
    case io::Op::splice_out:
      return spliced_out(token.slot, token.side, completion.result);
    case io::Op::none:
    case io::Op::accept:
    case io::Op::poll:
    case io::Op::mail:
      break;
  }
  SLUICE_ASSERT(!"a tunnel starts no such operation");
}

void Tunnels::expire(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  if (tunnel.state == Tunnel::State::open) return expire_open(index);
  SLUICE_ASSERT(tunnel.state == Tunnel::State::connecting);
  // Its completion arrives as cancelled, and the next backend is tried then.
  tunnel.connect_timed_out = true;
  engine_.cancel(tunnel.fd(kUpstream));
}

// Nothing moved for the idle timeout, as far as completions tell. A peer that still acknowledges
// earlier bytes is slow, not idle.
void Tunnels::expire_open(uint32_t index) {
  Tunnel& tunnel = slab_[index];
  const uint64_t due = tunnel.last_activity_ms + tunnel.idle_timeout_ms;
  if (due > now_ms()) {
    tunnel.unacknowledged = 0;
    return wheel_.schedule(index, due);
  }
  const auto behind = [&](Side side) {  // an error says nothing about bytes
    return std::max<int64_t>(engine_.unacknowledged_bytes(tunnel.fd(side)), 0);
  };
  const uint32_t unacknowledged = static_cast<uint32_t>(behind(kDownstream) + behind(kUpstream));
  if (unacknowledged > 0 && unacknowledged != tunnel.unacknowledged) {
    tunnel.unacknowledged = unacknowledged;
    return wheel_.schedule(index, now_ms() + tunnel.idle_timeout_ms);
  }
  bool unfinished = unacknowledged > 0;
  for (const Direction& direction : tunnel.directions) {
    if (direction.queue.bytes + direction.pipe_bytes > 0) unfinished = true;
  }
  if (unfinished) {
    // Bytes are missing: an orderly end would make the stream look complete.
    engine_.reset_on_close(tunnel.fd(kDownstream));
    engine_.reset_on_close(tunnel.fd(kUpstream));
  }
  finish_early(index, unfinished ? EarlyEnd::stalled : EarlyEnd::idle_timeout);
}

void Tunnels::cut_marked(const shm::BackendLive* live) {
  for (uint32_t backend = 0; backend < backends_high_; backend++) {
    if (backend_lists_[backend] == 0) continue;
    const uint32_t admin = live[backend].admin.load(std::memory_order_relaxed);
    if (admin == static_cast<uint32_t>(shm::AdminState::cut)) cut(backend);
  }
}

void Tunnels::cut(uint32_t backend) {
  uint32_t next = backend_lists_[backend];
  while (next != 0) {
    const uint32_t index = next - 1;
    Tunnel& tunnel = slab_[index];
    next = tunnel.backend_next;
    if (tunnel.state == Tunnel::State::closing) continue;
    engine_.reset_on_close(tunnel.fd(kDownstream));
    engine_.reset_on_close(tunnel.fd(kUpstream));
    finish_early(index, EarlyEnd::cut);
  }
}

void Tunnels::cut_all() {
  for (uint32_t index = 0; index < slab_.touched(); index++) {
    if (!slab_.is_live(index)) continue;
    if (slab_[index].state != Tunnel::State::closing) finish(index);
  }
}

void Tunnels::join_backend_list(uint32_t index, uint32_t backend) {
  Tunnel& tunnel = slab_[index];
  tunnel.backend = backend;
  tunnel.backend_prev = 0;
  tunnel.backend_next = backend_lists_[backend];
  if (tunnel.backend_next != 0) slab_[tunnel.backend_next - 1].backend_prev = index + 1;
  backend_lists_[backend] = index + 1;
  if (backend >= backends_high_) backends_high_ = backend + 1;
}

void Tunnels::leave_backend_list(uint32_t index) {
  const Tunnel& tunnel = slab_[index];
  if (tunnel.backend_next != 0) slab_[tunnel.backend_next - 1].backend_prev = tunnel.backend_prev;
  if (tunnel.backend_prev != 0) {
    slab_[tunnel.backend_prev - 1].backend_next = tunnel.backend_next;
  } else {
    backend_lists_[tunnel.backend] = tunnel.backend_next;
  }
}

}  // namespace sluice::proxy
