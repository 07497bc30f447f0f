// Chunked bodies: one verdict and one output however they are cut, the payload a naive reader
// finds, and an output that passes again unchanged.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "http/chunked.h"
#include "http_checks.h"

namespace sluice::http_fuzz {
namespace {

using http::ChunkedFilter;
using http::Parsed;
using http::Refusal;

struct Outcome {
  Parsed parsed = Parsed::incomplete;
  Refusal why = Refusal::none;
  size_t consumed = 0;
  uint64_t payload_bytes = 0;
  std::string out;
};

// `bypass`: some payload takes the way beside the filter.
Outcome pass(std::string_view text, bool strip, Prng& prng, uint32_t most, bool bypass,
             std::string* wrong) {
  Outcome outcome;
  ChunkedFilter filter(strip);
  while (outcome.parsed == Parsed::incomplete && outcome.consumed < text.size()) {
    const size_t left = text.size() - outcome.consumed;
    const auto bytes = static_cast<uint32_t>(std::min<size_t>(left, 1 + prng.below(most)));
    const std::string_view piece = text.substr(outcome.consumed, bytes);
    if (bypass && filter.wanted() > 0 && prng.one_in(2)) {
      const auto beside = static_cast<uint32_t>(std::min<uint64_t>(filter.wanted(), bytes));
      filter.skip(beside);
      outcome.out += piece.substr(0, beside);
      outcome.consumed += beside;
      continue;
    }
    const auto copy = exact_copy(piece);
    const auto step = filter.run(copy.get(), bytes);
    if (step.consumed > bytes || step.produced > step.consumed) *wrong = "more than came in";
    if (step.state == Parsed::incomplete && step.consumed != bytes) *wrong = "bytes were left";
    if (!wrong->empty()) return outcome;
    if (std::memcmp(copy.get() + step.consumed, piece.data() + step.consumed,
                    bytes - step.consumed) != 0) {
      *wrong = "what follows the message was changed";
    }
    outcome.out.append(reinterpret_cast<const char*>(copy.get()), step.produced);
    outcome.consumed += step.consumed;
    outcome.parsed = step.state;
    outcome.why = step.why;
  }
  outcome.payload_bytes = filter.payload_bytes();
  return outcome;
}

bool same(const Outcome& a, const Outcome& b) {
  return a.parsed == b.parsed && a.why == b.why && a.consumed == b.consumed && a.out == b.out &&
         a.payload_bytes == b.payload_bytes;
}

// The payload of a body that is known to be in order.
std::string read_naively(std::string_view text) {
  std::string payload;
  size_t at = 0;
  for (;;) {
    const auto size = std::strtoull(std::string(text.substr(at, 17)).c_str(), nullptr, 16);
    if (size == 0) return payload;
    at = text.find("\r\n", at) + 2;
    payload += text.substr(at, size);
    at += size + 2;
  }
}

}  // namespace

std::string check_body(const std::string& text, Prng& prng, Tally* tally) {
  std::string wrong;
  const auto all = static_cast<uint32_t>(text.size() + 1) * 2;
  const Outcome whole = pass(text, false, prng, all, false, &wrong);
  const Outcome stripped = pass(text, true, prng, all, false, &wrong);
  for (const uint32_t most : {1u, 4u, 40u, 400u}) {
    const bool bypass = prng.one_in(2);
    if (!same(whole, pass(text, false, prng, most, bypass, &wrong)))
      return "another result in pieces";
    if (!same(stripped, pass(text, true, prng, most, bypass, &wrong))) {
      return "another result in pieces, stripped";
    }
  }
  if (!wrong.empty()) return wrong;
  if (stripped.parsed != whole.parsed || stripped.why != whole.why ||
      stripped.consumed != whole.consumed || stripped.payload_bytes != whole.payload_bytes) {
    return "stripping changes the verdict";
  }
  if (stripped.out.size() != stripped.payload_bytes) return "the payload is miscounted";
  if (whole.parsed == Parsed::refused) tally->refused[static_cast<uint32_t>(whole.why)]++;
  if (whole.parsed == Parsed::incomplete) tally->incomplete++;
  if (whole.parsed != Parsed::complete) return "";
  tally->accepted[2]++;
  if (stripped.out != read_naively(text)) return "the payload differs";
  if (read_naively(whole.out) != stripped.out) return "the payload of what is sent on differs";
  const Outcome again = pass(whole.out, false, prng, all, false, &wrong);
  if (again.parsed != Parsed::complete || again.out != whole.out) return "what is sent on changes";
  return "";
}

}  // namespace sluice::http_fuzz
