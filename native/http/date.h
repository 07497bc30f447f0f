// The Date field (RFC 9110 section 6.6.1). Pure: time comes in as an argument.
#pragma once

#include <cstdint>

namespace sluice::http {

// "Sun, 06 Nov 1994 08:49:37 GMT", the preferred form of RFC 9110 section 5.6.7.
inline constexpr uint32_t kDateBytes = 29;

// Writes kDateBytes bytes, without a closing zero. Years up to 9999.
void write_date(uint64_t unix_seconds, char* out);

// The text of the second that was asked for last.
class DateText {
 public:
  const char* at(uint64_t unix_seconds) {
    if (unix_seconds != second_) {
      write_date(unix_seconds, text_);
      second_ = unix_seconds;
    }
    return text_;
  }

 private:
  uint64_t second_ = UINT64_MAX;
  char text_[kDateBytes];
};

}  // namespace sluice::http
