#include "http/names.h"

#include "http/scan.h"

namespace sluice::http {
namespace {

template <uint32_t N>
Name named(const uint8_t* text, const char (&lower)[N], Name name) {
  return is_word(text, N - 1, lower) ? name : Name::other;
}

constexpr uint8_t lowered(uint8_t c) {
  return scan::is_letter(c) ? static_cast<uint8_t>(c | 0x20) : c;
}

}  // namespace

Name name_of(const uint8_t* text, uint32_t bytes) {
  if (bytes == 0) return Name::other;
  const char first = static_cast<char>(text[0] | 0x20);
  switch (bytes) {
    case 2:
      return named(text, "te", Name::te);
    case 3:
      return named(text, "via", Name::via);
    case 4:
      if (first == 'h') return named(text, "host", Name::host);
      return named(text, "date", Name::date);
    case 6:
      return named(text, "expect", Name::expect);
    case 7:
      if (first == 'u') return named(text, "upgrade", Name::upgrade);
      return named(text, "trailer", Name::trailer);
    case 9:
      return named(text, "forwarded", Name::forwarded);
    case 10:
      if (first == 'c') return named(text, "connection", Name::connection);
      return named(text, "keep-alive", Name::keep_alive);
    case 14:
      if (first == 'c') return named(text, "content-length", Name::content_length);
      return named(text, "http2-settings", Name::http2_settings);
    case 15:
      return named(text, "x-forwarded-for", Name::x_forwarded_for);
    case 16:
      if (first == 'x') return named(text, "x-forwarded-host", Name::x_forwarded_host);
      return named(text, "proxy-connection", Name::proxy_connection);
    case 17:
      if (first == 'x') return named(text, "x-forwarded-proto", Name::x_forwarded_proto);
      return named(text, "transfer-encoding", Name::transfer_encoding);
    case 18:
      return named(text, "proxy-authenticate", Name::proxy_authenticate);
    case 19:
      return named(text, "proxy-authorization", Name::proxy_authorization);
    default:
      return Name::other;
  }
}

bool is_essential(const uint8_t* text, uint32_t bytes) {
  switch (name_of(text, bytes)) {
    case Name::host:
    case Name::content_length:
    case Name::transfer_encoding:
    case Name::expect:
    case Name::forwarded:
    case Name::x_forwarded_for:
    case Name::x_forwarded_proto:
    case Name::x_forwarded_host:
    case Name::via:
    case Name::date:
      return true;
    default:
      break;
  }
  const auto is = [&](const auto& lower) { return is_word(text, bytes, lower); };
  switch (bytes) {
    case 3:
      return is("age");
    case 5:
      return is("range") || is("allow");
    case 6:
      return is("cookie") || is("pragma");
    case 7:
      return is("expires");
    case 8:
      return is("if-match") || is("if-range") || is("location");
    case 10:
      return is("set-cookie");
    case 11:
      return is("retry-after");
    case 12:
      return is("content-type") || is("max-forwards");
    case 13:
      return is("authorization") || is("cache-control") || is("content-range") ||
             is("if-none-match");
    case 16:
      return is("content-encoding") || is("content-location") || is("www-authenticate");
    case 17:
      return is("if-modified-since");
    case 19:
      return is("if-unmodified-since");
    default:
      return false;
  }
}

bool equal_ignoring_case(const uint8_t* a, const uint8_t* b, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) {
    if (lowered(a[i]) != lowered(b[i])) return false;
  }
  return true;
}

}  // namespace sluice::http
