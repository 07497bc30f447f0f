// Requests of a simulated io_uring: how they are taken in, wait, are woken, cancelled and answered.
#include "sim/io_sim_ring.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/assert.h"
#include "sim/io_sim_kernel.h"

namespace sluice::sim {

namespace {
constexpr uint32_t kCancelAll = IORING_ASYNC_CANCEL_ALL;
constexpr uint32_t kCancelFd = IORING_ASYNC_CANCEL_FD;
constexpr uint32_t kCancelAny = IORING_ASYNC_CANCEL_ANY;
}  // namespace

RingDriver::RingDriver(SimKernel& kernel, Ring& ring)
    : kernel_(kernel), world_(kernel.world_), faults_(kernel.faults_), ring_(ring) {}

uint32_t RingDriver::index_of(const Request& r) const {
  return static_cast<uint32_t>(&r - ring_.requests.data());
}

uint32_t RingDriver::take_request() {
  if (ring_.free_requests.empty()) {
    // Requests are referred to while others are issued, so the array never moves.
    if (ring_.requests.capacity() == 0) ring_.requests.reserve(4096);
    SLUICE_ASSERT(ring_.requests.size() < ring_.requests.capacity());
    ring_.requests.emplace_back();
    return static_cast<uint32_t>(ring_.requests.size() - 1);
  }
  const uint32_t index = ring_.free_requests.back();
  ring_.free_requests.pop_back();
  return index;
}

// --- Submission ---

uint32_t RingDriver::submit(uint32_t count) {
  Ring::Word& w = *ring_.word;
  const uint32_t tail = std::atomic_ref<uint32_t>(w.sq_tail).load(std::memory_order_acquire);
  const uint32_t available = std::min(tail - w.sq_head, w.sq_entries);
  count = std::min(count, available);
  const auto* sqes = reinterpret_cast<const io_uring_sqe*>(ring_.sqes->data());
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = w.sq_head & w.sq_mask;
    if (ring_.array != nullptr) index = ring_.array[index];
    w.sq_head++;
    if (index >= w.sq_entries) {
      w.sq_dropped++;
      continue;
    }
    const io_uring_sqe sqe = sqes[index];
    kernel_.mix(sqe.user_data ^ sqe.opcode);
    if (sqe.opcode == IORING_OP_ASYNC_CANCEL) {
      cancel(sqe);
    } else {
      execute(sqe);
    }
  }
  return count;
}

// Takes in one entry and tries it at once.
void RingDriver::execute(const io_uring_sqe& sqe) {
  const uint32_t index = take_request();
  Request& r = ring_.requests[index];
  const uint32_t generation = r.generation;
  r = Request{};
  r.generation = generation + 1;
  r.live = true;
  r.user_data = sqe.user_data;
  r.opcode = sqe.opcode;
  r.flags = sqe.flags;
  const uint8_t known =
      IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS | (sqe.opcode == IORING_OP_NOP ? 0xff : 0);
  if ((sqe.flags & ~known) != 0) {
    finish(r, -EINVAL);
    return;
  }
  if (sqe.opcode == IORING_OP_NOP) {
    finish(r, 0);
    return;
  }
  if (sqe.opcode == IORING_OP_CLOSE) {
    const int result = world_.close_fd(sqe.fd);
    if (result < 0) world_.fail("OP_CLOSE of a descriptor that is not open");
    finish(r, result);
    return;
  }
  const int object = world_.lookup(sqe.fd);
  if (object < 0) {
    finish(r, -EBADF);
    return;
  }
  r.object = object;
  world_.ref(object);
  ring_.by_object[object].push_back(index);
  if (!prepare(sqe, r)) return;
  const bool poll_first = (sqe.opcode == IORING_OP_RECV || sqe.opcode == IORING_OP_SEND ||
                           sqe.opcode == IORING_OP_SENDMSG) &&
                          (sqe.ioprio & IORING_RECVSEND_POLL_FIRST) != 0;
  issue(index, !poll_first);
}

// Tries the request, or only waits for readiness.
void RingDriver::issue(uint32_t index, bool try_now) {
  Request& r = ring_.requests[index];
  if (try_now && attempt(r) == Outcome::completed) return;
  if (r.dont_wait) {
    finish(r, -EAGAIN);
    return;
  }
  arm(index);
}

