// Which counter a failed connect goes to, and what the access log calls it: the same for everybody
// who counts it.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "log/record.h"

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

inline log::End connect_failure_end(int error) {
  switch (error) {
    case -ETIMEDOUT:
      return log::End::connect_timeout;
    case -ECONNREFUSED:
    case -ENOENT:
      return log::End::connect_refused;
    case -EHOSTUNREACH:
    case -ENETUNREACH:
      return log::End::connect_unreachable;
    default:
      return log::End::connect_other;
  }
}

}  // namespace sluice::proxy
