// A request on its way to a backend: routed, rewritten, its body moved along.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "proxy/exchanges.h"

namespace sluice::proxy {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool in_range(const uint8_t* address, const uint8_t* range, uint32_t prefix_bits) {
  const uint32_t whole = prefix_bits / 8;
  if (std::memcmp(address, range, whole) != 0) return false;
  if (prefix_bits % 8 == 0) return true;
  const uint8_t mask = static_cast<uint8_t>(0xff00 >> prefix_bits % 8);
  return ((address[whole] ^ range[whole]) & mask) == 0;
}

// Dotted decimal; returns the length. `inet_ntop` costs ten times as much.
uint32_t ipv4_text(const uint8_t* address, char* out) {
  char* at = out;
  for (int i = 0; i < 4; i++) {
    const uint8_t value = address[i];
    if (value >= 100) *at++ = static_cast<char>('0' + value / 100);
    if (value >= 10) *at++ = static_cast<char>('0' + value / 10 % 10);
    *at++ = static_cast<char>('0' + value % 10);
    if (i < 3) *at++ = '.';
  }
  return static_cast<uint32_t>(at - out);
}

uint32_t peer_text(const Peer& peer, char out[INET6_ADDRSTRLEN]) {
  if (peer.family == Peer::Family::ipv4) return ipv4_text(peer.address, out);
  if (peer.family != Peer::Family::ipv6) return 0;
  const char* text = ::inet_ntop(AF_INET6, peer.address, out, INET6_ADDRSTRLEN);
  return text == nullptr ? 0 : static_cast<uint32_t>(std::strlen(text));
}

}  // namespace

uint32_t Exchanges::take_exchange(uint32_t index) {
  const uint32_t x_index = exchanges_.take();
  // As many as connections, each of which has one at most.
  SLUICE_ASSERT(x_index != Slab<Exchange>::kNone);
  Downstream& d = downstreams_[index];
  Exchange& x = exchanges_[x_index];
  x.downstream = index;
  x.began_ns = engine_.now_ns();
  d.exchange = x_index;
  d.state = Downstream::State::exchanging;
  d.head_started = false;
  d.empty_lines = 0;
  const shm::SnapshotListener& entry = snapshot_.listener(d.listener);
  x.request_body_timeout_ms = entry.body_timeout_ms;
  x.response_body_timeout_ms = entry.body_timeout_ms;
  x.request_body_bytes_max = entry.body_bytes_max;
  count_began(x);
  if (journal_.is_on()) begin_record(x_index);
  return x_index;
}

// The connection is not usable for another message: where the next one begins is unknown.
void Exchanges::refuse_request(uint32_t index, http::Refusal why) {
  const uint32_t x_index = take_exchange(index);
  const uint16_t status = why == http::Refusal::none ? 503 : http::status_of(why);
  answer(x_index, status);
}

// `request_` has just been parsed from `data`.
void Exchanges::begin_exchange(uint32_t index, const uint8_t* data) {
  const uint32_t x_index = take_exchange(index);
  Exchange& x = exchanges_[x_index];
  Downstream& d = downstreams_[index];
  x.method = request_.method;
  x.minor_version = request_.minor_version;
  x.keep_client = request_.keep_alive;
  x.wants_upgrade = request_.wants_upgrade;
  x.request.begin(request_.framing, request_.content_length, false);
  if (x.logged) record_request(x_index, data);
  const http::Span authority = request_.authority;
  const http::Span path = request_.path;
  const uint32_t route = is_listener_current(d)
                             ? router_.match(snapshot_, d.listener, data + authority.offset,
                                             authority.bytes, data + path.offset, path.bytes)
                             : Router::kNoRoute;
  if (route == Router::kNoRoute) {
    consume_head(d.head, d.in, request_.bytes);
    return answer(x_index, 404);
  }
  const uint32_t body_max = x.request_body_bytes_max;
  if (body_max != 0 && x.request.remaining > body_max) {
    consume_head(d.head, d.in, request_.bytes);
    return answer(x_index, 413);
  }
  const shm::SnapshotRoute& entry = snapshot_.route(route);
  const shm::SnapshotPool& pool = snapshot_.pool(entry.pool);
  x.route = route;
  x.route_incarnation = entry.incarnation;
  x.pool = entry.pool;
  x.pool_incarnation = pool.incarnation;
  x.connect_timeout_ms = pool.connect_timeout_ms;
  x.connect_retries = static_cast<uint8_t>(std::min(pool.connect_retries, 2u));
  x.response_head_timeout_ms = pool.response_head_timeout_ms;
  x.response_body_timeout_ms = pool.body_timeout_ms;
  count_routed(x);
  const bool written = write_request(x_index, data);
  consume_head(d.head, d.in, request_.bytes);
  if (!written) return answer(x_index, 503);
  take_inline_body(x, d);
  if (!pump_request(x_index)) return;
  dispatch(x_index);
}

