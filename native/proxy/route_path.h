// A request's path as routes see it: RFC 3986 normal form, cut into segments, with the hashes of
// its beginnings. Value type on the stack; it may point into the path it was made of.
//
// Unreserved characters are decoded and the digits of other percent-encodings made upper case, then
// dot segments are removed. Encoded slashes and empty segments stay. What lies beyond the longest
// prefix a route can have is not kept, but counted, so that dot segments behind it still work.
#pragma once

#include <cstdint>

#include "shm/route_hash.h"

namespace sluice::proxy {

class RoutePath {
 public:
  // As many segments as a path prefix may have, and as many bytes.
  static constexpr uint32_t kSegmentsMax = 32;
  static constexpr uint32_t kBytesMax = 2048;

  // `path` is in origin-form and may have a query; anything else has no segments.
  RoutePath(const uint8_t* path, uint32_t bytes, uint32_t hash_seed);
  RoutePath(const RoutePath&) = delete;
  RoutePath& operator=(const RoutePath&) = delete;

  // Segments that are known, at most kSegmentsMax.
  uint32_t segments() const { return segments_; }
  const uint8_t* bytes() const { return bytes_; }
  // Bytes of the first `segments`, each with its leading slash.
  uint32_t bytes_of(uint32_t segments) const { return ends_[segments]; }
  // Of these bytes; not finished with a scope.
  uint32_t hash_of(uint32_t segments);

 private:
  // False when the path is not in normal form.
  bool take_as_it_is(const uint8_t* path, uint32_t bytes);
  void normalize(const uint8_t* path, const uint8_t* end);
  bool append(const uint8_t* from, const uint8_t* to);

  const uint8_t* bytes_;
  uint32_t segments_ = 0;
  // How far hashes_ is filled.
  uint32_t hashed_ = 0;
  uint16_t ends_[kSegmentsMax + 1];
  uint32_t hashes_[kSegmentsMax + 1];
  uint8_t buffer_[kBytesMax];
};

}  // namespace sluice::proxy
