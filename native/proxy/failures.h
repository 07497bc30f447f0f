// Which counter a failed connect goes to: the same for everybody who counts it.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace sluice::proxy {

template <typename Words>
std::atomic<uint64_t>& connect_failure_word(Words& words, int error) {
  switch (error) {
    case -ETIMEDOUT:
      return words.connect_timeout_total;
    case -ECONNREFUSED:
    case -ENOENT:  // nobody has bound the path
      return words.connect_refused_total;
    case -EHOSTUNREACH:
    case -ENETUNREACH:
      return words.connect_unreachable_total;
    default:
      return words.connect_other_total;
  }
}

}  // namespace sluice::proxy
