// What an operation in the kernel is called, and how its identity travels through 64 bits.
// An identity is a value, never a pointer: {op, side, generation, slot}. A completion whose
// generation is not its slot's current one is stale: its buffer is returned first, then it is
// dropped and counted.
#pragma once

#include <cstdint>

namespace sluice::io {

enum class Op : uint8_t {
  none,        // the engine's own business; never delivered
  accept,      // result: a connected descriptor
  recv,        // result: bytes, in `buffer`; 0 = end of stream
  send,        // result: bytes sent, possibly fewer than asked
  connect,     // result: 0
  poll,        // result: ready events
  splice_in,   // result: bytes moved socket -> pipe; 0 = end of stream
  splice_out,  // result: bytes moved pipe -> socket
  mail,        // another thread posted `value`
};

// Which of a connection's two sockets an operation is about.
enum class Side : uint8_t { downstream = 0, upstream = 1 };

constexpr Side other(Side side) {
  return side == Side::downstream ? Side::upstream : Side::downstream;
}
constexpr unsigned index_of(Side side) {
  return static_cast<unsigned>(side);
}

struct Token {
  Op op = Op::none;
  Side side = Side::downstream;
  uint32_t generation = 0;  // 24 bits
  uint32_t slot = 0;

  // op:7 | side:1 | generation:24 | slot:32, from the top.
  constexpr uint64_t encode() const {
    return static_cast<uint64_t>(op) << 57 | static_cast<uint64_t>(side) << 56 |
           static_cast<uint64_t>(generation & 0xffffff) << 32 | slot;
  }
  static constexpr Token decode(uint64_t bits) {
    return Token{static_cast<Op>(bits >> 57), static_cast<Side>(bits >> 56 & 1),
                 static_cast<uint32_t>(bits >> 32) & 0xffffff, static_cast<uint32_t>(bits)};
  }
  constexpr Token with(Op other_op) const { return Token{other_op, side, generation, slot}; }
};

}  // namespace sluice::io
