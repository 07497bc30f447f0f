#include "ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace load {
namespace {

// Newer than the kernel headers of some build hosts.
constexpr uint32_t kSetupDeferTaskrun = 1u << 13;
constexpr uint32_t kRegisterRingFds = 20;
constexpr uint32_t kEnterRegisteredRing = 1u << 4;

int setup(uint32_t entries, io_uring_params* params) {
  return static_cast<int>(syscall(__NR_io_uring_setup, entries, params));
}
int register_with(int fd, uint32_t op, void* arg, uint32_t count) {
  return static_cast<int>(syscall(__NR_io_uring_register, fd, op, arg, count));
}
void* map(size_t bytes, int fd, off_t offset) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);
}

}  // namespace

bool Ring::open(uint32_t entries) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | kSetupDeferTaskrun | IORING_SETUP_TASKRUN_FLAG |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = entries * 8;
  fd_ = setup(entries, &params);
  if (fd_ < 0) return false;

  const size_t sq_bytes = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  const size_t cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  auto* rings = static_cast<uint8_t*>(
      map(sq_bytes > cq_bytes ? sq_bytes : cq_bytes, fd_, IORING_OFF_SQ_RING));
  void* sqes = map(params.sq_entries * sizeof(io_uring_sqe), fd_, IORING_OFF_SQES);
  if (rings == MAP_FAILED || sqes == MAP_FAILED) return false;

  auto word = [rings](uint32_t offset) { return reinterpret_cast<uint32_t*>(rings + offset); };
  sqes_ = static_cast<io_uring_sqe*>(sqes);
  sq_head_ = word(params.sq_off.head);
  sq_tail_ = word(params.sq_off.tail);
  sq_flags_ = word(params.sq_off.flags);
  sq_mask_ = *word(params.sq_off.ring_mask);
  for (uint32_t i = 0; i < params.sq_entries; i++) word(params.sq_off.array)[i] = i;
  cqes_ = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
  cq_head_ = word(params.cq_off.head);
  cq_tail_ = word(params.cq_off.tail);
  cq_mask_ = *word(params.cq_off.ring_mask);

  io_uring_rsrc_update registration{};
  registration.offset = UINT32_MAX;
  registration.data = static_cast<uint64_t>(fd_);
  enter_fd_ = fd_;
  if (register_with(fd_, kRegisterRingFds, &registration, 1) == 1) {
    enter_fd_ = static_cast<int>(registration.offset);
    enter_flags_ = kEnterRegisteredRing;
  }
  return true;
}

bool Ring::provide_buffers(uint32_t count, uint32_t bytes) {
  void* ring = map(count * sizeof(io_uring_buf), -1, 0);
  void* memory = map(size_t{count} * bytes, -1, 0);
  if (ring == MAP_FAILED || memory == MAP_FAILED) return false;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring);
  registration.ring_entries = count;
  if (register_with(fd_, IORING_REGISTER_PBUF_RING, &registration, 1) < 0) return false;
  buf_ring_ = static_cast<io_uring_buf*>(ring);
  buffers_ = static_cast<uint8_t*>(memory);
  buffer_bytes_ = bytes;
  buffer_mask_ = count - 1;
  for (uint32_t i = 0; i < count; i++) recycle(i);
  publish_buffers();
  return true;
}

io_uring_sqe* Ring::sqe() {
  while (staged_tail_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE) > sq_mask_) enter();
  io_uring_sqe* entry = &sqes_[staged_tail_++ & sq_mask_];
  memset(entry, 0, sizeof *entry);
  return entry;
}

int Ring::enter() {
  return enter(0, 0, nullptr, 0);
}

int Ring::enter_and_wait(uint32_t timeout_ms) {
  __kernel_timespec timeout{};
  timeout.tv_nsec = int64_t{timeout_ms} * 1'000'000;
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<uint64_t>(&timeout);
  return enter(1, IORING_ENTER_EXT_ARG, &argument, sizeof argument);
}

int Ring::enter(uint32_t completions, uint32_t flags, const void* argument, size_t bytes) {
  __atomic_store_n(sq_tail_, staged_tail_, __ATOMIC_RELEASE);
  const uint32_t count = staged_tail_ - submitted_tail_;
  const long result = syscall(__NR_io_uring_enter, enter_fd_, count, completions,
                              IORING_ENTER_GETEVENTS | enter_flags_ | flags, argument, bytes);
  if (result < 0) return -errno;
  submitted_tail_ += static_cast<uint32_t>(result);
  return static_cast<int>(result);
}

void Ring::recycle(uint32_t id) {
  io_uring_buf* slot = &buf_ring_[buffer_tail_++ & buffer_mask_];
  slot->addr = reinterpret_cast<uint64_t>(buffers_) + size_t{id} * buffer_bytes_;
  slot->len = buffer_bytes_;
  slot->bid = static_cast<uint16_t>(id);
}

void Ring::publish_buffers() {
  __atomic_store_n(&buf_ring_[0].resv, buffer_tail_, __ATOMIC_RELEASE);
}

}  // namespace load
