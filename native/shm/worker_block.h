// The only mutable view of the region in the data plane: one worker's own area. Built and used by
// that worker's thread alone; everything in it has this one writer.
//
// Counters of listeners, pools and backends belong to an incarnation of their slot. They are zeroed
// by the worker when it first meets a new incarnation, so a reader trusts them only if the
// incarnation word is the one it asks about.
#pragma once

#include <cstdint>

#include "shm/histogram.h"
#include "shm/layout.gen.h"
#include "shm/region.h"

namespace sluice::shm {

class WorkerBlock {
 public:
  WorkerBlock(const Region& region, uint32_t index)
      : area_(region.worker_area(index)), index_(index), region_(region) {}

  uint32_t index() const { return index_; }
  uint32_t workers() const { return region_.workers(); }
  const Region& region() const { return region_; }
  Worker& words() { return *reinterpret_cast<Worker*>(area_ + kWorkerOffset); }

  WorkerListener& listener(uint32_t slot) {
    return array<WorkerListener>(kWorkerListenerOffset)[slot];
  }
  WorkerRoute& route(uint32_t slot) { return array<WorkerRoute>(kWorkerRouteOffset)[slot]; }
  WorkerPool& pool(uint32_t slot) { return array<WorkerPool>(kWorkerPoolOffset)[slot]; }
  WorkerBackend& backend(uint32_t slot) { return array<WorkerBackend>(kWorkerBackendOffset)[slot]; }
  std::atomic<uint32_t>& in_flight(uint32_t backend) {
    return array<WorkerInFlight>(kWorkerInFlightOffset)[backend].count;
  }

  // Makes a slot's counters those of `incarnation`. Listener and pool gauges of connections that
  // outlive their slot's old incarnation are not carried over: their owners check first.
  template <typename T>
  static void claim(T& counters, uint32_t incarnation) {
    if (counters.incarnation.load(std::memory_order_relaxed) == incarnation) return;
    zero(counters);
    counters.incarnation.store(incarnation, std::memory_order_release);
  }

  // Other workers' words, read only.
  const Worker& words_of(uint32_t worker) const {
    return *reinterpret_cast<const Worker*>(region_.worker_area(worker) + kWorkerOffset);
  }
  uint32_t in_flight_of(uint32_t worker, uint32_t backend) const {
    const auto* counts = reinterpret_cast<const WorkerInFlight*>(region_.worker_area(worker) +
                                                                 kWorkerInFlightOffset);
    return counts[backend].count.load(std::memory_order_relaxed);
  }
  uint32_t listener_connections_of(uint32_t worker, uint32_t slot, uint32_t incarnation) const {
    const auto& block = reinterpret_cast<const WorkerListener*>(region_.worker_area(worker) +
                                                                kWorkerListenerOffset)[slot];
    return block.incarnation.load(std::memory_order_acquire) == incarnation
               ? block.connections.load(std::memory_order_relaxed)
               : 0;
  }

 private:
  template <typename T>
  T* array(uint64_t offset) {
    return reinterpret_cast<T*>(area_ + offset);
  }
  // Word by word: a reader may look at any time.
  template <typename T>
  static void zero(T& counters) {
    auto* words = reinterpret_cast<std::atomic<uint32_t>*>(&counters);
    for (size_t i = 0; i < sizeof(T) / sizeof(uint32_t); i++) {
      words[i].store(0, std::memory_order_relaxed);
    }
  }

  uint8_t* area_;
  uint32_t index_;
  const Region& region_;
};

}  // namespace sluice::shm
