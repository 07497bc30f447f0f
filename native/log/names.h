// What the log calls listeners, routes, pools and backends. The control thread says it before it
// publishes them, the logger looks it up; a slot's former owner stays known beside the present one,
// as records of it may still wait.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "log/record.h"

namespace sluice::log {

enum class NameKind : uint8_t { listener, route, pool, backend };
inline constexpr uint32_t kNameKinds = 4;
// Longer names are cut to this.
inline constexpr uint32_t kNameBytesMax = 512;

class Names {
 public:
  void set(NameKind kind, uint32_t slot, uint32_t incarnation, std::string_view name);
  // To be held around `of` and while its results are used.
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }
  // Empty when there is none.
  std::string_view of(NameKind kind, SlotName owner) const;

 private:
  struct Owner {
    uint32_t incarnation = 0;
    std::string name;
  };
  struct Slot {
    Owner now;
    Owner former;
  };
  mutable std::mutex mutex_;
  std::vector<Slot> slots_[kNameKinds];
};

}  // namespace sluice::log
