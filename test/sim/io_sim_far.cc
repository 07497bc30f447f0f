#include "sim/io_sim_far.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

namespace sluice::sim {

void fill_pattern(uint32_t pair, unsigned direction, uint64_t position, uint8_t* out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = pattern_byte(pair, direction, position + i);
}

size_t check_pattern(uint32_t pair, unsigned direction, uint64_t position, const uint8_t* data,
                     size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (data[i] != pattern_byte(pair, direction, position + i)) return i;
  }
  return n;
}

FarEnds::FarEnds(World& world, uint64_t seed, uint32_t pairs)
    : world_(world), prng_(seed), pairs_(pairs), scratch_(65536) {
  for (uint32_t i = 0; i < pairs; i++) {
    draw(pairs_[i].far[0], prng_);
    draw(pairs_[i].far[1], prng_);
    if (!prng_.one_in(40)) world_.open_port(kPortBase + i);
  }
  // With both sides waiting for the other's FIN nothing would ever end.
  for (Pair& pair : pairs_) {
    if (pair.far[0].polite) pair.far[1].polite = false;
  }
  world_.on_actor_event = [this](uint32_t who, uint64_t) { actor(who); };
  world_.on_backend_connected = [this](int object, uint32_t port) {
    open(port - kPortBase, 1, object);
  };
}

void FarEnds::draw(FarEnd& far, Prng& prng) {
  constexpr uint32_t kLengths[] = {1, 300, 3000, 12000, 50000};
  far.to_send = prng.one_in(12) ? 0 : 1 + prng.below(kLengths[prng.below(5)]);
  far.chunk = 1 + prng.below(prng.one_in(3) ? 64 : 8192);
  far.chunk = std::max(far.chunk, far.to_send / 100);
  far.appetite = 64 + prng.below(prng.one_in(4) ? 512 : 32768);
  far.pause_ns = 1000 + prng.below(prng.one_in(8) ? 3'000'000 : 100'000);
  far.polite = prng.one_in(3);
  if (prng.one_in(12)) far.reset_after = 1 + prng.below(20000);
  if (prng.one_in(16)) far.close_after = 1 + prng.below(20000);
}

void FarEnds::start(int listener) {
  listener_ = listener;
  uint64_t at = world_.now_ns();
  for (uint32_t i = 0; i < pairs(); i++) {
    at += prng_.one_in(3) ? 0 : prng_.below(prng_.one_in(5) ? 5'000'000 : 100'000);
    world_.schedule(at, World::What::actor, i * 2);
  }
}

bool FarEnds::finished() const {
  return std::all_of(pairs_.begin(), pairs_.end(), [](const Pair& pair) {
    return pair.started && !pair.far[0].open && !pair.far[1].open;
  });
}

void FarEnds::open(uint32_t index, unsigned side, int object) {
  FarEnd& far = pairs_[index].far[side];
  if (far.open || far.was_open) {
    world_.fail("a backend was connected twice for one pair");
    return;
  }
  far.object = object;
  far.open = far.was_open = true;
  world_.object(object).tag = index;
  world_.schedule(world_.now_ns() + far.pause_ns, World::What::actor, index * 2 + side);
}

void FarEnds::actor(uint32_t who) {
  const uint32_t index = who / 2;
  const unsigned side = who % 2;
  Pair& pair = pairs_[index];
  if (side == 0 && !pair.started) {
    pair.started = true;
    return open(index, 0, world_.connect_client(listener_, index));
  }
  FarEnd& far = pair.far[side];
  if (!far.open) return;
  step(index, side);
  if (far.open) {
    world_.schedule(world_.now_ns() + 500 + world_.prng().below(far.pause_ns), World::What::actor,
                    who);
  }
}

void FarEnds::step(uint32_t index, unsigned side) {
  FarEnd& far = pairs_[index].far[side];
  read(index, side);
  if (!far.lost) write(index, side);
  if (world_.object(far.object).was_reset) far.lost = true;
  if (far.lost) return leave(far, false);
  const uint32_t moved = far.sent + far.received;
  if (far.reset_after != 0 && moved >= far.reset_after) return leave(far, true);
  if (far.close_after != 0 && moved >= far.close_after) return leave(far, false);
  if (!far.fin_sent && far.sent == far.to_send && (!far.polite || far.saw_end)) {
    world_.shutdown_write(far.object);
    far.fin_sent = true;
  }
  if (far.fin_sent && far.saw_end) leave(far, false);
}

void FarEnds::read(uint32_t index, unsigned side) {
  FarEnd& far = pairs_[index].far[side];
  const unsigned direction = 1 - side;
  if (far.saw_end) return;
  uint32_t budget = std::min<uint32_t>(far.appetite, static_cast<uint32_t>(scratch_.size()));
  while (budget > 0) {
    const int64_t n = world_.recv(far.object, scratch_.data(), budget);
    if (n == -EAGAIN) return;
    if (n < 0) far.lost = true;
    if (n == 0) far.saw_end = true;
    if (n <= 0) return;
    const size_t bytes = static_cast<size_t>(n);
    const size_t good = check_pattern(index, direction, far.received, scratch_.data(), bytes);
    if (good != bytes) {
      world_.fail("pair " + std::to_string(index) + " direction " + std::to_string(direction) +
                  ": wrong byte at " + std::to_string(far.received + good) + " at the far end");
    }
    far.received += static_cast<uint32_t>(n);
    budget -= static_cast<uint32_t>(n);
  }
}

void FarEnds::write(uint32_t index, unsigned side) {
  FarEnd& far = pairs_[index].far[side];
  const uint32_t want =
      std::min({far.chunk, far.to_send - far.sent, static_cast<uint32_t>(scratch_.size())});
  if (want == 0) return;
  fill_pattern(index, side, far.sent, scratch_.data(), want);
  const iovec vector{scratch_.data(), want};
  const int64_t n = world_.send(far.object, &vector, 1, UINT32_MAX);
  if (n > 0) far.sent += static_cast<uint32_t>(n);
  if (n < 0 && n != -EAGAIN) far.lost = true;
}

void FarEnds::leave(FarEnd& far, bool reset) {
  Object& stream = world_.object(far.object);
  // An early end may lose bytes that are still on their way here: the peer meets a reset.
  if (!far.saw_end || reset || stream.was_reset) far.lost = true;
  stream.linger_reset = reset;
  far.open = false;
  world_.unref(far.object);
}

void FarEnds::check_complete(uint32_t index) {
  const Pair& pair = pairs_[index];
  const FarEnd& client = pair.far[0];
  const FarEnd& backend = pair.far[1];
  if (pair.aborted || client.lost || backend.lost) return;
  if (client.received == backend.sent && backend.received == client.sent) return;
  if (!backend.was_open) {
    world_.fail("pair " + std::to_string(index) + ": no backend, and the client was not told");
    return;
  }
  world_.fail("pair " + std::to_string(index) + ": client got " + std::to_string(client.received) +
              " of " + std::to_string(backend.sent) + ", backend got " +
              std::to_string(backend.received) + " of " + std::to_string(client.sent));
}

void FarEnds::describe() const {
  for (size_t i = 0; i < pairs_.size(); i++) {
    for (unsigned side = 0; side < 2; side++) {
      const FarEnd& far = pairs_[i].far[side];
      if (!far.open) continue;
      std::printf("  pair %zu %s: sent %u of %u, received %u%s%s\n", i,
                  side == 0 ? "client" : "backend", far.sent, far.to_send, far.received,
                  far.fin_sent ? ", FIN sent" : "", far.saw_end ? ", saw the end" : "");
    }
  }
}

}  // namespace sluice::sim
