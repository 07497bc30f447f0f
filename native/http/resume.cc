#include "http/resume.h"

#include "http/scan.h"

namespace sluice::http {
namespace {

// A first line is judged anew with every piece up to here.
constexpr uint32_t kStartBytes = 64;
// More than method, version, blanks and empty lines have together: a first line that is longer than
// its target's limit and this has too long a target.
constexpr uint32_t kBesideTarget = 64;

// The first thing that decides something from `at` on: the end of the head, or a byte that cannot
// be. False when all is text; `*at` is then where to go on.
bool find_decision(const uint8_t* data, uint32_t bytes, uint32_t* at) {
  const uint8_t* const end = data + bytes;
  const uint8_t* p = data + *at;
  for (;;) {
    p = scan::find<scan::ValueEnd>(p, end);
    *at = static_cast<uint32_t>(p - data);
    if (p == end) return false;
    if (*p != '\r') return true;
    if (end - p < 2) return false;
    if (p[1] != '\n') return true;
    if (end - p < 3) return false;
    if (p[2] == '\r') {
      if (end - p < 4) return false;
      return true;
    }
    p += 2;
  }
}

}  // namespace

bool worth_parsing(const uint8_t* data, uint32_t bytes, const HeadLimits& limits,
                   uint32_t* scanned) {
  const uint32_t before = *scanned;
  // The first look parses at once: most heads come in one piece.
  if (before == 0) return true;
  const uint32_t first_line_max = limits.target_bytes + kBesideTarget;
  const bool decided = find_decision(data, bytes, scanned);
  return decided || before < kStartBytes || bytes >= limits.head_bytes ||
         (before <= first_line_max && bytes > first_line_max);
}

uint32_t scanned_by_parsing(const uint8_t* data, uint32_t bytes) {
  const auto ends_with = [&](const char* text, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) {
      if (bytes < length || data[bytes - length + i] != static_cast<uint8_t>(text[i])) return false;
    }
    return true;
  };
  if (ends_with("\r\n\r", 3)) return bytes - 3;
  if (ends_with("\r\n", 2)) return bytes - 2;
  if (ends_with("\r", 1)) return bytes - 1;
  return bytes;
}

}  // namespace sluice::http
