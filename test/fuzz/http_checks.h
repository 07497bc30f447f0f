// What must hold of every message, whatever its bytes. Each check returns what does not hold, or
// an empty text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "http/head.h"

namespace sluice::http_fuzz {

inline constexpr uint32_t kRefusals = static_cast<uint32_t>(http::Refusal::bad_trailer) + 1;

// How often each outcome was met; `refused` by reason.
struct Tally {
  uint64_t accepted[3] = {};  // by shape
  uint64_t incomplete = 0;
  uint64_t refused[kRefusals] = {};
};

// A copy of exactly its size, so that the address sanitizer sees a read beyond it.
inline std::unique_ptr<uint8_t[]> exact_copy(std::string_view text) {
  auto copy = std::make_unique<uint8_t[]>(text.size());
  text.copy(reinterpret_cast<char*>(copy.get()), text.size());
  return copy;
}

std::string check_request(const std::string& text, Prng& prng, Tally* tally);
std::string check_response(const std::string& text, Prng& prng, Tally* tally);
std::string check_body(const std::string& text, Prng& prng, Tally* tally);

// Reads messages from stdin as --write prints them, and prints a line of JSON for each: what a
// proxy makes of it, head and body.
int judge_messages();

}  // namespace sluice::http_fuzz
