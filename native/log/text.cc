#include "log/text.h"

#include <arpa/inet.h>
#include <sys/socket.h>

namespace sluice::log {
namespace {

constexpr char kHexLower[] = "0123456789abcdef";
constexpr char kHexUpper[] = "0123456789ABCDEF";

constexpr bool is_plain(uint8_t byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

// Bytes of the well-formed UTF-8 sequence at `text` (Unicode 15, table 3-7); 0: there is none.
uint32_t utf8_bytes(const uint8_t* text, uint32_t bytes) {
  const uint8_t first = text[0];
  const uint32_t length = first < 0xc2   ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
  if (length == 0 || bytes < length) return 0;
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (text[1] < low || text[1] > high) return 0;
  for (uint32_t i = 2; i < length; i++) {
    if (text[i] < 0x80 || text[i] > 0xbf) return 0;
  }
  return length;
}

char* put_json_byte(char* out, uint8_t byte) {
  *out++ = '\\';
  switch (byte) {
    case '"':
    case '\\':
      *out++ = static_cast<char>(byte);
      return out;
    case '\n':
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = 't';
      return out;
    default:
      out = put(out, "u00");
      *out++ = kHexLower[byte >> 4];
      *out++ = kHexLower[byte & 15];
      return out;
  }
}

}  // namespace

char* put_number(char* out, uint64_t value) {
  char digits[20];
  uint32_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) *out++ = digits[--count];
  return out;
}

char* put_digits(char* out, uint32_t value, uint32_t digits) {
  for (uint32_t i = digits; i > 0; i--) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + digits;
}

char* put_seconds(char* out, uint64_t microseconds) {
  out = put_number(out, microseconds / 1'000'000);
  *out++ = '.';
  return put_digits(out, static_cast<uint32_t>(microseconds % 1'000'000), 6);
}

char* put_json(char* out, const uint8_t* text, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes;) {
    uint32_t run = at;
    while (run < bytes && is_plain(text[run])) run++;
    std::memcpy(out, text + at, run - at);
    out += run - at;
    at = run;
    if (at == bytes) break;
    const uint32_t wide = utf8_bytes(text + at, bytes - at);
    if (wide == 0) {
      out = put_json_byte(out, text[at++]);
      continue;
    }
    std::memcpy(out, text + at, wide);
    out += wide;
    at += wide;
  }
  return out;
}

char* put_escaped(char* out, const uint8_t* text, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at++) {
    const uint8_t byte = text[at];
    if (is_plain(byte)) {
      *out++ = static_cast<char>(byte);
      continue;
    }
    out = put(out, "\\x");
    *out++ = kHexUpper[byte >> 4];
    *out++ = kHexUpper[byte & 15];
  }
  return out;
}

char* put_ipv4(char* out, const uint8_t* address) {
  for (uint32_t i = 0; i < 4; i++) {
    if (i > 0) *out++ = '.';
    out = put_number(out, address[i]);
  }
  return out;
}

char* put_ipv6(char* out, const uint8_t* address) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, address, text, sizeof(text)) == nullptr ? out : put(out, text);
}

// Years begin in March here, so that the leap day is their last.
Civil civil_of(uint64_t seconds) {
  const uint64_t days = seconds / 86'400 + 719'468;  // since 0000-03-01
  const auto rest = static_cast<uint32_t>(seconds % 86'400);
  const uint64_t era = days / 146'097;
  const auto of_era = static_cast<uint32_t>(days % 146'097);
  const uint32_t year = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const uint32_t shifted = (5 * of_year + 2) / 153;
  const uint32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  Civil civil;
  civil.year = static_cast<uint32_t>(era * 400) + year + (month <= 2 ? 1 : 0);
  civil.month = month;
  civil.day = of_year - (153 * shifted + 2) / 5 + 1;
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  return civil;
}

}  // namespace sluice::log
