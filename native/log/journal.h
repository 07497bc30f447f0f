// The worker's side of the access log: a draft for each exchange, by its index, and the ring that
// finished ones go into. While the log is off nothing of it is touched.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/reserved_array.h"
#include "log/ring.h"
#include "shm/worker_block.h"

namespace sluice::log {

// What a request says, as it is added to a draft.
struct Text {
  const uint8_t* data;
  uint32_t bytes;
};

class Journal {
 public:
  Journal(const shm::WorkerBlock& block, uint32_t drafts)
      : control_(block.region().control()), ring_(block.region(), block.index()), drafts_(drafts) {}

  bool ok() const { return drafts_.ok(); }
  bool is_on() const { return control_.access_log.load(std::memory_order_relaxed) != 0; }

  Record& begin(uint32_t index) {
    Record& record = drafts_[index].record;
    record = Record{};
    record.bytes = sizeof(Record);
    return record;
  }
  Record& draft(uint32_t index) { return drafts_[index].record; }

  // Once for each draft. Each text is cut to its limit.
  void add_texts(uint32_t index, Text method, Text host, Text target, Text user_agent,
                 Text referer) {
    Draft& draft = drafts_[index];
    Record& record = draft.record;
    uint8_t* at = draft.texts;
    const auto put = [&at](Text text, uint32_t most) {
      const uint32_t bytes = text.bytes < most ? text.bytes : most;
      if (bytes > 0) std::memcpy(at, text.data, bytes);
      at += bytes;
      return static_cast<uint16_t>(bytes);
    };
    record.method_bytes = static_cast<uint8_t>(put(method, kMethodBytesMax));
    record.host_bytes = put(host, kHostBytesMax);
    record.target_bytes = put(target, kTargetBytesMax);
    record.user_agent_bytes = put(user_agent, kUserAgentBytesMax);
    record.referer_bytes = put(referer, kRefererBytesMax);
    const auto bytes = static_cast<uint32_t>(at - draft.texts);
    record.bytes = static_cast<uint32_t>(sizeof(Record)) + (bytes + 7) / 8 * 8;
  }

  void finish(uint32_t index) { (void)ring_.put(drafts_[index].record); }

 private:
  const shm::Control& control_;
  RingWriter ring_;
  ReservedArray<Draft> drafts_;
};

}  // namespace sluice::log
