#include "protocol.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace load {
namespace {

const uint8_t* pattern_bytes = nullptr;
uint64_t pattern_length = 0;

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kCheckWholeBytes = 256;
constexpr uint64_t kSampleEvery = 4096;

class RawProtocol final : public Protocol {
 public:
  uint32_t bytes_min() const override { return sizeof(Head); }
  uint64_t body_bytes(uint64_t bytes) const override { return bytes - sizeof(Head); }
  uint32_t write_request(uint8_t* head, Message& message, uint64_t total) override {
    return write(head, message, total);
  }
  uint32_t write_answer(uint8_t* head, Message& message, uint64_t total) override {
    message.answer_bytes = 0;
    return write(head, message, total);
  }
  Progress parse_head(Incoming& in, uint32_t& head_bytes) override {
    if (in.head_received < sizeof(Head)) return Progress::more;
    Head head;
    memcpy(&head, in.head, sizeof head);
    if (head.total_bytes < sizeof head || !pattern_covers(head.total_bytes - sizeof head) ||
        !pattern_covers(head.answer_bytes)) {
      return Progress::malformed;
    }
    head_bytes = sizeof head;
    in.message = Message{head.tag, head.total_bytes - sizeof head, head.answer_bytes};
    return Progress::complete;
  }

 private:
  struct Head {
    uint64_t total_bytes;
    uint64_t answer_bytes;
    uint64_t tag;
  };
  static uint32_t write(uint8_t* out, Message& message, uint64_t total) {
    const Head head{total, message.answer_bytes, message.tag};
    memcpy(out, &head, sizeof head);
    message.body_bytes = total - sizeof head;
    return sizeof head;
  }
};

}  // namespace

Protocol& raw_protocol() {
  static RawProtocol protocol;
  return protocol;
}

bool make_pattern(uint64_t bytes) {
  bytes = (bytes + kSampleEvery) / kWord * kWord;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* words = static_cast<uint64_t*>(memory);
  for (uint64_t i = 0; i < bytes / kWord; i++) words[i] = (i + 1) * 0x9e3779b97f4a7c15u;
  pattern_bytes = static_cast<const uint8_t*>(memory);
  pattern_length = bytes;
  return true;
}

const uint8_t* pattern() {
  return pattern_bytes;
}

bool pattern_covers(uint64_t bytes) {
  return bytes <= pattern_length;
}

bool matches_pattern(const uint8_t* data, uint64_t bytes, uint64_t offset) {
  const uint8_t* expected = pattern_bytes + offset;
  if (bytes <= kCheckWholeBytes) return memcmp(data, expected, bytes) == 0;
  for (uint64_t at = 0; at + kWord <= bytes; at += kSampleEvery) {
    if (memcmp(data + at, expected + at, kWord) != 0) return false;
  }
  return memcmp(data + bytes - kWord, expected + bytes - kWord, kWord) == 0;
}

uint64_t consume(Protocol& protocol, Incoming& in, const uint8_t* data, uint64_t bytes,
                 Progress& progress) {
  uint64_t used = 0;
  if (!in.in_body) {
    const uint32_t before = in.head_received;
    const auto copied = static_cast<uint32_t>(std::min<uint64_t>(bytes, kHeadBytesMax - before));
    memcpy(in.head + before, data, copied);
    in.head_received += copied;
    uint32_t head_bytes = 0;
    progress = protocol.parse_head(in, head_bytes);
    if (progress == Progress::more && in.head_received == kHeadBytesMax) {
      progress = Progress::malformed;
    }
    if (progress != Progress::complete) return copied;
    in.in_body = true;
    used = head_bytes - before;
  }
  const uint64_t piece = std::min(bytes - used, in.message.body_bytes - in.body_received);
  if (piece > 0 && !matches_pattern(data + used, piece, in.body_received)) {
    progress = Progress::malformed;
    return bytes;
  }
  in.body_received += piece;
  progress = in.body_received == in.message.body_bytes ? Progress::complete : Progress::more;
  return used + piece;
}

void between_messages(Incoming& in) {
  in.head_received = 0;
  in.in_body = false;
  in.body_received = 0;
  in.complaint = nullptr;
}

}  // namespace load
