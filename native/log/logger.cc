#include "log/logger.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sluice::log {
namespace {

constexpr uint64_t kBatchBytes = 256 * 1024;
constexpr uint64_t kBatchRoom = kBatchBytes + 2 * kLineBytesMax;
// Between looks at the rings: while lines come, and while none do.
constexpr std::chrono::milliseconds kBusyNap{10};
constexpr std::chrono::milliseconds kIdleNap{50};
// Between looks at orders while the destination takes nothing.
constexpr uint32_t kPatienceStepMs = 50;

uint64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t monotonic_ms() {
  return nanoseconds_of(CLOCK_MONOTONIC) / 1'000'000;
}

}  // namespace

Logger::Logger(shm::Region& region)
    : region_(region),
      words_(*reinterpret_cast<shm::Logger*>(region.data() + shm::kLoggerOffset)) {}

Logger::~Logger() {
  SLUICE_ASSERT(!started_);
  for (const Order& order : orders_) {
    if (order.fd >= 0) ::close(order.fd);
  }
}

int Logger::start() {
  if (started_) return 0;
  if (batch_ == nullptr) {
    batch_ = std::make_unique<char[]>(kBatchRoom);
    for (uint32_t i = 0; i < region_.workers(); i++) rings_.emplace_back(region_, i);
  }
  // Threads inherit the mask they are made under: signals are the control thread's business.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = ::pthread_create(&thread_, nullptr, &Logger::run, this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_ = error == 0;
  return -error;
}

uint32_t Logger::switch_to(int fd, Format format) {
  if (!started_) return sequence_;
  const std::unique_lock held(mutex_);
  Order order{fd, format, ++sequence_, {}};
  if (!on_) order.from = ends();
  on_ = fd >= 0;
  orders_.push_back(std::move(order));
  ordered_.store(true, std::memory_order_relaxed);
  region_.control().access_log.store(fd >= 0 ? 1 : 0, std::memory_order_release);
  changed_.notify_one();
  return sequence_;
}

bool Logger::stop(uint32_t bound_ms) {
  if (!started_) return true;
  {
    const std::unique_lock held(mutex_);
    stop_at_ms_.store(monotonic_ms() + bound_ms + 1, std::memory_order_relaxed);
    changed_.notify_one();
  }
  timespec deadline{};
  ::clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += bound_ms / 1000 + 1;
  if (::pthread_timedjoin_np(thread_, nullptr, &deadline) != 0) return false;
  started_ = false;
  return true;
}

void* Logger::run(void* argument) {
  ::prctl(PR_SET_NAME, "sluice-log", 0, 0, 0);
  static_cast<Logger*>(argument)->serve();
  return nullptr;
}

void Logger::serve() {
  std::chrono::milliseconds nap = kIdleNap;
  const auto is_told = [this] {
    return ordered_.load(std::memory_order_relaxed) ||
           stop_at_ms_.load(std::memory_order_relaxed) != 0;
  };
  std::unique_lock held(mutex_);
  for (;;) {
    if (sink_.is_open()) {
      changed_.wait_for(held, nap, is_told);
    } else {
      changed_.wait(held, is_told);
    }
    if (!obey(held)) return;
    held.unlock();
    const uint64_t before = words_.written_total.load(std::memory_order_relaxed);
    while (sink_.is_open() && move_batch() && !is_told()) {
    }
    nap = words_.written_total.load(std::memory_order_relaxed) == before ? kIdleNap : kBusyNap;
    held.lock();
  }
}

// Carries out what the control thread has ordered, with the mutex released meanwhile. False when
// the thread is to end.
bool Logger::obey(std::unique_lock<std::mutex>& held) {
  const bool stopping = stop_at_ms_.load(std::memory_order_relaxed) != 0;
  if (!stopping && orders_.empty()) return true;
  std::vector<Order> orders;
  orders.swap(orders_);
  ordered_.store(false, std::memory_order_relaxed);
  held.unlock();
  if (patience_until_ms_ == 0) patience_until_ms_ = monotonic_ms() + kSwitchPatienceMs;
  for (const Order& order : orders) {
    // The last lines of the former destination, in its format.
    while (sink_.is_open() && has_patience() && move_batch()) {
    }
    if (!order.from.empty()) skip(order.from);
    drop_rest();
    sink_.reset(order.fd);
    format_ = order.format;
    words_.sink.store(order.sequence, std::memory_order_release);
  }
  if (stopping) {
    while (sink_.is_open() && has_patience() && move_batch()) {
    }
    drop_rest();
    skip(ends());
    sink_.reset(-1);
  }
  patience_until_ms_ = 0;
  held.lock();
  return !stopping;
}

