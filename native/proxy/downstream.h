// A client's HTTP connection. Plain data in a slab; Exchanges (exchanges.h) is its behaviour. While
// idle it holds no buffer and no block.
//
// States:  reading <-> exchanging -> lingering -> closing -> (freed)
//   reading     waits for a request head, or has a part of one
//   exchanging  a request is being served; what arrives beyond it waits
//   lingering   the last response is sent and said to be so; what the client still sends is
//               dropped: closing over unread bytes resets the connection (RFC 9112 section 9.6)
//   closing     everything outstanding was cancelled; freed when nothing is in the kernel any more
#pragma once

#include <cstdint>

#include "io/buffer_queue.h"
#include "proxy/head_blocks.h"

namespace sluice::proxy {

// A head that may arrive in pieces. One that lies in several buffers is gathered in a block.
struct HeadReader {
  uint32_t block = HeadBlocks::kNone;
  uint32_t gathered = 0;  // bytes in the block, taken off the queue
  uint32_t scanned = 0;   // how far the parser has looked for the end
};

// Address of the client, asked for once, by the first request.
struct Peer {
  enum class Family : uint8_t { unknown, ipv4, ipv6, other };

  uint8_t address[16] = {};  // network order; IPv4 uses the first four
  Family family = Family::unknown;
  bool trusted = false;  // by the listener's trustedProxies
};

struct Downstream {
  enum class State : uint8_t { reading, exchanging, lingering, closing };

  int32_t fd = -1;
  uint32_t exchange = UINT32_MAX;
  io::BufferQueue in;
  HeadReader head;
  uint32_t listener_incarnation = 0;
  uint32_t lingered_bytes = 0;
  uint64_t deadline_ms = 0;
  uint64_t timer_ms = 0;  // what the wheel was told; never later than the deadline
  uint16_t listener = 0;
  State state = State::reading;
  uint8_t outstanding = 0;  // operations in the kernel
  uint8_t empty_lines = 0;  // passed over before the next request
  Peer peer;
  uint16_t pipe = UINT16_MAX;  // while closing: what an unfinished splice uses
  bool receiving : 1 = false;
  bool sending : 1 = false;
  bool ended : 1 = false;         // end of stream or an error was read
  bool head_started : 1 = false;  // the head's time is running
  bool served : 1 = false;        // a request has been answered
};

}  // namespace sluice::proxy
