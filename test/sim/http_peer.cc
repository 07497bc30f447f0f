#include "http_peer.h"

#include <algorithm>

namespace sluice::http_sim {

Peer::Peer(World& world, uint32_t id) : world_(world), id_(id) {
  Prng& prng = world.prng;
  const bool slow = prng.below(8) == 0;
  // Tiny steps over many bytes only cost time.
  const uint32_t least = 1 + world.body_max / 400;
  write_chunk_ = least + prng.below(prng.below(3) == 0 ? 40 : 40'000);
  read_chunk_ = least + prng.below(prng.below(3) == 0 ? 40 : 40'000);
  write_gap_ns_ = prng.below(slow ? 20 : 1) * kMs + prng.below(1000);
  read_gap_ns_ = prng.below(slow ? 20 : 1) * kMs + prng.below(1000);
  if (least < 60 && prng.below(10) == 0) write_chunk_ = 1;  // every byte by itself
}

void Peer::wake(uint64_t gap) {
  const uint64_t due = world_.now + gap;
  if (due >= due_ns_ && due_ns_ >= world_.now) return;
  due_ns_ = due;
  world_.at(due, EventKind::peer_acts, id_);
}

void Peer::act() {
  if (world_.now >= due_ns_) due_ns_ = kNever;
  if (!socket().established || socket().peer_reset) return;
  think();
  if (socket().peer_reset) return;
  const bool read = read_some();
  if (socket().peer_reset) return;
  const bool wrote = write_some();
  written();
  if (read) wake(read_gap_ns_);
  if (wrote) wake(write_gap_ns_);
}

bool Peer::read_some() {
  Socket& s = socket();
  if (!reads_ || saw_end_) return false;
  if (s.proxy_reset || (s.tx.empty() && s.proxy_fin)) {
    saw_end_ = true;
    world_.note("peer end", id_, s.delivered, s.proxy_reset);
    ended(s.proxy_reset);
    return false;
  }
  if (s.tx.empty()) return false;
  const std::string bytes = s.tx.substr(0, read_chunk_);
  s.tx.erase(0, read_chunk_);
  s.active_ns = world_.now;
  world_.stir(s);
  read(bytes);
  return true;
}

bool Peer::write_some() {
  Socket& s = socket();
  if (!writes_ || s.peer_fin || (s.fd < 0 && (s.proxy_fin || s.proxy_reset))) return false;
  const uint64_t before = wrote_;
  const uint64_t upto = std::min<uint64_t>(out_.size(), end_at_);
  if (wrote_ < upto) {
    const uint64_t room = s.rx_capacity - std::min<uint64_t>(s.rx.size(), s.rx_capacity);
    const uint64_t bytes = std::min({room, upto - wrote_, uint64_t{write_chunk_}});
    s.rx.append(out_, wrote_, bytes);
    wrote_ += bytes;
    world_.stir(s);
  }
  if (wrote_ >= end_at_ && end_ != End::none) {
    end_now(end_);
    return false;
  }
  return wrote_ > before;
}

void Peer::end_now(End end) {
  Socket& s = socket();
  end_ = End::none;
  end_at_ = kNever;
  if (end == End::silence) {
    writes_ = false;
    return;
  }
  if (s.peer_reset || saw_end_) return;
  if (end == End::fin) {
    s.peer_fin = true;
    world_.note("peer fin", id_, wrote_, 0);
  } else if (end == End::reset) {
    s.peer_reset = true;
    s.tx.clear();
    if (world_.faults.fires(Fault::reset_drops_data)) s.rx.clear();
    world_.note("peer reset", id_, wrote_, s.rx.size());
  }
  world_.stir(s);
}

}  // namespace sluice::http_sim
