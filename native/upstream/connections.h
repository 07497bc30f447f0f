// A worker's HTTP connections to backends: their records, the list of them by backend, and per
// backend the stack of idle ones. Bookkeeping only; proxy/ starts and handles their operations.
//
// States:  connecting -> busy <-> idle -> closing -> (freed)
//   busy     serves one exchange
//   idle     on its backend's stack, with a receive armed: whatever that reports ends it
//   closing  everything outstanding was cancelled
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "base/reserved_array.h"
#include "base/slab.h"
#include "io/buffer_queue.h"

namespace sluice::upstream {

struct Connection {
  enum class State : uint8_t { connecting, busy, idle, closing };

  int32_t fd = -1;
  uint32_t exchange = UINT32_MAX;  // whom it serves; none while idle
  uint32_t backend = 0;
  uint32_t incarnation = 0;
  // Indices + 1; 0 ends the list.
  uint32_t next = 0;
  uint32_t prev = 0;
  uint32_t idle_next = 0;
  uint32_t idle_prev = 0;
  // Received, not yet looked at; while closing, what an unfinished send reads.
  io::BufferQueue in;
  uint32_t block = UINT32_MAX;  // while closing: the head block such a send reads
  uint16_t pipe = UINT16_MAX;   // while closing: the pipe an unfinished splice uses
  uint64_t started_ns = 0;
  uint64_t idle_until_ms = 0;
  uint32_t requests = 0;
  State state = State::connecting;
  uint8_t outstanding = 0;  // operations in the kernel
  bool receiving : 1 = false;
  bool sending : 1 = false;
  bool ended : 1 = false;   // end of stream or an error was read
  bool failed : 1 = false;  // it was an error
  bool broken : 1 = false;  // a send failed; what the backend has said may still be read
  bool timed_out : 1 = false;
};

class Connections {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  Connections(uint32_t capacity, uint32_t backends) : slab_(capacity), lists_(backends) {}

  bool ok() const { return slab_.ok() && lists_.ok(); }
  uint32_t count() const { return slab_.used(); }
  Connection& operator[](uint32_t index) { return slab_[index]; }
  uint32_t generation(uint32_t index) const { return slab_.generation(index); }
  bool is_current(uint32_t index, uint32_t generation) const {
    return slab_.is_current(index, generation);
  }
  // One past the highest backend slot that ever had a connection.
  uint32_t backends_high() const { return backends_high_; }
  uint32_t idle_count(uint32_t backend) const { return lists_[backend].idle_count; }
  uint32_t first_of(uint32_t backend) const { return lists_[backend].first; }  // index + 1

  // A record in the backend's list, or kNone when there are too many.
  uint32_t open(uint32_t backend, uint32_t incarnation) {
    const uint32_t index = slab_.take();
    if (index == Slab<Connection>::kNone) return kNone;
    Connection& connection = slab_[index];
    connection.backend = backend;
    connection.incarnation = incarnation;
    List& list = lists_[backend];
    connection.next = list.first;
    if (list.first != 0) slab_[list.first - 1].prev = index + 1;
    list.first = index + 1;
    if (backend >= backends_high_) backends_high_ = backend + 1;
    return index;
  }

  // The connection that became idle last, no longer idle; kNone when there is none.
  uint32_t take_idle(uint32_t backend, uint32_t incarnation) {
    const uint32_t first = lists_[backend].idle;
    if (first == 0 || slab_[first - 1].incarnation != incarnation) return kNone;
    leave_idle(first - 1);
    slab_[first - 1].state = Connection::State::busy;
    return first - 1;
  }

  void make_idle(uint32_t index) {
    Connection& connection = slab_[index];
    List& list = lists_[connection.backend];
    connection.state = Connection::State::idle;
    connection.exchange = UINT32_MAX;
    connection.idle_prev = 0;
    connection.idle_next = list.idle;
    if (list.idle != 0) slab_[list.idle - 1].idle_prev = index + 1;
    list.idle = index + 1;
    list.idle_count++;
  }

  // Out of the lists: nobody finds it any more.
  void begin_close(uint32_t index) {
    Connection& connection = slab_[index];
    if (connection.state == Connection::State::idle) leave_idle(index);
    if (connection.next != 0) slab_[connection.next - 1].prev = connection.prev;
    if (connection.prev != 0) {
      slab_[connection.prev - 1].next = connection.next;
    } else {
      lists_[connection.backend].first = connection.next;
    }
    connection.state = Connection::State::closing;
    connection.exchange = UINT32_MAX;
  }

  void free(uint32_t index) { slab_.free(index); }
  // Gives back memory of records that have not been used since the last call.
  void rest() { slab_.rest(limits::kWarmRecords, limits::kRestReleasesMax); }

 private:
  struct List {
    uint32_t first;  // index + 1 of any
    uint32_t idle;   // index + 1 of the one that became idle last
    uint32_t idle_count;
  };

  void leave_idle(uint32_t index) {
    const Connection& connection = slab_[index];
    List& list = lists_[connection.backend];
    list.idle_count--;
    if (connection.idle_next != 0) slab_[connection.idle_next - 1].idle_prev = connection.idle_prev;
    if (connection.idle_prev != 0) {
      slab_[connection.idle_prev - 1].idle_next = connection.idle_next;
    } else {
      list.idle = connection.idle_next;
    }
  }

  Slab<Connection> slab_;
  ReservedArray<List> lists_;
  uint32_t backends_high_ = 0;
};

}  // namespace sluice::upstream
