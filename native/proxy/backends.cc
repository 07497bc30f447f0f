// An exchange's way to a backend: pick one, reuse a connection or make one, try another, give the
// connection back.
#include <algorithm>
#include <cerrno>

#include "proxy/exchanges.h"
#include "proxy/window.h"

namespace sluice::proxy {

using upstream::Connection;

// Picks a backend that was not tried yet. A pool that was removed meanwhile has nobody left.
void Exchanges::dispatch(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  balance::Tried tried;
  for (; tried.count < x.tried_count; tried.count++) {
    tried.slots[tried.count] = x.tried[tried.count];
  }
  const bool known = snapshot_.pool(x.pool).incarnation == x.pool_incarnation;
  x.backend = known ? balancer_.pick(x.pool, tried, engine_.now_ns()) : balance::kNoBackend;
  if (x.backend == balance::kNoBackend) {
    x.backend = kNone;
    if (x.tried_count == 0) x.end = log::End::no_backend;
    if (x.tried_count == 0) shm::add<uint64_t>(pool_words(x).no_backend_total, 1);
    return answer(x_index, x.tried_count == 0 ? 503 : x.connect_timed_out ? 504 : 502);
  }
  connector_.occupy(x.backend);
  auto& words = block_.backend(x.backend);
  const uint32_t incarnation = snapshot_.backend(x.backend).incarnation;
  x.served_by = {x.backend, incarnation};
  const uint32_t index = connections_.take_idle(x.backend, incarnation);
  if (index == kNone) return connect(x_index);
  shm::add(words.idle_connections, UINT32_MAX);
  shm::add<uint64_t>(words.connections_reused_total, 1);
  connections_[index].exchange = x_index;
  x.connection = index;
  x.reused = true;
  begin_request(x_index);
}

void Exchanges::connect(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  x.step = Exchange::Step::connecting;
  x.reused = false;
  const uint32_t incarnation = snapshot_.backend(x.backend).incarnation;
  const uint32_t index = connections_.open(x.backend, incarnation);
  if (index == kNone) {
    connector_.release(x.backend);
    x.backend = kNone;
    return answer(x_index, 503);
  }
  Connection& connection = connections_[index];
  connection.exchange = x_index;
  connection.started_ns = engine_.now_ns();
  x.connection = index;
  connection.fd = connector_.dial(x.backend, up_token(index, io::Op::connect));
  if (connection.fd < 0) return connect_failed(index, connection.fd);
  connection.outstanding++;
  set_deadline(x.downstream, x.connect_timeout_ms);
}

void Exchanges::connected(uint32_t index, int result) {
  Connection& connection = connections_[index];
  connection.outstanding--;
  if (connection.state == Connection::State::closing) return free_connection_if_quiet(index);
  if (result < 0) return connect_failed(index, connection.timed_out ? -ETIMEDOUT : result);
  const uint32_t x_index = connection.exchange;
  const uint64_t connect_us = (engine_.now_ns() - connection.started_ns) / 1000;
  exchanges_[x_index].connect_us = static_cast<uint32_t>(connect_us);
  auto& pool = pool_words(exchanges_[x_index]);
  auto& backend = backend_words(connection);
  shm::record(pool.connect_time, pool.connect_time_sum, connect_us);
  shm::add<uint64_t>(backend.connections_total, 1);
  shm::add<uint64_t>(backend.connect_time_sum, connect_us);
  outcomes_.connected(connection.backend, connection.incarnation, connection.started_ns);
  connection.state = Connection::State::busy;
  begin_request(x_index);
}

void Exchanges::connect_failed(uint32_t index, int error) {
  const uint32_t x_index = connections_[index].exchange;
  Exchange& x = exchanges_[x_index];
  count_connect_failure(x, error);
  x.connect_timed_out = error == -ETIMEDOUT;
  const uint32_t failed = x.backend;
  release_connection(x_index, false);
  if (x.tried_count >= x.connect_retries) {
    return answer(x_index, x.connect_timed_out ? 504 : 502);
  }
  x.tried[x.tried_count++] = failed;
  shm::add<uint64_t>(pool_words(x).retries_total, 1);
  dispatch(x_index);
}

void Exchanges::begin_request(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Connection& connection = connections_[x.connection];
  x.step = Exchange::Step::requesting;
  x.end = log::End::client_aborted;
  connection.requests++;
  shm::add<uint64_t>(block_.backend(x.backend).requests_total, 1);
  set_deadline(x.downstream, x.request_body_timeout_ms);
  const uint32_t index = x.connection;
  send_request(x_index);
  arm_up(index);
}

// RFC 9112 section 9.3.1: a request on a connection that had served others may have met its
// closing. It is sent again if that does no harm and we still hold all of it.
bool Exchanges::may_retry(const Exchange& x) const {
  if (!x.reused || x.retried || x.body_released || x.interim_count > 0) return false;
  if (x.request_head.sent == 0) return true;
  switch (x.method) {
    case http::Method::get:
    case http::Method::head:
    case http::Method::options:
    case http::Method::trace:
    case http::Method::put:
    case http::Method::delete_:
      return true;
    default:
      return false;
  }
}

// The connection ended before a response began.
void Exchanges::upstream_died(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  const Connection& connection = connections_[x.connection];
  SLUICE_ASSERT(!connection.sending);
  const bool silent = connection.in.empty() && x.reader.block == HeadBlocks::kNone;
  if (!silent || !may_retry(x)) {
    count_request_failure(x);
    auto& pool = pool_words(x);
    x.end = silent ? log::End::response_cut : log::End::response_invalid;
    shm::add<uint64_t>(silent ? pool.response_cut_total : pool.response_invalid_total, 1);
    return answer(x_index, 502);
  }
  const uint32_t backend = x.backend;
  const bool out = balancer_.is_out(backend, connection.incarnation, engine_.now_ns());
  release_connection(x_index, false);
  shm::add<uint64_t>(pool_words(x).request_retries_total, 1);
  x.retried = true;
  x.request_head.sent = 0;
  x.request_sent = false;
  // On a fresh connection to the same one, unless it is no longer what it was or is ejected.
  if (snapshot_.pool(x.pool).incarnation != x.pool_incarnation) return answer(x_index, 502);
  if (out) return dispatch(x_index);
  x.backend = backend;
  connector_.occupy(backend);
  connect(x_index);
}

// The exchange and its connection part: it is kept for another request or closed.
void Exchanges::release_connection(uint32_t x_index, bool keep) {
  Exchange& x = exchanges_[x_index];
  if (x.connection == kNone) return;
  const uint32_t index = x.connection;
  x.connection = kNone;
  connector_.release(x.backend);
  x.backend = kNone;
  Connection& connection = connections_[index];
  if (connection.sending) {  // the kernel still reads what is being sent
    connection.in.drop(buffers_);
    connection.in = x.up;
    x.up = io::BufferQueue{};
    connection.block = x.request_head.block;
    x.request_head.block = HeadBlocks::kNone;
  }
  keep ? keep_idle(index) : close_connection(index);
}

void Exchanges::keep_idle(uint32_t index) {
  Connection& connection = connections_[index];
  const shm::SnapshotBackend& backend = snapshot_.backend(connection.backend);
  const shm::SnapshotPool& pool = snapshot_.pool(backend.pool);
  const bool spent =
      pool.keep_alive_requests_max != 0 && connection.requests >= pool.keep_alive_requests_max;
  if (connection.incarnation != backend.incarnation || spent || draining_ || connection.ended ||
      connection.sending || !connection.in.empty() ||
      connections_.idle_count(connection.backend) >= pool.idle_max) {
    return close_connection(index);
  }
  connections_.make_idle(index);
  shm::add(backend_words(connection).idle_connections, 1u);
  connection.idle_until_ms = now_ms() + pool.keep_alive_idle_ms;
  const uint32_t timer = timers_first_ + connections_max_ + index;
  if (!wheel_.is_scheduled(timer)) wheel_.schedule(timer, connection.idle_until_ms);
  arm_up(index);
}

void Exchanges::close_connection(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.state == Connection::State::idle) {
    shm::add(backend_words(connection).idle_connections, UINT32_MAX);
  }
  connections_.begin_close(index);
  wheel_.cancel(timers_first_ + connections_max_ + index);
  if (connection.outstanding > 0) engine_.cancel(connection.fd);
  free_connection_if_quiet(index);
}

