// Large response bodies. Where the length is known to be large they are spliced from socket to
// socket, never beyond their end; where pipes are refused or used up, received into large buffers.
#include <algorithm>
#include <cerrno>

#include "proxy/exchanges.h"

namespace sluice::proxy {
namespace {

// From here on a body is worth another way than small buffers.
constexpr uint64_t kLargeBytes = 64 * 1024;
constexpr uint64_t kSpliceBytes = 256 * 1024;
// Splices below this are small; so many in a row end splicing.
constexpr uint32_t kSmallSpliceBytes = 16 * 1024;
constexpr uint8_t kSmallSplicesMax = 4;

}  // namespace

using upstream::Connection;

// The body of an exchange is in its bulk, and nothing that was received is left to be sent first.
bool Exchanges::may_splice(const Exchange& x) {
  return tunnels_.splices() && !x.splice_refused && x.step == Exchange::Step::responding &&
         x.response.framing != http::Framing::chunked && x.response.plain_bytes() >= kSpliceBytes;
}

// True when the body goes on by splice: at once, or when what was received has been sent.
bool Exchanges::begin_splice(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  if (!may_splice(x)) return false;
  if (client_of(x).sending || !is_sent(x)) return true;
  x.pipe = tunnels_.pipes().take(engine_.now_ns());
  if (x.pipe == PipePool::kNone) {
    x.splice_refused = true;
    return false;
  }
  x.small_splices = 0;
  splice_more(x_index);
  return true;
}

void Exchanges::splice_more(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Connection& connection = connections_[x.connection];
  connection.receiving = true;
  connection.outstanding++;
  const uint64_t bytes =
      std::min<uint64_t>(tunnels_.pipes().bytes(x.pipe), x.response.plain_bytes());
  engine_.splice_in(connection.fd, tunnels_.pipes().write_end(x.pipe),
                    up_token(x.connection, io::Op::splice_in), static_cast<uint32_t>(bytes));
}

void Exchanges::spliced_in(uint32_t index, int result) {
  Connection& connection = connections_[index];
  connection.receiving = false;
  connection.outstanding--;
  if (connection.state == Connection::State::closing) return free_connection_if_quiet(index);
  const uint32_t x_index = connection.exchange;
  Exchange& x = exchanges_[x_index];
  if (result == -EAGAIN) {  // readable, but not by splice
    leave_splice(x);
    return arm_up(index);
  }
  if (result <= 0) {
    leave_splice(x);
    connection.ended = true;
    return upstream_ended(x_index, result);
  }
  const uint32_t bytes = static_cast<uint32_t>(result);
  shm::add<uint64_t>(backend_words(connection).received_bytes_total, bytes);
  shm::add<uint64_t>(pool_words(x).from_backend_bytes_total, bytes);
  x.pipe_bytes = bytes;
  x.response.pass(bytes);
  x.small_splices = bytes < kSmallSpliceBytes ? static_cast<uint8_t>(x.small_splices + 1) : 0;
  if (tunnels_.pipes().is_scarce() && bytes < tunnels_.pipes().bytes(x.pipe) / 4) {
    x.small_splices = kSmallSplicesMax;
  }
  set_deadline(x.downstream, x.response_body_timeout_ms);
  splice_out(x_index);
}

void Exchanges::splice_out(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  d.sending = true;
  d.outstanding++;
  engine_.splice_out(tunnels_.pipes().read_end(x.pipe), d.fd,
                     down_token(x.downstream, io::Op::splice_out), x.pipe_bytes);
}

void Exchanges::spliced_out(uint32_t index, int result) {
  Downstream& d = downstreams_[index];
  d.sending = false;
  d.outstanding--;
  if (d.state == Downstream::State::closing) return free_down_if_quiet(index);
  if (result < 0) {
    d.ended = true;
    return client_left(index);
  }
  const uint32_t x_index = d.exchange;
  Exchange& x = exchanges_[x_index];
  const uint32_t bytes = static_cast<uint32_t>(result);
  SLUICE_ASSERT(bytes <= x.pipe_bytes);
  x.pipe_bytes -= bytes;
  x.sent_bytes += bytes;
  shm::add<uint64_t>(listener_words(d).sent_bytes_total, bytes);
  set_deadline(index, x.response_body_timeout_ms);
  if (x.pipe_bytes > 0) return splice_out(x_index);
  if (x.response.done) {
    leave_splice(x);
    return response_received(x_index);
  }
  if (x.small_splices < kSmallSplicesMax) return splice_more(x_index);
  leave_splice(x);
  arm_up(x.connection);
}

// Goes on by copying; for this response splicing is over.
void Exchanges::leave_splice(Exchange& x) {
  if (x.pipe == PipePool::kNone) return;
  tunnels_.pipes().give_back(x.pipe, x.pipe_bytes);
  x.pipe = PipePool::kNone;
  x.pipe_bytes = 0;
  x.splice_refused = true;
}

// An exchange ends while its pipe is in use: whose operation that is gives it back when it reports.
void Exchanges::part_from_pipe(Exchange& x) {
  if (x.pipe == PipePool::kNone) return;
  Downstream& d = client_of(x);
  if (d.sending) {
    d.pipe = x.pipe;
  } else if (x.connection != kNone && connections_[x.connection].receiving) {
    connections_[x.connection].pipe = x.pipe;
  } else {
    return leave_splice(x);
  }
  x.pipe = PipePool::kNone;
}

void Exchanges::drop_pipe(uint16_t& pipe) {
  if (pipe == PipePool::kNone) return;
  tunnels_.pipes().give_back(pipe, 1);  // whatever it holds nobody wants
  pipe = PipePool::kNone;
}

// Which buffers a response is received into from now on.
io::BufferClass Exchanges::response_class(Exchange& x) {
  const bool wanted =
      x.step == Exchange::Step::responding && x.response.plain_bytes() >= kLargeBytes;
  if (wanted && !x.large) x.large = tunnels_.take_large();
  if (!wanted) drop_large(x);
  return x.large ? io::BufferClass::large : io::BufferClass::small;
}

void Exchanges::drop_large(Exchange& x) {
  if (x.large) tunnels_.give_large();
  x.large = false;
}

}  // namespace sluice::proxy