void RingDriver::arm(uint32_t index) {
  Request& r = ring_.requests[index];
  r.armed = true;
  if (!r.queued && r.opcode != IORING_OP_POLL_ADD && (world_.poll(r.object) & r.events) != 0) {
    queue(index);
  }
}

// --- Task work ---

uint64_t RingDriver::event_key(uint32_t index, bool is_cancel) const {
  return uint64_t{ring_.requests[index].generation} << 32 | index << 1 | (is_cancel ? 1 : 0);
}

void RingDriver::queue(uint32_t index) {
  Request& r = ring_.requests[index];
  if (r.queued) return;
  r.queued = true;
  if (faults_.fires(Fault::delayed)) {
    const uint64_t at = world_.now_ns() + 1000 + world_.prng().below(300000);
    world_.schedule(at, World::What::kernel, static_cast<uint32_t>(ring_.object),
                    event_key(index, false));
    return;
  }
  push_task_work(index);
}

void RingDriver::push_task_work(uint32_t index) {
  auto at = ring_.task_work.end();
  if (!ring_.task_work.empty() && faults_.fires(Fault::reorder)) {
    at = ring_.task_work.begin() +
         world_.prng().below(static_cast<uint32_t>(ring_.task_work.size()));
  }
  ring_.task_work.insert(at, index);
  if ((ring_.flags & IORING_SETUP_TASKRUN_FLAG) != 0) ring_.set_flag(IORING_SQ_TASKRUN, true);
}

void RingDriver::kernel_event(uint64_t what) {
  const uint32_t index = static_cast<uint32_t>(what) >> 1;
  Request& r = ring_.requests[index];
  if (!r.live || r.generation != static_cast<uint32_t>(what >> 32)) return;
  if ((what & 1) == 0) return push_task_work(index);
  r.cancelled = true;
  queue(index);
}

void RingDriver::run_task_work(uint32_t max) {
  // What is queued meanwhile waits for the next round, unless there is room for it.
  for (uint32_t n = 0; n < max && !ring_.task_work.empty(); n++) {
    const uint32_t index = ring_.task_work.front();
    ring_.task_work.pop_front();
    Request& r = ring_.requests[index];
    SLUICE_ASSERT(r.live && r.queued);
    r.queued = false;
    if (r.cancelled) {
      end_cancelled(r);
      continue;
    }
    if (attempt(r) == Outcome::waits) arm(index);
  }
  if (ring_.task_work.empty()) ring_.set_flag(IORING_SQ_TASKRUN, false);
}

void RingDriver::woke(int object, uint32_t events) {
  const auto list = ring_.by_object.find(object);
  if (list == ring_.by_object.end()) return;
  const std::vector<uint32_t> indices = list->second;
  for (const uint32_t index : indices) {
    const Request& r = ring_.requests[index];
    if (r.live && r.armed && (r.events & events) != 0) queue(index);
  }
}

// --- Cancellation ---

void RingDriver::end_cancelled(Request& r) {
  finish(r, r.done > 0 ? static_cast<int64_t>(r.done) : -ECANCELED);
}

// True when the request was found, that is, had not completed before the cancel came.
bool RingDriver::cancel_one(uint32_t index) {
  Request& r = ring_.requests[index];
  if (r.cancelled) return false;
  if (faults_.fires(Fault::cancel_too_late)) {
    if (attempt(r) == Outcome::completed) return false;
  }
  if (faults_.fires(Fault::cancel_late)) {
    const uint64_t at = world_.now_ns() + 1000 + world_.prng().below(200000);
    world_.schedule(at, World::What::kernel, static_cast<uint32_t>(ring_.object),
                    event_key(index, true));
    return true;
  }
  r.cancelled = true;
  if (!r.queued && faults_.fires(Fault::cancel_after_target)) {
    end_cancelled(r);
    return true;
  }
  queue(index);
  return true;
}

