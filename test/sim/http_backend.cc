// A scripted backend: accounts for every byte of a request that reaches it, answers when it has
// read what it wants to read, and misbehaves as the seed says.
#include <algorithm>

#include "http_peer.h"

namespace sluice::http_sim {
namespace {

class Backend final : public Peer {
 public:
  Backend(World& world, uint32_t id) : Peer(world, id) { answered_ = true; }

  void given(std::string_view bytes) override;
  void taken() override;

 private:
  void read(std::string_view bytes) override {
    read_ += bytes.size();
    consider();
  }
  void ended(bool) override { end_now(End::fin); }
  void think() override;
  bool begin_request();
  bool take_head();
  bool take_body();
  void take_tunnel();
  void consider();
  void plan_answer();
  void misbehave(Answer& answer);
  void upgrade(Answer& answer);
  void give_answer();
  void written() override;
  Request& request() { return world_.requests[request_]; }
  Answer& answer() { return world_.answers[answer_]; }

  std::string in_;  // given, not yet made sense of
  uint64_t given_ = 0;
  uint64_t read_ = 0;
  enum class State : uint8_t { head, body, idle, tunnel } state_ = State::idle;
  uint32_t request_ = 0;
  uint64_t head_end_ = kNever;  // where in what is given
  uint64_t end_ = kNever;
  std::string body_;
  ChunkReader chunks_;
  uint32_t answer_ = 0;
  bool planned_ = false;
  bool answers_early_ = false;
  bool hangs_up_ = false;
  bool stalls_ = false;
  bool is_broken_ = false;
  bool answered_;
  bool said_ = false;
  uint64_t answer_ns_ = kNever;
  uint64_t answer_from_ = 0;
  uint64_t answer_to_ = 0;
  uint64_t taken_before_ = 0;
  std::string extra_;
  bool closes_at_reuse_ = false;
  uint32_t requests_ = 0;
  uint64_t idle_until_ns_ = kNever;
  bool idle_close_ = false;
  std::string tunnel_in_;
  uint64_t tunnel_given_ = 0;
};

void Backend::given(std::string_view bytes) {
  given_ += bytes.size();
  in_ += bytes;
  if (state_ == State::idle && !begin_request()) return;
  for (bool goes_on = true; goes_on && !in_.empty() && !world_.failed();) {
    switch (state_) {
      case State::head:
        goes_on = take_head();
        break;
      case State::body:
        goes_on = take_body();
        break;
      case State::idle:
        goes_on = begin_request();
        break;
      case State::tunnel:
        take_tunnel();
        break;
    }
  }
}

// The first byte of a request.
bool Backend::begin_request() {
  if (in_.empty()) return false;
  if (!answered_ || (said_ && socket().taken < answer_to_)) {
    world_.fail("requests come one at a time", "backend's socket %u", id_);
    return false;
  }
  if (requests_++ > 0) world_.faults.saw(Fault::connection_reused);
  idle_until_ns_ = kNever;
  state_ = State::head;
  answered_ = said_ = planned_ = false;
  taken_before_ = socket().taken;
  head_end_ = end_ = kNever;
  if (closes_at_reuse_) end_now(world_.prng.below(2) == 0 ? End::fin : End::reset);
  return true;
}

bool Backend::take_head() {
  const size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = in_.substr(0, end + 4);
  in_.erase(0, end + 4);
  const size_t mark = head.find(" /r");
  request_ = mark == std::string::npos
                 ? 0
                 : static_cast<uint32_t>(std::strtoul(head.c_str() + mark + 3, nullptr, 10));
  if (request_ == 0 || request_ >= world_.requests.size() || head != request().forwarded_head) {
    world_.fail("requests are a client's", "socket %u: %.200s", id_, head.c_str());
    return false;
  }
  Request& r = request();
  r.attempts++;
  if (r.attempts > 1) {
    world_.faults.saw(Fault::request_retried);
    const bool harms = !r.is_idempotent() || r.body_was_released || r.response_was_seen;
    if (harms || r.attempts > 2 || r.answered) {
      world_.fail("only what does no harm is sent again", "request %u: %s, attempt %u", r.id,
                  r.method.c_str(), r.attempts);
    }
  }
  world_.note("head", id_, r.id, r.attempts);
  head_end_ = given_ - in_.size();
  body_.clear();
  chunks_ = ChunkReader{};
  state_ = State::body;
  return take_body();
}

bool Backend::take_body() {
  Request& r = request();
  bool complete = r.framing == Framing::none;
  if (r.framing == Framing::length) {
    const size_t bytes = std::min(in_.size(), r.body.size() - body_.size());
    body_.append(in_, 0, bytes);
    in_.erase(0, bytes);
    complete = body_.size() == r.body.size();
  } else if (r.framing == Framing::chunked) {
    const ChunkReader::State state = chunks_.run(in_, body_);
    complete = state == ChunkReader::State::done;
    if (state == ChunkReader::State::wrong) {
      world_.fail("chunks are well-formed", "request %u at socket %u", r.id, id_);
    }
  }
  if (r.body.compare(0, body_.size(), body_) != 0) {
    world_.fail("bodies are a client's", "request %u at socket %u", r.id, id_);
  }
  // A small body may be sent again: it travels with the head.
  if (!body_.empty() && (r.framing == Framing::chunked || r.body.size() > 2048)) {
    r.body_was_released = true;
  }
  if (!complete) return false;
  r.executions++;
  world_.note("request", id_, r.id, body_.size());
  end_ = given_ - in_.size();
  state_ = said_ && answer().upgrade ? State::tunnel : State::idle;
  return true;
}

void Backend::take_tunnel() {
  if (tunnel_in_.empty()) tunnel_in_ = tunnel_from_client(request_, kTunnelBytesMax);
  if (tunnel_in_.compare(tunnel_given_, in_.size(), in_) != 0) {
    world_.fail("a tunnel passes bytes on", "socket %u at byte %llu", id_,
                static_cast<unsigned long long>(tunnel_given_));
  }
  tunnel_given_ += in_.size();
  in_.clear();
}

void Backend::taken() {
  if (request_ != 0 && !answered_ && head_end_ != kNever && socket().taken > taken_before_) {
    request().response_was_seen = true;
  }
}

// What it has read decides, not what it was given.
void Backend::consider() {
  if (read_ < head_end_ || is_over()) return;
  if (!planned_) plan_answer();
  if (said_ || stalls_ || answer_ns_ != kNever || (!answers_early_ && read_ < end_)) return;
  const uint64_t pause = world_.prng.below(4) == 0 ? world_.prng.below(400) * kMs : 0;
  answer_ns_ = world_.now + pause;
  remind(pause);
}

void Backend::plan_answer() {
  planned_ = true;
  Prng& prng = world_.prng;
  FaultPlan& faults = world_.faults;
  answer_ = static_cast<uint32_t>(world_.answers.size());
  world_.answers.push_back(make_answer(prng, answer_, request(), world_.body_max));
  extra_.clear();
  answers_early_ = hangs_up_ = stalls_ = is_broken_ = false;
  if (request().upgrade && !faults.fires(Fault::backend_refuses_upgrade)) upgrade(answer());
  if (request().expects_continue && prng.below(4) > 0) say("HTTP/1.1 100 Continue\r\n\r\n");
  if (request().framing != Framing::none && faults.fires(Fault::backend_answers_early)) {
    answers_early_ = true;
    hangs_up_ = faults.fires(Fault::backend_early_close);
  }
  stalls_ = faults.fires(Fault::backend_stalls);
  misbehave(answer());
}

void Backend::upgrade(Answer& a) {
  a.status = 101;
  a.minor = 1;
  a.framing = Framing::none;
  a.upgrade = true;
  a.close = false;
  a.body.clear();
  a.bytes = "HTTP/1.1 101 R\r\nUpgrade: own\r\n" + a.lines + "Connection: upgrade\r\n\r\n";
  // What it says in the new protocol may come together with the head.
  extra_ = tunnel_from_backend(a.id, draw_tunnel_bytes(world_.prng));
}

void Backend::misbehave(Answer& a) {
  Prng& prng = world_.prng;
  FaultPlan& faults = world_.faults;
  if (a.upgrade) return;
  if (faults.fires(Fault::backend_garbage)) {
    a.valid = false;
    a.bytes = garbage(prng);
    a.framing = Framing::none;
    return;
  }
  if (!request().upgrade && faults.fires(Fault::backend_switches_unasked)) {
    a.valid = false;
    a.bytes = "HTTP/1.1 101 R\r\nUpgrade: own\r\nConnection: upgrade\r\n" + a.lines + "\r\n";
    a.framing = Framing::none;
    return;
  }
  if (a.framing == Framing::chunked && faults.fires(Fault::backend_bad_chunk)) {
    a.bytes = a.bytes.substr(0, a.bytes.find("\r\n\r\n") + 4) + "zz\r\n";
    is_broken_ = true;
    return;
  }
  if (!a.close && faults.fires(Fault::backend_extra_bytes)) extra_ = garbage(prng);
}

void Backend::give_answer() {
  Answer& a = answer();
  world_.note("answer", id_, a.id, static_cast<uint64_t>(a.framing));
  said_ = true;
  answer_ns_ = kNever;
  answer_from_ = said();
  if (request().minor == 1 || world_.prng.below(2) == 0) {
    say(a.interim_bytes);
  }
  say(a.bytes);
  answer_to_ = said();
  if (a.upgrade) {
    if (end_ != kNever) state_ = State::tunnel;
    say(extra_);
    if (world_.faults.fires(Fault::backend_resets)) {
      const uint64_t bytes =
          world_.prng.below(2) == 0 ? said() - answer_from_ : answer_to_ - answer_from_;
      return end_at(answer_from_ + bytes, End::reset);
    }
    if (world_.prng.below(3) > 0) end_at(said(), End::fin);
    return;
  }
  say(extra_);
  const uint32_t bytes = static_cast<uint32_t>(answer_to_ - answer_from_);
  const uint64_t within = answer_from_ + world_.prng.below(bytes);
  // A body that ends with the connection cannot be told from a part of it, if that ends with FIN.
  if (a.framing != Framing::until_close && world_.faults.fires(Fault::backend_truncates)) {
    return end_at(within, End::fin);
  }
  if (world_.faults.fires(Fault::backend_resets)) return end_at(within, End::reset);
  if (hangs_up_) return end_at(answer_to_, world_.prng.below(2) == 0 ? End::fin : End::reset);
  if (a.close || a.minor == 0 || !a.valid) end_at(answer_to_, End::fin);
}

void Backend::think() {
  if (world_.now >= answer_ns_ && !is_over()) give_answer();
  if (world_.now >= idle_until_ns_ && !is_over()) {
    idle_until_ns_ = kNever;
    if (idle_close_) {
      end_now(world_.prng.below(4) == 0 ? End::reset : End::fin);
    } else {
      say(garbage(world_.prng));
    }
  }
}

// Whether what was said has been written by now.
void Backend::written() {
  if (!said_ || answered_ || wrote() < answer_to_) return;
  Answer& a = answer();
  if (a.framing == Framing::until_close && !socket().peer_fin) return;
  answered_ = true;
  a.is_whole = a.valid && !is_broken_;
  if (a.upgrade || !extra_.empty()) return;
  FaultPlan& faults = world_.faults;
  closes_at_reuse_ = faults.fires(Fault::backend_close_at_reuse);
  idle_close_ = faults.fires(Fault::backend_idle_close);
  if (!idle_close_ && !faults.fires(Fault::backend_idle_bytes)) return;
  const uint64_t pause = world_.prng.below(3) == 0 ? 0 : world_.prng.below(3000) * kMs;
  idle_until_ns_ = world_.now + pause;
  remind(pause);
}

}  // namespace

std::unique_ptr<Peer> make_backend(World& world, uint32_t id) {
  return std::make_unique<Backend>(world, id);
}

}  // namespace sluice::http_sim