void Exchanges::free_connection_if_quiet(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.outstanding > 0) return;
  connection.in.drop(buffers_);
  blocks_.drop(connection.block);
  drop_pipe(connection.pipe);
  if (connection.fd >= 0) engine_.close(connection.fd);  // a tunnel has taken it otherwise
  connections_.free(index);
}

// Receives while what is held for the client leaves room in the window. An idle connection is
// always received from: that is how its end is noticed.
void Exchanges::arm_up(uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.receiving || connection.ended) return;
  uint32_t held = connection.in.bytes;
  io::BufferClass cls = io::BufferClass::small;
  uint64_t window = small_window_bytes(buffers_);
  uint64_t most = window;
  bool head = true;
  if (connection.exchange != kNone) {
    Exchange& x = exchanges_[connection.exchange];
    if (x.step == Exchange::Step::upgrading || begin_splice(connection.exchange)) return;
    held += x.down.bytes;
    cls = response_class(x);
    head = x.step == Exchange::Step::requesting;
    if (x.large) window = limits::kLargeWindowBytes;
    // Ends with the body: what follows is small again.
    most = x.large ? x.response.plain_bytes() : window;
  }
  if (held > (head ? limits::kWindowBytes : window) / 2) return;
  const uint64_t credit = std::min(most, head ? window : window - held);
  connection.receiving = true;
  connection.outstanding++;
  engine_.recv(connection.fd, up_token(index, io::Op::recv), cls, static_cast<uint32_t>(credit));
}

