// What the access log keeps of an exchange. While the log is on each exchange has a draft from its
// beginning on, which becomes one record where the exchange is counted as ended. The request's
// texts are copied at once, since its head stays no longer than the backend needs it.
#include "http/names.h"
#include "proxy/exchanges.h"

namespace sluice::proxy {
namespace {

log::Text text_of(const uint8_t* data, http::Span span) {
  return log::Text{data + span.offset, span.bytes};
}

}  // namespace

void Exchanges::begin_record(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  Downstream& d = client_of(x);
  x.logged = true;
  if (d.peer.family == Peer::Family::unknown) look_at_peer(d);
  log::Record& record = journal_.begin(x_index);
  record.listener = {d.listener, d.listener_incarnation};
  if (d.peer.family == Peer::Family::ipv4) record.family = log::AddressFamily::ipv4;
  if (d.peer.family == Peer::Family::ipv6) record.family = log::AddressFamily::ipv6;
  std::memcpy(record.address, d.peer.address, sizeof(record.address));
}

// `request_` has just been parsed from `data`.
void Exchanges::record_request(uint32_t x_index, const uint8_t* data) {
  log::Text user_agent{};
  log::Text referer{};
  for (uint32_t i = 0; i < request_.field_count; i++) {
    const http::Field& field = request_.fields[i];
    const uint8_t* name = data + field.line.offset;
    if (field.name_bytes == 10 && http::is_word(name, 10, "user-agent")) {
      user_agent = text_of(data, field.value);
    } else if (field.name_bytes == 7 && http::is_word(name, 7, "referer")) {
      referer = text_of(data, field.value);
    }
  }
  exchanges_[x_index].request_bytes = request_.bytes;
  journal_.add_texts(x_index, text_of(data, request_.method_text),
                     text_of(data, request_.authority), text_of(data, request_.target), user_agent,
                     referer);
}

void Exchanges::finish_record(uint32_t x_index) {
  Exchange& x = exchanges_[x_index];
  const bool whole = x.step == Exchange::Step::responding && x.response.done;
  const bool upgraded = x.step == Exchange::Step::upgrading && !x.cut;
  const bool told = x.response_head.bytes > 0 && x.response_head.left() == 0;
  if ((whole || upgraded) && is_sent(x)) x.end = log::End::complete;
  log::Record& record = journal_.draft(x_index);
  record.began_ns = x.began_ns;
  record.duration_us = (engine_.now_ns() - x.began_ns) / 1000;
  record.status = told ? x.status : 0;
  record.end = x.end;
  record.minor_version = x.minor_version;
  record.bytes_in = x.request_bytes;
  record.bytes_out = x.sent_bytes;
  record.body_bytes = x.sent_bytes > x.head_bytes ? x.sent_bytes - x.head_bytes : 0;
  record.connect_us = x.connect_us;
  record.first_byte_us = x.first_byte_us;
  record.route = {x.route, x.route_incarnation};
  record.pool = {x.pool, x.pool_incarnation};
  record.backend = x.served_by;
  record.retries = static_cast<uint8_t>(x.tried_count + (x.retried ? 1 : 0));
  record.reused = x.reused;
  journal_.finish(x_index);
}

// What is not explained by now is by the status.
void Exchanges::explain_answer(Exchange& x, uint16_t status) {
  if (x.end != log::End::client_aborted) return;
  switch (status) {
    case 404:
      x.end = log::End::no_route;
      return;
    case 408:
      x.end = log::End::request_timeout;
      return;
    case 413:
      x.end = log::End::body_too_large;
      return;
    case 502:
    case 504:
      x.end = log::End::response_cut;
      return;
    case 503:
      x.end = log::End::overloaded;
      return;
    default:
      x.end = log::End::bad_request;
  }
}

}  // namespace sluice::proxy
