// A scripted client: sends its requests one after the other or all at once, and holds every byte it
// is given against what backends have answered.
#include <algorithm>

#include "http_given.h"
#include "http_peer.h"

namespace sluice::http_sim {
namespace {

class Client final : public Peer {
 public:
  Client(World& world, uint32_t id);

  void given(std::string_view bytes) override { given_.add(world_, requests_, bytes); }

 private:
  enum class State : uint8_t { head, body, tunnel, closed };

  void read(std::string_view bytes) override;
  void ended(bool reset) override;
  void think() override;
  void draw_end();
  void speak();
  void speak_one();
  Request& current() { return world_.requests[requests_[at_]]; }
  bool read_head();
  bool read_refusal();
  void count_head();
  bool read_own(uint32_t status);
  bool read_interim(const Answer& answer, const std::string& head);
  void begin_answer(const std::string& head);
  bool read_body();
  void answered(bool closes);
  void read_tunnel();

  std::vector<uint32_t> requests_;
  size_t spoken_ = 0;
  size_t at_ = 0;  // which answer is being read
  std::vector<uint64_t> begins_;
  bool at_once_;
  bool spoke_early_ = false;
  uint64_t speak_ns_ = kNever;
  std::string held_;  // a body that waits for 100
  uint64_t held_until_ns_ = kNever;
  State state_ = State::head;
  std::string in_;
  std::string body_;
  ChunkReader chunks_;
  uint32_t answer_ = 0;
  uint32_t interim_seen_ = 0;
  bool closes_ = false;
  std::string told_in_full_;
  bool gave_up_ = false;  // by itself
  GivenHeads given_;
  std::string tunnel_out_;
  std::string tunnel_in_;
  uint64_t tunnel_read_ = 0;
};

Client::Client(World& world, uint32_t id) : Peer(world, id) {
  Prng& prng = world.prng;
  at_once_ = prng.below(3) == 0;
  const uint32_t count = 1 + prng.below(prng.below(3) == 0 ? 12 : 3);
  for (uint32_t i = 0; i < count; i++) {
    const bool upgrade = i + 1 == count && prng.below(5) == 0;
    const uint32_t request = static_cast<uint32_t>(world.requests.size());
    world.requests.push_back(make_request(prng, request, world.body_max, upgrade));
    requests_.push_back(request);
    Request& made = world.requests.back();
    if (world.faults.fires(Fault::client_garbage)) {
      made.garbage = true;
      made.method = "X";
      made.upgrade = false;
      made.bytes = garbage(prng);
      made.head_bytes = made.bytes.size();
    }
    if (!made.keep || made.garbage) break;
  }
  if (world.requests.back().upgrade) {
    tunnel_out_ = tunnel_from_client(world.requests.back().id, draw_tunnel_bytes(prng));
  }
  speak_ns_ = world.now;
  draw_end();
}

// How it ends before its time, if it does.
void Client::draw_end() {
  uint64_t all = 0;
  for (const uint32_t request : requests_) all += world_.requests[request].bytes.size();
  const uint32_t where = world_.prng.below(static_cast<uint32_t>(all) + 1);
  FaultPlan& faults = world_.faults;
  if (faults.fires(Fault::client_fin)) return end_at(where, End::fin);
  if (faults.fires(Fault::client_reset)) return end_at(where, End::reset);
  if (faults.fires(Fault::client_stops_writing)) return end_at(where, End::silence);
  if (faults.fires(Fault::client_stops_reading)) stop_reading();
}

void Client::think() {
  if (world_.now >= held_until_ns_) {
    say(held_);
    held_.clear();
    held_until_ns_ = kNever;
  }
  if (world_.now >= speak_ns_) speak();
}

void Client::speak() {
  speak_ns_ = kNever;
  if (is_over() || gave_up_) return;
  if (!at_once_) {
    if (spoken_ < requests_.size()) speak_one();
    return;
  }
  while (spoken_ < requests_.size()) speak_one();
}

void Client::speak_one() {
  const Request& r = world_.requests[requests_[spoken_++]];
  begins_.push_back(said());
  world_.note("speaks", id_, r.id, r.bytes.size());
  if (r.expects_continue && !at_once_) {
    say(r.bytes.substr(0, r.head_bytes));
    held_ = r.bytes.substr(r.head_bytes);
    held_until_ns_ = world_.now + world_.prng.below(2000) * kMs;
    remind(held_until_ns_ - world_.now);
    return;
  }
  say(r.bytes);
  if (r.upgrade && world_.faults.fires(Fault::client_speaks_early)) {
    spoke_early_ = true;
    say(tunnel_out_);
  }
}

void Client::read(std::string_view bytes) {
  in_ += bytes;
  for (bool goes_on = true; goes_on && !in_.empty() && !world_.failed();) {
    switch (state_) {
      case State::head:
        goes_on = read_head();
        break;
      case State::body:
        goes_on = read_body();
        break;
      case State::tunnel:
        read_tunnel();
        goes_on = false;
        break;
      case State::closed:
        goes_on = false;
        if (told_in_full_.compare(0, in_.size(), in_) == 0) break;
        world_.fail("nothing follows an answer that closes", "client %u: %.60s", id_, in_.c_str());
        break;
    }
  }
}

bool Client::read_head() {
  if (at_ >= spoken_ && spoke_early_) return read_refusal();
  if (at_ >= spoken_ || wrote() <= begins_[at_]) {
    world_.fail("answers belong to requests", "client %u: a byte after answer %zu", id_, at_);
    return false;
  }
  if (in_.size() < 13) return false;
  const uint32_t status = static_cast<uint32_t>(std::strtoul(in_.c_str() + 9, nullptr, 10));
  const size_t end = in_.find("\r\n\r\n");
  const std::string head = in_.substr(0, end == std::string::npos ? end : end + 4);
  const size_t mark = head.find("\r\nX-Answer: ");
  if (mark == std::string::npos) {
    if (end == std::string::npos) return false;
    return read_own(status);
  }
  if (end == std::string::npos) return false;
  answer_ = static_cast<uint32_t>(std::strtoul(head.c_str() + mark + 12, nullptr, 10));
  const Answer& answer = world_.answers[answer_ < world_.answers.size() ? answer_ : 0];
  if (answer.id == 0 || answer.request != current().id || (!answer.valid && status != 103)) {
    world_.fail("every answer is to its request", "client %u: answer %u (%s) to request %u", id_,
                answer_, answer.valid ? "valid" : "not valid", current().id);
    return false;
  }
  in_.erase(0, head.size());
  if (status == 103) return read_interim(answer, head);
  begin_answer(head);
  return state_ == State::body ? read_body() : true;
}

// What it said early was not understood as the other protocol, but refused.
bool Client::read_refusal() {
  const uint32_t status =
      in_.size() < 13 ? 0 : static_cast<uint32_t>(std::strtoul(in_.c_str() + 9, nullptr, 10));
  size_t bytes = 0;
  bool closes = false;
  const Own own = is_own_answer(in_, false, status, &bytes, &closes);
  if (in_.size() < 13 || own == Own::maybe) return false;
  if (own == Own::no || !closes) {
    world_.fail("what is no request is refused", "client %u: %.40s", id_, in_.c_str());
    return false;
  }
  in_.erase(0, bytes);
  count_head();
  world_.own_read++;
  state_ = State::closed;
  return true;
}

// A final head: the answer before it is over for the proxy too.
void Client::count_head() {
  world_.heads_read++;
  if (at_ > 0) world_.answers_over++;
}

bool Client::read_own(uint32_t status) {
  size_t bytes = 0;
  bool closes = false;
  const Own own = is_own_answer(in_, current().is_head(), status, &bytes, &closes);
  if (own == Own::maybe) return false;
  if (own == Own::no && status == 100 && current().expects_continue) {
    if (in_.compare(0, 25, "HTTP/1.1 100 Continue\r\n\r\n") == 0) {
      in_.erase(0, 25);
      held_until_ns_ = std::min(held_until_ns_, world_.now);
      wake(0);
      return true;
    }
  }
  // Who is not understood to have asked with HEAD is told in full.
  const std::string line = in_.substr(9, in_.find("\r\n") - 9) + "\n";
  if (own == Own::yes && current().is_head() && closes) told_in_full_ = line;
  if (own == Own::no) {
    world_.fail("an answer is a backend's or ours", "client %u: %.40s", id_, in_.c_str());
    return false;
  }
  if (!world_.faults.enabled()) {
    world_.fail("without faults backends answer", "client %u: %u", id_, status);
  }
  world_.faults.saw(Fault::answered_by_us);
  world_.own_read++;
  if (current().garbage && !closes) {
    world_.fail("after what is refused nothing is read", "client %u", id_);
  }
  in_.erase(0, bytes);
  count_head();
  answered(closes);
  return true;
}

bool Client::read_interim(const Answer& answer, const std::string& head) {
  const std::string whole = "HTTP/1.1 103 E\r\nX-Answer: " + std::to_string(answer.id) + "\r\n\r\n";
  if (head != whole || ++interim_seen_ > answer.interim || current().minor == 0) {
    world_.fail("interim heads pass as they are", "client %u, answer %u", id_, answer.id);
  }
  world_.faults.saw(Fault::interim_passed);
  return true;
}

void Client::begin_answer(const std::string& head) {
  const Answer& answer = world_.answers[answer_];
  const std::string expected = answer.expected_head(current());
  std::string rest;
  if (head.compare(0, expected.size(), expected) == 0) rest = head.substr(expected.size());
  closes_ = rest == "Connection: close\r\n\r\n";
  const bool kept =
      rest == "\r\n" || (rest == "Connection: keep-alive\r\n\r\n" && current().minor == 0);
  if (!closes_ && !kept) {
    return world_.fail("heads are a backend's", "client %u, answer %u: %s", id_, answer_,
                       head.c_str());
  }
  const bool until_close = answer.towards(current()) == Framing::until_close;
  if (until_close && !closes_) {
    world_.fail("what ends with the connection says so", "client %u, answer %u", id_, answer_);
  }
  if (until_close && answer.framing == Framing::chunked) {
    world_.faults.saw(Fault::body_stripped);
  }
  count_head();
  body_.clear();
  chunks_ = ChunkReader{};
  state_ = answer.upgrade ? State::tunnel : State::body;
  if (!answer.upgrade) return;
  world_.faults.saw(Fault::tunnelled);
  current().answered = true;
  at_++;
  if (!spoke_early_) say(tunnel_out_);
  if (world_.prng.below(3) > 0) end_at(said(), End::fin);
  wake(0);
}

// True when the answer has come to its end.
bool Client::read_body() {
  const Answer& answer = world_.answers[answer_];
  bool complete = false;
  switch (answer.towards(current())) {
    case Framing::none:
      complete = true;
      break;
    case Framing::length: {
      const size_t bytes = std::min(in_.size(), answer.body.size() - body_.size());
      body_.append(in_, 0, bytes);
      in_.erase(0, bytes);
      complete = body_.size() == answer.body.size();
      break;
    }
    case Framing::chunked: {
      const ChunkReader::State state = chunks_.run(in_, body_);
      if (state == ChunkReader::State::wrong) {
        world_.fail("chunks are well-formed", "client %u, answer %u", id_, answer_);
      }
      complete = state == ChunkReader::State::done;
      break;
    }
    case Framing::until_close:
      body_ += in_;
      in_.clear();
      break;
  }
  if (answer.body.compare(0, body_.size(), body_) != 0 || body_.size() > answer.body.size()) {
    world_.fail("bodies are a backend's", "client %u, answer %u, %zu bytes", id_, answer_,
                body_.size());
  }
  if (complete) answered(closes_);
  return complete;
}

void Client::answered(bool closes) {
  if (state_ == State::body) {
    const Answer& answer = world_.answers[answer_];
    if (!answer.is_whole || body_ != answer.body) {
      world_.fail("what looks complete is", "client %u, answer %u: %zu of %zu bytes", id_, answer_,
                  body_.size(), answer.body.size());
    }
  }
  world_.note("answered", id_, current().id, closes);
  current().answered = true;
  interim_seen_ = 0;
  at_++;
  state_ = closes ? State::closed : State::head;
  if (closes) return;
  if (!held_.empty()) held_until_ns_ = world_.now;  // the rest of a request answered early
  if (at_ < requests_.size()) {
    const uint64_t pause = world_.prng.below(6) == 0 ? world_.prng.below(9000) * kMs : 0;
    speak_ns_ = world_.now + pause;
    return remind(pause);
  }
  // It has all: it leaves, or waits to be sent away.
  const uint32_t how = world_.prng.below(4);
  if (how == 0 && world_.faults.enabled()) return end_now(End::reset);
  if (how < 3) end_at(said(), End::fin);
  wake(0);
}

void Client::read_tunnel() {
  if (tunnel_in_.empty()) tunnel_in_ = tunnel_from_backend(answer_, kTunnelBytesMax);
  if (tunnel_in_.compare(tunnel_read_, in_.size(), in_) != 0) {
    world_.fail("a tunnel passes bytes on", "client %u at byte %llu: %.30s", id_,
                static_cast<unsigned long long>(tunnel_read_), in_.c_str());
  }
  tunnel_read_ += in_.size();
  in_.clear();
}

void Client::ended(bool reset) {
  if (state_ == State::body) {
    const bool until_close = world_.answers[answer_].towards(current()) == Framing::until_close;
    if (until_close && !reset) {
      answered(true);
    } else {
      world_.faults.saw(Fault::answer_truncated);
    }
  }
  if (at_ == requests_.size() || state_ == State::closed) world_.clients_content++;
  gave_up_ = true;
  if (world_.prng.below(8) > 0 || !world_.faults.enabled()) end_now(End::fin);
}

}  // namespace

std::unique_ptr<Peer> make_client(World& world, uint32_t id) {
  return std::make_unique<Client>(world, id);
}

}  // namespace sluice::http_sim
