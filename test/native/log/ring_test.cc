#include "log/ring.h"

#include <atomic>
#include <thread>

#include "native/log/scene.h"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("log ring: records come out as they went in, around the end many times") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  Producer producer(region);
  log::RingReader reader(region, 0);
  CHECK(reader.next() == nullptr);
  uint64_t bytes = 0;
  uint32_t number = 0;
  while (bytes < 3 * shm::kLogRingBytes) {
    const std::string target = std::to_string(number) + std::string(number * 37 % 2300, 'x');
    producer.put(target);
    const log::Record* record = reader.next();
    REQUIRE(record != nullptr);
    CHECK(target_of(*record) == target.substr(0, log::kTargetBytesMax));
    bytes += record->bytes;
    if (number++ % 5 == 0) reader.release();
  }
  CHECK(reader.next() == nullptr);
  CHECK(log_words(region).records_total.load() == number);
  CHECK(log_words(region).dropped_total.load() == 0);
}

TEST_CASE("log ring: when it is full records are dropped and counted, and the others stay whole") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  Producer producer(region);
  log::RingReader reader(region, 0);
  const uint32_t most = shm::kLogRingBytes / sizeof(log::Record);
  uint32_t number = 0;
  while (log_words(region).dropped_total.load() == 0 && number < most) {
    producer.put(std::to_string(number++));
  }
  const uint64_t kept = log_words(region).records_total.load();
  CHECK(kept == number - 1);
  for (int i = 0; i < 10; i++) producer.put("dropped");
  CHECK(log_words(region).dropped_total.load() == 11);
  for (uint64_t i = 0; i < kept; i++) {
    const log::Record* record = reader.next();
    REQUIRE(record != nullptr);
    REQUIRE(target_of(*record) == std::to_string(i));
  }
  CHECK(reader.next() == nullptr);
  producer.put("no room until it is released");
  CHECK(reader.next() == nullptr);
  reader.release();
  producer.put("fits");
  const log::Record* record = reader.next();
  REQUIRE(record != nullptr);
  CHECK(target_of(*record) == "fits");
}

TEST_CASE("log ring: a worker and the logger at the same time") {
  shm::Region region;
  REQUIRE(region.create(1) == 0);
  constexpr uint32_t kRecords = 60'000;
  std::atomic<bool> ended{false};
  std::thread worker([&] {
    Producer producer(region);
    for (uint32_t i = 0; i < kRecords; i++) {
      producer.put(std::to_string(i) + std::string(i % 700, 'y'));
    }
    ended.store(true);
  });
  log::RingReader reader(region, 0);
  uint64_t seen = 0;
  int64_t last = -1;
  for (;;) {
    const bool was_ended = ended.load();
    while (const log::Record* record = reader.next()) {
      const std::string target = target_of(*record);
      const int64_t number = std::stoll(target);
      REQUIRE(number > last);
      REQUIRE(target == std::to_string(number) + std::string(number % 700, 'y'));
      last = number;
      seen++;
      if (seen % 64 == 0) reader.release();
    }
    reader.release();
    if (was_ended) break;
  }
  worker.join();
  CHECK(seen == log_words(region).records_total.load());
  CHECK(seen + log_words(region).dropped_total.load() == kRecords);
}
