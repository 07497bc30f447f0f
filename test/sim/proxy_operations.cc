// What operations do, how they end, and what must hold between a worker's turns.
#include <algorithm>

#include "proxy_engine.h"

namespace sluice::proxy_sim {

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
  Operation& op = operations_[static_cast<size_t>(index)];
  Listener& listener = world_.listeners[world_.descriptor(op.fd).object];
  while (listener.queued() > 0 && !op.done) {
    if (world_.faults.fires(Fault::accept_emfile)) return report(index, -EMFILE, false);
    if (world_.faults.fires(Fault::accept_enomem)) return report(index, -ENOMEM, false);
    const Connection& conn = world_.conns[world_.pop_accept(listener)];
    if (world_.faults.fires(Fault::accept_aborted)) {
      world_.conns[conn.id].lingers = true;
      world_.close_socket(conn.fd);
      return report(index, -ECONNABORTED, false);
    }
    const bool ends = last_chance || world_.faults.fires(Fault::accept_terminal);
    report(index, conn.fd, !ends);
  }
}

void SimEngine::attempt_recv(int32_t index, bool last_chance) {
  while (!operations_[static_cast<size_t>(index)].done) {
    Operation& op = operations_[static_cast<size_t>(index)];
    Connection& conn = connection(op.fd);
    if (conn.rx_queued == 0) {
      if (conn.peer_reset) return report(index, -ECONNRESET, false);
      if (conn.peer_fin) return report(index, 0, false);
      return;
    }
    io::BufferRef buffer;
    if (world_.faults.fires(Fault::no_buffers)) {
      starving_until_ns_ = world_.now + world_.prng.below(300) * kMs;
      world_.at(starving_until_ns_, EventKind::feeds, index_);
    }
    if (world_.now >= starving_until_ns_) buffer = buffers_.take(op.cls);
    if (buffer.is_none()) {
      counters_.buffers_exhausted++;
      starving_.push_back(index);
      return;
    }
    const uint32_t room = buffers_.buffer_bytes(op.cls);
    uint32_t bytes = std::min(conn.rx_queued, room);
    if (bytes > op.credit && !world_.faults.fires(Fault::credit_overshoot)) {
      bytes = static_cast<uint32_t>(op.credit);
    }
    if (world_.faults.fires(Fault::split_recv)) bytes = 1 + world_.prng.below(bytes);
    make_bytes(conn.id, conn.taken, buffers_.data(buffer), bytes);
    world_.proxy_received(conn, bytes);
    op.credit -= bytes;
    const bool ends = op.credit <= 0 || last_chance || world_.faults.fires(Fault::recv_terminal);
    report(index, static_cast<int32_t>(bytes), !ends, buffer);
  }
}

void SimEngine::attempt_send(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  Connection& conn = connection(op.fd);
  if (conn.peer_reset) {
    return report(index, world_.prng.below(2) == 0 ? -EPIPE : -ECONNRESET, false);
  }
  if (conn.proxy_fin) return world_.fail("nothing is sent after FIN", "connection %u", conn.id);
  if (conn.view == kNone || !world_.views[conn.view].both()) {
    return world_.fail("bytes flow in open tunnels", "connection %u", conn.id);
  }
  const View& view = world_.views[conn.view];
  const uint32_t source = view.conns[conn.is_client ? 1 : 0];
  uint32_t room = conn.tx_capacity - conn.tx_queued;
  if (room == 0) return;
  if (world_.faults.fires(Fault::short_send)) room = 1 + world_.prng.below(room);
  uint32_t total = 0;
  for (uint32_t i = 0; i < op.vector_count && room > 0; i++) {
    const uint32_t bytes = std::min<uint32_t>(room, static_cast<uint32_t>(op.vectors[i].iov_len));
    if (!are_bytes(source, conn.delivered, static_cast<uint8_t*>(op.vectors[i].iov_base), bytes)) {
      return world_.fail("bytes arrive in order", "connection %u, from %u at byte %llu", conn.id,
                         source, static_cast<unsigned long long>(conn.delivered));
    }
    world_.proxy_sent(conn, bytes);
    total += bytes;
    room -= bytes;
  }
  report(index, static_cast<int32_t>(total), false);
}

void SimEngine::attempt_connect(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  if (!op.answered) return;
  Connection& conn = connection(op.fd);
  if (op.answer == 0) {
    conn.established = true;
    world_.peer_wakes(conn.id);
  }
  report(index, op.answer, false);
}

