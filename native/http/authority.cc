#include "http/authority.h"

#include "http/scan.h"

namespace sluice::http {
namespace {

// unreserved and sub-delims of RFC 3986 without the comma.
constexpr scan::ByteSet make_name_bytes() {
  scan::ByteSet set;
  for (int c = 0; c < 128; c++) {
    const auto byte = static_cast<uint8_t>(c);
    set.has[c] = scan::is_letter(byte) || scan::is_digit(byte);
  }
  for (const char* c = "-._~!$&'()*+;="; *c != '\0'; c++) set.has[static_cast<uint8_t>(*c)] = true;
  return set;
}
constexpr scan::ByteSet kNameBytes = make_name_bytes();

bool is_registered_name(const uint8_t* text, uint32_t bytes) {
  if (bytes == 0) return false;
  for (uint32_t i = 0; i < bytes; i++) {
    if (kNameBytes.has[text[i]]) continue;
    if (text[i] != '%' || bytes - i < 3) return false;
    if (scan::hex_digit(text[i + 1]) > 15 || scan::hex_digit(text[i + 2]) > 15) return false;
    i += 2;
  }
  return true;
}

bool is_ipv4(const uint8_t* text, uint32_t bytes) {
  uint32_t parts = 0;
  for (uint32_t i = 0; parts < 4; i++) {
    const uint32_t start = i;
    uint32_t value = 0;
    while (i < bytes && i - start < 3 && scan::is_digit(text[i]))
      value = value * 10 + text[i++] - '0';
    if (i == start || value > 255 || (text[start] == '0' && i - start > 1)) return false;
    parts++;
    if (i == bytes) return parts == 4;
    if (text[i] != '.') return false;
  }
  return false;
}

// RFC 3986 section 3.2.2: eight groups of hexadecimal digits, `::` for at least one group of zeros,
// the last two groups possibly as IPv4.
bool is_ipv6(const uint8_t* text, uint32_t bytes) {
  uint32_t groups = 0;
  bool shortened = false;
  uint32_t i = 0;
  if (bytes >= 2 && text[0] == ':' && text[1] == ':') {
    shortened = true;
    i = 2;
    if (i == bytes) return true;
  }
  while (groups < 8) {
    const uint32_t start = i;
    while (i < bytes && i - start < 4 && scan::hex_digit(text[i]) < 16) i++;
    if (i < bytes && text[i] == '.') {
      groups += 2;
      return is_ipv4(text + start, bytes - start) && (shortened ? groups < 8 : groups == 8);
    }
    if (i == start) return false;
    groups++;
    if (i == bytes) return shortened ? groups < 8 : groups == 8;
    if (text[i++] != ':') return false;
    if (i < bytes && text[i] == ':') {
      if (shortened) return false;
      shortened = true;
      i++;
      if (i == bytes) return groups < 8;
    }
  }
  return false;
}

bool is_port(const uint8_t* text, uint32_t bytes) {
  if (bytes > 5) return false;
  uint32_t value = 0;
  for (uint32_t i = 0; i < bytes; i++) {
    if (!scan::is_digit(text[i])) return false;
    value = value * 10 + text[i] - '0';
  }
  return value <= 65535;
}

}  // namespace

bool is_authority(const uint8_t* text, uint32_t bytes) {
  if (bytes == 0) return false;
  uint32_t host = 0;
  if (text[0] == '[') {
    while (host < bytes && text[host] != ']') host++;
    if (host == bytes || !is_ipv6(text + 1, host - 1)) return false;
    host++;
  } else {
    while (host < bytes && text[host] != ':') host++;
    if (host > kHostBytesMax || !is_registered_name(text, host)) return false;
  }
  if (host == bytes) return true;
  return text[host] == ':' && is_port(text + host + 1, bytes - host - 1);
}

}  // namespace sluice::http
