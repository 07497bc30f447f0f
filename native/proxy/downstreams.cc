// A client's connection: open, read request heads, wait, close.
#include <algorithm>
#include <cerrno>

#include "proxy/exchanges.h"
#include "proxy/head_reader.h"
#include "proxy/window.h"

namespace sluice::proxy {

Exchanges::Exchanges(io::Engine& engine, TimerWheel& wheel, uint32_t timers_first,
                     balance::Balancer& balancer, upstream::Connector& connector,
                     Outcomes& outcomes, Tunnels& tunnels, shm::WorkerBlock& block,
                     uint32_t connections_max)
    : engine_(engine),
      buffers_(engine.buffers()),
      wheel_(wheel),
      timers_first_(timers_first),
      connections_max_(connections_max),
      balancer_(balancer),
      connector_(connector),
      outcomes_(outcomes),
      tunnels_(tunnels),
      block_(block),
      downstreams_(connections_max),
      exchanges_(connections_max),
      connections_(connections_max, shm::kBackendsMax),
      journal_(block, connections_max) {}

void Exchanges::open(int client_fd, uint32_t listener, uint32_t incarnation) {
  const shm::SnapshotListener& entry = snapshot_.listener(listener);
  if (entry.incarnation != incarnation) {
    shm::add<uint64_t>(block_.words().rejected_listener_gone, 1);
    return engine_.close_now(client_fd);
  }
  const uint32_t index = downstreams_.take();
  if (index == Slab<Downstream>::kNone) {
    shm::add<uint64_t>(block_.words().rejected_connections_max, 1);
    return engine_.close_now(client_fd);
  }
  Downstream& d = downstreams_[index];
  d.fd = client_fd;
  d.listener = static_cast<uint16_t>(listener);
  d.listener_incarnation = incarnation;
  auto& words = block_.listener(listener);
  shm::WorkerBlock::claim(words, incarnation);
  shm::add(words.connections, 1u);
  shm::add<uint64_t>(words.connections_total, 1);
  shm::add(block_.words().connections, 1u);
  set_deadline(index, entry.request_head_timeout_ms);
  arm_down(index);
}

// The wheel is told only what comes earlier than what it knows; a timer that fires too early is
// scheduled again. So a busy connection costs the wheel nothing.
void Exchanges::set_deadline(uint32_t index, uint64_t timeout_ms) {
  Downstream& d = downstreams_[index];
  d.deadline_ms = now_ms() + timeout_ms;
  const uint32_t timer = timers_first_ + index;
  if (wheel_.is_scheduled(timer) && d.timer_ms <= d.deadline_ms) return;
  d.timer_ms = d.deadline_ms;
  wheel_.schedule(timer, d.deadline_ms);
}

// Receives while what is held for the backend leaves room in the window.
void Exchanges::arm_down(uint32_t index) {
  Downstream& d = downstreams_[index];
  if (d.receiving || d.ended || d.state == Downstream::State::closing) return;
  uint32_t held = d.in.bytes;
  const bool head = d.exchange == kNone;
  if (!head) {
    const Exchange& x = exchanges_[d.exchange];
    if (x.step == Exchange::Step::upgrading) return;
    held += x.up.bytes;
  }
  const uint32_t window = small_window_bytes(buffers_);
  if (held > (head ? limits::kWindowBytes : window) / 2) return;
  d.receiving = true;
  d.outstanding++;
  engine_.recv(d.fd, down_token(index, io::Op::recv), io::BufferClass::small,
               head ? window : window - held);  // one buffer of a head is held at most
}

void Exchanges::received_down(uint32_t index, const io::Completion& completion) {
  Downstream& d = downstreams_[index];
  if (!completion.more) {
    d.receiving = false;
    d.outstanding--;
  }
  const bool has_bytes = completion.result > 0;
  if (d.state == Downstream::State::closing) {
    if (has_bytes) buffers_.release(completion.buffer);
    return free_down_if_quiet(index);
  }
  if (!has_bytes) {
    // An upgrade ends the receive itself; what it reported before is kept for the tunnel.
    const bool cancelled = completion.result == -ECANCELED && d.exchange != kNone;
    d.ended = !cancelled;
    return cancelled ? continue_upgrade(d.exchange) : client_left(index);
  }
  const uint32_t bytes = static_cast<uint32_t>(completion.result);
  shm::add<uint64_t>(listener_words(d).received_bytes_total, bytes);
  if (d.state == Downstream::State::lingering) {
    buffers_.release(completion.buffer);
    d.lingered_bytes += bytes;
    return d.lingered_bytes > limits::kLingerBytesMax ? finish_down(index) : arm_down(index);
  }
  d.in.append(buffers_, completion.buffer);
  const uint32_t generation = downstreams_.generation(index);
  if (d.state == Downstream::State::reading) {
    read_request(index);
  } else if (!exchanges_[d.exchange].request.done) {
    const uint32_t timeout_ms = exchanges_[d.exchange].request_body_timeout_ms;
    // A client that sends gives a backend no more time to accept, or to go on with its response.
    const bool extends = exchanges_[d.exchange].step == Exchange::Step::requesting;
    if (pump_request(d.exchange) && extends) set_deadline(index, timeout_ms);
  } else if (exchanges_[d.exchange].step == Exchange::Step::upgrading && !d.receiving) {
    return continue_upgrade(d.exchange);
  }
  if (downstreams_.is_current(index, generation)) arm_down(index);
}

void Exchanges::read_request(uint32_t index) {
  Downstream& d = downstreams_[index];
  const shm::SnapshotListener& entry = snapshot_.listener(d.listener);
  const http::HeadLimits limits{entry.head_bytes_max, entry.target_bytes_max, entry.fields_max};
  http::Refusal why = http::Refusal::none;
  const uint8_t* data = nullptr;
  const http::Parsed parsed =
      read_head(d.head, d.in, &data, [&](const uint8_t* bytes, uint32_t count, uint32_t* scanned) {
        return http::parse_request(bytes, count, scanned, limits, &request_, &why);
      });
  switch (parsed) {
    case http::Parsed::complete:
      // The method begins behind the empty lines that came with it.
      if (d.empty_lines + request_.method_text.offset / 2 > http::kEmptyLinesMax) {
        return refuse_request(index, http::Refusal::bad_request_line);
      }
      return begin_exchange(index, data);
    case http::Parsed::refused:
      return refuse_request(index, why);
    case http::Parsed::incomplete:
      return wait_for_head(index);
  }
}

// Empty lines before a request (RFC 9112 section 2.2) begin none: who sends nothing else is idle,
// holds nothing and has no more time for it.
void Exchanges::wait_for_head(uint32_t index) {
  Downstream& d = downstreams_[index];
  const shm::SnapshotListener& entry = snapshot_.listener(d.listener);
  const bool gathered = d.head.block != HeadBlocks::kNone;
  while (!gathered && d.in.bytes >= 2) {
    const uint8_t* data = buffers_.data(d.in.front()) + buffers_.meta(d.in.front()).offset;
    if (data[0] != '\r' || data[1] != '\n') break;
    d.in.consume(buffers_, 2);
    d.head.scanned = 0;
    if (++d.empty_lines > http::kEmptyLinesMax) {
      return refuse_request(index, http::Refusal::bad_request_line);
    }
  }
  const bool started = gathered || !d.in.empty();
  if (started == d.head_started) return;
  d.head_started = started;
  // A line that came in two pieces had begun one.
  set_deadline(index,
               started || !d.served ? entry.request_head_timeout_ms : entry.client_idle_timeout_ms);
}

// End of stream or an error. Work for a client that has left is given up: nobody reads the answer.
void Exchanges::client_left(uint32_t index) {
  Downstream& d = downstreams_[index];
  if (d.state == Downstream::State::exchanging) return abort_exchange(d.exchange);
  if (d.state == Downstream::State::closing) return;
  if (d.state == Downstream::State::reading && d.head_started) {
    shm::add<uint64_t>(listener_words(d).client_aborted_total, 1);
  }
  finish_down(index);
}

// The exchange is over and its client may go on.
void Exchanges::next_request(uint32_t index) {
  Downstream& d = downstreams_[index];
  d.exchange = kNone;
  d.served = true;
  d.state = Downstream::State::reading;
  if (d.ended || draining_ || !is_listener_current(d)) return close_orderly(index);
  const uint32_t generation = downstreams_.generation(index);
  set_deadline(index, snapshot_.listener(d.listener).client_idle_timeout_ms);
  if (!d.in.empty()) read_request(index);
  if (downstreams_.is_current(index, generation)) arm_down(index);
}

// Closes after a last response. What the client may still be sending is read for a while.
void Exchanges::close_orderly(uint32_t index) {
  Downstream& d = downstreams_[index];
  d.exchange = kNone;
  if (d.ended) return finish_down(index);
  d.state = Downstream::State::lingering;
  d.in.drop(buffers_);
  blocks_.drop(d.head.block);
  engine_.shutdown_write(d.fd);
  set_deadline(index, limits::kLingerMs);
  arm_down(index);
}

// The one way out. The last terminal completion frees the record.
void Exchanges::finish_down(uint32_t index) {
  Downstream& d = downstreams_[index];
  SLUICE_ASSERT(d.state != Downstream::State::closing && d.exchange == kNone);
  d.state = Downstream::State::closing;
  wheel_.cancel(timers_first_ + index);
  if (d.outstanding > 0) engine_.cancel(d.fd);
  free_down_if_quiet(index);
}

void Exchanges::free_down_if_quiet(uint32_t index) {
  Downstream& d = downstreams_[index];
  if (d.outstanding > 0) return;
  d.in.drop(buffers_);
  blocks_.drop(d.head.block);
  drop_pipe(d.pipe);
  if (d.fd >= 0) engine_.close(d.fd);  // a tunnel has taken it otherwise
  if (d.fd >= 0) shm::add(listener_words(d).connections, UINT32_MAX);
  shm::add(block_.words().connections, UINT32_MAX);
  downstreams_.free(index);
}

void Exchanges::expire(uint32_t timer) {
  const uint32_t index = timer - timers_first_;
  if (index < connections_max_) return expire_down(index);
  upstream::Connection& connection = connections_[index - connections_max_];
  if (connection.state != upstream::Connection::State::idle) return;
  if (connection.idle_until_ms > now_ms()) {
    return wheel_.schedule(timer, connection.idle_until_ms);
  }
  close_connection(index - connections_max_);
}

void Exchanges::expire_down(uint32_t index) {
  Downstream& d = downstreams_[index];
  if (d.deadline_ms > now_ms()) {
    d.timer_ms = d.deadline_ms;
    return wheel_.schedule(timers_first_ + index, d.deadline_ms);
  }
  if (d.state == Downstream::State::exchanging) return expire_exchange(d.exchange);
  if (d.state == Downstream::State::reading && d.head_started) {
    const uint32_t x_index = take_exchange(index);
    if (x_index != kNone) return answer(x_index, 408);
  }
  finish_down(index);  // it was idle, or lingered long enough
}

void Exchanges::expire_exchange(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  switch (x.step) {
    case Exchange::Step::connecting:
      // Its completion arrives as cancelled, and the next backend is tried then.
      connections_[x.connection].timed_out = true;
      return engine_.cancel(connections_[x.connection].fd);
    case Exchange::Step::requesting: {
      upstream::Connection& connection = connections_[x.connection];
      if (!x.request.done && x.up.empty() && x.request_head.left() == 0) {
        return answer(x_index, 408);  // the client stopped sending
      }
      if (!x.request_sent && peer_moves(x, connection.fd)) {
        return set_deadline(x.downstream, x.response_body_timeout_ms);
      }
      x.end = log::End::response_timeout;
      shm::add<uint64_t>(pool_words(x).response_timeout_total, 1);
      count_request_failure(x);
      return answer(x_index, 504);
    }
    case Exchange::Step::responding:
    case Exchange::Step::upgrading:
    case Exchange::Step::answering:
      if (d.sending && peer_moves(x, d.fd)) {
        return set_deadline(x.downstream, x.response_body_timeout_ms);
      }
      count_stall(x);
      return cut_response(x_index);
  }
}

// Nothing completed for the time limit, but the peer may be reading slowly: then fewer bytes than
// at the last look are unacknowledged, or others.
bool Exchanges::peer_moves(Exchange& x, int fd) {
  const int64_t behind = engine_.unacknowledged_bytes(fd);
  const uint32_t now = behind > 0 ? static_cast<uint32_t>(behind) : 0;
  if (now == 0 || now == x.unacknowledged) return false;
  x.unacknowledged = now;
  return true;
}

void Exchanges::begin_drain() {
  if (draining_) return;
  draining_ = true;
  for (uint32_t index = 0; index < downstreams_.touched(); index++) {
    if (!downstreams_.is_live(index)) continue;
    Downstream& d = downstreams_[index];
    if (d.state == Downstream::State::reading && !d.head_started) close_orderly(index);
  }
}

void Exchanges::cut_all() {
  draining_ = true;
  for (uint32_t index = 0; index < downstreams_.touched(); index++) {
    if (!downstreams_.is_live(index)) continue;
    Downstream& d = downstreams_[index];
    if (d.state == Downstream::State::closing) continue;
    if (d.exchange != kNone) {
      exchanges_[d.exchange].cut = true;
      exchanges_[d.exchange].end = log::End::cut;
      abort_exchange(d.exchange);
    } else {
      finish_down(index);
    }
  }
  for (uint32_t backend = 0; backend < connections_.backends_high(); backend++) {
    while (connections_.first_of(backend) != 0) {
      close_connection(connections_.first_of(backend) - 1);
    }
  }
}

void Exchanges::complete(const io::Completion& completion, io::Token token) {
  const uint32_t slot = token.slot & ~kSlotBit;
  const bool down = token.side == Side::downstream;
  const bool current = down ? downstreams_.is_current(slot, token.generation)
                            : connections_.is_current(slot, token.generation);
  if (!current) {
    if (!completion.buffer.is_none()) buffers_.release(completion.buffer);
    stale_completions_++;
    return;
  }
  switch (token.op) {
    case io::Op::recv:
      return down ? received_down(slot, completion) : received_up(slot, completion);
    case io::Op::send:
      return down ? sent_down(slot, completion.result) : sent_up(slot, completion.result);
    case io::Op::connect:
      return connected(slot, completion.result);
    case io::Op::splice_in:
      return spliced_in(slot, completion.result);
    case io::Op::splice_out:
      return spliced_out(slot, completion.result);
    case io::Op::none:
    case io::Op::accept:
    case io::Op::poll:
    case io::Op::mail:
      break;
  }
  SLUICE_ASSERT(!"an exchange starts no such operation");
}

}  // namespace sluice::proxy
