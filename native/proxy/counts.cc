// What is counted of a tunnel's bytes and of its end. An event is counted once, for everybody it
// concerns: the sums over listeners, over pools and over backends agree.
#include "proxy/failures.h"
#include "proxy/tunnels.h"

namespace sluice::proxy {
namespace {

template <typename Words>
std::atomic<uint64_t>& early_end_word(Words& words, EarlyEnd reason) {
  switch (reason) {
    case EarlyEnd::no_backend:
      return words.no_backend_total;
    case EarlyEnd::client_reset:
      return words.client_reset_total;
    case EarlyEnd::backend_reset:
      return words.backend_reset_total;
    case EarlyEnd::idle_timeout:
      return words.idle_timeout_total;
    case EarlyEnd::stalled:
      return words.stalled_total;
    case EarlyEnd::cut:
      break;
  }
  return words.cut_total;
}

}  // namespace

void Tunnels::count_received(Tunnel& tunnel, Side side, uint32_t bytes) {
  tunnel.last_activity_ms = now_ms();
  if (side == kDownstream) {
    shm::add<uint64_t>(listener_words(tunnel).received_bytes_total, bytes);
    return;
  }
  auto& pool = pool_words(tunnel);
  shm::add<uint64_t>(pool.from_backend_bytes_total, bytes);
  shm::add<uint64_t>(block_.backend(tunnel.backend).received_bytes_total, bytes);
  if (!tunnel.first_byte_seen) {
    tunnel.first_byte_seen = true;
    outcomes_.answered(tunnel.backend, backend_incarnation(tunnel), tunnel.connect_started_ns);
    shm::record(pool.first_byte_time, pool.first_byte_time_sum,
                (engine_.now_ns() - tunnel.opened_ns) / 1000);
  }
}

void Tunnels::count_sent(Tunnel& tunnel, Side side, uint32_t bytes) {
  tunnel.last_activity_ms = now_ms();
  if (side == kDownstream) {
    shm::add<uint64_t>(listener_words(tunnel).sent_bytes_total, bytes);
    return;
  }
  shm::add<uint64_t>(pool_words(tunnel).to_backend_bytes_total, bytes);
  shm::add<uint64_t>(block_.backend(tunnel.backend).sent_bytes_total, bytes);
}

void Tunnels::count_connect_failure(Tunnel& tunnel, uint32_t backend, int error) {
  shm::add<uint64_t>(connect_failure_word(pool_words(tunnel), error), 1);
  shm::add<uint64_t>(connect_failure_word(block_.backend(backend), error), 1);
}

// The first reason is the cause; what fails after it is its consequence.
void Tunnels::count_early_end(Tunnel& tunnel, EarlyEnd reason) {
  if (tunnel.early_end_counted) return;
  tunnel.early_end_counted = true;
  shm::add<uint64_t>(early_end_word(listener_words(tunnel), reason), 1);
  shm::add<uint64_t>(early_end_word(pool_words(tunnel), reason), 1);
  if (reason == EarlyEnd::backend_reset) {
    shm::add<uint64_t>(block_.backend(tunnel.backend).backend_reset_total, 1);
  } else if (reason == EarlyEnd::cut) {
    shm::add<uint64_t>(block_.backend(tunnel.backend).cut_total, 1);
  } else if (reason == EarlyEnd::stalled) {
    shm::add<uint64_t>(block_.words().stalls_cut_total, 1);
  }
}

}  // namespace sluice::proxy
