// Finding the byte that ends a name, a target or a value. `find` and `marks_at` look at 16 bytes at
// a time where the machine allows; their portable twins say the same byte by byte and are what
// other machines run. None reads a byte outside of what it is given.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::http::scan {

struct ByteSet {
  bool has[256] = {};
};

// RFC 9110 section 5.6.2.
constexpr ByteSet make_token_bytes() {
  ByteSet set;
  for (int c = '0'; c <= '9'; c++) set.has[c] = true;
  for (int c = 'a'; c <= 'z'; c++) set.has[c] = true;
  for (int c = 'A'; c <= 'Z'; c++) set.has[c] = true;
  for (const char* c = "!#$%&'*+-.^_`|~"; *c != '\0'; c++) set.has[static_cast<uint8_t>(*c)] = true;
  return set;
}
inline constexpr ByteSet kTokenBytes = make_token_bytes();

constexpr bool is_token_byte(uint8_t c) {
  return kTokenBytes.has[c];
}
constexpr bool is_digit(uint8_t c) {
  return static_cast<uint8_t>(c - '0') < 10;
}
constexpr bool is_letter(uint8_t c) {
  return static_cast<uint8_t>((c | 0x20) - 'a') < 26;
}
constexpr bool is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}
// The value of a hexadecimal digit, 255 for any other byte.
constexpr uint8_t hex_digit(uint8_t c) {
  if (is_digit(c)) return static_cast<uint8_t>(c - '0');
  const auto letter = static_cast<uint8_t>((c | 0x20) - 'a');
  return letter < 6 ? static_cast<uint8_t>(letter + 10) : 255;
}

#if defined(__SSE2__)
namespace wide {
inline __m128i bytes(uint8_t c) {
  return _mm_set1_epi8(static_cast<char>(c));
}
inline __m128i is(__m128i v, uint8_t c) {
  return _mm_cmpeq_epi8(v, bytes(c));
}
// Unsigned v <= c: SSE2 has only signed comparisons.
inline __m128i at_most(__m128i v, uint8_t c) {
  return _mm_cmpeq_epi8(_mm_min_epu8(v, bytes(c)), v);
}
inline __m128i between(__m128i v, uint8_t low, uint8_t high) {
  return at_most(_mm_sub_epi8(v, bytes(low)), static_cast<uint8_t>(high - low));
}
}  // namespace wide
#endif

// Ends a field value or a reason phrase: a control byte other than HTAB.
struct ValueEnd {
  static constexpr bool has(uint8_t c) { return (c < 0x20 && c != '\t') || c == 0x7f; }
#if defined(__SSE2__)
  static __m128i has(__m128i v) {
    const __m128i control = _mm_andnot_si128(wide::is(v, '\t'), wide::at_most(v, 0x1f));
    return _mm_or_si128(control, wide::is(v, 0x7f));
  }
#endif
};

// Ends a request target: space, control bytes, bytes above ASCII, and `#`, which no target has.
struct TargetEnd {
  static constexpr bool has(uint8_t c) { return c <= 0x20 || c >= 0x7f || c == '#'; }
#if defined(__SSE2__)
  static __m128i has(__m128i v) {
    const __m128i visible = wide::between(v, 0x21, 0x7e);
    return _mm_or_si128(wide::is(v, '#'), _mm_cmpeq_epi8(visible, _mm_setzero_si128()));
  }
#endif
};

// Ends the common part of a field name: anything but letters, digits and hyphens. The other token
// bytes are rare and are looked at one by one.
struct NameEnd {
  static constexpr bool has(uint8_t c) { return !is_letter(c) && !is_digit(c) && c != '-'; }
#if defined(__SSE2__)
  static __m128i has(__m128i v) {
    const __m128i letter = wide::between(_mm_or_si128(v, wide::bytes(0x20)), 'a', 'z');
    const __m128i common =
        _mm_or_si128(letter, _mm_or_si128(wide::between(v, '0', '9'), wide::is(v, '-')));
    return _mm_cmpeq_epi8(common, _mm_setzero_si128());
  }
#endif
};

template <typename Set>
const uint8_t* find_portable(const uint8_t* from, const uint8_t* end) {
  while (from < end && !Set::has(*from)) from++;
  return from;
}

// One bit for each of the up to 64 bytes of [at, bytes): whether it is in the set.
template <typename Set>
uint64_t marks_portable(const uint8_t* data, uint32_t at, uint32_t bytes) {
  uint64_t marks = 0;
  for (uint32_t i = 0; i < 64 && at + i < bytes; i++) {
    marks |= static_cast<uint64_t>(Set::has(data[at + i])) << i;
  }
  return marks;
}

#if defined(__SSE2__)
template <typename Set>
uint64_t marks_of_block(const uint8_t* block) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block));
  return static_cast<uint32_t>(_mm_movemask_epi8(Set::has(v)));
}

template <typename Set>
const uint8_t* find(const uint8_t* from, const uint8_t* end) {
  for (; end - from >= 16; from += 16) {
    const uint64_t found = marks_of_block<Set>(from);
    if (found != 0) return from + __builtin_ctzll(found);
  }
  return find_portable<Set>(from, end);
}

template <typename Set>
uint64_t marks_at(const uint8_t* data, uint32_t at, uint32_t bytes) {
  const uint8_t* from = data + at;
  if (bytes - at >= 64) {
    return marks_of_block<Set>(from) | marks_of_block<Set>(from + 16) << 16 |
           marks_of_block<Set>(from + 32) << 32 | marks_of_block<Set>(from + 48) << 48;
  }
  if (bytes < 16) return marks_portable<Set>(data, at, bytes);
  uint64_t marks = 0;
  uint32_t done = 0;
  const uint32_t left = bytes - at;
  for (; left - done >= 16; done += 16) marks |= marks_of_block<Set>(from + done) << done;
  // The block that ends where the bytes do; what was looked at before is shifted out.
  const uint32_t rest = left - done;
  if (rest > 0) marks |= marks_of_block<Set>(data + bytes - 16) >> (16 - rest) << done;
  return marks;
}
#else
template <typename Set>
const uint8_t* find(const uint8_t* from, const uint8_t* end) {
  return find_portable<Set>(from, end);
}
template <typename Set>
uint64_t marks_at(const uint8_t* data, uint32_t at, uint32_t bytes) {
  return marks_portable<Set>(data, at, bytes);
}
#endif

// Where the bytes of a set stand, for a search that goes forward. The blocks are looked at without
// waiting for what was found in those before, so that lines are parsed side by side by the machine.
template <typename Set>
class Marks {
 public:
  Marks(const uint8_t* data, uint32_t from, uint32_t bytes)
      : data_(data), bytes_(bytes), window_(from), marks_(marks_at<Set>(data, from, bytes)) {}

  // The first of the set at `from` or behind it, else `bytes`. `from` never goes back.
  uint32_t next(uint32_t from) {
    for (;;) {
      const uint32_t passed = from - window_;
      if (passed < 64) {
        const uint64_t ahead = marks_ >> passed;
        if (ahead != 0) return from + static_cast<uint32_t>(__builtin_ctzll(ahead));
      }
      if (bytes_ - window_ <= 64) return bytes_;
      window_ += 64;
      marks_ = marks_at<Set>(data_, window_, bytes_);
      if (from < window_) from = window_;
    }
  }

 private:
  const uint8_t* data_;
  uint32_t bytes_;
  uint32_t window_;
  uint64_t marks_;
};

}  // namespace sluice::http::scan
