#include "http/names.h"

#include "http/scan.h"

namespace sluice::http {
namespace {

constexpr uint8_t lowered(uint8_t c) {
  return scan::is_letter(c) ? static_cast<uint8_t>(c | 0x20) : c;
}

}  // namespace

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
