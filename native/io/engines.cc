// Which engine a worker gets. io_uring first: a ring of the wanted size, or of half of it as often
// as memory is refused, that passes its trial. Else epoll, with the reason.
#include "io/engines.h"

#include <algorithm>
#include <bit>

#include "io/epoll_engine.h"
#include "io/uring_engine.h"

namespace sluice::io {
namespace {

// A smaller submission queue would be submitted early too often.
constexpr uint32_t kSqEntriesMin = 64;

EngineFallback reason_of(int error) {
  switch (error) {
    case -EPERM:
    case -EACCES:
      return EngineFallback::refused_permission;
    case -ENOSYS:
    case -EINVAL:
      return EngineFallback::not_supported;
    case -ENOMEM:
      return EngineFallback::no_memory;
    default:
      return EngineFallback::probe_failed;
  }
}

EngineResult make_uring(Kernel& kernel, BufferPool& buffers, const EngineOptions& options) {
  EngineResult result;
  uint32_t sq_entries = std::bit_ceil(std::max(options.sq_entries, 1u));
  for (;; sq_entries /= 2) {
    const uint32_t cq_entries = options.cq_entries != 0 ? options.cq_entries : 4 * sq_entries;
    EngineOptions sized = options;
    sized.sq_entries = sq_entries;
    auto engine = std::make_unique<UringEngine>(kernel, buffers, sized);
    result.error = engine->open(sq_entries, cq_entries);
    if (result.error == -ENOMEM && sq_entries > kSqEntriesMin) continue;
    result.fallback = result.error < 0 ? reason_of(result.error) : EngineFallback::none;
    if (result.error < 0) return result;
    result.error = engine->preflight();
    if (result.error < 0) {
      result.fallback = EngineFallback::probe_failed;
    } else {
      result.engine = std::move(engine);
    }
    return result;
  }
}

EngineResult make_epoll(Kernel& kernel, BufferPool& buffers, const EngineOptions& options) {
  EngineResult result;
  auto engine = std::make_unique<EpollEngine>(kernel, buffers, options);
  result.error = engine->open();
  if (result.error == 0) result.engine = std::move(engine);
  return result;
}

}  // namespace

EngineResult make_engine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options) {
  SLUICE_ASSERT(options.descriptors_max > 0 && options.descriptors_max <= 1u << 30);
  if (options.choice == EngineChoice::epoll) return make_epoll(kernel, buffers, options);
  EngineResult uring = make_uring(kernel, buffers, options);
  if (uring.engine != nullptr || options.choice == EngineChoice::io_uring) return uring;
  EngineResult epoll = make_epoll(kernel, buffers, options);
  epoll.fallback = uring.fallback;
  if (epoll.engine != nullptr) epoll.error = uring.error;
  return epoll;
}

}  // namespace sluice::io
