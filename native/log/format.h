// A record as a line of the access log. Belongs to the logger's thread.
#pragma once

#include <cstdint>

#include "log/names.h"
#include "log/record.h"

namespace sluice::log {

enum class Format : uint8_t { json, combined };

// Bytes that the line of any record fits in: everything escaped at its worst, and the rest.
inline constexpr uint32_t kLineBytesMax = 6 * (kTextBytesMax + 4 * kNameBytesMax) + 2048;

class Formatter {
 public:
  // Adds a line with its line end and returns where that ends. `wall_offset_ns`: from the record's
  // clock to the time since the epoch. The names are locked.
  char* line(char* out, Format format, const Record& record, const Names& names,
             uint64_t wall_offset_ns);

 private:
  char* json(char* out, const Record& record, const Names& names);
  char* combined(char* out, const Record& record);
  void look_at(uint64_t wall_ns);

  // The second of the last line, spelt out: most lines share it with the one before.
  uint64_t second_ = UINT64_MAX;
  uint32_t milliseconds_ = 0;
  char iso_[20];    // 2026-11-21T14:58:00.
  char nginx_[26];  // 21/Nov/2026:14:58:00 +0000
};

}  // namespace sluice::log
