// The turn of the epoll engine: collect events, serve what is ready, within a budget per socket.
#include "io/epoll_engine.h"

#include <algorithm>

namespace sluice::io {
namespace {

constexpr int kEventsPerCall = 256;
// The event descriptor's mark in epoll's data; no generation and descriptor look like it.
constexpr uint64_t kWakeMark = UINT64_MAX;
// What one socket may receive in a turn before others have theirs.
constexpr uint32_t kReceiveBudgetBytes = 64 * 1024;
constexpr uint32_t kAcceptsPerTurn = 64;
// How long a turn may go on splicing and receiving.
constexpr uint64_t kTurnBudgetNs = 500'000;
constexpr uint32_t kServesPerClock = 32;
// Blocked vector sends that are remembered in full; further ones are cut to their first piece.
constexpr uint32_t kBlocks = 4096;

}  // namespace

EpollEngine::EpollEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options)
    : SystemEngine(kernel, buffers, options),
      descriptors_(options.descriptors_max),
      ready_(options.descriptors_max),
      starved_{ReservedQueue<uint32_t>(options.descriptors_max),
               ReservedQueue<uint32_t>(options.descriptors_max)},
      blocks_(kBlocks) {}

EpollEngine::~EpollEngine() {
  if (epoll_ >= 0) (void)kernel_.close(epoll_);
}

int EpollEngine::open() {
  if (!descriptors_.ok() || !ready_.ok() || !starved_[0].ok() || !starved_[1].ok() ||
      !blocks_.ok()) {
    return -ENOMEM;
  }
  const int error = open_common();
  if (error < 0) return error;
  epoll_ = kernel_.epoll_create();
  if (epoll_ < 0) return epoll_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeMark;
  return kernel_.epoll_control(epoll_, EPOLL_CTL_ADD, event_fd_, &event);
}

size_t EpollEngine::wait(uint64_t deadline_ns, Completion* out, size_t max) {
  SLUICE_VERIFY(max > 0);
  Output output(out, max);
  woken_ = false;
  uint64_t now = 0;  // the deadline counts from when there is nothing left to do
  for (;;) {
    if (!starved_[0].empty()) feed_starved(BufferClass::small);
    if (!starved_[1].empty()) feed_starved(BufferClass::large);
    put_known(output);
    const bool busy = output.count() > 0 || !ready_.empty() || has_mail() || deadline_ns == 0;
    if (!busy && now == 0) now = kernel_.clock_ns();
    uint64_t timeout_ns = 0;
    if (!busy && now < deadline_ns) {
      timeout_ns = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now;
    }
    if (!output.full()) harvest(timeout_ns, output);
    if (!ready_.empty()) serve_ready(output);
    if (has_mail()) put_mail(output);
    now_ns_ = now = kernel_.clock_ns();
    if (output.count() > 0 || woken_ || now >= deadline_ns) break;
  }
  counters_.completions += output.count();
  return output.count();
}

// --- Events ---

void EpollEngine::harvest(uint64_t timeout_ns, Output& output) {
  counters_.waits++;
  epoll_event events[kEventsPerCall];
  // A poll is reported right here, so no more events are taken than can be reported.
  const int max = static_cast<int>(std::min<size_t>(kEventsPerCall, output.room()));
  const int count = kernel_.epoll_wait(epoll_, events, max, timeout_ns);
  SLUICE_ASSERT(count >= 0 || count == -EINTR);
  for (int i = 0; i < count; i++) note(events[i], output);
}

