// The mini proxy's turn: waiting, and what each completion means.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "sim/io_sim_proxy.h"

namespace sluice::sim {

using io::Completion;
using io::Op;
using io::Side;
using io::Token;

namespace {

constexpr size_t kBatchMax = 256;
// A wait may end this much after its deadline: delayed readiness and the cost of the calls.
constexpr uint64_t kLateNs = 20'000'000;

unsigned at(Op op) {
  return static_cast<unsigned>(op);
}

}  // namespace

void Proxy::listen(int fd) {
  listener_ = fd;
}

bool Proxy::idle() const {
  return listener_ < 0 && graveyard_.empty() &&
         std::none_of(slots_.begin(), slots_.end(), [](const Connection& c) { return c.used; });
}

void Proxy::turn(uint64_t deadline_ns, size_t max) {
  if (listener_ >= 0 && !accepting_.now) {
    if (stopping_) {
      // Whoever still waits in the queue is told by a close, not by a reset.
      for (int fd; (fd = engine_.accept_now(listener_)) >= 0;) engine_.close_now(fd);
      engine_.close(listener_);
      listener_ = -1;
    } else if (world_.now_ns() >= accept_again_ns_) {
      accepting_ = Running{true, false};
      engine_.accept(listener_, Token{Op::accept, Side::downstream, 0, kListenerSlot});
    } else if (deadline_ns > accept_again_ns_) {
      deadline_ns = accept_again_ns_;
    }
  } else if (listener_ >= 0 && !accepting_.cancelled &&
             (stopping_ || prng_.one_in(settings_.mischief * 8))) {
    accepting_.cancelled = true;
    engine_.cancel(listener_);
  }
  Completion batch[kBatchMax];
  const size_t n = engine_.wait(deadline_ns, batch, std::min(max, kBatchMax));
  if (n > max) world_.fail("wait reported more than it was allowed to");
  if (n == 0 && world_.now_ns() > std::max(deadline_ns, engine_.now_ns()) + kLateNs) {
    world_.fail("wait came back long after its deadline");
  }
  if (woken_at_ns_ != 0 && world_.now_ns() > woken_at_ns_ + kLateNs) {
    world_.fail("a wake-up was lost, or came late");
  }
  woken_at_ns_ = 0;
  for (size_t i = 0; i < n && !world_.failed(); i++) handle(batch[i]);
  for (Connection& c : slots_) {
    if (!c.used || world_.failed()) continue;
    if (!c.closing && prng_.one_in(settings_.mischief)) mischief(c);
    pump(c);
    if (try_finish(c)) continue;
    if (c.closing && prng_.one_in(3)) bury(c);
  }
  std::erase_if(graveyard_, [this](Connection& c) { return try_finish(c); });
  check_conservation();
}

void Proxy::expect_mail(uint32_t lane, uint64_t value) {
  mail_.emplace_back(lane, value);
}

void Proxy::handle(const Completion& completion) {
  completions_++;
  const Token t = Token::decode(completion.token);
  if (t.op == Op::mail) return handle_mail(completion);
  if (t.op == Op::accept) return handle_accept(completion);
  bool stale = false;
  Connection* c = find(t, &stale);
  if (c == nullptr) {
    return world_.fail("a completion for a connection that has ended: op " +
                       std::to_string(at(t.op)) + " slot " + std::to_string(t.slot));
  }
  if (!account(*c, t, completion)) return;
  if (stale) return handle_stale(*c, completion);
  dispatch(*c, t, completion);
}

void Proxy::handle_mail(const Completion& completion) {
  // Lanes are ordered each for itself.
  for (auto mail = mail_.begin(); mail != mail_.end(); ++mail) {
    if (mail->second == completion.value) {
      mail_.erase(mail);
      return;
    }
    if (mail->first == (completion.value >> 32)) {
      return world_.fail("mail arrived out of order");
    }
  }
  world_.fail("mail arrived that nobody posted, or twice");
}

void Proxy::handle_accept(const Completion& completion) {
  if (!accepting_.now) return world_.fail("accept reported after its terminal completion");
  const bool cancelled = accepting_.cancelled;
  if (!completion.more) {
    accepting_.now = false;
    accept_again_ns_ = completion.result >= 0 ? 0 : world_.now_ns() + 2'000'000;
  } else if (completion.result < 0) {
    return world_.fail("accept failed and stays armed");
  }
  switch (completion.result) {
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ECONNABORTED:
      return;
    case -ECANCELED:
      accept_again_ns_ = 0;
      if (!cancelled) world_.fail("accept was cancelled by nobody");
      return;
    default:
      break;
  }
  if (completion.result < 0) {
    return world_.fail("accept ended with " + std::to_string(completion.result));
  }
  admit(completion.result);
}

// Counts and the rules that hold for every completion. False when the run has failed.
bool Proxy::account(Connection& c, const Token& t, const Completion& completion) {
  const unsigned op = at(t.op);
  if (op >= kOps || !c.running[io::index_of(t.side)][op].now) {
    fail(c, "a completion of op " + std::to_string(op) + " that is not running");
    return false;
  }
  if (completion.more && t.op != Op::recv) fail(c, "only accept and recv may report `more`");
  if (completion.more && completion.result <= 0) fail(c, "recv failed and stays armed");
  if ((t.op == Op::recv && completion.result > 0) != !completion.buffer.is_none()) {
    fail(c, "a buffer without data, or data without a buffer");
  }
  Running& running = c.running[io::index_of(t.side)][op];
  if (completion.result == -ECANCELED && !running.cancelled) fail(c, "cancelled by nobody");
  if (!completion.more) {
    running.now = false;
    c.outstanding--;
  }
  return !world_.failed();
}

void Proxy::handle_stale(Connection&, const Completion& completion) {
  stale_++;
  if (completion.buffer.is_none()) return;
  take_over(completion.buffer, completion.result);
  release(completion.buffer);
}

void Proxy::dispatch(Connection& c, const Token& t, const Completion& completion) {
  if (completion.result < 0) return handle_error(c, t, completion.result);
  switch (t.op) {
    case Op::recv:
      handle_recv(c, t.side, completion);
      break;
    case Op::send:
      handle_send(c, t.side, completion.result);
      break;
    case Op::splice_in:
    case Op::splice_out:
      handle_splice(c, t, completion.result);
      break;
    case Op::connect:
      if (completion.result != 0) fail(c, "connect reported a positive result");
      c.upstream_ready = true;
      break;
    case Op::poll:
      if ((completion.result & (POLLIN | POLLERR | POLLHUP)) == 0) fail(c, "poll without events");
      break;
    default:
      fail(c, "a completion of an unknown operation");
  }
  if (!world_.failed()) pump(c);
}

void Proxy::handle_recv(Connection& c, Side side, const Completion& completion) {
  Half& half = c.half[io::index_of(side)];
  if (completion.result == 0) {
    half.end = true;
    return;
  }
  take_over(completion.buffer, completion.result);
  if (world_.failed()) return;
  const uint32_t bytes = static_cast<uint32_t>(completion.result);
  const size_t good = check_pattern(c.pair, io::index_of(side), half.in,
                                    engine_.buffers().data(completion.buffer), bytes);
  if (good != bytes) fail(c, "received a wrong byte at " + std::to_string(half.in + good));
  if (half.end) fail(c, "received bytes after the end");
  half.in += bytes;
  half.queued += bytes;
  half.credit_used += bytes;
  half.chain.push_back(completion.buffer);
  if (half.credit_used >= half.credit + engine_.buffers().buffer_bytes(settings_.cls)) {
    fail(c, "credit of " + std::to_string(half.credit) + " overshot to " +
                std::to_string(half.credit_used));
  }
}

void Proxy::handle_send(Connection& c, Side side, int32_t result) {
  Half& half = c.half[io::index_of(io::other(side))];
  uint32_t left = static_cast<uint32_t>(result);
  if (left == 0 || left > half.sending) return fail(c, "sent nothing, or more than was asked for");
  half.sending = 0;
  half.out += left;
  half.queued -= left;
  while (left > 0) {
    io::BufferPool::Meta& meta = engine_.buffers().meta(half.chain.front());
    const uint32_t step = std::min(left, meta.length);
    meta.offset += step;
    meta.length -= step;
    left -= step;
    if (meta.length > 0) break;
    release(half.chain.front());
    half.chain.pop_front();
  }
}

void Proxy::handle_splice(Connection& c, const Token& t, int32_t result) {
  const uint32_t bytes = static_cast<uint32_t>(result);
  if (t.op == Op::splice_in) {
    Half& half = c.half[io::index_of(t.side)];
    if (bytes == 0) half.end = true;
    half.in += bytes;
    half.piped += bytes;
    return;
  }
  Half& half = c.half[io::index_of(io::other(t.side))];
  if (bytes == 0 || bytes > half.piped) return fail(c, "splice_out moved nothing, or too much");
  half.out += bytes;
  half.piped -= bytes;
}

void Proxy::handle_error(Connection& c, const Token& t, int32_t result) {
  const int object = world_.lookup(c.fd[io::index_of(t.side)]);
  if (object < 0) return fail(c, "its descriptor was closed under it");
  switch (result) {
    case -ECANCELED:
      if (t.op != Op::connect) return pump(c);
      break;
    case -EAGAIN:  // a Unix listener's queue is full, or urgent data is in the way
      if (t.op == Op::splice_in) return pump(c);
      [[fallthrough]];
    case -ECONNREFUSED:
      if (t.op != Op::connect) return fail(c, "refused without a connect");
      break;
    case -ECONNRESET:
    case -EPIPE:
      if (!world_.object(object).was_reset) return fail(c, "an error on a healthy connection");
      break;
    default:
      return fail(c, "op " + std::to_string(at(t.op)) + " ended with " + std::to_string(result));
  }
  far_.pair(c.pair).aborted = true;
  close_connection(c);
}

}  // namespace sluice::sim
