// Writing text into memory that the caller has made large enough: numbers, and the bytes of
// strangers made harmless. Each function returns where the text ends.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::log {

inline char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// At most 20 bytes.
char* put_number(char* out, uint64_t value);
// Exactly `digits` digits, with leading zeros.
char* put_digits(char* out, uint32_t value, uint32_t digits);
// Seconds with six decimals.
char* put_seconds(char* out, uint64_t microseconds);

// The inside of a JSON string (RFC 8259 section 7): valid UTF-8 as it is, other bytes from 0x80 on
// as \u0080 to \u00ff. At most six times as long.
char* put_json(char* out, const uint8_t* text, uint32_t bytes);
// As nginx writes its logs: quotation marks, backslashes and everything but printable ASCII as
// \xHH. At most four times as long.
char* put_escaped(char* out, const uint8_t* text, uint32_t bytes);

// Dotted decimal, or RFC 5952. At most 45 bytes.
char* put_ipv4(char* out, const uint8_t* address);
char* put_ipv6(char* out, const uint8_t* address);

// Seconds since the epoch as a date in UTC.
struct Civil {
  uint32_t year, month, day, hour, minute, second;
};
Civil civil_of(uint64_t seconds);

}  // namespace sluice::log