void EpollEngine::note(const epoll_event& event, Output& output) {
  if (event.data.u64 == kWakeMark) return hear_wake();
  const int fd = static_cast<int>(static_cast<uint32_t>(event.data.u64));
  Descriptor& d = at(fd);
  if (d.generation != event.data.u64 >> 32) return;  // of a former owner of this number
  constexpr uint32_t kEnd = EPOLLHUP | EPOLLERR;
  if ((event.events & (EPOLLIN | EPOLLRDHUP | kEnd)) != 0) d.not_readable = false;
  if ((event.events & (EPOLLOUT | kEnd)) != 0) d.not_writable = false;
  // Urgent data ends a receive early as well: a short count does not mean an empty socket then.
  if ((event.events & (EPOLLRDHUP | EPOLLPRI | kEnd)) != 0) d.hung_up = true;
  if (d.in == In::poll) {
    const uint32_t ready = event.events & (d.in_bytes | kEnd);
    if (ready != 0) end_in(d, static_cast<int32_t>(ready), output);
    return;
  }
  if (may_receive(d) || may_send(d)) enqueue(fd, d);
}

void EpollEngine::enqueue(int fd, Descriptor& d) {
  if (d.queued) return;
  d.queued = true;
  ready_.push(static_cast<uint32_t>(fd));
}

// --- Serving ---

// Once around: what is still ready after its share waits for the next turn.
void EpollEngine::serve_ready(Output& output) {
  const uint32_t entries = ready_.size();
  uint64_t end = 0;
  for (uint32_t served = 0; served < entries && !output.full(); served++) {
    const int fd = static_cast<int>(ready_.pop());
    Descriptor& d = at(fd);
    d.queued = false;
    const bool long_work = d.in == In::splice || d.out == Out::splice;
    if (may_send(d)) serve_out(fd, d, output);
    if (may_receive(d) && !output.full()) serve_in(fd, d, output);
    if (may_receive(d) || may_send(d)) enqueue(fd, d);
    if (!long_work && served % kServesPerClock != kServesPerClock - 1) continue;
    const uint64_t now = kernel_.clock_ns();
    if (end == 0) end = now + kTurnBudgetNs;
    if (now >= end && output.count() > 0) return;
  }
}

void EpollEngine::serve_in(int fd, Descriptor& d, Output& output) {
  if (d.in == In::recv) return serve_recv(fd, d, output);
  d.in == In::accept ? serve_accept(fd, d, output) : serve_splice_in(fd, d, output);
}

void EpollEngine::end_in(Descriptor& d, int32_t result, Output& output) {
  d.in = In::none;
  output.put(d.in_token, result);
}

void EpollEngine::end_out(Descriptor& d, int32_t result, Output& output) {
  d.out = Out::none;
  output.put(d.out_token, result);
}

void EpollEngine::serve_accept(int fd, Descriptor& d, Output& output) {
  for (uint32_t i = 0; i < kAcceptsPerTurn && !output.full(); i++) {
    const int accepted = within_limit(kernel_.accept(fd));
    if (accepted >= 0) {
      output.put(d.in_token, accepted, true);
    } else if (accepted == -EAGAIN) {
      d.not_readable = true;
      return;
    } else if (accepted != -EINTR && accepted != -ECONNABORTED) {
      return end_in(d, accepted, output);
    }
  }
}

// A count below the buffer's size shows that the socket is empty, unless its end is to follow.
void EpollEngine::serve_recv(int fd, Descriptor& d, Output& output) {
  const uint32_t buffer_bytes = buffers_.buffer_bytes(d.cls);
  for (uint32_t total = 0; total < kReceiveBudgetBytes && !output.full();) {
    const BufferRef buffer = buffers_.take(d.cls);
    if (buffer.is_none()) return starve(fd, d);
    const int64_t received = kernel_.recv(fd, buffers_.data(buffer), buffer_bytes);
    if (received > 0) {
      const uint32_t bytes = static_cast<uint32_t>(received);
      buffers_.lend(buffer, bytes);
      d.in_bytes -= std::min(bytes, d.in_bytes);
      const bool more = d.in_bytes > 0;
      if (!more) d.in = In::none;
      output.put(d.in_token, static_cast<int32_t>(bytes), more, buffer);
      if (bytes < buffer_bytes && !d.hung_up) d.not_readable = true;
      if (!more || d.not_readable) return;
      total += bytes;
      continue;
    }
    buffers_.give_back(buffer);
    if (received == -EINTR) continue;
    if (received != -EAGAIN) return end_in(d, static_cast<int32_t>(received), output);
    // If the end had been announced, it was not true (any more).
    d.not_readable = true;
    d.hung_up = false;
    return;
  }
}

