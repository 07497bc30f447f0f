#include "balance/ejections.h"

#include <algorithm>

namespace sluice::balance {
namespace {

constexpr uint64_t kMs = 1'000'000;
// Doublings that reach any maximum from any beginning.
constexpr uint8_t kLevelMax = 32;

uint32_t length_ms(const EjectionPolicy& policy, uint8_t level) {
  const uint64_t wanted = uint64_t{policy.base_ms} << (level - 1);
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, std::max(policy.base_ms, policy.max_ms)));
}

}  // namespace

Ejections::Entry& Ejections::claim(uint32_t backend, uint32_t incarnation) {
  Entry& entry = entries_[backend];
  if (entry.incarnation == incarnation) return entry;
  if (entry.level > 0) count_--;
  entry = Entry{.incarnation = incarnation};
  return entry;
}

uint64_t Ejections::failed(uint32_t backend, uint32_t incarnation, Failure failure, uint32_t streak,
                           const EjectionPolicy& policy, uint64_t now_ns) {
  if (policy.failures == 0) return 0;
  Entry& entry = claim(backend, incarnation);
  entry.last = failure;
  if (entry.level == 0) {
    if (failure != Failure::unreachable && streak < policy.failures) return 0;
  } else if (!entry.trying && now_ns < entry.until_ns) {
    return 0;  // known: work that was under way, or nobody else was left
  }
  if (entry.level == 0) count_++;
  if (entry.level < kLevelMax) entry.level++;
  entry.trying = false;
  entry.lasts_ms = length_ms(policy, entry.level);
  entry.since_ns = now_ns;
  entry.until_ns = now_ns + entry.lasts_ms * kMs;
  return entry.until_ns;
}

bool Ejections::succeeded(uint32_t backend, uint32_t incarnation, uint64_t began_ns) {
  Entry& entry = entries_[backend];
  if (entry.incarnation != incarnation || entry.level == 0) return true;
  if (began_ns < entry.since_ns) return false;
  count_--;
  entry.level = 0;
  entry.trying = false;
  entry.until_ns = 0;
  return true;
}

void Ejections::begin_try(uint32_t backend, uint64_t now_ns) {
  Entry& entry = entries_[backend];
  entry.trying = true;
  entry.until_ns = now_ns + std::max<uint32_t>(entry.lasts_ms, 1) * kMs;
}

}  // namespace sluice::balance
