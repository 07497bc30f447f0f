// Assertions are part of the design. SLUICE_ASSERT guards cold edges and is always on: it fires
// for our bugs only, never for a peer's bytes or a kernel's answer. SLUICE_VERIFY is for the hot
// path and is compiled in for sanitizer and simulator builds (-DSLUICE_VERIFY_ENABLED).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace sluice {

[[noreturn, gnu::cold, gnu::noinline]] inline void assertion_failed(const char* condition,
                                                                    const char* file, int line) {
  std::fprintf(stderr, "sluice: assertion failed: %s at %s:%d\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace sluice

#define SLUICE_ASSERT(condition) \
  ((condition) ? (void)0 : ::sluice::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef SLUICE_VERIFY_ENABLED
#define SLUICE_VERIFY(condition) SLUICE_ASSERT(condition)
#else
#define SLUICE_VERIFY(condition) ((void)0)
#endif
