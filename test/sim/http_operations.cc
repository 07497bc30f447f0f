// What operations do, and how they end.
#include <algorithm>
#include <cstring>

#include "http_engine.h"
#include "http_peer.h"

namespace sluice::http_sim {

void SimEngine::attempt(int32_t index, bool last_chance) {
  Operation& op = operations_[static_cast<size_t>(index)];
  if (op.done || (world_.now < op.not_before_ns && !last_chance)) return;
  switch (op.token.op) {
    case io::Op::accept:
      return attempt_accept(index, last_chance);
    case io::Op::recv:
      return attempt_recv(index, last_chance);
    case io::Op::send:
      return attempt_send(index);
    case io::Op::connect:
      return attempt_connect(index);
    case io::Op::splice_in:
      return attempt_splice_in(index);
    case io::Op::splice_out:
      return attempt_splice_out(index);
    default:
      return world_.fail("tokens name operations", "op %u", static_cast<unsigned>(op.token.op));
  }
}

void SimEngine::attempt_accept(int32_t index, bool last_chance) {
  const int fd = operations_[static_cast<size_t>(index)].fd;
  Listener& listener = world_.listeners[world_.descriptor(fd).object];
  while (!listener.queue.empty() && !operations_[static_cast<size_t>(index)].done) {
    if (world_.faults.fires(Fault::accept_emfile)) return report(index, -EMFILE, false);
    Socket& socket = world_.sockets[world_.pop_accept(listener)];
    if (world_.faults.fires(Fault::accept_aborted)) {
      socket.lingers = true;
      world_.close_descriptor(socket.fd);
      return report(index, -ECONNABORTED, false);
    }
    const bool ends = last_chance || world_.faults.fires(Fault::accept_terminal);
    report(index, socket.fd, !ends);
  }
}

void SimEngine::attempt_recv(int32_t index, bool last_chance) {
  while (!operations_[static_cast<size_t>(index)].done) {
    Operation& op = operations_[static_cast<size_t>(index)];
    Socket& socket = world_.socket_of(op.fd);
    if (socket.rx.empty()) {
      if (socket.peer_reset) return report(index, -ECONNRESET, false);
      if (socket.peer_fin) return report(index, 0, false);
      return;
    }
    io::BufferRef buffer;
    if (world_.faults.fires(Fault::no_buffers)) {
      starving_until_ns_ = world_.now + world_.prng.below(300) * kMs;
      world_.at(starving_until_ns_, EventKind::feeds);
    }
    if (world_.now >= starving_until_ns_) buffer = buffers_.take(op.cls);
    if (buffer.is_none()) {
      counters_.buffers_exhausted++;
      starving_.push_back(index);
      return;
    }
    uint32_t bytes =
        std::min(static_cast<uint32_t>(socket.rx.size()), buffers_.buffer_bytes(op.cls));
    if (bytes > op.credit && !world_.faults.fires(Fault::credit_overshoot)) {
      bytes = static_cast<uint32_t>(op.credit);
    }
    if (world_.faults.fires(Fault::split_recv)) bytes = 1 + world_.prng.below(bytes);
    op.credit -= bytes;
    const bool ends = op.credit <= 0 || last_chance || world_.faults.fires(Fault::recv_terminal);
    const std::string data = world_.take(socket, bytes);
    std::memcpy(buffers_.data(buffer), data.data(), bytes);
    report(index, static_cast<int32_t>(bytes), !ends, buffer);
  }
}

// Whether a sending operation has anybody to send to; ends it when it never will.
bool SimEngine::is_writable(int32_t index, Socket& socket) {
  if (socket.peer_reset) {
    report(index, world_.prng.below(2) == 0 ? -EPIPE : -ECONNRESET, false);
    return false;
  }
  if (socket.proxy_fin) {
    world_.fail("nothing is sent after FIN", "socket %u", socket.id);
    return false;
  }
  return socket.tx.size() < socket.tx_capacity;
}

void SimEngine::attempt_send(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  Socket& socket = world_.socket_of(op.fd);
  if (!is_writable(index, socket)) return;
  uint32_t room = socket.tx_capacity - static_cast<uint32_t>(socket.tx.size());
  if (world_.faults.fires(Fault::short_send)) room = 1 + world_.prng.below(room);
  uint32_t total = 0;
  for (uint32_t i = 0; i < op.vector_count && room > 0; i++) {
    const uint32_t bytes = std::min<uint32_t>(room, static_cast<uint32_t>(op.vectors[i].iov_len));
    if (std::memcmp(op.vectors[i].iov_base, op.image.data() + total, bytes) != 0) {
      return world_.fail("bytes of a send stay in place", "socket %u", socket.id);
    }
    world_.give(socket, static_cast<const uint8_t*>(op.vectors[i].iov_base), bytes);
    total += bytes;
    room -= bytes;
  }
  report(index, static_cast<int32_t>(total), false);
}

void SimEngine::attempt_connect(int32_t index) {
  const Operation& op = operations_[static_cast<size_t>(index)];
  if (!op.answered) return;
  if (op.answer == 0) {
    Socket& socket = world_.socket_of(op.fd);
    socket.established = true;
    socket.peer->wake(0);
  }
  report(index, op.answer, false);
}

void SimEngine::attempt_splice_in(int32_t index) {
  const Operation& op = operations_[static_cast<size_t>(index)];
  Socket& socket = world_.socket_of(op.fd);
  PipeBuffer& pipe = world_.pipes[world_.descriptor(op.pipe_fd).object];
  if (!pipe.bytes.empty()) {
    return world_.fail("splice_in meets an empty pipe", "socket %u", socket.id);
  }
  if (socket.rx.empty()) {
    if (socket.peer_reset) return report(index, -ECONNRESET, false);
    if (socket.peer_fin) return report(index, 0, false);
    return;
  }
  uint32_t bytes = std::min({static_cast<uint32_t>(socket.rx.size()), op.bytes, pipe.capacity});
  if (world_.faults.fires(Fault::splice_short)) bytes = 1 + world_.prng.below(bytes);
  pipe.bytes = world_.take(socket, bytes);
  counters_.spliced_bytes += bytes;
  report(index, static_cast<int32_t>(bytes), false);
}

void SimEngine::attempt_splice_out(int32_t index) {
  const Operation& op = operations_[static_cast<size_t>(index)];
  Socket& socket = world_.socket_of(op.fd);
  PipeBuffer& pipe = world_.pipes[world_.descriptor(op.pipe_fd).object];
  if (pipe.bytes.empty()) {
    return world_.fail("splice_out meets a filled pipe", "socket %u", socket.id);
  }
  if (!is_writable(index, socket)) return;
  uint32_t bytes = std::min({socket.tx_capacity - static_cast<uint32_t>(socket.tx.size()), op.bytes,
                             static_cast<uint32_t>(pipe.bytes.size())});
  if (world_.faults.fires(Fault::splice_short)) bytes = 1 + world_.prng.below(bytes);
  world_.give(socket, reinterpret_cast<const uint8_t*>(pipe.bytes.data()), bytes);
  pipe.bytes.erase(0, bytes);
  report(index, static_cast<int32_t>(bytes), false);
}

void SimEngine::feed_starving() {
  if (starving_.empty() || world_.now < starving_until_ns_) return;
  std::vector<int32_t> hungry;
  hungry.swap(starving_);
  for (const int32_t index : hungry) {
    const Operation& op = operations_[static_cast<size_t>(index)];
    if (op.used && !op.done && op.token.op == io::Op::recv) stir(index);
  }
}

// Queues a completion. Those of one operation keep their order.
void SimEngine::report(int32_t index, int32_t result, bool more, io::BufferRef buffer) {
  Operation& op = operations_[static_cast<size_t>(index)];
  io::Completion completion;
  completion.token = op.token.encode();
  completion.result = result;
  completion.buffer = buffer;
  completion.more = more;
  op.done = !more;
  uint64_t due = world_.now;
  if (world_.faults.fires(Fault::late_completion)) due += world_.prng.below(30) * kMs;
  if (world_.faults.fires(Fault::long_completion)) due += world_.prng.below(3000) * kMs;
  for (const Pending& pending : pending_) {
    if (pending.op == index && pending.due_ns > due) due = pending.due_ns;
  }
  pending_.push_back(Pending{completion, index, due});
  if (due > world_.now) world_.at(due, EventKind::tick);
}

size_t SimEngine::deliver(io::Completion* out, size_t max) {
  size_t count = 0;
  inject_stale();
  while (count < max) {
    size_t at = 0;
    while (at < pending_.size() && pending_[at].due_ns > world_.now) at++;
    if (at == pending_.size()) break;
    if (world_.faults.fires(Fault::reorder)) {
      const size_t other = world_.prng.below(static_cast<uint32_t>(pending_.size()));
      if (pending_[other].due_ns <= world_.now) at = other;
    }
    for (size_t i = 0; i < at; i++) {  // an operation's own order stands
      if (pending_[i].op == pending_[at].op && pending_[at].op >= 0) {
        at = i;
        break;
      }
    }
    const Pending pending = pending_[at];
    pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(at));
    delivered(pending);
    out[count++] = pending.completion;
  }
  return count;
}

