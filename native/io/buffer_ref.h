// Names one buffer of a BufferPool. Value type, 32 bits.
#pragma once

#include <cstdint>

namespace sluice::io {

// small: heads and messages. large: bodies.
enum class BufferClass : uint8_t { small = 0, large = 1 };

class BufferRef {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  constexpr BufferRef() = default;
  constexpr BufferRef(BufferClass cls, uint32_t index)
      : bits_(static_cast<uint32_t>(cls) << 16 | index) {}
  static constexpr BufferRef from_bits(uint32_t bits) {
    BufferRef ref;
    ref.bits_ = bits;
    return ref;
  }

  constexpr bool is_none() const { return bits_ == kNone; }
  constexpr uint32_t bits() const { return bits_; }
  constexpr BufferClass cls() const { return static_cast<BufferClass>(bits_ >> 16); }
  constexpr uint32_t index() const { return bits_ & 0xffff; }

 private:
  uint32_t bits_ = kNone;
};

}  // namespace sluice::io