void SimEngine::attempt_splice_in(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  Connection& conn = connection(op.fd);
  PipeBuffer& pipe = world_.pipes[world_.descriptor(op.pipe_fd).object];
  if (pipe.bytes.size() > pipe.head) {
    return world_.fail("splice_in meets an empty pipe", "connection %u", conn.id);
  }
  if (conn.rx_queued == 0) {
    if (conn.peer_reset) return report(index, -ECONNRESET, false);
    if (conn.peer_fin) return report(index, 0, false);
    return;
  }
  uint32_t bytes = std::min({conn.rx_queued, op.bytes, pipe.capacity});
  if (world_.faults.fires(Fault::splice_short)) bytes = 1 + world_.prng.below(bytes);
  pipe.bytes.resize(bytes);
  pipe.head = 0;
  make_bytes(conn.id, conn.taken, pipe.bytes.data(), bytes);
  world_.proxy_received(conn, bytes);
  counters_.spliced_bytes += bytes;
  report(index, static_cast<int32_t>(bytes), false);
}

void SimEngine::attempt_splice_out(int32_t index) {
  Operation& op = operations_[static_cast<size_t>(index)];
  Connection& conn = connection(op.fd);
  PipeBuffer& pipe = world_.pipes[world_.descriptor(op.pipe_fd).object];
  if (conn.peer_reset) return report(index, -EPIPE, false);
  if (conn.proxy_fin) return world_.fail("nothing is sent after FIN", "connection %u", conn.id);
  uint32_t bytes = std::min(conn.tx_capacity - conn.tx_queued, op.bytes);
  bytes = std::min<uint32_t>(bytes, static_cast<uint32_t>(pipe.bytes.size() - pipe.head));
  if (pipe.bytes.size() == pipe.head) {
    return world_.fail("splice_out meets a filled pipe", "connection %u", conn.id);
  }
  if (bytes == 0) return;
  if (world_.faults.fires(Fault::splice_short)) bytes = 1 + world_.prng.below(bytes);
  const View& view = world_.views[conn.view];
  const uint32_t source = view.conns[conn.is_client ? 1 : 0];
  if (!are_bytes(source, conn.delivered, pipe.bytes.data() + pipe.head, bytes)) {
    return world_.fail("bytes arrive in order", "spliced: connection %u, from %u at byte %llu",
                       conn.id, source, static_cast<unsigned long long>(conn.delivered));
  }
  pipe.head += bytes;
  world_.proxy_sent(conn, bytes);
  report(index, static_cast<int32_t>(bytes), false);
}

void SimEngine::resolve_cancel(int32_t index) {
  if (world_.faults.fires(Fault::cancel_race)) attempt(index, true);
  if (!operations_[static_cast<size_t>(index)].done) report(index, -ECANCELED, false);
}

