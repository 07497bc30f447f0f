#include "proxy/route_path.h"

#include <cstring>

namespace sluice::proxy {
namespace {

bool ends_path(uint8_t byte) {
  return byte == '?' || byte == '#';
}

// -1: not a hexadecimal digit.
int digit_of(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const uint8_t lower = byte | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_unreserved(uint8_t byte) {
  const uint8_t lower = byte | 0x20;
  return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
         byte == '.' || byte == '_' || byte == '~';
}

// The byte that the unreserved character at `from` stands for; 0 where there is another percent-
// encoding or none. Moves `from` behind what it has read.
uint8_t decoded_at(const uint8_t*& from, const uint8_t* to) {
  if (*from == '%' && to - from >= 3) {
    const int high = digit_of(from[1]);
    const int low = digit_of(from[2]);
    if (high < 0 || low < 0) return 0;
    const uint8_t byte = static_cast<uint8_t>(high << 4 | low);
    if (!is_unreserved(byte)) return 0;
    from += 3;
    return byte;
  }
  return is_unreserved(*from) ? *from++ : 0;
}

// 1 for `.`, 2 for `..`, however they are encoded; 0 for other segments.
uint32_t dots_of(const uint8_t* from, const uint8_t* to) {
  uint32_t dots = 0;
  while (from < to && dots < 3) {
    if (decoded_at(from, to) != '.') return 0;
    dots++;
  }
  return dots < 3 ? dots : 0;
}

}  // namespace

RoutePath::RoutePath(const uint8_t* path, uint32_t bytes, uint32_t hash_seed) : bytes_(path) {
  ends_[0] = 0;
  hashes_[0] = shm::prefix_hash_begin(hash_seed);
  if (bytes == 0 || path[0] != '/') return;
  if (take_as_it_is(path, bytes)) return;
  uint32_t length = 0;
  while (length < bytes && !ends_path(path[length])) length++;
  segments_ = 0;
  bytes_ = buffer_;
  normalize(path, path + length);
}

// Most paths are in normal form: then only the ends of the segments are looked for.
bool RoutePath::take_as_it_is(const uint8_t* path, uint32_t bytes) {
  uint32_t at = 1;
  for (; at < bytes && !ends_path(path[at]); at++) {
    const uint8_t byte = path[at];
    if (byte == '%' || (byte == '.' && path[at - 1] == '/')) return false;
    if (byte != '/') continue;
    if (segments_ < kSegmentsMax && at <= kBytesMax) ends_[++segments_] = static_cast<uint16_t>(at);
  }
  if (segments_ < kSegmentsMax && at <= kBytesMax) ends_[++segments_] = static_cast<uint16_t>(at);
  return true;
}

void RoutePath::normalize(const uint8_t* path, const uint8_t* end) {
  // Segments there are so far, kept or not.
  uint32_t depth = 0;
  const uint8_t* from = path + 1;
  for (;;) {
    const auto* slash = static_cast<const uint8_t*>(std::memchr(from, '/', end - from));
    const uint8_t* to = slash == nullptr ? end : slash;
    const uint32_t dots = dots_of(from, to);
    if (dots == 2 && depth > 0) depth--;
    if (segments_ > depth) segments_ = depth;
    if (dots == 0 || slash == nullptr) {
      // A dot segment at the end leaves its slash.
      if (segments_ == depth && append(dots == 0 ? from : to, to)) segments_++;
      depth++;
    }
    if (slash == nullptr) return;
    from = slash + 1;
  }
}

// Adds a segment; false when it does not fit.
bool RoutePath::append(const uint8_t* from, const uint8_t* to) {
  if (segments_ == kSegmentsMax) return false;
  uint32_t used = ends_[segments_];
  if (used == kBytesMax) return false;
  buffer_[used++] = '/';
  while (from < to) {
    uint8_t byte = decoded_at(from, to);
    const bool encoded = byte == 0 && *from == '%' && to - from >= 3 && digit_of(from[1]) >= 0 &&
                         digit_of(from[2]) >= 0;
    if (used + (encoded ? 3 : 1) > kBytesMax) return false;
    if (encoded) {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      buffer_[used++] = '%';
      buffer_[used++] = static_cast<uint8_t>(kDigits[digit_of(from[1])]);
      buffer_[used++] = static_cast<uint8_t>(kDigits[digit_of(from[2])]);
      from += 3;
      continue;
    }
    if (byte == 0) byte = *from++;
    buffer_[used++] = byte;
  }
  ends_[segments_ + 1] = static_cast<uint16_t>(used);
  return true;
}

uint32_t RoutePath::hash_of(uint32_t segments) {
  while (hashed_ < segments) {
    uint32_t hash = hashes_[hashed_];
    for (uint32_t at = ends_[hashed_]; at < ends_[hashed_ + 1]; at++) {
      hash = shm::route_hash_byte(hash, bytes_[at]);
    }
    hashes_[++hashed_] = hash;
  }
  return hashes_[segments];
}

}  // namespace sluice::proxy
