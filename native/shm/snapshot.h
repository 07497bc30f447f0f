// A read-only view of one published configuration. Value type; valid while its slot is current or
// referenced. Everything is indexed by stable slots.
#pragma once

#include <cstdint>

#include "shm/layout.gen.h"

namespace sluice::shm {

class SnapshotView {
 public:
  SnapshotView() = default;
  explicit SnapshotView(const uint8_t* slot) : base_(slot) {}

  bool is_none() const { return base_ == nullptr; }
  const Snapshot& head() const { return *reinterpret_cast<const Snapshot*>(base_); }
  const SnapshotListener& listener(uint32_t slot) const {
    return array<SnapshotListener>(kSnapshotListenerOffset)[slot];
  }
  const SnapshotPool& pool(uint32_t slot) const {
    return array<SnapshotPool>(kSnapshotPoolOffset)[slot];
  }
  const SnapshotBackend& backend(uint32_t slot) const {
    return array<SnapshotBackend>(kSnapshotBackendOffset)[slot];
  }
  int32_t descriptor(uint32_t index) const {
    return array<SnapshotDescriptor>(kSnapshotDescriptorOffset)[index].fd;
  }
  // Backend slot of a pool's n-th member, counted from `memberFirst`.
  uint32_t member(uint32_t index) const {
    return array<SnapshotMember>(kSnapshotMemberOffset)[index].backend;
  }
  const uint8_t* arena(uint32_t offset) const { return base_ + kSnapshotArenaOffset + offset; }

  const SnapshotRoute& route(uint32_t slot) const {
    return array<SnapshotRoute>(kSnapshotRouteOffset)[slot];
  }
  // By index, of all listeners.
  const SnapshotHost& host(uint32_t index) const {
    return array<SnapshotHost>(kSnapshotHostOffset)[index];
  }
  const SnapshotTrusted& trusted(uint32_t index) const {
    return array<SnapshotTrusted>(kSnapshotTrustedOffset)[index];
  }
  const SnapshotHostTable& host_entry(uint32_t at) const {
    return array<SnapshotHostTable>(kSnapshotHostTableOffset)[at];
  }
  const SnapshotRouteTable& route_entry(uint32_t at) const {
    return array<SnapshotRouteTable>(kSnapshotRouteTableOffset)[at];
  }

  // The route for what no other route of the listener matches (TCP: for everything); nullptr when
  // there is none.
  const SnapshotRoute* any_route(uint32_t listener_slot) const {
    const uint32_t slot_plus_one = listener(listener_slot).any_route;
    return slot_plus_one == 0 ? nullptr : &route(slot_plus_one - 1);
  }

 private:
  template <typename T>
  const T* array(uint64_t offset) const {
    return reinterpret_cast<const T*>(base_ + offset);
  }
  const uint8_t* base_ = nullptr;
};

}  // namespace sluice::shm
