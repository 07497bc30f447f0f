// The shared region: a memfd mapped once, laid out by layout.gen.h. Sparse: pages that nobody has
// touched cost nothing. Resource type, owned by the addon's fleet; workers hold typed views of it.
#pragma once

#include <cstdint>

#include "shm/layout.gen.h"

namespace sluice::shm {

class Region {
 public:
  Region() = default;
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // Maps a region for `workers` workers and writes its header. 0 or -errno.
  int create(uint32_t workers);

  uint8_t* data() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  // What other processes map; the own mapping stays when it is closed.
  int fd() const { return fd_; }
  void close_descriptor();
  uint32_t workers() const { return workers_; }

  Control& control() const { return at<Control>(kControlOffset); }
  const BackendLive* backend_live() const { return &at<BackendLive>(kBackendLiveOffset); }
  const PoolLive* pool_live() const { return &at<PoolLive>(kPoolLiveOffset); }
  const uint8_t* snapshot_slot(uint32_t slot) const {
    return base_ + kSnapshotBase + kSnapshotStride * slot;
  }
  uint8_t* worker_area(uint32_t worker) const {
    return base_ + kWorkerBase + kWorkerStride * worker;
  }

 private:
  template <typename T>
  T& at(uint64_t offset) const {
    return *reinterpret_cast<T*>(base_ + offset);
  }

  uint8_t* base_ = nullptr;
  uint64_t bytes_ = 0;
  uint32_t workers_ = 0;
  int fd_ = -1;
};

}  // namespace sluice::shm
