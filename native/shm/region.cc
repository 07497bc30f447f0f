#include "shm/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"

namespace sluice::shm {

int Region::create(uint32_t workers) {
  SLUICE_ASSERT(base_ == nullptr && workers >= 1 && workers <= kWorkersMax);
  workers_ = workers;
  bytes_ = region_bytes(workers);
  fd_ = ::memfd_create("sluice", MFD_CLOEXEC);
  if (fd_ < 0) return -errno;
  if (::ftruncate(fd_, static_cast<off_t>(bytes_)) < 0) return -errno;
  void* memory =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (memory == MAP_FAILED) return -errno;
  base_ = static_cast<uint8_t*>(memory);
  Header& header = at<Header>(kHeaderOffset);
  header.schema_hash_low = static_cast<uint32_t>(kSchemaHash);
  header.schema_hash_high = static_cast<uint32_t>(kSchemaHash >> 32);
  header.workers = workers;
  header.region_bytes = bytes_;
  header.magic = kMagic;
  return 0;
}

void Region::close_descriptor() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Region::~Region() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
  close_descriptor();
}

}  // namespace sluice::shm
