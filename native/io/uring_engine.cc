// The turn of the io_uring engine: refill buffers, submit, wait, hand out completions.
#include "io/uring_engine.h"

#include <poll.h>

#include <algorithm>

namespace sluice::io {
namespace {

// How long one turn may go on fetching completions, or splicing, before the handlers get theirs.
constexpr uint64_t kTurnBudgetNs = 500'000;
// How long to wait for completions after the kernel had no memory for an entry.
constexpr uint64_t kMemoryPauseNs = 1'000'000;

}  // namespace

UringEngine::UringEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options)
    : SystemEngine(kernel, buffers, options),
      ring_(kernel),
      provided_(kernel, buffers),
      descriptors_(options.descriptors_max),
      staged_(options.sq_entries),
      starved_{ReservedQueue<uint32_t>(options.descriptors_max),
               ReservedQueue<uint32_t>(options.descriptors_max)},
      splices_(2 * options.descriptors_max),
      receive_cap_(options.receive_cap) {}

// The ring goes first: the kernel may write into a buffer as long as it exists.
UringEngine::~UringEngine() {
  ring_.close();
  provided_.close();
}

int UringEngine::open(uint32_t sq_entries, uint32_t cq_entries) {
  if (!provided_.ok() || !descriptors_.ok() || !staged_.ok() || !splices_.ok() ||
      !starved_[0].ok() || !starved_[1].ok()) {
    return -ENOMEM;
  }
  int error = open_common();
  if (error < 0) return error;
  error = ring_.open(sq_entries, cq_entries);
  if (error < 0) return error;
  SLUICE_ASSERT(ring_.sq_entries() <= staged_.capacity());
  error = provided_.open(ring_.descriptor(), ring_.cq_entries());
  if (error < 0) return error;
  stage_wake();
  return 0;
}

size_t UringEngine::wait(uint64_t deadline_ns, Completion* out, size_t max) {
  SLUICE_VERIFY(max > 0);
  Output output(out, max);
  woken_ = false;
  for (;;) {
    provided_.refill();
    if (!starved_[0].empty()) rearm_starved(BufferClass::small);
    if (!starved_[1].empty()) rearm_starved(BufferClass::large);
    put_known(output);
    enter_and_harvest(output, deadline_ns);
    if (!splices_.empty()) run_splices(output);
    if (has_mail()) put_mail(output);
    now_ns_ = kernel_.clock_ns();
    if (output.count() > 0 || woken_ || now_ns_ >= deadline_ns) break;
  }
  counters_.completions += output.count();
  return output.count();
}

// --- Into the kernel ---

void UringEngine::entered(int result) {
  if (ring_.staged() == 0) staged_used_ = 0;
  switch (result) {
    case -EAGAIN:
    case -ENOMEM:
    case -EBADR:  // a completion was lost for want of memory
      counters_.no_memory++;
      return;
    case -EBUSY:  // completions must be taken first; they are, right after this
    case -EINTR:
    case -ETIME:
      return;
    default:
      SLUICE_ASSERT(result >= 0);
  }
}

void UringEngine::enter(uint32_t min_complete, uint64_t timeout_ns) {
  counters_.waits++;
  const int result = ring_.enter(min_complete, timeout_ns);
  entered(result);
  if (result == -EAGAIN || result == -ENOMEM) {
    (void)ring_.enter_only(min_complete, std::min(timeout_ns, kMemoryPauseNs));
  }
}

// The kernel brings only so many completions at a time when work is deferred to us; the rest is
// fetched within the turn's budget.
void UringEngine::enter_and_harvest(Output& output, uint64_t deadline_ns) {
  const bool idle = output.count() == 0 && ring_.ready() == 0 && splices_.empty() && !has_mail();
  const uint64_t now = idle && deadline_ns != 0 ? kernel_.clock_ns() : 0;
  if (idle && now < deadline_ns) {
    enter(1, deadline_ns == UINT64_MAX ? UringRing::kNoTimeout : deadline_ns - now);
  } else if (idle || ring_.staged() > 0 || ring_.wants_enter()) {
    enter(0, 0);
  }
  uint64_t end = 0;
  for (;;) {
    harvest(output);
    const bool overflowed = ring_.overflowed();
    if (overflowed && !overflow_seen_) counters_.cq_overflows++;
    overflow_seen_ = overflowed;
    if (output.full() || !ring_.wants_enter()) return;
    const uint64_t time = kernel_.clock_ns();
    if (end == 0) end = time + kTurnBudgetNs;
    if (time >= end) return;
    provided_.refill();
    enter(0, 0);
  }
}

