// What both production engines have in common: the synchronous calls, waking from other threads,
// mail, and completions that are known before the kernel is asked again. All of it goes through the
// io::Kernel seam. One thread, but for `wake` and `post`.
#pragma once

#include <atomic>

#include "io/engine.h"
#include "io/engines.h"
#include "io/fd_queue.h"
#include "io/kernel.h"
#include "io/mailbox.h"

namespace sluice::io {

// Where a `wait` writes its completions.
class Output {
 public:
  Output(Completion* out, size_t max) : out_(out), max_(max) {}

  size_t count() const { return count_; }
  size_t room() const { return max_ - count_; }
  bool full() const { return count_ == max_; }

  void put(uint64_t token, int32_t result, bool more = false, BufferRef buffer = BufferRef()) {
    SLUICE_VERIFY(!full());
    out_[count_++] = Completion{token, 0, result, buffer, more};
  }
  void put_mail(uint64_t value) {
    SLUICE_VERIFY(!full());
    out_[count_++] = Completion{Token{Op::mail}.encode(), value, 0, BufferRef(), false};
  }

 private:
  Completion* out_;
  size_t max_;
  size_t count_ = 0;
};

class SystemEngine : public Engine {
 public:
  ~SystemEngine() override;

  uint64_t clock_ns() override { return kernel_.clock_ns(); }
  uint64_t unix_seconds() override { return kernel_.unix_seconds(); }
  int open_socket(int family) override;
  int shutdown_write(int fd) override { return kernel_.shutdown_write(fd); }
  void reset_on_close(int fd) override;
  int64_t unacknowledged_bytes(int fd) override { return kernel_.unacknowledged_bytes(fd); }
  int peer_address(int fd, SocketAddress* address) override {
    address->bytes = sizeof address->storage;
    return kernel_.peer_address(fd, reinterpret_cast<sockaddr*>(&address->storage),
                                &address->bytes);
  }
  int open_pipe(int fds[2], uint32_t bytes) override { return kernel_.pipe(fds, bytes); }
  int accept_now(int fd) override { return within_limit(kernel_.accept(fd)); }
  uint32_t pending_accepts(int fd) override { return kernel_.pending_accepts(fd); }
  void close_now(int fd) override { (void)kernel_.close(fd); }

  void wake() override;
  bool post(uint32_t lane, uint64_t value) override;
  bool take_left_mail(uint64_t* value) override { return mailbox_.take(value); }

 protected:
  SystemEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options);

  // Makes the event descriptor. 0 or -errno.
  int open_common();

  // The descriptor, or -EMFILE when it lies beyond what this engine keeps records for; it is then
  // closed, as if the system's limit had been the lower one.
  int within_limit(int fd);

  // Reports an operation with the next `wait`. At most two per descriptor are under way.
  void report_later(uint64_t token, int32_t result) { known_.push(Known{token, result}); }
  bool has_known() const { return !known_.empty(); }
  void put_known(Output& output);

  // The event descriptor became readable: another thread called `wake`.
  void hear_wake();
  bool has_mail() const { return mail_pending_; }
  void put_mail(Output& output);

  // Which of a descriptor's bits says that the starved queue of a class names it.
  static constexpr uint8_t starved_bit(BufferClass cls) {
    return static_cast<uint8_t>(1u << static_cast<unsigned>(cls));
  }

  struct Known {
    uint64_t token;
    int32_t result;
  };

  Kernel& kernel_;
  const uint32_t descriptors_max_;
  int event_fd_ = -1;
  bool woken_ = false;  // since this `wait` began

 private:
  Mailbox mailbox_;
  ReservedQueue<Known> known_;
  bool mail_pending_ = false;
  // Set by the first of several wakes, which alone writes to the event descriptor.
  alignas(64) std::atomic<bool> signalled_{false};
};

}  // namespace sluice::io
