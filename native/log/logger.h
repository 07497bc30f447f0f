// The thread that makes lines of the workers' records and writes them. It wakes by itself while the
// log is on, so a worker never makes a system call for it. What the destination does not take waits
// in the rings; when they are full, workers drop and count. `switch_to`, `name` and `stop` are the
// control thread's.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "log/format.h"
#include "log/names.h"
#include "log/ring.h"
#include "log/sink.h"
#include "shm/region.h"

namespace sluice::log {

class Logger {
 public:
  explicit Logger(shm::Region& region);
  // After `stop`, or without a thread.
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // Makes the thread, if there is none. 0 or -errno.
  int start();
  // From now on lines go to `fd`, which is taken over; what was formatted before still goes to the
  // former one, unless that takes nothing for `kSwitchPatienceMs`. -1 ends logging once what waits
  // is written. Returns the value that `logger.sink` has once the switch is done.
  uint32_t switch_to(int fd, Format format);
  void name(NameKind kind, uint32_t slot, uint32_t incarnation, std::string_view name) {
    names_.set(kind, slot, incarnation, name);
  }
  // Writes what waits and ends the thread, within about `bound_ms`. False when it did not end, as a
  // write that the kernel does not come back from; it goes on using all this then.
  bool stop(uint32_t bound_ms);

 private:
  static constexpr uint32_t kSwitchPatienceMs = 1000;

  struct Order {
    int fd = -1;
    Format format = Format::json;
    uint32_t sequence = 0;
    // By worker: what is older was recorded before the log was switched on, and is nobody's.
    std::vector<uint64_t> from;
  };

  static void* run(void* logger);
  void serve();
  bool obey(std::unique_lock<std::mutex>& held);
  bool move_batch();
  bool format_batch();
  void write_batch();
  void give_up(uint64_t sent);
  void drop_rest();
  std::vector<uint64_t> ends() const;
  void skip(const std::vector<uint64_t>& until);
  bool has_patience();

  shm::Region& region_;
  shm::Logger& words_;
  Names names_;
  // Shared with the control thread, under the mutex.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Order> orders_;
  uint32_t sequence_ = 0;
  bool on_ = false;
  std::atomic<bool> ordered_{false};     // orders_ holds some
  std::atomic<uint64_t> stop_at_ms_{0};  // monotonic; 0: not told to end
  pthread_t thread_{};
  bool started_ = false;
  // The thread's own.
  Sink sink_;
  Format format_ = Format::json;
  Formatter formatter_;
  std::vector<RingReader> rings_;
  uint32_t next_ring_ = 0;
  std::unique_ptr<char[]> batch_;
  uint64_t batch_bytes_ = 0;
  uint64_t batch_lines_ = 0;
  uint64_t rest_bytes_ = 0;  // at the batch's beginning: what a line lacks that was written in part
  uint64_t patience_until_ms_ = 0;  // monotonic; 0: nobody waits
};

}  // namespace sluice::log
