// What exchanges count. A request counts for its listener from its head on, for its route and pool
// once they are known, and by the class of its status once the head of that has been sent.
#include "proxy/exchanges.h"
#include "proxy/failures.h"

namespace sluice::proxy {
namespace {

template <typename Words>
void count_class(Words& words, uint16_t status) {
  switch (status / 100) {
    case 1:
      return shm::add<uint64_t>(words.requests1xx_total, 1);
    case 2:
      return shm::add<uint64_t>(words.requests2xx_total, 1);
    case 3:
      return shm::add<uint64_t>(words.requests3xx_total, 1);
    case 4:
      return shm::add<uint64_t>(words.requests4xx_total, 1);
    default:
      return shm::add<uint64_t>(words.requests5xx_total, 1);
  }
}

template <typename Words>
Words& current_or(Words& words, uint32_t incarnation, Words& sink) {
  return words.incarnation.load(std::memory_order_relaxed) == incarnation ? words : sink;
}

}  // namespace

shm::WorkerListener& Exchanges::listener_words(const Downstream& d) {
  return current_or(block_.listener(d.listener), d.listener_incarnation, sink_[0].listener);
}

shm::WorkerPool& Exchanges::pool_words(const Exchange& x) {
  if (x.pool == kNone) return sink_[0].pool;
  return current_or(block_.pool(x.pool), x.pool_incarnation, sink_[0].pool);
}

shm::WorkerRoute& Exchanges::route_words(const Exchange& x) {
  if (x.route == kNone) return sink_[0].route;
  return current_or(block_.route(x.route), x.route_incarnation, sink_[0].route);
}

shm::WorkerBackend& Exchanges::backend_words(const upstream::Connection& connection) {
  return current_or(block_.backend(connection.backend), connection.incarnation, sink_[0].backend);
}

void Exchanges::count_began(Exchange& x) {
  auto& words = listener_words(client_of(x));
  shm::add<uint64_t>(words.requests_total, 1);
  shm::add(words.requests_in_flight, 1u);
}

void Exchanges::count_routed(Exchange& x) {
  auto& route = block_.route(x.route);
  shm::WorkerBlock::claim(route, x.route_incarnation);
  shm::add(route.requests_in_flight, 1u);
  auto& pool = block_.pool(x.pool);
  shm::WorkerBlock::claim(pool, x.pool_incarnation);
  shm::add<uint64_t>(pool.requests_total, 1);
  shm::add(pool.requests_in_flight, 1u);
}

void Exchanges::count_responded(Exchange& x) {
  auto& pool = pool_words(x);
  const uint64_t since = x.request_sent ? x.sent_ns : engine_.now_ns();
  if (x.logged) x.first_byte_us = static_cast<uint32_t>((engine_.now_ns() - x.began_ns) / 1000);
  shm::record(pool.response_time, pool.response_time_sum, (engine_.now_ns() - since) / 1000);
}

void Exchanges::count_answer(Exchange& x) {
  auto& words = listener_words(client_of(x));
  const auto word = [&]() -> std::atomic<uint64_t>& {
    switch (x.status) {
      case 404:
        return words.answered404_total;
      case 408:
        return words.answered408_total;
      case 413:
        return words.answered413_total;
      case 414:
        return words.answered414_total;
      case 417:
        return words.answered417_total;
      case 431:
        return words.answered431_total;
      case 501:
        return words.answered501_total;
      case 502:
        return words.answered502_total;
      case 503:
        return words.answered503_total;
      case 504:
        return words.answered504_total;
      case 505:
        return words.answered505_total;
      default:
        return words.answered400_total;
    }
  };
  shm::add<uint64_t>(word(), 1);
}

void Exchanges::count_connect_failure(Exchange& x, int error) {
  x.end = connect_failure_end(error);
  auto& pool = pool_words(x);
  auto& backend = backend_words(connections_[x.connection]);
  shm::add<uint64_t>(connect_failure_word(backend, error), 1);
  shm::add<uint64_t>(connect_failure_word(pool, error), 1);
  outcomes_.connect_failed(pool, x.backend, connections_[x.connection].incarnation, error);
}

// The backend did not begin an answer, or not a valid one.
void Exchanges::count_request_failure(Exchange& x) {
  const upstream::Connection& connection = connections_[x.connection];
  shm::add<uint64_t>(backend_words(connection).request_failures_total, 1);
  outcomes_.exchange_failed(pool_words(x), connection.backend, connection.incarnation);
}

// Nothing moved for too long after a response had begun: the client took nothing, or the backend
// sent nothing.
void Exchanges::count_stall(Exchange& x) {
  Downstream& d = client_of(x);
  x.end = d.sending ? log::End::stalled : log::End::response_cut;
  if (d.sending) {
    shm::add<uint64_t>(block_.words().stalls_cut_total, 1);
    shm::add<uint64_t>(listener_words(d).stalled_total, 1);
    if (x.pool != kNone) shm::add<uint64_t>(pool_words(x).stalled_total, 1);
    return;
  }
  if (x.connection == kNone) return;
  shm::add<uint64_t>(pool_words(x).response_cut_total, 1);
  shm::add<uint64_t>(backend_words(connections_[x.connection]).request_failures_total, 1);
}

// Once for every exchange, when it ends or becomes a tunnel.
void Exchanges::count_ended(Exchange& x) {
  auto& listener = listener_words(client_of(x));
  const uint64_t duration_us = (engine_.now_ns() - x.began_ns) / 1000;
  const bool told = x.status != 0 && x.response_head.bytes > 0 && x.response_head.left() == 0;
  shm::add(listener.requests_in_flight, UINT32_MAX);
  if (told) count_class(listener, x.status);
  shm::record(listener.request_duration, listener.request_duration_sum, duration_us);
  if (x.pool == kNone) return;
  auto& pool = pool_words(x);
  auto& route = route_words(x);
  shm::add(pool.requests_in_flight, UINT32_MAX);
  shm::add(route.requests_in_flight, UINT32_MAX);
  if (told) count_class(pool, x.status);
  if (told) count_class(route, x.status);
  shm::record(pool.request_duration, pool.request_duration_sum, duration_us);
  shm::record(route.duration, route.duration_sum, duration_us);
  shm::add<uint64_t>(route.request_bytes_total, x.request_bytes);
  shm::add<uint64_t>(route.response_bytes_total, x.sent_bytes);
}

}  // namespace sluice::proxy
