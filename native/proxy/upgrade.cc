// An exchange whose backend agreed to another protocol becomes a tunnel: only after a real 101 do
// bytes pass unread. The receives of both sides are ended first, because what they report is named
// after the HTTP connections.
#include "proxy/exchanges.h"

namespace sluice::proxy {

using upstream::Connection;

// `response_` is the 101.
void Exchanges::begin_upgrade(uint32_t x_index, const uint8_t* data) {
  Exchange& x = exchanges_[x_index];
  const Connection& connection = connections_[x.connection];
  outcomes_.answered(connection.backend, connection.incarnation, x.began_ns);
  http::ResponseRewrite rewrite;
  rewrite.upgrades = true;
  rewrite.via = snapshot_.listener(client_of(x).listener).via != 0;
  if (!write_response(x, data, rewrite)) return answer(x_index, 503);
  consume_head(x.reader, connections_[x.connection].in, response_.bytes);
  x.step = Exchange::Step::upgrading;
  x.status = response_.status;
  x.tunnel_idle_timeout_ms = snapshot_.listener(client_of(x).listener).tunnel_idle_timeout_ms;
  set_deadline(x.downstream, x.response_body_timeout_ms);
  send_response(x_index);
}

// Called whenever something that stands in the way of the tunnel has ended.
void Exchanges::continue_upgrade(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  Connection& connection = connections_[x.connection];
  // A cancel would end the sends, too.
  if (d.sending || !is_sent(x) || connection.sending || !x.request_sent) return;
  if (d.receiving || connection.receiving) {
    if (x.receives_ended) return;
    x.receives_ended = true;  // told to; both still report
    if (d.receiving) engine_.cancel(d.fd);
    if (connection.receiving) engine_.cancel(connection.fd);
    return;
  }
  const uint32_t d_index = x.downstream;
  const uint32_t c_index = x.connection;
  shm::add<uint64_t>(listener_words(d).http_upgrades_total, 1);
  Takeover takeover{};
  takeover.fds[0] = d.fd;
  takeover.fds[1] = connection.fd;
  takeover.from[0] = d.in;
  takeover.from[1] = connection.in;
  takeover.ended[1] = connection.ended;
  takeover.listener = d.listener;
  takeover.listener_incarnation = d.listener_incarnation;
  takeover.pool = static_cast<uint16_t>(x.pool);
  takeover.pool_incarnation = x.pool_incarnation;
  takeover.backend = x.backend;
  takeover.idle_timeout_ms = x.tunnel_idle_timeout_ms;
  if (!tunnels_.take_over(takeover)) {
    x.end = log::End::overloaded;
    return cut_response(x_index);
  }
  // Sockets, queues and the place in the backend's load are the tunnel's now.
  d.fd = -1;
  d.in = io::BufferQueue{};
  connection.fd = -1;
  connection.in = io::BufferQueue{};
  x.connection = kNone;
  free_exchange(x_index);
  close_connection(c_index);
  finish_down(d_index);
}

}  // namespace sluice::proxy