// --- Out of the kernel ---

// Once around: what handling stages may be submitted early and complete at once. That is left to
// the next entering, which alone lets the kernel finish what it has deferred.
void UringEngine::harvest(Output& output) {
  // Each ring completion becomes at most one of ours.
  const uint32_t count = static_cast<uint32_t>(std::min<size_t>(ring_.ready(), output.room()));
  for (uint32_t i = 0; i < count; i++) handle(ring_.completion(i), output);
  if (count > 0) ring_.consume(count);
}

void UringEngine::handle(const io_uring_cqe& completion, Output& output) {
  const int fd = static_cast<int>(static_cast<uint32_t>(completion.user_data));
  switch (static_cast<Kind>(completion.user_data >> 32)) {
    case Kind::recv:
      return handle_recv(fd, at(fd), completion, output);
    case Kind::send:
    case Kind::connect:
      return end_out(at(fd), completion.res, output);
    case Kind::accept:
      return handle_accept(at(fd), completion, output);
    case Kind::poll:
      return end_in(at(fd), completion.res, output);
    case Kind::splice_in_ready:
      return handle_splice_ready(fd, false, completion.res, output);
    case Kind::splice_out_ready:
      return handle_splice_ready(fd, true, completion.res, output);
    case Kind::cancel:
    case Kind::cancel_in:
    case Kind::cancel_out:
      return handle_cancel(static_cast<Kind>(completion.user_data >> 32), fd, completion.res);
    case Kind::wake:
      hear_wake();
      if ((completion.flags & IORING_CQE_F_MORE) == 0) stage_wake();
      return;
    case Kind::silent:
      return;
  }
}

void UringEngine::end_in(Descriptor& descriptor, int32_t result, Output& output) {
  SLUICE_VERIFY(descriptor.in_phase != Phase::idle);
  descriptor.in_phase = Phase::idle;
  output.put(descriptor.in_token, result);
}

void UringEngine::end_out(Descriptor& descriptor, int32_t result, Output& output) {
  SLUICE_VERIFY(descriptor.out_phase != Phase::idle);
  descriptor.out_phase = Phase::idle;
  output.put(descriptor.out_token, result);
}

void UringEngine::handle_accept(Descriptor& descriptor, const io_uring_cqe& completion,
                                Output& output) {
  SLUICE_VERIFY(descriptor.in_phase == Phase::in_kernel);
  const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
  if (!more) {
    descriptor.in_phase = Phase::idle;
    if (completion.res >= 0 && !descriptor.in_cancelled) counters_.rearmed++;
  }
  output.put(descriptor.in_token, within_limit(completion.res), more);
}

void UringEngine::handle_recv(int fd, Descriptor& descriptor, const io_uring_cqe& completion,
                              Output& output) {
  SLUICE_VERIFY(descriptor.in_phase == Phase::in_kernel);
  BufferRef buffer;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) buffer = provided_.taken(completion.flags);
  if (completion.res <= 0) {
    // Some kernels use up a buffer for an end of stream.
    if (!buffer.is_none()) buffers_.give_back(buffer);
    if (completion.res == -ENOBUFS) return starve(fd, descriptor, output);
    return end_in(descriptor, completion.res, output);
  }
  const uint32_t bytes = static_cast<uint32_t>(completion.res);
  buffers_.lend(buffer, bytes);
  descriptor.in_bytes -= std::min(bytes, descriptor.in_bytes);
  bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
  if (!more) {
    const bool unasked = descriptor.in_bytes > 0 && !descriptor.in_cancelled;
    if (unasked && !receive_cap_) {
      // One receive per report, so that the credit holds.
      stage_recv(fd, descriptor, provided_.filled(descriptor.cls) == 0);
      more = true;
    } else {
      if (unasked) counters_.rearmed++;
      descriptor.in_phase = Phase::idle;
    }
  }
  output.put(descriptor.in_token, completion.res, more, buffer);
}

// --- Receives without a buffer ---

// The kernel had none. The caller need not know: the receive is started again when there are some.
void UringEngine::starve(int fd, Descriptor& descriptor, Output& output) {
  counters_.buffers_exhausted++;
  provided_.ran_out(descriptor.cls);
  if (descriptor.in_cancelled) return end_in(descriptor, -ECANCELED, output);
  descriptor.in_phase = Phase::starved;
#ifdef SLUICE_BREAK_lose_starved  // a build that must fail in the simulator
  if (counters_.buffers_exhausted % 97 == 0) return;
#endif
  const uint8_t bit = starved_bit(descriptor.cls);
  if ((descriptor.in_starved_queues & bit) != 0) return;
  descriptor.in_starved_queues |= bit;
  starved_[static_cast<unsigned>(descriptor.cls)].push(static_cast<uint32_t>(fd));
}

