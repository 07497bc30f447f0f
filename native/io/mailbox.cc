#include "io/mailbox.h"

#include "base/assert.h"

namespace sluice::io {

bool Mailbox::post(uint32_t lane_index, uint64_t value) {
  SLUICE_ASSERT(lane_index < lanes_.capacity());
  Lane& lane = lanes_[lane_index];
  const uint32_t tail = lane.tail.load(std::memory_order_relaxed);
  if (tail - lane.head.load(std::memory_order_acquire) == kLaneEntries) {
    lane.refused.store(lane.refused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return false;
  }
  lane.values[tail % kLaneEntries] = value;
  lane.tail.store(tail + 1, std::memory_order_release);
  return true;
}

bool Mailbox::take(uint64_t* value) {
  const uint32_t lanes = static_cast<uint32_t>(lanes_.capacity());
  for (uint32_t i = 0; i < lanes; i++) {
    Lane& lane = lanes_[next_lane_];
    next_lane_ = next_lane_ + 1 == lanes ? 0 : next_lane_ + 1;
    const uint32_t head = lane.head.load(std::memory_order_relaxed);
    if (head == lane.tail.load(std::memory_order_acquire)) continue;
    *value = lane.values[head % kLaneEntries];
    lane.head.store(head + 1, std::memory_order_release);
    return true;
  }
  return false;
}

uint64_t Mailbox::refused() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < lanes_.capacity(); i++) {
    sum += lanes_[i].refused.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace sluice::io
