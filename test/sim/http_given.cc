#include "http_given.h"

#include <algorithm>
#include <cstdlib>

namespace sluice::http_sim {

void GivenHeads::add(World& world, const std::vector<uint32_t>& requests, std::string_view bytes) {
  if (state_ == State::rest) return;
  text_ += bytes;
  while (state_ != State::rest && step(world, requests)) continue;
}

// Steps over what is there of a body, and over a head; false when more bytes are needed.
bool GivenHeads::step(World& world, const std::vector<uint32_t>& requests) {
  if (state_ == State::bytes) {
    const size_t bytes = std::min<uint64_t>(left_, text_.size());
    text_.erase(0, bytes);
    left_ -= bytes;
    if (left_ > 0) return false;
  } else if (state_ == State::chunks) {
    std::string payload;
    if (chunks_.run(text_, payload) == ChunkReader::State::more) return false;
  }
  state_ = State::head;
  const size_t end = text_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = text_.substr(0, end + 4);
  text_.erase(0, end + 4);
  if (head.compare(9, 3, "100") == 0 || head.compare(9, 3, "103") == 0) return true;
  world.heads_given++;
  const bool is_last =
      at_ >= requests.size() || head.find("\r\nConnection: close") != std::string::npos;
  if (is_last) {
    state_ = State::rest;
  } else {
    pass_body(world, world.requests[requests[at_++]], head);
  }
  return true;
}

void GivenHeads::pass_body(World& world, const Request& request, const std::string& head) {
  const size_t mark = head.find("\r\nX-Answer: ");
  const size_t length = head.find("\r\nContent-Length: ");
  Framing framing = Framing::none;
  if (mark != std::string::npos) {
    const Answer& answer = world.answers[std::strtoul(head.c_str() + mark + 12, nullptr, 10)];
    framing = answer.upgrade ? Framing::until_close : answer.towards(request);
  } else if (!request.is_head()) {
    framing = Framing::length;
  }
  switch (framing) {
    case Framing::none:
      break;
    case Framing::length:
      left_ = std::strtoull(head.c_str() + length + 18, nullptr, 10);
      state_ = State::bytes;
      break;
    case Framing::chunked:
      chunks_ = ChunkReader{};
      state_ = State::chunks;
      break;
    case Framing::until_close:
      state_ = State::rest;
      break;
  }
}

}  // namespace sluice::http_sim