// The rewritten head goes into a block. False when none is free.
bool Exchanges::write_request(uint32_t x_index, const uint8_t* data) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  if (d.peer.family == Peer::Family::unknown) look_at_peer(d);
  const uint32_t growth = 2 * request_.authority.bytes + http::kHeadGrowthBytes;
  if (request_.bytes + growth > limits::kHeadBlockBytes) return false;
  x.request_head.block = blocks_.take();
  if (x.request_head.block == HeadBlocks::kNone) return false;
  char text[INET6_ADDRSTRLEN];
  http::Forwarding forwarding;
  forwarding.peer = text;
  forwarding.peer_bytes = peer_text(d.peer, text);
  forwarding.peer_trusted = d.peer.trusted;
  forwarding.via = snapshot_.listener(d.listener).via != 0;
  uint8_t* out = blocks_.data(x.request_head.block);
  x.request_head.data = out;
  x.request_head.bytes = http::write_request_head(data, request_, forwarding, out);
  x.request_bytes = request_.bytes;
  return true;
}

void Exchanges::look_at_peer(Downstream& d) {
  io::SocketAddress address;
  d.peer.family = Peer::Family::other;
  if (engine_.peer_address(d.fd, &address) < 0) return;
  uint8_t wide[16];  // IPv4 mapped into IPv6, as ranges are written
  if (address.family() == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
    d.peer.family = Peer::Family::ipv4;
    std::memcpy(d.peer.address, &in->sin_addr, 4);
    std::memcpy(wide, kMappedPrefix, sizeof kMappedPrefix);
    std::memcpy(wide + 12, d.peer.address, 4);
  } else if (address.family() == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    std::memcpy(wide, &in->sin6_addr, 16);
    const bool mapped = std::memcmp(wide, kMappedPrefix, sizeof kMappedPrefix) == 0;
    d.peer.family = mapped ? Peer::Family::ipv4 : Peer::Family::ipv6;
    std::memcpy(d.peer.address, mapped ? wide + 12 : wide, mapped ? 4 : 16);
  } else {
    return;
  }
  const shm::SnapshotListener& entry = snapshot_.listener(d.listener);
  for (uint32_t i = 0; i < entry.trusted_count && !d.peer.trusted; i++) {
    const shm::SnapshotTrusted& range = snapshot_.trusted(entry.trusted_first + i);
    d.peer.trusted = in_range(wide, range.address, range.prefix_bits);
  }
}

// A small body that is there already joins the head: one send, and both can be sent again.
void Exchanges::take_inline_body(Exchange& x, Downstream& d) {
  if (x.request.framing != http::Framing::length || x.request.done) return;
  const uint64_t bytes = x.request.remaining;
  if (bytes > d.in.bytes || bytes > limits::kInlineBodyBytes) return;
  const uint32_t count = static_cast<uint32_t>(bytes);
  if (x.request_head.bytes + count > limits::kHeadBlockBytes) return;
  d.in.peek(buffers_, blocks_.data(x.request_head.block) + x.request_head.bytes, count);
  d.in.consume(buffers_, count);
  x.request_head.bytes += count;
  x.request_bytes += count;
  x.request.moved = count;
  x.request.remaining = 0;
  x.request.done = true;
}

