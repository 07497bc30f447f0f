// One request and its response. Plain data in a slab of its own beside the connections, so that a
// protocol with many requests on a connection finds the same thing; Exchanges is its behaviour.
//
// Steps of an exchange, and what ends each:
//
//   step        waits for                        ends with                      time limit
//   connecting  a backend to accept              -> requesting; next backend;   connectTimeout
//                                                -> answering 502, 503, 504
//   requesting  the response head, while request -> responding, upgrading;      body, and once the
//               bytes go to the backend          retry on a fresh connection;   request is sent
//                                                -> answering 502, 504, 408     responseHead
//   responding  the response's end, while bytes  -> (done), or the connection   body
//               go to the client                 is cut
//   upgrading   the 101 to be sent and both      -> a tunnel                    body
//               receives to end
//   answering   our own answer to be sent        -> (done)                      body
//
// Bytes: client -> downstream.in -> request body -> up -> backend -> connection.in -> response body
// -> down -> client. `up` and `down` follow the heads, which lie in blocks.
#pragma once

#include <cstdint>

#include "http/head.h"
#include "io/buffer_queue.h"
#include "log/record.h"
#include "proxy/body.h"
#include "proxy/head_blocks.h"
#include "proxy/pipe_pool.h"

namespace sluice::proxy {

// A head on its way out: in a block of ours, or in memory that stays (local answers).
struct OutgoingHead {
  const uint8_t* data = nullptr;
  uint32_t bytes = 0;
  uint32_t sent = 0;
  uint32_t block = HeadBlocks::kNone;

  uint32_t left() const { return bytes - sent; }
};

struct Exchange {
  enum class Step : uint8_t { connecting, requesting, responding, upgrading, answering };

  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t downstream = 0;
  uint32_t connection = kNone;  // upstream
  OutgoingHead request_head;
  OutgoingHead response_head;
  io::BufferQueue up;
  io::BufferQueue down;
  Body request;
  Body response;
  HeadReader reader;  // of the response head
  uint64_t began_ns = 0;
  uint64_t sent_ns = 0;  // when the whole request was out
  uint32_t route = kNone;
  uint32_t route_incarnation = 0;
  uint32_t pool = kNone;
  uint32_t pool_incarnation = 0;
  uint32_t backend = kNone;
  uint32_t connect_timeout_ms = 0;
  uint32_t response_head_timeout_ms = 0;
  uint32_t response_body_timeout_ms = 0;
  uint32_t request_body_timeout_ms = 0;
  uint32_t request_body_bytes_max = 0;  // 0: no limit
  uint32_t unacknowledged = 0;          // bytes at the last look at a stalled peer
  uint32_t tunnel_idle_timeout_ms = 0;
  uint64_t request_bytes = 0;  // received, of this request
  uint64_t sent_bytes = 0;     // to the client, of this response
  uint32_t tried[2] = {};
  uint8_t tried_count = 0;
  uint8_t connect_retries = 0;
  uint8_t interim_count = 0;
  uint8_t minor_version = 1;
  uint16_t status = 0;  // of the response, once it is known
  uint16_t pipe = PipePool::kNone;
  uint32_t pipe_bytes = 0;    // in the pipe, not yet sent
  uint8_t small_splices = 0;  // in a row: the backend sends in small pieces
  // What the access log tells besides.
  log::SlotName served_by;  // the backend picked last
  uint32_t connect_us = log::kNoTime;
  uint32_t first_byte_us = log::kNoTime;
  uint32_t head_bytes = 0;                  // of all heads made for the client
  log::End end = log::End::client_aborted;  // unless it completes
  Step step = Step::connecting;
  http::Method method = http::Method::other;
  bool logged : 1 = false;         // there is a draft of a record
  bool reused : 1 = false;         // on a connection that has served others
  bool retried : 1 = false;        // once, after such a connection was found dead
  bool body_released : 1 = false;  // request bytes that we no longer hold have been sent
  bool request_sent : 1 = false;   // all of it
  bool connect_timed_out : 1 = false;
  bool keep_client : 1 = false;    // the client's connection serves another request after this one
  bool keep_upstream : 1 = false;  // as far as the response head says
  bool wants_upgrade : 1 = false;
  bool receives_ended : 1 = false;  // upgrading: both were told to
  bool cut : 1 = false;             // by us: the client was not given all of it
  bool large : 1 = false;           // the response is received into large buffers
  bool splice_refused : 1 = false;  // for this response it is not tried (again)
};

}  // namespace sluice::proxy
