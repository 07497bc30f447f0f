#include "sim/io_sim_world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace sluice::sim {

void ByteQueue::push(const uint8_t* data, uint32_t bytes) {
  SLUICE_ASSERT(bytes <= space());
  if (bytes == 0) return;
  if (bytes_.empty()) bytes_.resize(capacity_);
  const uint32_t tail = (head_ + size_) % capacity_;
  const uint32_t first = std::min(bytes, capacity_ - tail);
  std::memcpy(&bytes_[tail], data, first);
  if (bytes > first) std::memcpy(&bytes_[0], data + first, bytes - first);
  size_ += bytes;
}

void ByteQueue::pop(uint8_t* out, uint32_t bytes) {
  SLUICE_ASSERT(bytes <= size_);
  if (bytes == 0) return;
  const uint32_t first = std::min(bytes, capacity_ - head_);
  std::memcpy(out, &bytes_[head_], first);
  if (bytes > first) std::memcpy(out + first, &bytes_[0], bytes - first);
  head_ = (head_ + bytes) % capacity_;
  size_ -= bytes;
}

void ByteQueue::move_to(ByteQueue& other, uint32_t bytes) {
  while (bytes > 0) {
    const uint32_t run = std::min(bytes, capacity_ - head_);
    other.push(&bytes_[head_], run);
    head_ = (head_ + run) % capacity_;
    size_ -= run;
    bytes -= run;
  }
}

World::World(uint64_t seed, FaultPlan& faults, Limits limits)
    : faults_(faults), prng_(seed), limits_(limits) {}

void World::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

// --- Time ---

void World::schedule(uint64_t at_ns, What what, uint32_t a, uint64_t b) {
  events_.push(Event{std::max(at_ns, now_ns_), order_++, what, a, b});
}

void World::advance_to(uint64_t at_ns) {
  if (in_event_) return;
  in_event_ = true;
  while (!events_.empty() && events_.top().at_ns <= at_ns) {
    const Event event = events_.top();
    events_.pop();
    now_ns_ = std::max(now_ns_, event.at_ns);
    events_run_++;
    run(event);
  }
  now_ns_ = std::max(now_ns_, at_ns);
  in_event_ = false;
}

uint32_t World::delay_ns() {
  // Mostly quick; once in a while a packet takes far longer than everything else.
  const uint32_t range = prng_.one_in(50) ? limits_.wire_ns * 50 : limits_.wire_ns;
  return 500 + prng_.below(range);
}

void World::run(const Event& event) {
  const int id = static_cast<int>(event.a);
  switch (event.what) {
    case What::wire:
      return wire(id);
    case What::reset:
      return receive_reset(id);
    case What::arrive:
      return arrive(id, static_cast<int>(event.b));
    case What::connect:
      if (object(id).refs > 1) {  // else closed meanwhile
        connect_done(id, static_cast<uint32_t>(event.b >> 1), (event.b & 1) != 0);
      }
      return unref(id);
    case What::wake:
      return wake(id, poll(id));
    case What::kernel:
      if (on_kernel_event) on_kernel_event(event.a, event.b);
      return;
    case What::actor:
      if (on_actor_event) on_actor_event(event.a, event.b);
      return;
  }
}

// --- Objects and descriptors ---

int World::make(Kind kind) {
  objects_.emplace_back();
  objects_.back().kind = kind;
  return static_cast<int>(objects_.size()) - 1;
}

int World::install(int id) {
  if (table_full()) return -EMFILE;
  size_t fd = 0;
  while (fd < table_.size() && table_[fd] >= 0) fd++;
  if (fd == table_.size()) table_.push_back(-1);
  table_[fd] = id;
  object(id).fd = static_cast<int>(fd);
  ref(id);
  return static_cast<int>(fd);
}

int World::lookup(int fd) const {
  if (fd < 0 || static_cast<size_t>(fd) >= table_.size()) return -1;
  return table_[static_cast<size_t>(fd)];
}

int World::close_fd(int fd) {
  const int id = lookup(fd);
  if (id < 0) return -EBADF;
  table_[static_cast<size_t>(fd)] = -1;
  object(id).fd = -1;
  unref(id);
  return 0;
}

uint32_t World::open_descriptors() const {
  return static_cast<uint32_t>(
      std::count_if(table_.begin(), table_.end(), [](int id) { return id >= 0; }));
}

uint32_t World::open_of(Kind kind) {
  return static_cast<uint32_t>(std::count_if(
      table_.begin(), table_.end(), [&](int id) { return id >= 0 && object(id).kind == kind; }));
}

void World::unref(int id) {
  SLUICE_ASSERT(object(id).refs > 0);
  if (--object(id).refs == 0) release(id);
}

void World::release(int id) {
  if (on_release) on_release(id);
  Object& o = object(id);
  if (o.kind == Kind::pipe_read) o.dead = true;
  if (o.kind == Kind::pipe_write) object(o.peer).rx_fin = true;
  if (o.kind == Kind::listener) {
    for (const int near : o.backlog) {
      abort(near);
      unref(near);
    }
    o.backlog.clear();
    o.dead = true;
  }
  if (o.kind != Kind::stream) return;
  o.closed = true;
  if (o.dead || !o.connected) return;
  if (o.linger_reset || o.rx.size() > 0) return abort(id);
  o.tx_shut = true;
  schedule_wire(id);
}

// --- Listeners ---

int World::connect_client(int listener, uint32_t tag) {
  const int far = make_stream(AF_INET);
  const int near = make_stream(AF_INET);
  ref(far);
  ref(near);
  object(near).tag = tag;
  join(near, far);
  schedule(now_ns_ + delay_ns(), What::arrive, static_cast<uint32_t>(listener),
           static_cast<uint64_t>(near));
  return far;
}

void World::arrive(int listener, int near) {
  Object& l = object(listener);
  if (l.refs == 0 || l.backlog.size() >= limits_.backlog) {
    abort(near);
    return unref(near);
  }
  l.backlog.push_back(near);
  wake(listener, EPOLLIN | EPOLLRDNORM);
}

int World::accept(int listener) {
  Object& l = object(listener);
  if (l.backlog.empty()) return -EAGAIN;
  const int near = l.backlog.front();
  l.backlog.erase(l.backlog.begin());
  return near;
}

}  // namespace sluice::sim
