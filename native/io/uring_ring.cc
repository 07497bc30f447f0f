#include "io/uring_ring.h"

#include <algorithm>
#include <cerrno>

namespace sluice::io {
namespace {

// Without one of these the engine's assumptions do not hold: one mapping, completions that are
// never dropped, memory of a submission that may be reused after it, waits with a timeout, and
// entries that complete silently.
constexpr uint32_t kFeaturesNeeded = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |
                                     IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL |
                                     IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;

constexpr uint32_t kAlways = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
constexpr uint32_t kDeferred =
    kAlways | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

// Best first; a kernel answers -EINVAL to a flag it does not know.
constexpr uint32_t kLadder[] = {
    kDeferred | abi::kSetupNoSqArray,
    kDeferred,
    kAlways | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kAlways | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
};

}  // namespace

int UringRing::setup(uint32_t sq_entries, uint32_t cq_entries, io_uring_params* params) {
  int fd = -EINVAL;
  for (const uint32_t flags : kLadder) {
    *params = io_uring_params{};
    params->flags = flags;
    params->cq_entries = cq_entries;
    fd = kernel_.uring_setup(sq_entries, params);
    if (fd != -EINVAL) break;
  }
  return fd;
}

int UringRing::open(uint32_t sq_entries, uint32_t cq_entries) {
  SLUICE_ASSERT(fd_ < 0);
  io_uring_params params;
  const int fd = setup(sq_entries, cq_entries, &params);
  if (fd < 0) return fd;
  fd_ = fd;
  const bool fit = (params.features & kFeaturesNeeded) == kFeaturesNeeded;
  const int error = fit ? map(params) : -EINVAL;
  if (error < 0) close();
  return error;
}

int UringRing::map(const io_uring_params& params) {
  const bool indexed = (params.flags & abi::kSetupNoSqArray) == 0;
  const size_t array_end = indexed ? params.sq_off.array + params.sq_entries * sizeof(uint32_t) : 0;
  const size_t cqes_end = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  rings_bytes_ = std::max(array_end, cqes_end);
  rings_ = kernel_.map(rings_bytes_, fd_, IORING_OFF_SQ_RING);
  if (rings_ == nullptr) return -ENOMEM;
  sqes_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
  sqes_ = static_cast<io_uring_sqe*>(kernel_.map(sqes_bytes_, fd_, IORING_OFF_SQES));
  if (sqes_ == nullptr) return -ENOMEM;

  uint8_t* base = static_cast<uint8_t*>(rings_);
  const auto word = [base](uint32_t offset) { return reinterpret_cast<uint32_t*>(base + offset); };
  sq_head_ = word(params.sq_off.head);
  sq_ktail_ = word(params.sq_off.tail);
  sq_flags_ = word(params.sq_off.flags);
  cq_head_ = word(params.cq_off.head);
  cq_tail_ = word(params.cq_off.tail);
  cqes_ = reinterpret_cast<io_uring_cqe*>(base + params.cq_off.cqes);
  sq_entries_ = params.sq_entries;
  cq_entries_ = params.cq_entries;
  sq_mask_ = sq_entries_ - 1;
  cq_mask_ = cq_entries_ - 1;
  sq_tail_ = *sq_ktail_;
  cq_taken_ = *cq_head_;
  if (indexed) {
    uint32_t* array = word(params.sq_off.array);
    for (uint32_t i = 0; i < sq_entries_; i++) array[i] = i;
  }
  return 0;
}

void UringRing::close() {
  if (sqes_ != nullptr) kernel_.unmap(sqes_, sqes_bytes_);
  if (rings_ != nullptr) kernel_.unmap(rings_, rings_bytes_);
  if (fd_ >= 0) (void)kernel_.close(fd_);
  sqes_ = nullptr;
  rings_ = nullptr;
  fd_ = -1;
}

int UringRing::enter(uint32_t to_submit, uint32_t min_complete, uint64_t timeout_ns) {
  if (min_complete == 0 || timeout_ns == kNoTimeout) {
    return kernel_.uring_enter(fd_, to_submit, min_complete, IORING_ENTER_GETEVENTS, nullptr, 0);
  }
  struct {
    int64_t seconds;
    int64_t nanoseconds;
  } timeout{static_cast<int64_t>(timeout_ns / 1'000'000'000),
            static_cast<int64_t>(timeout_ns % 1'000'000'000)};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<uint64_t>(&timeout);
  return kernel_.uring_enter(fd_, to_submit, min_complete,
                             IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
                             sizeof(argument));
}

}  // namespace sluice::io
