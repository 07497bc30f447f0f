#include "http/date.h"

#include <cstring>

namespace sluice::http {
namespace {

constexpr uint64_t kDaySeconds = 86'400;
constexpr uint64_t kLastSecond = 253'402'300'799;  // of the year 9999

struct Day {
  uint32_t year;
  uint32_t month;  // 1 to 12
  uint32_t day;    // of the month, from 1
};

// Proleptic Gregorian. Years are counted from March on, so that a leap day is a year's last one.
Day day_of(uint64_t days) {
  constexpr uint32_t kToMarchOf0 = 719'468;
  constexpr uint32_t kDaysOf400Years = 146'097;
  const uint64_t since = days + kToMarchOf0;
  const auto era = static_cast<uint32_t>(since / kDaysOf400Years);
  const auto of_era = static_cast<uint32_t>(since % kDaysOf400Years);
  const uint32_t year =
      (of_era - of_era / 1460 + of_era / 36'524 - of_era / (kDaysOf400Years - 1)) / 365;
  const uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
  // The months from March on have 31, 30, 31, 30, 31 days, over and over.
  const uint32_t month = (5 * of_year + 2) / 153;
  const uint32_t day = of_year - (153 * month + 2) / 5 + 1;
  const bool next_year = month >= 10;
  return {era * 400 + year + (next_year ? 1 : 0), next_year ? month - 9 : month + 3, day};
}

void put_digits(char* out, uint32_t value, uint32_t count) {
  for (; count > 0; count--, value /= 10) out[count - 1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void write_date(uint64_t unix_seconds, char* out) {
  static constexpr char kWeekdays[] = "ThuFriSatSunMonTueWed";  // 1970 began on a Thursday
  static constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (unix_seconds > kLastSecond) unix_seconds = kLastSecond;
  const uint64_t days = unix_seconds / kDaySeconds;
  const auto second = static_cast<uint32_t>(unix_seconds % kDaySeconds);
  const Day day = day_of(days);
  std::memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", kDateBytes);
  std::memcpy(out, kWeekdays + 3 * (days % 7), 3);
  put_digits(out + 5, day.day, 2);
  std::memcpy(out + 8, kMonths + 3 * (day.month - 1), 3);
  put_digits(out + 12, day.year, 4);
  put_digits(out + 17, second / 3600, 2);
  put_digits(out + 20, second / 60 % 60, 2);
  put_digits(out + 23, second % 60, 2);
}

}  // namespace sluice::http