void EpollEngine::serve_splice_in(int fd, Descriptor& d, Output& output) {
  const int64_t moved = kernel_.splice(fd, d.in_pipe, d.in_bytes);
  if (moved == -EAGAIN && !d.hung_up) {
    d.not_readable = true;
  } else if (moved != -EINTR) {
    // With -EAGAIN an urgent mark is in the way, which only a receive passes.
    end_in(d, static_cast<int32_t>(moved), output);
  }
}

void EpollEngine::serve_out(int fd, Descriptor& d, Output& output) {
  if (d.out == Out::connect) return serve_connect(fd, d, output);
  if (d.out == Out::splice) return serve_splice_out(fd, d, output);
  int64_t sent;
  if (d.out == Out::sendv) {
    const uint32_t block = static_cast<uint32_t>(d.out_block);
    sent = try_send(fd, d, blocks_[block].vectors, blocks_[block].count);
    if (sent != -EAGAIN) free_block(block);
  } else {
    const iovec vector{const_cast<uint8_t*>(d.out_data), d.out_bytes};
    sent = try_send(fd, d, &vector, 1);
  }
  if (sent != -EAGAIN) end_out(d, static_cast<int32_t>(sent), output);
}

// An event may be older than this connect, so its word alone does not do: an empty send goes
// through only on a connected socket.
void EpollEngine::serve_connect(int fd, Descriptor& d, Output& output) {
  const int error = kernel_.socket_error(fd);
  if (error < 0) return end_out(d, error, output);
  uint8_t nothing = 0;
  const iovec vector{&nothing, 0};
  const int64_t answer = try_send(fd, d, &vector, 1);
  if (answer == -EAGAIN) return;
  end_out(d, answer < 0 ? static_cast<int32_t>(answer) : 0, output);
}

void EpollEngine::serve_splice_out(int fd, Descriptor& d, Output& output) {
  const int64_t moved = kernel_.splice(static_cast<int>(d.out_pipe), fd, d.out_bytes);
  if (moved == -EAGAIN) return await_room(fd, d);
  if (moved == -EINTR) return;
  if (moved > 0) counters_.spliced_bytes += static_cast<uint64_t>(moved);
  end_out(d, static_cast<int32_t>(moved), output);
}

// --- Receives without a buffer ---

void EpollEngine::starve(int fd, Descriptor& d) {
  counters_.buffers_exhausted++;
  d.hungry = true;
#ifdef SLUICE_BREAK_lose_starved  // a build that must fail in the simulator
  if (counters_.buffers_exhausted % 97 == 0) return;
#endif
  const uint8_t bit = starved_bit(d.cls);
  if ((d.starved & bit) != 0) return;
  d.starved |= bit;
  starved_[static_cast<unsigned>(d.cls)].push(static_cast<uint32_t>(fd));
}

// Wakes as many as there are buffers. Whose receive was cancelled meanwhile is dropped here, once:
// a queue names a descriptor at most once, so a cancel never searches. Who waits has an entry in
// the queue of its own class, whatever another queue still says of its descriptor.
void EpollEngine::feed_starved(BufferClass cls) {
  ReservedQueue<uint32_t>& queue = starved_[static_cast<unsigned>(cls)];
  uint32_t buffers = buffers_.free_count(cls);
  while (buffers > 0 && !queue.empty()) {
    const uint32_t fd = queue.pop();
    Descriptor& d = descriptors_[fd];
    d.starved &= static_cast<uint8_t>(~starved_bit(cls));
    if (!d.hungry || d.in != In::recv || d.cls != cls) continue;
    d.hungry = false;
    if (may_receive(d)) enqueue(static_cast<int>(fd), d);
    buffers--;
  }
}

}  // namespace sluice::io
