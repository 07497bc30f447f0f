// What the io_uring engine relies on, tried out before it serves: kernels differ by more than their
// version numbers, because features are carried over, switched off and broken. The trial runs the
// engine's own operations on a pair of sockets.
#include <vector>

#include "io/uring_engine.h"

namespace sluice::io {
namespace {

constexpr uint64_t kTrialLimitNs = 2'000'000'000;
constexpr Token kTrialToken{Op::recv, Side::downstream, 0, 0};

}  // namespace

// One receive, from start to terminal completion.
struct UringEngine::Trial {
  int fd;
  uint64_t deadline_ns;
  int32_t result = 0;  // of the terminal completion
  uint32_t bytes = 0;  // of all
  bool ended = false;
};

void UringEngine::try_receive(Trial& trial, uint32_t credit_bytes, bool cancelled) {
  trial.bytes = 0;
  trial.ended = false;
  recv(trial.fd, kTrialToken, BufferClass::small, credit_bytes);
  const uint32_t far_too_much = credit_bytes + 2 * buffers_.buffer_bytes(BufferClass::small);
  bool cancel_staged = false;
  Completion completions[8];
  while (!trial.ended && kernel_.clock_ns() < trial.deadline_ns) {
    if (!cancel_staged && (cancelled || trial.bytes >= far_too_much)) {
      cancel_staged = true;
      cancel(trial.fd);
    }
    const size_t count = wait(trial.deadline_ns, completions, 8);
    for (size_t i = 0; i < count; i++) {
      if (completions[i].token != kTrialToken.encode()) continue;
      trial.result = completions[i].result;
      trial.ended = !completions[i].more;
      if (completions[i].buffer.is_none()) continue;
      trial.bytes += static_cast<uint32_t>(completions[i].result);
      buffers_.release(completions[i].buffer);
    }
  }
}

// 0, -EOPNOTSUPP when receives cannot be capped, or another error.
int UringEngine::try_pair(const int pair[2], uint64_t deadline_ns) {
  const uint32_t buffer_bytes = buffers_.buffer_bytes(BufferClass::small);
  std::vector<uint8_t> payload(size_t{6} * buffer_bytes);
  iovec vector{payload.data(), payload.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  const int64_t sent = kernel_.send(pair[1], &message);
  if (sent < int64_t{3} * buffer_bytes) return sent < 0 ? static_cast<int>(sent) : -EIO;

  // Credit for a byte more than one buffer: two are to be reported, in any pieces, and no third.
  Trial trial{pair[0], deadline_ns};
  const uint32_t credit = buffer_bytes + 1;
  uint32_t received = 0;
  while (received < credit) {
    try_receive(trial, credit - received, false);
    if (!trial.ended) return -ETIME;
    if (trial.result == -EINVAL && receive_cap_) return -EOPNOTSUPP;
    if (trial.result <= 0 && trial.bytes == 0) return trial.result == 0 ? -EIO : trial.result;
    received += trial.bytes;
  }
  if (received >= credit + buffer_bytes) return receive_cap_ ? -EOPNOTSUPP : -EIO;

  // The rest, and then a receive that has to wait until it is cancelled.
  while (received < sent) {
    try_receive(trial, static_cast<uint32_t>(sent) - received, false);
    if (!trial.ended || trial.bytes == 0) return -EIO;
    received += trial.bytes;
  }
  try_receive(trial, credit, true);
  if (!trial.ended) return -ETIME;
  return trial.result == -ECANCELED ? 0 : -EIO;
}

int UringEngine::preflight() {
  int error = -EOPNOTSUPP;
  while (error == -EOPNOTSUPP) {
    int pair[2];
    error = kernel_.socket_pair(pair);
    if (error < 0) return error;
    const bool fits = static_cast<uint32_t>(pair[0]) < descriptors_max_;
    error = fits ? try_pair(pair, kernel_.clock_ns() + kTrialLimitNs) : -EMFILE;
    close_now(pair[0]);
    close_now(pair[1]);
    if (error != -EOPNOTSUPP) continue;
    // Receives are started one by one, then; that has to work.
    if (!receive_cap_) return -EIO;
    receive_cap_ = false;
  }
  counters_ = EngineCounters{};
  return error;
}

}  // namespace sluice::io
