#include "io/system_engine.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace sluice::io {

SystemEngine::SystemEngine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options)
    : Engine(buffers),
      kernel_(kernel),
      descriptors_max_(options.descriptors_max),
      mailbox_(options.mail_lanes),
      known_(2 * options.descriptors_max) {}

SystemEngine::~SystemEngine() {
  if (event_fd_ >= 0) (void)kernel_.close(event_fd_);
}

int SystemEngine::open_common() {
  if (!mailbox_.ok() || !known_.ok()) return -ENOMEM;
  event_fd_ = kernel_.event_fd();
  return event_fd_ < 0 ? event_fd_ : 0;
}

int SystemEngine::within_limit(int fd) {
  if (fd < 0 || static_cast<uint32_t>(fd) < descriptors_max_) return fd;
  (void)kernel_.close(fd);
  return -EMFILE;
}

int SystemEngine::open_socket(int family) {
  const int fd = within_limit(kernel_.socket(family));
  if (fd >= 0 && (family == AF_INET || family == AF_INET6)) {
    const int one = 1;
    (void)kernel_.set_option(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  }
  return fd;
}

void SystemEngine::reset_on_close(int fd) {
  const linger at_once{1, 0};
  (void)kernel_.set_option(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void SystemEngine::put_known(Output& output) {
  while (!known_.empty() && !output.full()) {
    const Known known = known_.pop();
    output.put(known.token, known.result);
  }
}

// Any thread. Whoever finds the flag set leaves the writing to the one who set it: the receiver
// clears the flag before it looks, so it sees everything that was done before.
void SystemEngine::wake() {
  if (signalled_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  (void)kernel_.write(event_fd_, &one, sizeof(one));
}

bool SystemEngine::post(uint32_t lane, uint64_t value) {
  if (!mailbox_.post(lane, value)) return false;
  wake();
  return true;
}

void SystemEngine::hear_wake() {
  uint64_t count = 0;
  (void)kernel_.read(event_fd_, &count, sizeof(count));
  (void)signalled_.exchange(false, std::memory_order_acq_rel);
  woken_ = true;
  mail_pending_ = true;
}

void SystemEngine::put_mail(Output& output) {
  uint64_t value = 0;
  while (!output.full()) {
    if (!mailbox_.take(&value)) {
      mail_pending_ = false;
      counters_.mail_full = mailbox_.refused();
      return;
    }
    output.put_mail(value);
  }
}

}  // namespace sluice::io