// Starts as many as there are buffers. An entry whose receive was cancelled meanwhile is dropped
// here, once: a queue names a descriptor at most once, so a cancel never searches. A receive that
// starves has an entry in the queue of its own class, whatever another queue still says of its
// descriptor: it never waits for buffers of the other class.
void UringEngine::rearm_starved(BufferClass cls) {
  ReservedQueue<uint32_t>& queue = starved_[static_cast<unsigned>(cls)];
  uint32_t buffers = provided_.filled(cls);
  while (buffers > 0 && !queue.empty()) {
    const int fd = static_cast<int>(queue.pop());
    Descriptor& descriptor = at(fd);
    descriptor.in_starved_queues &= static_cast<uint8_t>(~starved_bit(cls));
    if (descriptor.in_phase != Phase::starved || descriptor.cls != cls) continue;
    descriptor.in_phase = Phase::in_kernel;
    stage_recv(fd, descriptor, true);
    buffers--;
  }
}

// --- Splices ---

void UringEngine::handle_splice_ready(int fd, bool out, int32_t result, Output& output) {
  Descriptor& descriptor = at(fd);
  const bool cancelled = out ? descriptor.out_cancelled : descriptor.in_cancelled;
  if (result >= 0 && !cancelled) {
    (out ? descriptor.out_phase : descriptor.in_phase) = Phase::spliceable;
    if (!out) descriptor.in_polled = true;
    return splices_.push(static_cast<uint32_t>(fd) * 2 + (out ? 1 : 0));
  }
  const int32_t error = result < 0 ? result : -ECANCELED;
  out ? end_out(descriptor, error, output) : end_in(descriptor, error, output);
}

void UringEngine::run_splices(Output& output) {
  const uint64_t end = kernel_.clock_ns() + kTurnBudgetNs;
  for (uint32_t count = splices_.size(); count > 0 && !output.full(); count--) {
    const uint32_t entry = splices_.pop();
    run_splice(static_cast<int>(entry / 2), (entry & 1) != 0, output);
    if (kernel_.clock_ns() >= end) return;
  }
}

void UringEngine::run_splice(int fd, bool out, Output& output) {
  Descriptor& descriptor = at(fd);
  Phase& phase = out ? descriptor.out_phase : descriptor.in_phase;
  if (phase != Phase::spliceable) return;  // cancelled while it was queued
  const int64_t moved = out ? kernel_.splice(descriptor.out_pipe, fd, descriptor.out_bytes)
                            : kernel_.splice(fd, descriptor.in_pipe, descriptor.in_bytes);
  if (moved == -EINTR) return splices_.push(static_cast<uint32_t>(fd) * 2 + (out ? 1 : 0));
  // Readable and yet nothing to splice: an urgent mark is in the way, which only a receive passes.
  if (moved == -EAGAIN && !out && descriptor.in_polled) return end_in(descriptor, -EAGAIN, output);
  if (moved == -EAGAIN) {
    phase = Phase::in_kernel;
    return out ? stage_poll(Kind::splice_out_ready, fd, POLLOUT)
               : stage_poll(Kind::splice_in_ready, fd, POLLIN | POLLRDHUP);
  }
  if (out && moved > 0) counters_.spliced_bytes += static_cast<uint64_t>(moved);
  const int32_t result = static_cast<int32_t>(moved);
  out ? end_out(descriptor, result, output) : end_in(descriptor, result, output);
}

// --- Cancels ---

// The kernel answers the cancel of a descriptor with the number of operations it found. It misses
// one that is just being executed on our behalf; such a one is looked for again in the next turn.
void UringEngine::handle_cancel(Kind kind, int fd, int32_t result) {
  const Descriptor& descriptor = at(fd);
  const bool in = descriptor.in_phase == Phase::in_kernel && descriptor.in_cancelled;
  const bool out = descriptor.out_phase == Phase::in_kernel && descriptor.out_cancelled;
  if (kind == Kind::cancel) {
    if (result >= (in ? 1 : 0) + (out ? 1 : 0)) return;
  } else if (result != -ENOENT) {
    return;
  }
  if (in && kind != Kind::cancel_out) stage_cancel_again(Kind::cancel_in, fd);
  if (out && kind != Kind::cancel_in) stage_cancel_again(Kind::cancel_out, fd);
}

}  // namespace sluice::io
