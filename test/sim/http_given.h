// Counts the final heads that a client is given whole, whether it reads them or not: what classes
// of requests are held against.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http_world.h"

namespace sluice::http_sim {

class GivenHeads {
 public:
  // `requests`: what the client asks, in order.
  void add(World& world, const std::vector<uint32_t>& requests, std::string_view bytes);

 private:
  enum class State : uint8_t { head, bytes, chunks, rest };

  bool step(World& world, const std::vector<uint32_t>& requests);
  void pass_body(World& world, const Request& request, const std::string& head);

  std::string text_;
  size_t at_ = 0;
  State state_ = State::head;
  uint64_t left_ = 0;
  ChunkReader chunks_;
};

}  // namespace sluice::http_sim