void SimEngine::delivered(const Pending& pending) {
  const io::Completion& completion = pending.completion;
  const io::Token token = io::Token::decode(completion.token);
  world_.note("completion", completion.token, static_cast<uint64_t>(token.op),
              static_cast<uint64_t>(static_cast<int64_t>(completion.result)));
  if (pending.op < 0) return;
  if (!completion.buffer.is_none()) {
    buffers_.lend(completion.buffer, static_cast<uint32_t>(completion.result));
  }
  if (completion.more) return;
  Operation& op = operations_[static_cast<size_t>(pending.op)];
  Descriptor& place = world_.descriptor(op.fd);
  const bool transmits =
      token.op == io::Op::send || token.op == io::Op::connect || token.op == io::Op::splice_out;
  (transmits ? place.transmit : place.receive) = -1;
  op.used = false;
  free_.push_back(pending.op);
}

// A completion of a connection that is long gone, with a lent buffer full of another stream.
void SimEngine::inject_stale() {
  if (old_tokens_.empty() || !world_.faults.fires(Fault::stale_completion)) return;
  const io::Token old = old_tokens_[world_.prng.below(static_cast<uint32_t>(old_tokens_.size()))];
  constexpr io::Op kOps[] = {io::Op::recv, io::Op::recv, io::Op::send, io::Op::connect};
  const io::Op op = kOps[world_.prng.below(4)];
  io::Completion completion;
  completion.token = old.with(op).encode();
  completion.result = world_.prng.below(2) == 0 ? -ECANCELED : 1;
  completion.more = op == io::Op::recv && world_.prng.below(2) == 0;
  if (op == io::Op::recv && completion.result > 0) {
    const io::BufferRef buffer = buffers_.take(io::BufferClass::small);
    if (buffer.is_none()) return;
    const std::string text = "HTTP/1.1 200 OK\r\nX-Answer: 0\r\nContent-Length: 0\r\n\r\n";
    std::memcpy(buffers_.data(buffer), text.data(), text.size());
    completion.result = static_cast<int32_t>(text.size());
    buffers_.lend(buffer, static_cast<uint32_t>(text.size()));
    completion.buffer = buffer;
  }
  stale_injected_++;
  pending_.push_back(Pending{completion, -1, world_.now});
}

void SimEngine::check_connects() {
  if (world_.now - checked_ns_ < kSecond) return;
  checked_ns_ = world_.now;
  world_.check_deadlines();
  for (const Operation& op : operations_) {
    if (op.used && op.token.op == io::Op::connect && !op.done &&
        world_.now - op.started_ns > world_.connect_timeout_ns + 7 * kSecond) {
      world_.fail("no connect outlives its timeout", "descriptor %d", op.fd);
    }
  }
}

}  // namespace sluice::http_sim
