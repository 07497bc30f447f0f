#include "proxy/router.h"

#include <bit>
#include <cstring>

#include "proxy/route_path.h"
#include "shm/route_hash.h"

namespace sluice::proxy {
namespace {

using shm::SnapshotView;

constexpr uint32_t kHostBytesMax = 253;
// A host that is configured has no more; what follows in a stranger one matches none.
constexpr uint32_t kLabelsMax = kHostBytesMax / 2 + 1;
constexpr uint32_t kNoHost = 0xffffffffu;

// Tables have slots and indexes one up, 0 for none: what is left of 0 is kNoRoute.
static_assert(0u - 1u == Router::kNoRoute);

struct Ending {
  uint32_t hash;
  uint32_t begin;  // at its dot
};

// The name of an authority, with the hashes of all its endings that wildcards may have.
class HostName {
 public:
  HostName(const uint8_t* authority, uint32_t bytes) : end_(name_bytes(authority, bytes)) {
    if (end_ > kHostBytesMax) end_ = 0;
    for (uint32_t at = 0; at < end_; at++) bytes_[at] = lower(authority[at]);
  }

  bool is_empty() const { return end_ == 0; }
  const uint8_t* from(uint32_t begin) const { return bytes_ + begin; }
  uint32_t bytes_from(uint32_t begin) const { return end_ - begin; }
  uint32_t hash() const { return hash_; }
  // The shortest first.
  uint32_t endings() const { return count_; }
  const Ending& ending(uint32_t index) const { return endings_[index]; }

  // `label_mask`: of which lengths there are wildcards.
  void hash_all(uint32_t seed, uint32_t listener, uint32_t label_mask) {
    uint32_t hash = shm::host_hash_begin(seed, listener);
    uint32_t labels = 0;
    for (uint32_t at = end_; at-- > 0;) {
      hash = shm::route_hash_byte(hash, bytes_[at]);
      if (bytes_[at] != '.') continue;
      labels++;
      // A star stands for at least one character.
      if (at == 0 || (label_mask >> (labels < 31 ? labels : 31) & 1) == 0) continue;
      endings_[count_++] = {shm::route_hash_finish(hash), at};
      if (count_ == kLabelsMax) break;
    }
    hash_ = shm::route_hash_finish(hash);
  }

 private:
  static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<uint8_t>(byte | 0x20) : byte;
  }
  // Without port and closing dot.
  static uint32_t name_bytes(const uint8_t* authority, uint32_t bytes) {
    if (bytes == 0) return 0;
    const uint8_t stop = authority[0] == '[' ? ']' : ':';
    const auto* found = static_cast<const uint8_t*>(std::memchr(authority, stop, bytes));
    uint32_t end = bytes;
    if (found != nullptr) end = static_cast<uint32_t>(found - authority) + (stop == ']' ? 1 : 0);
    return end > 0 && authority[end - 1] == '.' ? end - 1 : end;
  }

  uint32_t end_;
  uint32_t hash_ = 0;
  uint32_t count_ = 0;
  Ending endings_[kLabelsMax];
  uint8_t bytes_[kHostBytesMax];
};

// Index of the listener's host with these bytes, or kNoHost. The tables are at most half full, so
// that a probe ends at a free entry.
uint32_t find_host(SnapshotView view, uint32_t listener, uint32_t hash, const uint8_t* name,
                   uint32_t bytes) {
  const uint32_t size = view.head().host_table_size;
  if (size == 0) return kNoHost;
  for (uint32_t at = hash & (size - 1);; at = (at + 1) & (size - 1)) {
    const shm::SnapshotHostTable& entry = view.host_entry(at);
    if (entry.host == 0) return kNoHost;
    if (entry.hash != hash) continue;
    const shm::SnapshotHost& host = view.host(entry.host - 1);
    if (host.listener == listener && host.key_bytes == bytes &&
        std::memcmp(view.arena(host.key_offset), name, bytes) == 0) {
      return entry.host - 1;
    }
  }
}

// The longest prefix of the path that a scope has a route for, or else the route for every path.
uint32_t find_prefix(SnapshotView view, uint32_t scope, uint32_t depth_mask, uint32_t any_route,
                     RoutePath& path) {
  const uint32_t size = view.head().route_table_size;
  const uint32_t segments = path.segments();
  uint32_t mask = segments >= 32 ? depth_mask : depth_mask & ((1u << segments) - 1);
  if (size == 0) mask = 0;
  while (mask != 0) {
    const uint32_t depth = 32 - static_cast<uint32_t>(std::countl_zero(mask));
    mask &= ~(1u << (depth - 1));
    const uint32_t hash = shm::prefix_hash_finish(path.hash_of(depth), scope);
    const uint32_t bytes = path.bytes_of(depth);
    for (uint32_t at = hash & (size - 1);; at = (at + 1) & (size - 1)) {
      const shm::SnapshotRouteTable& entry = view.route_entry(at);
      if (entry.route == 0) break;
      if (entry.hash != hash) continue;
      const shm::SnapshotRoute& route = view.route(entry.route - 1);
      if (route.scope == scope && route.prefix_bytes == bytes &&
          std::memcmp(view.arena(route.prefix_offset), path.bytes(), bytes) == 0) {
        return entry.route - 1;
      }
    }
  }
  return any_route - 1;
}

uint32_t find_in_host(SnapshotView view, uint32_t index, RoutePath& path) {
  if (index == kNoHost) return Router::kNoRoute;
  const shm::SnapshotHost& host = view.host(index);
  return find_prefix(view, index + 1, host.prefix_depth_mask, host.any_route, path);
}

uint32_t find_by_host(SnapshotView view, uint32_t listener, uint32_t label_mask, HostName& name,
                      RoutePath& path) {
  name.hash_all(view.head().hash_seed, listener, label_mask);
  // What begins with a dot is the key of a wildcard, and no name.
  if ((label_mask & 1) != 0 && *name.from(0) != '.') {
    const uint32_t exact = find_host(view, listener, name.hash(), name.from(0), name.bytes_from(0));
    const uint32_t route = find_in_host(view, exact, path);
    if (route != Router::kNoRoute) return route;
  }
  for (uint32_t index = name.endings(); index-- > 0;) {
    const Ending& ending = name.ending(index);
    const uint32_t wildcard = find_host(view, listener, ending.hash, name.from(ending.begin),
                                        name.bytes_from(ending.begin));
    const uint32_t route = find_in_host(view, wildcard, path);
    if (route != Router::kNoRoute) return route;
  }
  return Router::kNoRoute;
}

}  // namespace

uint32_t Router::match(SnapshotView view, uint32_t listener, const uint8_t* authority,
                       uint32_t authority_bytes, const uint8_t* path, uint32_t path_bytes) {
  const shm::SnapshotListener& entry = view.listener(listener);
  if ((entry.host_label_mask | entry.prefix_depth_mask) == 0) return entry.any_route - 1;
  RoutePath own(path, path_bytes, view.head().hash_seed);
  if (entry.host_label_mask != 0) {
    HostName name(authority, authority_bytes);
    if (!name.is_empty()) {
      const uint32_t route = find_by_host(view, listener, entry.host_label_mask, name, own);
      if (route != kNoRoute) return route;
    }
  }
  return find_prefix(view, shm::kListenerScope | listener, entry.prefix_depth_mask, entry.any_route,
                     own);
}

}  // namespace sluice::proxy