// Moves the body's next bytes towards the backend. False when that ended the exchange.
bool Exchanges::pump_request(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  if (x.request.done || x.step == Exchange::Step::answering) return true;
  http::Refusal why = http::Refusal::none;
  const uint64_t before = x.request.moved;
  const Moved moved = move_body(buffers_, x.request, client_of(x).in, x.up, &why);
  x.request_bytes += x.request.moved - before;
  const uint32_t bytes_max = x.request_body_bytes_max;
  const bool too_large = bytes_max != 0 && x.request.payload_bytes() > bytes_max;
  if (moved != Moved::all || too_large) {
    const bool may_answer = x.step < Exchange::Step::responding && x.interim_count == 0;
    if (!may_answer) {
      x.end = too_large ? log::End::body_too_large : log::End::bad_request;
      cut_response(x_index);
    } else {
      answer(x_index, too_large ? 413 : moved == Moved::refused ? http::status_of(why) : 503);
    }
    return false;
  }
  if (x.connection != kNone && x.step >= Exchange::Step::requesting) send_request(x_index);
  return true;
}

void Exchanges::send_request(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  upstream::Connection& connection = connections_[x.connection];
  if (connection.sending || connection.broken) return;
  if (x.request_head.left() == 0 && x.up.empty()) return;
  connection.sending = true;
  connection.outstanding++;
  const io::Token token = up_token(x.connection, io::Op::send);
  const uint8_t* head = x.request_head.data + x.request_head.sent;
  if (x.up.empty()) return engine_.send(connection.fd, token, head, x.request_head.left());
  iovec vectors[io::kSendVectorsMax];
  uint32_t count = 0;
  if (x.request_head.left() > 0) {
    vectors[count++] = iovec{const_cast<uint8_t*>(head), x.request_head.left()};
  }
  count += x.up.fill(buffers_, vectors + count, io::kSendVectorsMax - count);
  engine_.sendv(connection.fd, token, vectors, count);
}

void Exchanges::sent_up(uint32_t index, int result) {
  upstream::Connection& connection = connections_[index];
  connection.sending = false;
  connection.outstanding--;
  if (connection.state == upstream::Connection::State::closing) {
    return free_connection_if_quiet(index);
  }
  const uint32_t x_index = connection.exchange;
  Exchange& x = exchanges_[x_index];
  if (result < 0) {
    // The backend may have answered before it closed: the receive tells, and brings its end.
    connection.broken = true;
    if (x.step == Exchange::Step::upgrading) {
      x.end = log::End::response_cut;
      return cut_response(x_index);
    }
    if (connection.ended && x.step == Exchange::Step::requesting) upstream_ended(x_index, result);
    return;
  }
  uint32_t bytes = static_cast<uint32_t>(result);
  shm::add<uint64_t>(backend_words(connection).sent_bytes_total, bytes);
  shm::add<uint64_t>(pool_words(x).to_backend_bytes_total, bytes);
  const uint32_t of_head = std::min(bytes, x.request_head.left());
  x.request_head.sent += of_head;
  bytes -= of_head;
  if (bytes > 0) x.body_released = true;
  x.up.consume(buffers_, bytes);
  if (connection.ended && x.step == Exchange::Step::requesting) {
    return upstream_ended(x_index, 0);
  }
  if (x.request_head.left() > 0 || !x.up.empty()) {
    send_request(x_index);
  } else if (x.request.done) {
    x.request_sent = true;
    x.sent_ns = engine_.now_ns();
    if (x.step == Exchange::Step::requesting) {
      return set_deadline(x.downstream, x.response_head_timeout_ms);
    }
    if (x.step == Exchange::Step::upgrading) return continue_upgrade(x_index);
    if (x.response.done) return response_received(x_index);
  }
  arm_down(x.downstream);
}

}  // namespace sluice::proxy
