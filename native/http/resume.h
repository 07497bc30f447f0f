// Taking up a head again when more of it has come.
#pragma once

#include <cstdint>

#include "http/head.h"

namespace sluice::http {

// `*scanned` is the first byte not yet known to continue a head: everything before it is text and
// whole line ends.
//
// Whether it is worth parsing now; moves `*scanned` over bytes that need not be looked at again.
// True at the end of a head, at a byte no head may have, at either limit, and at the start, where a
// first line betrays what does not speak HTTP.
bool worth_parsing(const uint8_t* data, uint32_t bytes, const HeadLimits& limits,
                   uint32_t* scanned);

// Where to go on after parsing found that more bytes are needed: behind all but a line end that may
// be the beginning of the head's end.
uint32_t scanned_by_parsing(const uint8_t* data, uint32_t bytes);

}  // namespace sluice::http
