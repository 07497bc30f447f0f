// Records for the tests of the access log, and a region to put them into.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "log/journal.h"
#include "shm/region.h"
#include "shm/worker_block.h"

namespace sluice::test {

struct Request {
  std::string method = "GET";
  std::string host = "example.org";
  std::string target = "/";
  std::string user_agent;
  std::string referer;
};

// A worker's side of the log.
struct Producer {
  explicit Producer(const shm::Region& region, uint32_t worker = 0)
      : block(region, worker), journal(block, 4) {
    REQUIRE(journal.ok());
  }

  log::Record& draft(const Request& request) {
    log::Record& record = journal.begin(0);
    const auto text = [](const std::string& value) {
      return log::Text{reinterpret_cast<const uint8_t*>(value.data()),
                       static_cast<uint32_t>(value.size())};
    };
    journal.add_texts(0, text(request.method), text(request.host), text(request.target),
                      text(request.user_agent), text(request.referer));
    return record;
  }
  void put(const std::string& target) {
    draft(Request{.target = target});
    journal.finish(0);
  }

  shm::WorkerBlock block;
  log::Journal journal;
};

inline shm::WorkerLog& log_words(const shm::Region& region, uint32_t worker = 0) {
  return *reinterpret_cast<shm::WorkerLog*>(region.worker_area(worker) + shm::kWorkerLogOffset);
}
inline shm::Logger& logger_words(const shm::Region& region) {
  return *reinterpret_cast<shm::Logger*>(region.data() + shm::kLoggerOffset);
}

inline std::string target_of(const log::Record& record) {
  const auto* texts = reinterpret_cast<const char*>(record.texts());
  return {texts + record.method_bytes + record.host_bytes, record.target_bytes};
}

}  // namespace sluice::test
