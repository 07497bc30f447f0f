// Makes engines: the choice between io_uring and epoll, made once per worker at its start, with the
// reason kept so that one log line can name cause and remedy.
#pragma once

#include <memory>

#include "io/engine.h"
#include "io/kernel.h"

namespace sluice::io {

enum class EngineChoice : uint8_t { automatic = 0, io_uring = 1, epoll = 2 };

// Why io_uring is not in use. Exported; TypeScript turns it into the log line.
enum class EngineFallback : uint8_t {
  none = 0,
  refused_permission = 1,  // EPERM or EACCES: seccomp filter or kernel.io_uring_disabled
  not_supported = 2,       // ENOSYS or EINVAL: kernel without it, or too old
  no_memory = 3,           // ENOMEM even for the smallest ring: memlock limit
  probe_failed = 4,        // the ring exists, but behaves in a way this engine cannot use
};

struct EngineOptions {
  EngineChoice choice = EngineChoice::automatic;
  uint32_t sq_entries = 1024;    // halved on ENOMEM, down to 64
  uint32_t descriptors_max = 0;  // highest descriptor number + 1 (RLIMIT_NOFILE)
  uint32_t mail_lanes = 1;       // workers of the fleet (lane = worker index)
  uint32_t cq_entries = 0;       // 0: four times sq_entries. Small ones are for tests.
  bool receive_cap = true;       // off: as on kernels that cannot cap a multishot receive
};

struct EngineResult {
  std::unique_ptr<Engine> engine;  // null: `error` says why
  EngineFallback fallback = EngineFallback::none;
  int error = 0;  // -errno that decided; 0 when the wanted engine runs
};

// Call it on the worker's own thread (a single-issuer ring belongs to the thread that made it).
EngineResult make_engine(Kernel& kernel, BufferPool& buffers, const EngineOptions& options);

}  // namespace sluice::io
