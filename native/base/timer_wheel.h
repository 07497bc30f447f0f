// A hierarchical timer wheel. Pure: time comes in as an argument. One node per possible timer,
// named by its index (a connection's slot), so scheduling allocates nothing. Owners re-insert
// lazily: they keep a deadline of their own and schedule again when the timer fires early.
//
// Ticks are 8 ms. Level L holds timers whose expiry first differs from the current tick in the L-th
// group of six bits, so the earliest occupied slot of the lowest occupied level is the next event.
#pragma once

#include <bit>
#include <cstdint>

#include "base/assert.h"
#include "base/reserved_array.h"

namespace sluice {

class TimerWheel {
 public:
  static constexpr uint64_t kTickMs = 8;
  static constexpr uint64_t kNever = UINT64_MAX;

  TimerWheel(uint32_t capacity, uint64_t now_ms) : nodes_(capacity), current_(now_ms / kTickMs) {}

  bool ok() const { return nodes_.ok(); }
  uint32_t scheduled() const { return scheduled_; }
  bool is_scheduled(uint32_t index) const { return nodes_[index].expiry != 0; }

  // Fires at the first tick boundary not before `deadline_ms`, at the earliest at the next tick.
  void schedule(uint32_t index, uint64_t deadline_ms) {
    if (is_scheduled(index)) cancel(index);
    uint64_t expiry = (deadline_ms + kTickMs - 1) / kTickMs;
    if (expiry <= current_) expiry = current_ + 1;
    insert(index, expiry);
    scheduled_++;
  }

  void cancel(uint32_t index) {
    if (!is_scheduled(index)) return;
    unlink(index);
    nodes_[index].expiry = 0;
    scheduled_--;
  }

  // No timer fires before this time; kNever when none is scheduled.
  uint64_t next_event_ms() const {
    const uint64_t tick = next_event_tick();
    return tick == kNever ? kNever : tick * kTickMs;
  }

  // Moves to `now_ms` and calls `fire(index)` for each timer that is due. A fired timer is
  // unscheduled; `fire` may schedule and cancel any timer.
  template <typename Fire>
  void advance(uint64_t now_ms, Fire&& fire) {
    const uint64_t target = now_ms / kTickMs;
    while (current_ < target) {
      const uint64_t next = next_event_tick();
      if (next > target) {
        current_ = target;
        return;
      }
      current_ = next;
      cascade();
      fire_due(fire);
    }
  }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;
  static constexpr unsigned kLevels = 6;

  struct Node {
    uint64_t expiry;  // tick; 0 when not scheduled
    uint32_t next;    // index + 1; 0 ends the list
    uint32_t prev;    // index + 1; 0 marks the head
  };

  static constexpr unsigned digit(uint64_t tick, unsigned level) {
    return static_cast<unsigned>(tick >> (kBits * level)) & (kSlots - 1);
  }
  unsigned level_of(uint64_t expiry) const {
    const uint64_t difference = expiry ^ current_;
    const unsigned top = difference == 0 ? 0 : 63 - std::countl_zero(difference);
    return top / kBits;
  }

  void insert(uint32_t index, uint64_t expiry) {
    const unsigned level = level_of(expiry);
    SLUICE_ASSERT(level < kLevels);
    const unsigned slot = digit(expiry, level);
    uint32_t& head = heads_[level][slot];
    nodes_[index] = Node{expiry, head, 0};
    if (head != 0) nodes_[head - 1].prev = index + 1;
    head = index + 1;
    occupied_[level] |= uint64_t{1} << slot;
  }

  void unlink(uint32_t index) {
    const Node node = nodes_[index];
    if (node.next != 0) nodes_[node.next - 1].prev = node.prev;
    if (node.prev != 0) {
      nodes_[node.prev - 1].next = node.next;
      return;
    }
    const unsigned level = level_of(node.expiry);
    const unsigned slot = digit(node.expiry, level);
    SLUICE_ASSERT(heads_[level][slot] == index + 1);
    heads_[level][slot] = node.next;
    if (node.next == 0) occupied_[level] &= ~(uint64_t{1} << slot);
  }

  uint64_t next_event_tick() const {
    for (unsigned level = 0; level < kLevels; level++) {
      if (occupied_[level] == 0) continue;
      const unsigned slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      const uint64_t high = current_ >> (kBits * (level + 1)) << (kBits * (level + 1));
      return high | static_cast<uint64_t>(slot) << (kBits * level);
    }
    return kNever;
  }

  uint32_t detach(unsigned level, unsigned slot) {
    const uint32_t head = heads_[level][slot];
    heads_[level][slot] = 0;
    occupied_[level] &= ~(uint64_t{1} << slot);
    return head;
  }

  // `current_` has just reached the start of a slot on every level whose lower digits are zero.
  void cascade() {
    for (unsigned level = kLevels - 1; level > 0; level--) {
      if ((current_ & ((uint64_t{1} << (kBits * level)) - 1)) != 0) continue;
      uint32_t head = detach(level, digit(current_, level));
      while (head != 0) {
        const uint32_t index = head - 1;
        head = nodes_[index].next;
        insert(index, nodes_[index].expiry);
      }
    }
  }

  template <typename Fire>
  void fire_due(Fire&& fire) {
    const unsigned slot = digit(current_, 0);
    // Taken one by one: `fire` may cancel a timer that is still in this list.
    while (heads_[0][slot] != 0) {
      const uint32_t index = heads_[0][slot] - 1;
      if (nodes_[index].expiry != current_) return;
      unlink(index);
      nodes_[index].expiry = 0;
      scheduled_--;
      fire(index);
    }
  }

  ReservedArray<Node> nodes_;
  uint64_t current_;
  uint64_t occupied_[kLevels] = {};
  uint32_t heads_[kLevels][kSlots] = {};
  uint32_t scheduled_ = 0;
};

}  // namespace sluice
