// Which backends a worker leaves alone for a while because they failed it. Numbers in, numbers out:
// no clock, no sockets. One per worker; what one worker ejects, others find out by themselves.
//
//   good --failure--> out --time is over--> half open --a pick--> trying --success--> good
//                      ^                                            |
//                      +------------- failure, twice as long -------+
// One that refuses connections is out at once, any other after so many failures in a row. A try
// that tells nothing for as long as the last ejection lasted makes room for another one.
#pragma once

#include <cstdint>

#include "base/reserved_array.h"

namespace sluice::balance {

enum class Failure : uint8_t {
  unreachable,  // nobody takes connections there
  connect,      // a connect took too long or broke
  exchange,     // connected, but there was no answer, or none that can be understood
};

struct EjectionPolicy {
  uint32_t failures;  // in a row; 0: nobody is ejected
  uint32_t base_ms;   // of the first ejection; each that follows without a success lasts twice
  uint32_t max_ms;    // as long, up to this
};

class Ejections {
 public:
  enum class Standing : uint8_t { good, half_open, out };

  explicit Ejections(uint32_t backends) : entries_(backends) {}
  bool ok() const { return entries_.ok(); }

  Standing standing(uint32_t backend, uint32_t incarnation, uint64_t now_ns) const {
    if (!is_ejected(backend, incarnation)) return Standing::good;
    const Entry& entry = entries_[backend];
    return now_ns < entry.until_ns ? Standing::out : Standing::half_open;
  }
  // Out, half open or tried.
  bool is_ejected(uint32_t backend, uint32_t incarnation) const {
    if (count_ == 0) return false;  // which needs no look at the entry
    const Entry& entry = entries_[backend];
    return entry.level > 0 && entry.incarnation == incarnation;
  }
  // When one that is out becomes half open.
  uint64_t until_ns(uint32_t backend) const { return entries_[backend].until_ns; }

  // The backend failed, for the `streak`-th time in a row. The time until which it is ejected by
  // this; 0: it is not.
  uint64_t failed(uint32_t backend, uint32_t incarnation, Failure failure, uint32_t streak,
                  const EjectionPolicy& policy, uint64_t now_ns);
  // The backend did what work begun at `began_ns` asked of it. False when that says nothing, as the
  // work is older than the ejection.
  bool succeeded(uint32_t backend, uint32_t incarnation, uint64_t began_ns);
  // Whether a connect that succeeds is a success: the last failure was one of connecting.
  bool failed_to_connect(uint32_t backend, uint32_t incarnation) const {
    const Entry& entry = entries_[backend];
    return entry.incarnation == incarnation && entry.last != Failure::exchange;
  }
  // A half-open backend was picked: no other pick of it until that has told something.
  void begin_try(uint32_t backend, uint64_t now_ns);
  // Somebody else has judged it meanwhile: the next pick of it is a try.
  void end_wait(uint32_t backend, uint64_t now_ns) {
    if (count_ > 0 && entries_[backend].until_ns > now_ns) entries_[backend].until_ns = now_ns;
  }

 private:
  struct Entry {
    uint64_t since_ns;
    uint64_t until_ns;
    uint32_t incarnation;
    uint32_t lasts_ms;  // from since to until, when it was ejected
    uint8_t level;      // ejections without a success; 0: not ejected
    bool trying;
    Failure last;
  };

  Entry& claim(uint32_t backend, uint32_t incarnation);

  ReservedArray<Entry> entries_;
  uint32_t count_ = 0;  // of entries that are ejected
};

}  // namespace sluice::balance
