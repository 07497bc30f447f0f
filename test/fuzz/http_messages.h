// HTTP/1 messages out of a seed: valid ones, nearly valid ones, and mutations of both.
#pragma once

#include <cstdint>
#include <string>

#include "base/prng.h"

namespace sluice::http_fuzz {

enum class Shape : uint8_t { request, response, body };

class MessageMaker {
 public:
  explicit MessageMaker(uint64_t seed) : prng_(seed) {}

  // A head, or a chunked body, with nothing behind it unless a mutation put it there.
  std::string request();
  std::string response();
  std::string body();

  // A whole message: the head and a body that fits what its framing should be.
  std::string request_with_body();
  std::string response_with_body();

  // Some bytes changed, inserted, taken out or doubled.
  std::string mutated(std::string text, Shape shape);

  Prng& prng() { return prng_; }

 private:
  template <uint32_t N>
  std::string one_of(const char* const (&choices)[N]) {
    return choices[prng_.below(N)];
  }
  bool rarely() { return prng_.one_in(12); }
  std::string line_end();
  std::string word();
  std::string value();
  std::string field();
  std::string framing(Shape shape);
  std::string chunk(uint32_t bytes);

  Prng prng_;
};

}  // namespace sluice::http_fuzz