void SimEngine::feed_starving() {
  if (starving_.empty() || world_.now < starving_until_ns_) return;
  std::vector<int32_t> hungry;
  hungry.swap(starving_);
  for (const int32_t index : hungry) {
    Operation& op = operations_[static_cast<size_t>(index)];
    if (op.used && !op.done && op.token.op == io::Op::recv && !op.staged) {
      op.staged = true;
      staged_.push_back(index);
    }
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
  if (token.op == io::Op::mail) mail_waiting_--;
  if (pending.op < 0) return;
  if (!completion.buffer.is_none()) {
    buffers_.lend(completion.buffer, static_cast<uint32_t>(completion.result));
  }
  Operation& op = operations_[static_cast<size_t>(pending.op)];
  const Descriptor entry = world_.descriptor(op.fd);
  if (entry.kind == Descriptor::Kind::stream && completion.result > 0) {
    const uint32_t view = world_.conns[entry.object].view;
    if (view != kNone && world_.views[view].cancelled_ns == 0) {
      world_.views[view].last_activity_ns = world_.now;
    }
  }
  if (completion.more) return;
  Descriptor& place = world_.descriptor(op.fd);
  const bool transmits =
      token.op == io::Op::send || token.op == io::Op::connect || token.op == io::Op::splice_out;
  (transmits ? place.transmit : place.receive) = -1;
  op.used = false;
  free_operations_.push_back(pending.op);
}

// A completion of a connection that is long gone, with a lent buffer full of another stream.
void SimEngine::inject_stale() {
  if (old_tokens_.empty() || !world_.faults.fires(Fault::stale_completion)) return;
  const size_t at = world_.prng.below(static_cast<uint32_t>(old_tokens_.size()));
  io::Completion completion;
  const io::Token old = io::Token::decode(old_tokens_[at]);
  const io::Op ops[] = {io::Op::recv, io::Op::recv, io::Op::send, io::Op::splice_in,
                        io::Op::connect};
  const io::Op op = ops[world_.prng.below(5)];
  completion.token = old.with(op).encode();
  completion.result = world_.prng.below(2) == 0 ? -ECANCELED : 1;
  completion.more = op == io::Op::recv && world_.prng.below(2) == 0;
  if (op == io::Op::recv && completion.result > 0) {
    const io::BufferRef buffer = buffers_.take(io::BufferClass::small);
    if (buffer.is_none()) return;
    completion.result = static_cast<int32_t>(1 + world_.prng.below(1000));
    make_bytes(0xdeadbeef, 0, buffers_.data(buffer), static_cast<uint32_t>(completion.result));
    buffers_.lend(buffer, static_cast<uint32_t>(completion.result));
    completion.buffer = buffer;
  }
  stale_injected_++;
  pending_.push_back(Pending{completion, -1, world_.now});
}

View& SimEngine::view_of(io::Token token) {
  if (token.slot >= view_by_slot_.size()) view_by_slot_.resize(token.slot + 1, kNone);
  uint32_t& index = view_by_slot_[token.slot];
  if (index == kNone || world_.views[index].generation != token.generation) {
    if (index != kNone) {
      io::Token old = token;
      old.generation = world_.views[index].generation;
      old_tokens_.push_back(old.encode());
    }
    index = static_cast<uint32_t>(world_.views.size());
    world_.views.emplace_back();
    View& view = world_.views.back();
    view.engine = index_;
    view.slot = token.slot;
    view.generation = token.generation;
    view.last_activity_ns = world_.now;
  }
  return world_.views[index];
}

// A receive shows which socket is which side of a tunnel.
void SimEngine::see_socket(int fd, io::Token token) {
  Connection& conn = connection(fd);
  View& view = view_of(token);
  const bool was_both = view.both();
  uint32_t& place = view.conns[io::index_of(token.side)];
  if (place != kNone && place != conn.id) {
    world_.fail("a tunnel keeps its sockets", "connection %u was %u", conn.id, place);
  }
  place = conn.id;
  conn.view = view_by_slot_[token.slot];
  if (token.side == io::Side::downstream) {
    if (!conn.is_client) {
      return world_.fail("downstream is a client", "connection %u", conn.id);
    }
    view.idle_ns = world_.listeners[conn.listener].idle_ns;
  }
  if (!was_both && view.both()) view.last_activity_ns = world_.now;
}

void SimEngine::check() {
  for (size_t i = 0; i < closing_views_.size();) {
    const View& view = world_.views[closing_views_[i]];
    bool is_open = false;
    bool is_busy = false;
    for (const uint32_t id : view.conns) {
      const int fd = world_.conns[id].fd;
      if (fd < 0) continue;
      is_open = true;
      const Descriptor& entry = world_.descriptor(fd);
      is_busy = is_busy || entry.receive >= 0 || entry.transmit >= 0;
    }
    if (is_open && !is_busy) {
      world_.fail("a closing tunnel ends with its last completion", "clients' connection %u",
                  view.conns[0]);
    }
    if (is_open) {
      i++;
    } else {
      closing_views_[i] = closing_views_.back();
      closing_views_.pop_back();
    }
  }
  if (world_.now - checked_ns_ < kSecond) return;
  checked_ns_ = world_.now;
  check_views();
}

// No connection outlives its deadlines: twice the idle timeout, because a stalled peer is given one
// more look, and a few seconds for late completions.
void SimEngine::check_views() {
  world_.check_unopened();
  constexpr uint64_t kSlack = 7 * kSecond;
  for (const uint32_t index : view_by_slot_) {
    if (index == kNone) continue;
    const View& view = world_.views[index];
    if (!view.both() || world_.conns[view.conns[0]].fd < 0) continue;
    const Connection& down = world_.conns[view.conns[0]];
    const Connection& up = world_.conns[view.conns[1]];
    const uint64_t moved = std::max({view.last_activity_ns, down.last_ack_ns, up.last_ack_ns});
    if (view.cancelled_ns == 0 && world_.now - moved > 2 * view.idle_ns + kSlack) {
      world_.fail("no connection outlives its idle timeout", "connection %u, silent %.3f s",
                  down.id, static_cast<double>(world_.now - moved) / 1e9);
    }
    if (view.cancelled_ns != 0 && world_.now - view.cancelled_ns > kSlack) {
      world_.fail("closing is bounded by completions", "connection %u", down.id);
    }
  }
  for (const Operation& op : operations_) {
    if (op.used && op.token.op == io::Op::connect && !op.done && op.budget_ns != 0 &&
        world_.now - op.started_ns > op.budget_ns + kSlack) {
      world_.fail("no connect outlives its timeout", "descriptor %d", op.fd);
    }
  }
}

}  // namespace sluice::proxy_sim
