// A worker's pipes for splice, bounded and made on demand. When the kernel refuses one, no other
// is tried for a second and transfers are copied instead.
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "io/engine.h"

namespace sluice::proxy {

class PipePool {
 public:
  static constexpr uint16_t kNone = UINT16_MAX;

  explicit PipePool(io::Engine& engine) : engine_(engine) {}
  ~PipePool() {
    for (uint32_t i = 0; i < made_; i++) close_pair(pipes_[i]);
  }
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;

  // An empty pipe, or kNone.
  uint16_t take(uint64_t now_ns) {
    if (free_count_ > 0) {
      lent_++;
      return free_[--free_count_];
    }
    if (now_ns < retry_after_ns_) return kNone;
    if (gone_count_ == 0 && made_ == limits::kPipesMax) return kNone;
    const bool again = gone_count_ > 0;
    const uint16_t index = again ? gone_[gone_count_ - 1] : static_cast<uint16_t>(made_);
    if (open_pair(pipes_[index]) < 0) {
      refused_++;
      retry_after_ns_ = now_ns + 1'000'000'000;
      return kNone;
    }
    again ? gone_count_-- : made_++;
    lent_++;
    return index;
  }

  // Returns a pipe. One that still holds bytes is replaced by a new one.
  void give_back(uint16_t index, uint32_t bytes_left) {
    lent_--;
    Pipe& pipe = pipes_[index];
    if (bytes_left > 0) {
      close_pair(pipe);
      if (open_pair(pipe) < 0) {
        refused_++;
        gone_[gone_count_++] = index;  // made again when one is wanted
        return;
      }
    }
    free_[free_count_++] = index;
  }

  int read_end(uint16_t index) const { return pipes_[index].ends[0]; }
  int write_end(uint16_t index) const { return pipes_[index].ends[1]; }
  uint32_t bytes(uint16_t index) const { return pipes_[index].capacity; }
  uint32_t lent() const { return lent_; }
  // Few are left: who does not fill its pipe should give it back.
  bool is_scarce() const { return lent_ >= limits::kPipesMax * 3 / 4; }
  uint64_t refused() const { return refused_; }

 private:
  struct Pipe {
    int ends[2] = {-1, -1};
    uint32_t capacity = 0;
  };

  int open_pair(Pipe& pipe) {
    const int capacity = engine_.open_pipe(pipe.ends, limits::kPipeBytes);
    if (capacity >= 0) pipe.capacity = static_cast<uint32_t>(capacity);
    return capacity;
  }
  void close_pair(Pipe& pipe) {
    for (int& end : pipe.ends) {
      if (end >= 0) engine_.close_now(end);
      end = -1;
    }
  }

  io::Engine& engine_;
  Pipe pipes_[limits::kPipesMax];
  uint16_t free_[limits::kPipesMax];
  uint16_t gone_[limits::kPipesMax];  // closed, not reopened
  uint32_t free_count_ = 0;
  uint32_t gone_count_ = 0;
  uint32_t made_ = 0;
  uint32_t lent_ = 0;
  uint64_t refused_ = 0;
  uint64_t retry_after_ns_ = 0;
};

}  // namespace sluice::proxy
