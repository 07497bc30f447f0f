#include "io/uring_buffers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>

namespace sluice::io {
namespace {

// How many buffers lie ready at first: enough for a busy turn, few enough to stay cached.
constexpr uint32_t kTargets[2] = {64, 8};
// A target is looked at after so many refills, and halved when a quarter would have done.
constexpr uint32_t kRefillsPerLook = 4096;

}  // namespace

UringBuffers::UringBuffers(Kernel& kernel, BufferPool& pool)
    : kernel_(kernel),
      pool_(pool),
      classes_{Class(pool.capacity(BufferClass::small)), Class(pool.capacity(BufferClass::large))} {
}

int UringBuffers::open(int ring, uint32_t entries_max) {
  const int error = open(ring, BufferClass::small, entries_max);
  return error < 0 ? error : open(ring, BufferClass::large, entries_max);
}

int UringBuffers::open(int ring, BufferClass cls, uint32_t entries_max) {
  Class& c = of(cls);
  const uint32_t capacity = pool_.capacity(cls);
  SLUICE_ASSERT(capacity > 0 && capacity <= 1u << kClassShift);
  c.entries = std::bit_ceil(std::min({capacity, entries_max, 1u << kClassShift}));
  c.target_max = std::min(capacity, c.entries);
  c.target_min = std::min(kTargets[static_cast<unsigned>(cls)], c.target_max);
  c.target = c.target_min;
  c.ring_bytes = (c.entries * sizeof(io_uring_buf) + 4095) / 4096 * 4096;
  c.ring = static_cast<uint8_t*>(kernel_.map(c.ring_bytes, -1, 0));
  if (c.ring == nullptr) return -ENOMEM;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(c.ring);
  registration.ring_entries = c.entries;
  registration.bgid = group(cls);
  return kernel_.uring_register(ring, IORING_REGISTER_PBUF_RING, &registration, 1);
}

void UringBuffers::close() {
  for (const BufferClass cls : {BufferClass::small, BufferClass::large}) {
    Class& c = of(cls);
    for (uint32_t index = 0; c.filled > 0; index++) {
      if (c.held[index] == 0) continue;
      c.held[index] = 0;
      c.filled--;
      pool_.give_back(BufferRef(cls, index));
    }
    if (c.ring != nullptr) kernel_.unmap(c.ring, c.ring_bytes);
    c.ring = nullptr;
  }
}

BufferRef UringBuffers::taken(uint32_t completion_flags) {
  const uint32_t number = completion_flags >> IORING_CQE_BUFFER_SHIFT;
  const auto cls = static_cast<BufferClass>(number >> kClassShift);
  const uint32_t index = number & ((1u << kClassShift) - 1);
  Class& c = of(cls);
  SLUICE_VERIFY(c.held[index] == 1);
  c.held[index] = 0;
  c.filled--;
  return BufferRef(cls, index);
}

void UringBuffers::refill(BufferClass cls) {
  Class& c = of(cls);
  c.most_used = std::max(c.most_used, c.target - c.filled);
  if (++c.refills == kRefillsPerLook) decay(c);
  c.grown = false;
  const uint16_t before = c.tail;
  while (c.filled < c.target) {
    const BufferRef ref = pool_.take(cls);
    if (ref.is_none()) break;
    auto* entry = reinterpret_cast<io_uring_buf*>(c.ring) + (c.tail & (c.entries - 1));
    entry->addr = reinterpret_cast<uint64_t>(pool_.data(ref));
    entry->len = pool_.buffer_bytes(cls);
    entry->bid = static_cast<uint16_t>(static_cast<uint32_t>(cls) << kClassShift | ref.index());
    c.held[ref.index()] = 1;
    c.filled++;
    c.tail++;
  }
  if (c.tail == before) return;
  auto* tail = reinterpret_cast<uint16_t*>(c.ring + abi::kBufferRingTailOffset);
  std::atomic_ref<uint16_t>(*tail).store(c.tail, std::memory_order_release);
}

void UringBuffers::decay(Class& c) {
  if (c.most_used * 4 <= c.target && c.target > c.target_min) {
    c.target = std::max(c.target / 2, c.target_min);
  }
  c.refills = 0;
  c.most_used = 0;
}

void UringBuffers::ran_out(BufferClass cls) {
  Class& c = of(cls);
  c.most_used = c.target;
  // Several reports between two refills speak of the same shortage; one of the pool itself is not
  // mended by asking it for more.
  if (c.grown || pool_.free_count(cls) == 0) return;
  c.grown = true;
  c.target = std::min(c.target * 2, c.target_max);
}

}  // namespace sluice::io