void RingDriver::cancel(const io_uring_sqe& sqe) {
  const uint32_t flags = sqe.cancel_flags;
  const bool all = (flags & (kCancelAll | kCancelAny)) != 0;
  int result = -ENOENT;
  uint32_t found = 0;
  int object = -1;
  if ((flags & ~(kCancelAll | kCancelFd | kCancelAny | IORING_ASYNC_CANCEL_USERDATA)) != 0) {
    result = -EINVAL;
  } else if ((flags & kCancelFd) != 0 && (object = world_.lookup(sqe.fd)) < 0) {
    result = -EBADF;
  } else {
    for (uint32_t i = 0; i < ring_.requests.size(); i++) {
      const Request& r = ring_.requests[i];
      if (!r.live) continue;
      const bool matches =
          (flags & kCancelAny) != 0 ||
          ((flags & kCancelFd) != 0 ? r.object == object : r.user_data == sqe.addr);
      if (!matches || !cancel_one(i)) continue;
      found++;
      if (!all) break;
    }
    result = all ? static_cast<int>(found) : found > 0 ? 0 : -ENOENT;
  }
  if (result < 0 || (sqe.flags & IOSQE_CQE_SKIP_SUCCESS) == 0) post(sqe.user_data, result, 0);
}

void RingDriver::destroy() {
  for (Request& r : ring_.requests) {
    if (!r.live) continue;
    r.live = false;
    if (r.object >= 0) world_.unref(r.object);
  }
}

// --- Completion ---

void RingDriver::post(uint64_t user_data, int32_t result, uint32_t flags) {
  Ring::Word& w = *ring_.word;
  const uint32_t head = std::atomic_ref<uint32_t>(w.cq_head).load(std::memory_order_acquire);
  kernel_.mix(user_data);
  kernel_.mix(uint64_t{flags} << 32 | static_cast<uint32_t>(result));
  if (kernel_.options_.trace) {
    std::printf("\n    cqe %llx res=%d flags=%x", static_cast<unsigned long long>(user_data),
                result, flags);
  }
  io_uring_cqe cqe{};
  cqe.user_data = user_data;
  cqe.res = result;
  cqe.flags = flags;
  if (!ring_.overflow.empty() || w.cq_tail - head >= w.cq_entries) {
    faults_.count(Fault::cq_overflow);
    ring_.overflow.push_back(cqe);
    ring_.set_flag(IORING_SQ_CQ_OVERFLOW, true);
    return;
  }
  io_uring_cqe& slot = ring_.cqes[w.cq_tail & w.cq_mask];
  slot.user_data = cqe.user_data;
  slot.res = cqe.res;
  slot.flags = cqe.flags;
  std::atomic_ref<uint32_t>(w.cq_tail).store(w.cq_tail + 1, std::memory_order_release);
}

// A multishot request reports and goes on, unless there is no room for the report: then it ends.
bool RingDriver::post_more(const Request& r, int32_t result, uint32_t flags) {
  const Ring::Word& w = *ring_.word;
  if (!ring_.overflow.empty() || ring_.ready() >= w.cq_entries) return false;
  if (faults_.fires(Fault::multishot_end)) return false;
  post(r.user_data, result, flags | IORING_CQE_F_MORE);
  return true;
}

void RingDriver::flush_overflow() {
  while (!ring_.overflow.empty() && ring_.ready() < ring_.cq_entries) {
    const io_uring_cqe cqe = ring_.overflow.front();
    io_uring_cqe& slot = ring_.cqes[ring_.word->cq_tail & ring_.word->cq_mask];
    slot.user_data = cqe.user_data;
    slot.res = cqe.res;
    slot.flags = cqe.flags;
    ring_.word->cq_tail++;
    ring_.overflow.pop_front();
  }
  if (ring_.overflow.empty()) ring_.set_flag(IORING_SQ_CQ_OVERFLOW, false);
}

RingDriver::Outcome RingDriver::finish(Request& r, int64_t result, uint32_t flags) {
  const uint32_t index = index_of(r);
  if (result < 0 || (r.flags & IOSQE_CQE_SKIP_SUCCESS) == 0) {
    post(r.user_data, static_cast<int32_t>(result), flags);
  }
  if (r.queued) std::erase(ring_.task_work, index);
  r.live = r.armed = r.queued = false;
  ring_.free_requests.push_back(index);
  if (r.object >= 0) {
    std::vector<uint32_t>& list = ring_.by_object[r.object];
    std::erase(list, index);
    if (list.empty()) ring_.by_object.erase(r.object);
    world_.unref(r.object);
  }
  return Outcome::completed;
}

}  // namespace sluice::sim
