// The far ends: clients and backends that a mini proxy stands between. Each follows a small script
// drawn from the seed, lives in the world as a stream without a descriptor, and checks every byte
// it receives against the pattern of its pair and direction.
#pragma once

#include <cstdint>
#include <vector>

#include "base/prng.h"
#include "sim/io_sim_world.h"

namespace sluice::sim {

inline constexpr uint32_t kPortBase = 10000;

// The byte at `position` of a pair's stream. Direction 0 is client to backend.
inline uint8_t pattern_byte(uint32_t pair, unsigned direction, uint64_t position) {
  const uint64_t key = (uint64_t{pair} * 2 + direction + 1) * 0x9e3779b97f4a7c15ull;
  return static_cast<uint8_t>((position * 0x9e3779b1u + key) >> 15);
}
void fill_pattern(uint32_t pair, unsigned direction, uint64_t position, uint8_t* out, size_t n);
// Index of the first wrong byte, or n.
size_t check_pattern(uint32_t pair, unsigned direction, uint64_t position, const uint8_t* data,
                     size_t n);

struct FarEnd {
  int object = -1;
  bool open = false;
  bool was_open = false;
  bool fin_sent = false;
  bool saw_end = false;
  bool lost = false;  // reset by somebody
  uint32_t to_send = 0;
  uint32_t sent = 0;
  uint32_t received = 0;
  uint32_t chunk = 1;     // bytes a step writes at most
  uint32_t appetite = 1;  // bytes a step reads at most
  uint32_t pause_ns = 1;
  uint32_t reset_after = 0;  // bytes in and out; 0 = never
  uint32_t close_after = 0;
  bool polite = false;  // sends FIN only after having seen the other side's
};

struct Pair {
  FarEnd far[2];         // by side: downstream = the client, upstream = the backend
  bool aborted = false;  // the proxy gave it up on purpose
  bool started = false;
};

class FarEnds {
 public:
  FarEnds(World& world, uint64_t seed, uint32_t pairs);

  void start(int listener);  // schedules the clients' arrivals
  bool finished() const;     // every far end has come and gone
  Pair& pair(uint32_t index) { return pairs_[index]; }
  uint32_t pairs() const { return static_cast<uint32_t>(pairs_.size()); }
  // A pair that nobody broke has delivered everything.
  void check_complete(uint32_t index);
  void actor(uint32_t who);
  void describe() const;

 private:
  void draw(FarEnd& far, Prng& prng);
  void open(uint32_t index, unsigned side, int object);
  void step(uint32_t index, unsigned side);
  void read(uint32_t index, unsigned side);
  void write(uint32_t index, unsigned side);
  void leave(FarEnd& far, bool reset);

  World& world_;
  Prng prng_;
  int listener_ = -1;
  std::vector<Pair> pairs_;
  std::vector<uint8_t> scratch_;
};

}  // namespace sluice::sim
