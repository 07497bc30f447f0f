// A worker's ring of records in the shared region. One producer, the worker; one consumer, the
// logger. Positions count bytes and never wrap; a record that does not fit before the ring's end
// leaves a gap there.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "log/record.h"
#include "shm/histogram.h"
#include "shm/region.h"

namespace sluice::log {

inline constexpr uint64_t kRingMask = shm::kLogRingBytes - 1;
static_assert((shm::kLogRingBytes & kRingMask) == 0 && shm::kLogRingBytes > 8 * kRecordBytesMax);
// In the place of a record's length: the rest up to the ring's end is a gap.
inline constexpr uint32_t kGap = 0;

// The worker's end. Makes no system call and waits for nobody: a full ring drops and counts.
class RingWriter {
 public:
  RingWriter(const shm::Region& region, uint32_t worker)
      : words_(
            *reinterpret_cast<shm::WorkerLog*>(region.worker_area(worker) + shm::kWorkerLogOffset)),
        tail_word_(reinterpret_cast<const shm::WorkerLogTail*>(region.worker_area(worker) +
                                                               shm::kWorkerLogTailOffset)
                       ->tail),
        data_(region.worker_area(worker) + shm::kWorkerLogRingOffset),
        head_(words_.head.load(std::memory_order_relaxed)) {}

  // False when the record was dropped.
  bool put(const Record& record) {
    SLUICE_VERIFY(record.bytes % 8 == 0 && record.bytes <= kRecordBytesMax);
    const uint64_t to_end = shm::kLogRingBytes - (head_ & kRingMask);
    const uint64_t gap = to_end < record.bytes ? to_end : 0;
    const uint64_t next = head_ + gap + record.bytes;
    if (next - tail_ > shm::kLogRingBytes) {
      tail_ = tail_word_.load(std::memory_order_acquire);
      if (next - tail_ > shm::kLogRingBytes) {
        shm::add<uint64_t>(words_.dropped_total, 1);
        return false;
      }
    }
    if (gap > 0) std::memcpy(data_ + (head_ & kRingMask), &kGap, sizeof(kGap));
    std::memcpy(data_ + ((head_ + gap) & kRingMask), &record, record.bytes);
    head_ = next;
    shm::add<uint64_t>(words_.records_total, 1);
    words_.head.store(next, std::memory_order_release);
    return true;
  }

 private:
  shm::WorkerLog& words_;
  const std::atomic<uint64_t>& tail_word_;
  uint8_t* const data_;
  uint64_t head_;
  uint64_t tail_ = 0;  // as last seen
};

// The logger's end.
class RingReader {
 public:
  RingReader(const shm::Region& region, uint32_t worker)
      : tail_word_(reinterpret_cast<shm::WorkerLogTail*>(region.worker_area(worker) +
                                                         shm::kWorkerLogTailOffset)
                       ->tail),
        head_word_(reinterpret_cast<const shm::WorkerLog*>(region.worker_area(worker) +
                                                           shm::kWorkerLogOffset)
                       ->head),
        data_(region.worker_area(worker) + shm::kWorkerLogRingOffset),
        tail_(tail_word_.load(std::memory_order_relaxed)) {}

  // The next record; nullptr: there is none. Valid until `release`.
  const Record* next() {
    if (tail_ == head_) head_ = head_word_.load(std::memory_order_acquire);
    if (tail_ == head_) return nullptr;
    uint32_t bytes = length_at(tail_);
    if (bytes == kGap) {
      tail_ += shm::kLogRingBytes - (tail_ & kRingMask);
      bytes = length_at(tail_);
    }
    SLUICE_ASSERT(bytes >= sizeof(Record) && bytes <= kRecordBytesMax && head_ - tail_ >= bytes);
    const auto* record = reinterpret_cast<const Record*>(data_ + (tail_ & kRingMask));
    tail_ += bytes;
    return record;
  }
  // What the worker has put in until now, as a position. Any thread.
  uint64_t end() const { return head_word_.load(std::memory_order_acquire); }
  // Passes over records up to that position and returns how many they were.
  uint64_t skip_to(uint64_t end) {
    uint64_t skipped = 0;
    while (tail_ < end && next() != nullptr) skipped++;
    release();
    return skipped;
  }
  // Gives the room of all records that `next` has returned back to the worker.
  void release() { tail_word_.store(tail_, std::memory_order_release); }

 private:
  uint32_t length_at(uint64_t position) const {
    uint32_t bytes;
    std::memcpy(&bytes, data_ + (position & kRingMask), sizeof(bytes));
    return bytes;
  }

  std::atomic<uint64_t>& tail_word_;
  const std::atomic<uint64_t>& head_word_;
  const uint8_t* const data_;
  uint64_t tail_;
  uint64_t head_ = tail_;  // as last seen
};

}  // namespace sluice::log