// Whether a destination that takes little or nothing is still waited for: as long as nobody waits
// for the thread.
bool Logger::has_patience() {
  const uint64_t stop_at = stop_at_ms_.load(std::memory_order_relaxed);
  if (stop_at != 0) return monotonic_ms() < stop_at;
  if (patience_until_ms_ == 0) {
    if (!ordered_.load(std::memory_order_relaxed)) return true;
    patience_until_ms_ = monotonic_ms() + kSwitchPatienceMs;
  }
  return monotonic_ms() < patience_until_ms_;
}

// True when there is more.
bool Logger::move_batch() {
  const bool more = format_batch();
  write_batch();
  return more;
}

// The rings in turn, so that a busy worker does not hold the others' lines up. True when the batch
// is full.
bool Logger::format_batch() {
  const uint64_t wall_offset_ns = nanoseconds_of(CLOCK_REALTIME) - nanoseconds_of(CLOCK_MONOTONIC);
  const auto held = names_.lock();
  for (uint32_t i = 0; i < rings_.size() && batch_bytes_ < kBatchBytes; i++) {
    RingReader& ring = rings_[next_ring_];
    next_ring_ = (next_ring_ + 1) % static_cast<uint32_t>(rings_.size());
    while (batch_bytes_ < kBatchBytes) {
      const Record* record = ring.next();
      if (record == nullptr) break;
      char* const out = batch_.get() + batch_bytes_;
      const char* end = formatter_.line(out, format_, *record, names_, wall_offset_ns);
      batch_bytes_ += static_cast<uint64_t>(end - out);
      batch_lines_++;
    }
    ring.release();
  }
  return batch_bytes_ >= kBatchBytes;
}

// Returns when the batch has been written, or given up: after an error, or because somebody waits
// for the thread.
void Logger::write_batch() {
  uint64_t sent = 0;
  while (sent < batch_bytes_) {
    const int64_t written = sink_.write(batch_.get() + sent, batch_bytes_ - sent, kPatienceStepMs);
    if (written < 0) shm::add<uint64_t>(words_.write_errors_total, 1);
    if (written < 0 || !has_patience()) return give_up(sent + (written > 0 ? written : 0));
    sent += static_cast<uint64_t>(written);
  }
  shm::add<uint64_t>(words_.written_total, batch_lines_);
  batch_bytes_ = batch_lines_ = rest_bytes_ = 0;
}

// Of the batch `sent` bytes were written. The rest of a line that was begun stays, so that the next
// one does not run into it; what follows is dropped and counted.
void Logger::give_up(uint64_t sent) {
  char* const begin = batch_.get();
  char* const end = begin + batch_bytes_;
  const bool torn = sent < rest_bytes_ || (sent > 0 && begin[sent - 1] != '\n');
  const char* rest_end = torn ? std::find(begin + sent, end, '\n') + 1 : begin + sent;
  const auto whole = static_cast<uint64_t>(std::count(begin, begin + sent, '\n'));
  shm::add<uint64_t>(words_.written_total, whole);
  shm::add<uint64_t>(words_.dropped_total, batch_lines_ - whole - (torn ? 1 : 0));
  rest_bytes_ = static_cast<uint64_t>(rest_end - (begin + sent));
  std::copy(begin + sent, begin + sent + rest_bytes_, begin);
  batch_bytes_ = rest_bytes_;
  batch_lines_ = torn ? 1 : 0;
}

// Another destination has nothing to do with it.
void Logger::drop_rest() {
  shm::add<uint64_t>(words_.dropped_total, batch_lines_);
  batch_bytes_ = batch_lines_ = rest_bytes_ = 0;
}

std::vector<uint64_t> Logger::ends() const {
  std::vector<uint64_t> ends;
  for (const RingReader& ring : rings_) ends.push_back(ring.end());
  return ends;
}

// Nobody is there to take what waits.
void Logger::skip(const std::vector<uint64_t>& until) {
  uint64_t skipped = 0;
  for (size_t i = 0; i < rings_.size(); i++) skipped += rings_[i].skip_to(until[i]);
  shm::add<uint64_t>(words_.dropped_total, skipped);
}

}  // namespace sluice::log
