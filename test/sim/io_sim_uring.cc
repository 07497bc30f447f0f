// io_uring of the simulated kernel, the system calls: setup, enter, register.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "sim/io_sim_kernel.h"

namespace sluice::sim {

namespace {

constexpr uint32_t kEntriesMax = 32768;
constexpr uint32_t kTaskWorkPerCall = 20;
constexpr uint32_t kOpcodesKnown = 64;

uint32_t known_setup_flags(Level level) {
  uint32_t flags = (1u << 12) - 1;  // up to CQE32
  if (level >= Level::v6_0) flags |= IORING_SETUP_SINGLE_ISSUER;
  if (level >= Level::v6_1) flags |= IORING_SETUP_DEFER_TASKRUN;
  if (level >= Level::v6_6) flags |= 1u << 14 | 1u << 15 | kSetupNoSqArray;
  return flags;
}

void fill_offsets(io_uring_params* params, const Ring& ring) {
  using Word = Ring::Word;
  const uint8_t* base = ring.rings->data();
  const auto at = [](size_t offset) { return static_cast<uint32_t>(offset); };
  params->sq_off = {};
  params->sq_off.head = at(offsetof(Word, sq_head));
  params->sq_off.tail = at(offsetof(Word, sq_tail));
  params->sq_off.ring_mask = at(offsetof(Word, sq_mask));
  params->sq_off.ring_entries = at(offsetof(Word, sq_entries));
  params->sq_off.flags = at(offsetof(Word, sq_flags));
  params->sq_off.dropped = at(offsetof(Word, sq_dropped));
  if (ring.array != nullptr) {
    params->sq_off.array = at(static_cast<size_t>(reinterpret_cast<uint8_t*>(ring.array) - base));
  }
  params->cq_off = {};
  params->cq_off.head = at(offsetof(Word, cq_head));
  params->cq_off.tail = at(offsetof(Word, cq_tail));
  params->cq_off.ring_mask = at(offsetof(Word, cq_mask));
  params->cq_off.ring_entries = at(offsetof(Word, cq_entries));
  params->cq_off.overflow = at(offsetof(Word, cq_overflow));
  params->cq_off.flags = at(offsetof(Word, cq_flags));
  params->cq_off.cqes = at(static_cast<size_t>(reinterpret_cast<uint8_t*>(ring.cqes) - base));
}

std::unique_ptr<Ring> build_ring(uint32_t entries, uint32_t cq_entries, uint32_t flags) {
  auto ring = std::make_unique<Ring>();
  ring->flags = flags;
  ring->sq_entries = entries;
  ring->cq_entries = cq_entries;
  const bool has_array = (flags & kSetupNoSqArray) == 0;
  const size_t array_bytes = has_array ? (entries * sizeof(uint32_t) + 63) / 64 * 64 : 0;
  ring->rings = std::make_shared<Block>(64 + array_bytes + cq_entries * sizeof(io_uring_cqe));
  ring->sqes = std::make_shared<Block>(entries * sizeof(io_uring_sqe));
  uint8_t* base = ring->rings->data();
  ring->word = reinterpret_cast<Ring::Word*>(base);
  static_assert(sizeof(Ring::Word) <= 64);
  if (has_array) ring->array = reinterpret_cast<uint32_t*>(base + 64);
  ring->cqes = reinterpret_cast<io_uring_cqe*>(base + 64 + array_bytes);
  ring->word->sq_mask = entries - 1;
  ring->word->sq_entries = entries;
  ring->word->cq_mask = cq_entries - 1;
  ring->word->cq_entries = cq_entries;
  return ring;
}

// The wait argument: when to give up, as a time of the world. 0 when it is malformed.
uint64_t deadline_of(uint32_t flags, const void* argument, size_t bytes, uint64_t now_ns) {
  if ((flags & IORING_ENTER_EXT_ARG) == 0) return UINT64_MAX;
  if (argument == nullptr || bytes != sizeof(io_uring_getevents_arg)) return 0;
  const auto* arg = static_cast<const io_uring_getevents_arg*>(argument);
  if (arg->ts == 0) return UINT64_MAX;
  const auto* ts = reinterpret_cast<const __kernel_timespec*>(arg->ts);
  const uint64_t ns =
      static_cast<uint64_t>(ts->tv_sec) * 1'000'000'000 + static_cast<uint64_t>(ts->tv_nsec);
  return (flags & kEnterAbsTimer) != 0 ? std::max<uint64_t>(ns, 1) : now_ns + ns;
}

}  // namespace

int SimKernel::uring_setup(uint32_t entries, io_uring_params* params) {
  enter("uring_setup", static_cast<int>(entries));
  const uint32_t flags = params->flags;
  const bool clamp = (flags & IORING_SETUP_CLAMP) != 0;
  if (faults_.fires(Fault::setup_refused)) return static_cast<int>(leave(-EPERM));
  if ((flags & ~known_setup_flags(options_.level)) != 0) return static_cast<int>(leave(-EINVAL));
  const uint32_t taskrun = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN;
  if (((flags & IORING_SETUP_DEFER_TASKRUN) != 0 && (flags & IORING_SETUP_SINGLE_ISSUER) == 0) ||
      ((flags & IORING_SETUP_TASKRUN_FLAG) != 0 && (flags & taskrun) == 0) ||
      (flags & (IORING_SETUP_SQPOLL | IORING_SETUP_IOPOLL | IORING_SETUP_CQE32)) != 0) {
    return static_cast<int>(leave(-EINVAL));
  }
  if (entries == 0 || (entries > kEntriesMax && !clamp)) return static_cast<int>(leave(-EINVAL));
  uint32_t sq = std::bit_ceil(std::min(entries, kEntriesMax));
  uint32_t cq = sq * 2;
  if ((flags & IORING_SETUP_CQSIZE) != 0) {
    if (params->cq_entries < sq) return static_cast<int>(leave(-EINVAL));
    cq = std::bit_ceil(std::min(params->cq_entries, 2 * kEntriesMax));
  }
  if (entries > 64 && faults_.fires(Fault::setup_enomem)) return static_cast<int>(leave(-ENOMEM));
  if (clamp && faults_.fires(Fault::tiny_cq)) {
    sq = std::min(sq, 8u);
    cq = std::min(cq, 8u << world_.prng().below(3));
  }
  if (world_.table_full()) return static_cast<int>(leave(-EMFILE));
  std::unique_ptr<Ring> ring = build_ring(sq, cq, flags);
  ring->object = world_.make(Kind::ring);
  params->sq_entries = sq;
  params->cq_entries = cq;
  params->features = (1u << 13) - 1;
  fill_offsets(params, *ring);
  const int object = ring->object;
  rings_[object] = std::move(ring);
  return static_cast<int>(leave(world_.install(object)));
}

Ring* SimKernel::ring_of(int fd, bool registered) {
  int object = -1;
  if (!registered) {
    object = world_.lookup(fd);
  } else if (fd >= 0 && static_cast<size_t>(fd) < registered_rings_.size()) {
    object = registered_rings_[static_cast<size_t>(fd)];
  }
  const auto ring = rings_.find(object);
  return ring == rings_.end() ? nullptr : ring->second.get();
}

int SimKernel::uring_enter(int fd, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                           const void* argument, size_t argument_bytes) {
  enter("uring_enter", fd);
  Ring* ring = ring_of(fd, (flags & IORING_ENTER_REGISTERED_RING) != 0);
  if (ring == nullptr) return static_cast<int>(leave(-EBADF));
  const uint32_t known = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
                         IORING_ENTER_REGISTERED_RING | IORING_ENTER_SQ_WAIT | kEnterAbsTimer;
  const uint64_t until = deadline_of(flags, argument, argument_bytes, world_.now_ns());
  if ((flags & ~known) != 0 || until == 0 ||
      ((flags & kEnterAbsTimer) != 0 && options_.level < Level::v6_18)) {
    return static_cast<int>(leave(-EINVAL));
  }
  RingDriver driver(*this, *ring);
  uint32_t submitted = 0;
  if (to_submit > 0) {
    if (faults_.fires(Fault::enter_eagain)) return static_cast<int>(leave(-EAGAIN));
    if (faults_.fires(Fault::enter_enomem)) return static_cast<int>(leave(-ENOMEM));
    uint32_t count = to_submit;
    if (to_submit > 1 && faults_.fires(Fault::enter_partial)) {
      count = 1 + world_.prng().below(to_submit - 1);
    }
    submitted = driver.submit(count);
    if (submitted != to_submit) return static_cast<int>(leave(submitted));
  }
  if (!ring->defers()) driver.run_task_work(UINT32_MAX);
  if ((flags & IORING_ENTER_GETEVENTS) == 0) return static_cast<int>(leave(submitted));

  const uint32_t wanted = std::min(min_complete, ring->cq_entries);
  driver.run_task_work(std::max(kTaskWorkPerCall, wanted));
  driver.flush_overflow();
  int result = 0;
  while (ring->ready() < wanted) {
    if (faults_.fires(Fault::enter_eintr)) {
      result = -EINTR;
      break;
    }
    const uint64_t next = world_.next_event_ns();
    if (next == UINT64_MAX && until == UINT64_MAX && ring->task_work.empty()) {
      world_.fail("io_uring_enter without timeout, and nothing will ever happen");
    }
    if (world_.failed() || (ring->task_work.empty() && next > until)) {
      if (until != UINT64_MAX) world_.advance_to(until);
      result = -ETIME;
      break;
    }
    if (ring->task_work.empty()) world_.advance_to(next);
    driver.run_task_work(std::max(1u, wanted - std::min(wanted, ring->ready())));
    driver.flush_overflow();
  }
  return static_cast<int>(leave(submitted > 0 ? static_cast<int>(submitted) : result));
}

namespace {

int register_buffers(Ring& ring, const io_uring_buf_reg& reg) {
  const bool kernel_memory = (reg.pad & kPbufRingMmap) != 0;
  if (reg.resv[0] != 0 || reg.resv[1] != 0 || reg.resv[2] != 0) return -EINVAL;
  if ((reg.pad & ~kPbufRingMmap) != 0) return -EINVAL;
  if (!std::has_single_bit(reg.ring_entries) || reg.ring_entries > 32768) return -EINVAL;
  if (ring.groups.count(reg.bgid) != 0) return -EEXIST;
  BufferGroup group;
  group.entries = reg.ring_entries;
  if (kernel_memory) {
    if (reg.ring_addr != 0) return -EINVAL;
    group.block = std::make_shared<Block>(reg.ring_entries * sizeof(io_uring_buf));
    group.ring = reinterpret_cast<io_uring_buf_ring*>(group.block->data());
  } else {
    if (reg.ring_addr == 0) return -EFAULT;
    if (reg.ring_addr % 4096 != 0) return -EINVAL;
    group.ring = reinterpret_cast<io_uring_buf_ring*>(reg.ring_addr);
  }
  ring.groups[reg.bgid] = group;
  return 0;
}

void fill_probe(io_uring_probe* probe, uint32_t count) {
  const uint32_t known = std::min(count, kOpcodesKnown);
  std::memset(probe, 0, sizeof(io_uring_probe) + count * sizeof(io_uring_probe_op));
  probe->last_op = kOpcodesKnown - 1;
  probe->ops_len = static_cast<uint8_t>(known);
  for (uint32_t i = 0; i < known; i++) {
    probe->ops[i].op = static_cast<uint8_t>(i);
    probe->ops[i].flags = IO_URING_OP_SUPPORTED;
  }
}

}  // namespace

int SimKernel::uring_register(int fd, uint32_t opcode, void* argument, uint32_t count) {
  enter("uring_register", fd);
  Ring* ring = ring_of(fd, (opcode & kRegisterUseRegisteredRing) != 0);
  if (ring == nullptr) return static_cast<int>(leave(-EBADF));
  const bool too_old = options_.level < Level::v6_0;
  switch (opcode & ~kRegisterUseRegisteredRing) {
    case IORING_REGISTER_PROBE:
      fill_probe(static_cast<io_uring_probe*>(argument), count);
      return static_cast<int>(leave(0));
    case IORING_REGISTER_PBUF_RING:
      if (too_old) return static_cast<int>(leave(-EINVAL));
      if (faults_.fires(Fault::register_enomem)) return static_cast<int>(leave(-ENOMEM));
      return static_cast<int>(
          leave(register_buffers(*ring, *static_cast<const io_uring_buf_reg*>(argument))));
    case IORING_UNREGISTER_PBUF_RING: {
      const auto* reg = static_cast<const io_uring_buf_reg*>(argument);
      return static_cast<int>(leave(ring->groups.erase(reg->bgid) == 1 ? 0 : -ENOENT));
    }
    case kRegisterPbufStatus: {
      if (options_.level < Level::v6_18) return static_cast<int>(leave(-EINVAL));
      uint32_t* words = static_cast<uint32_t*>(argument);  // group, head
      const auto group = ring->groups.find(static_cast<uint16_t>(words[0]));
      if (group == ring->groups.end()) return static_cast<int>(leave(-ENOENT));
      words[1] = group->second.head;
      return static_cast<int>(leave(0));
    }
    case IORING_REGISTER_RING_FDS: {
      auto* update = static_cast<io_uring_rsrc_update*>(argument);
      registered_rings_.push_back(world_.lookup(static_cast<int>(update->data)));
      update->offset = static_cast<uint32_t>(registered_rings_.size() - 1);
      return static_cast<int>(leave(1));
    }
    case IORING_UNREGISTER_RING_FDS: {
      const auto* update = static_cast<const io_uring_rsrc_update*>(argument);
      if (update->offset >= registered_rings_.size()) return static_cast<int>(leave(-EINVAL));
      registered_rings_[update->offset] = -1;
      return static_cast<int>(leave(1));
    }
    case IORING_REGISTER_ENABLE_RINGS:
    case IORING_REGISTER_IOWQ_MAX_WORKERS:
      return static_cast<int>(leave(0));
    default:
      return static_cast<int>(leave(-EINVAL));
  }
}

}  // namespace sluice::sim
