#include "proxy/outcomes.h"

namespace sluice::proxy {

using balance::Failure;

void Outcomes::connect_failed(shm::WorkerPool& pool, uint32_t backend, uint32_t incarnation,
                              int error) {
  switch (error) {
    case -ECONNREFUSED:
    case -ENOENT:  // nobody has bound the path
    case -EHOSTUNREACH:
    case -ENETUNREACH:
      return failed(pool, backend, incarnation, Failure::unreachable);
    case -ETIMEDOUT:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -EPIPE:
    case -EAGAIN:  // a Unix socket whose queue is full
      return failed(pool, backend, incarnation, Failure::connect);
    default:
      return;
  }
}

void Outcomes::failed(shm::WorkerPool& pool, uint32_t backend, uint32_t incarnation,
                      Failure failure) {
  shm::WorkerBackend& words = block_.backend(backend);
  if (words.incarnation.load(std::memory_order_relaxed) != incarnation) return;
  shm::add(words.failure_streak, 1u);
  const uint32_t streak = words.failure_streak.load(std::memory_order_relaxed);
  const uint64_t until_ns =
      balancer_.failed(backend, incarnation, failure, streak, engine_.now_ns());
  if (until_ns == 0) return;
  const bool failures = failure != Failure::unreachable;
  const auto reason = failures ? shm::EjectionReason::failures : shm::EjectionReason::connect;
  words.ejection_reason.store(static_cast<uint32_t>(reason), std::memory_order_relaxed);
  words.ejected_until.store(until_ns, std::memory_order_relaxed);
  shm::add<uint64_t>(words.ejections_total, 1);
  shm::add<uint64_t>(failures ? pool.ejections_failures_total : pool.ejections_connect_total, 1);
  // Last: who sees it finds the rest.
  auto& total = block_.words().ejections_total;
  total.store(total.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void Outcomes::take_back(uint32_t backend, uint32_t incarnation, uint64_t began_ns) {
  shm::WorkerBackend& words = block_.backend(backend);
  if (words.incarnation.load(std::memory_order_relaxed) != incarnation) return;
  if (!balancer_.succeeded(backend, incarnation, began_ns)) return;
  words.failure_streak.store(0, std::memory_order_relaxed);
  words.ejected_until.store(0, std::memory_order_relaxed);
}

}  // namespace sluice::proxy
