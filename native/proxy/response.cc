// A response on its way to the client: its head rewritten, its body moved along, its end.
#include <algorithm>
#include <cerrno>

#include "proxy/exchanges.h"
#include "proxy/head_reader.h"

namespace sluice::proxy {

using upstream::Connection;

void Exchanges::consume_head(HeadReader& reader, io::BufferQueue& in, uint32_t bytes) {
  in.consume(buffers_, reader.block == HeadBlocks::kNone ? bytes : bytes - reader.gathered);
  blocks_.drop(reader.block);
  reader = HeadReader{};
}

void Exchanges::received_up(uint32_t index, const io::Completion& completion) {
  Connection& connection = connections_[index];
  if (!completion.more) {
    connection.receiving = false;
    connection.outstanding--;
  }
  const bool has_bytes = completion.result > 0;
  if (connection.state == Connection::State::closing) {
    if (has_bytes) buffers_.release(completion.buffer);
    return free_connection_if_quiet(index);
  }
  if (connection.state == Connection::State::idle) {
    // Its end, or bytes nobody asked for: either way it serves no other request.
    if (has_bytes) buffers_.release(completion.buffer);
    return close_connection(index);
  }
  const uint32_t x_index = connection.exchange;
  Exchange& x = exchanges_[x_index];
  if (!has_bytes) {
    if (completion.result == -ECANCELED && x.step == Exchange::Step::upgrading) {
      return continue_upgrade(x_index);
    }
    connection.ended = true;
    connection.failed = completion.result < 0;
    return upstream_ended(x_index, completion.result);
  }
  const uint32_t bytes = static_cast<uint32_t>(completion.result);
  shm::add<uint64_t>(backend_words(connection).received_bytes_total, bytes);
  shm::add<uint64_t>(pool_words(x).from_backend_bytes_total, bytes);
  connection.in.append(buffers_, completion.buffer);
  const uint32_t generation = connections_.generation(index);
  if (x.step == Exchange::Step::requesting) {
    read_response(x_index);
  } else if (x.step == Exchange::Step::responding) {
    set_deadline(x.downstream, x.response_body_timeout_ms);
    pump_response(x_index);
  } else if (!connection.receiving) {
    return continue_upgrade(x_index);
  }
  rearm_up(index, generation);
}

// The connection may have been closed or freed since its generation was read.
void Exchanges::rearm_up(uint32_t index, uint32_t generation) {
  if (connections_.is_current(index, generation) &&
      connections_[index].state != Connection::State::closing) {
    arm_up(index);
  }
}

void Exchanges::upstream_ended(uint32_t x_index, int result) {
  Exchange& x = exchanges_[x_index];
  Connection& connection = connections_[x.connection];
  if (x.step == Exchange::Step::requesting) {
    // What is there of a response is read first, and a send under way still reads the request.
    if (!connection.in.empty() && client_of(x).sending) return;
    return connection.sending ? void() : upstream_died(x_index);
  }
  if (x.step == Exchange::Step::upgrading && result == 0) return continue_upgrade(x_index);
  if (x.response.done && x.step == Exchange::Step::responding) {
    // Only the rest of the request kept it.
    x.keep_client = false;
    return release_connection(x_index, false);
  }
  if (x.step == Exchange::Step::responding && x.response.framing == http::Framing::until_close &&
      result == 0) {
    x.response.done = true;
    return response_received(x_index);
  }
  x.end = log::End::response_cut;
  shm::add<uint64_t>(pool_words(x).response_cut_total, 1);
  shm::add<uint64_t>(backend_words(connection).request_failures_total, 1);
  cut_response(x_index);
}

void Exchanges::read_response(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Connection& connection = connections_[x.connection];
  // Heads go out one at a time: an interim one is read on from when it has been sent.
  while (x.response_head.left() == 0) {
    constexpr http::HeadLimits kLimits{limits::kHeadBytesMax - http::kHeadGrowthBytes,
                                       limits::kHeadBytesMax, http::kFieldsMax};
    http::Refusal why = http::Refusal::none;
    const uint8_t* data = nullptr;
    const http::Parsed parsed = read_head(
        x.reader, connection.in, &data,
        [&](const uint8_t* bytes, uint32_t count, uint32_t* scanned) {
          return http::parse_response(bytes, count, scanned, kLimits, x.method, &response_, &why);
        });
    if (parsed == http::Parsed::incomplete) {
      // A send under way still reads the request; its completion goes on from here.
      if (connection.ended && !connection.sending) upstream_died(x_index);
      return;
    }
    const bool upgrade = parsed == http::Parsed::complete && response_.status == 101;
    // What still belongs to the request's body must not be taken for the new protocol.
    const bool may_upgrade = x.wants_upgrade && response_.upgrades && x.request.done;
    const bool interim = parsed == http::Parsed::complete && response_.status < 200;
    if (parsed == http::Parsed::refused || (upgrade && !may_upgrade) ||
        (interim && x.interim_count == limits::kInterimResponsesMax)) {
      x.end = log::End::response_invalid;
      shm::add<uint64_t>(pool_words(x).response_invalid_total, 1);
      count_request_failure(x);
      return answer(x_index, 502);
    }
    if (upgrade) return begin_upgrade(x_index, data);
    if (response_.status >= 200) return begin_response(x_index, data);
    begin_interim(x_index, data);
  }
}

// A 1xx response is passed on to those who know what it is.
void Exchanges::begin_interim(uint32_t x_index, const uint8_t* data) {
  Exchange& x = exchanges_[x_index];
  x.interim_count++;
  const bool wanted = x.minor_version >= 1 && write_response(x, data, http::ResponseRewrite{});
  consume_head(x.reader, connections_[x.connection].in, response_.bytes);
  if (wanted) send_response(x_index);
}

bool Exchanges::write_response(Exchange& x, const uint8_t* data,
                               const http::ResponseRewrite& rewrite) {
  if (x.response_head.block == HeadBlocks::kNone) x.response_head.block = blocks_.take();
  if (x.response_head.block == HeadBlocks::kNone) return false;
  uint8_t* out = blocks_.data(x.response_head.block);
  x.response_head.data = out;
  x.response_head.sent = 0;
  x.response_head.bytes = http::write_response_head(data, response_, rewrite, out);
  x.head_bytes += x.response_head.bytes;
  return true;
}

// `response_` has just been parsed from `data`.
void Exchanges::begin_response(uint32_t x_index, const uint8_t* data) {
  Exchange& x = exchanges_[x_index];
  Connection& connection = connections_[x.connection];
  Downstream& d = client_of(x);
  outcomes_.answered(connection.backend, connection.incarnation, x.began_ns);
  x.step = Exchange::Step::responding;
  x.status = response_.status;
  x.keep_upstream = response_.keep_alive && snapshot_.listener(d.listener).server_close == 0;
  // The request is not sent again from here on.
  if (x.request_sent) blocks_.drop(x.request_head.block);
  const bool strip = response_.framing == http::Framing::chunked && x.minor_version == 0;
  const bool until_close = strip || response_.framing == http::Framing::until_close;
  if (until_close || draining_ || !is_listener_current(d)) x.keep_client = false;
  http::ResponseRewrite rewrite;
  rewrite.framing = until_close ? http::Framing::until_close : response_.framing;
  rewrite.close = !x.keep_client;
  rewrite.keep_alive = x.keep_client && x.minor_version == 0;
  rewrite.via = snapshot_.listener(d.listener).via != 0;
  // RFC 9110 section 6.6.1 asks this of a recipient with a clock.
  if (!response_.has_date) rewrite.date = date_.at(engine_.unix_seconds());
  if (!write_response(x, data, rewrite)) return answer(x_index, 503);
  x.response.begin(response_.framing, response_.content_length, strip);
  count_responded(x);
  consume_head(x.reader, connection.in, response_.bytes);
  // A small body that is there already joins the head.
  const uint64_t body_bytes = x.response.remaining;
  if (x.response.framing == http::Framing::length && body_bytes <= connection.in.bytes &&
      body_bytes <= limits::kInlineBodyBytes) {
    const uint32_t count = static_cast<uint32_t>(body_bytes);
    uint8_t* out = blocks_.data(x.response_head.block) + x.response_head.bytes;
    connection.in.peek(buffers_, out, count);
    connection.in.consume(buffers_, count);
    x.response_head.bytes += count;
    x.response.remaining = 0;
    x.response.done = true;
  }
  set_deadline(x.downstream, x.response_body_timeout_ms);
  pump_response(x_index);
}

// Moves the body's next bytes towards the client.
void Exchanges::pump_response(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  if (!x.response.done) {
    http::Refusal why = http::Refusal::none;
    const Moved moved =
        move_body(buffers_, x.response, connections_[x.connection].in, x.down, &why);
    if (moved != Moved::all) {
      x.end = log::End::response_invalid;
      shm::add<uint64_t>(pool_words(x).response_invalid_total, 1);
      shm::add<uint64_t>(backend_words(connections_[x.connection]).request_failures_total, 1);
      return cut_response(x_index);
    }
  }
  send_response(x_index);
  if (x.response.done) return response_received(x_index);
  // Behind interim heads, which are sent one at a time, the end may have come before its turn.
  const Connection& connection = connections_[x.connection];
  if (connection.ended) upstream_ended(x_index, connection.failed ? -ECONNRESET : 0);
}

// The backend has said all. Once the request is all said too, the connection is free.
void Exchanges::response_received(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  drop_large(x);
  if (x.connection != kNone) {
    const bool reusable = x.keep_upstream && x.response.framing != http::Framing::until_close;
    if (!x.request_sent && !is_sent(x)) return;  // it may still want the rest of the request
    if (!x.request_sent) x.keep_client = false;
    release_connection(x_index, reusable && x.request_sent);
  }
  if (!client_of(x).sending && is_sent(x)) finish_exchange(x_index);
}

void Exchanges::send_response(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  if (d.sending || is_sent(x)) return;
  d.sending = true;
  d.outstanding++;
  const io::Token token = down_token(x.downstream, io::Op::send);
  const uint8_t* head = x.response_head.data + x.response_head.sent;
  if (x.down.empty()) return engine_.send(d.fd, token, head, x.response_head.left());
  iovec vectors[io::kSendVectorsMax];
  uint32_t count = 0;
  if (x.response_head.left() > 0) {
    vectors[count++] = iovec{const_cast<uint8_t*>(head), x.response_head.left()};
  }
  count += x.down.fill(buffers_, vectors + count, io::kSendVectorsMax - count);
  engine_.sendv(d.fd, token, vectors, count);
}

void Exchanges::sent_down(uint32_t index, int result) {
  Downstream& d = downstreams_[index];
  d.sending = false;
  d.outstanding--;
  if (d.state == Downstream::State::closing) return free_down_if_quiet(index);
  const uint32_t x_index = d.exchange;
  if (result < 0) {
    d.ended = true;
    return client_left(index);
  }
  Exchange& x = exchanges_[x_index];
  uint32_t bytes = static_cast<uint32_t>(result);
  shm::add<uint64_t>(listener_words(d).sent_bytes_total, bytes);
  x.sent_bytes += bytes;
  const uint32_t of_head = std::min(bytes, x.response_head.left());
  x.response_head.sent += of_head;
  x.down.consume(buffers_, bytes - of_head);
  if (!is_sent(x)) {
    set_deadline(index, x.response_body_timeout_ms);
    send_response(x_index);
    if (x.connection != kNone) arm_up(x.connection);
    return;
  }
  switch (x.step) {
    case Exchange::Step::connecting:
      return;
    case Exchange::Step::requesting: {  // an interim response
      const uint32_t connection = x.connection;
      const uint32_t generation = connections_.generation(connection);
      read_response(x_index);
      return rearm_up(connection, generation);
    }
    case Exchange::Step::upgrading:
      return continue_upgrade(x_index);
    case Exchange::Step::answering:
      return finish_exchange(x_index);
    case Exchange::Step::responding:
      return x.response.done ? response_received(x_index) : arm_up(x.connection);
  }
}

void Exchanges::finish_exchange(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  const uint32_t index = x.downstream;
  // What is left of the request cannot be told from a next one without reading it all.
  const bool keep = x.keep_client && x.request.done;
  free_exchange(x_index);
  keep ? next_request(index) : close_orderly(index);
}

// The response cannot be completed: the client must not take what it has for all of it.
void Exchanges::cut_response(uint32_t x_index) {
  engine_.reset_on_close(client_of(exchanges_[x_index]).fd);
  exchanges_[x_index].cut = true;
  abort_exchange(x_index);
}

// Nobody waits for the response any more.
void Exchanges::abort_exchange(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  const uint32_t index = x.downstream;
  Downstream& d = downstreams_[index];
  if (!x.cut) shm::add<uint64_t>(listener_words(d).client_aborted_total, 1);
  // A part of a response must not look like all of it, as where the end of the stream ends it.
  if (d.sending || x.sent_bytes > 0) engine_.reset_on_close(d.fd);
  if (d.sending) {  // the kernel still reads what is being sent
    d.in.drop(buffers_);
    d.in = x.down;
    x.down = io::BufferQueue{};
    blocks_.drop(d.head.block);
    d.head.block = x.response_head.block;
    x.response_head.block = HeadBlocks::kNone;
  }
  free_exchange(x_index);
  finish_down(index);
}

void Exchanges::free_exchange(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  count_ended(x);
  if (x.logged) finish_record(x_index);
  part_from_pipe(x);
  drop_large(x);
  release_connection(x_index, false);
  blocks_.drop(x.request_head.block);
  blocks_.drop(x.response_head.block);
  blocks_.drop(x.reader.block);
  x.up.drop(buffers_);
  x.down.drop(buffers_);
  client_of(x).exchange = kNone;
  exchanges_.free(x_index);
}

}  // namespace sluice::proxy