void Exchanges::adopt(shm::SnapshotView snapshot) {
  const bool listeners_changed = snapshot_.is_none() || snapshot_.head().listeners_version !=
                                                            snapshot.head().listeners_version;
  snapshot_ = snapshot;
  for (uint32_t backend = 0; backend < connections_.backends_high(); backend++) {
    const uint32_t incarnation = snapshot.backend(backend).incarnation;
    uint32_t next = connections_.first_of(backend);
    while (next != 0) {
      const uint32_t index = next - 1;
      const Connection& connection = connections_[index];
      next = connection.next;
      if (connection.state != Connection::State::idle) continue;
      if (connection.incarnation != incarnation) close_connection(index);
    }
  }
  if (!listeners_changed) return;
  for (uint32_t index = 0; index < downstreams_.touched(); index++) {
    if (!downstreams_.is_live(index)) continue;
    const Downstream& d = downstreams_[index];
    if (d.state == Downstream::State::reading && !is_listener_current(d)) close_orderly(index);
  }
}

void Exchanges::cut_marked(const shm::BackendLive* live) {
  for (uint32_t backend = 0; backend < connections_.backends_high(); backend++) {
    if (connections_.first_of(backend) == 0) continue;
    const uint32_t admin = live[backend].admin.load(std::memory_order_relaxed);
    if (admin != static_cast<uint32_t>(shm::AdminState::cut)) continue;
    while (connections_.first_of(backend) != 0) {
      const uint32_t index = connections_.first_of(backend) - 1;
      const uint32_t x_index = connections_[index].exchange;
      if (x_index == kNone) {
        close_connection(index);
        continue;
      }
      Exchange& x = exchanges_[x_index];
      x.end = log::End::cut;
      shm::add<uint64_t>(listener_words(client_of(x)).cut_total, 1);
      shm::add<uint64_t>(pool_words(x).cut_total, 1);
      shm::add<uint64_t>(backend_words(connections_[index]).cut_total, 1);
      cut_response(x_index);
    }
  }
}

}  // namespace sluice::proxy
