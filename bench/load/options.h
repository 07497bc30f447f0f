// The command line of the load program.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>

namespace load {

enum class Mode : uint8_t { roundtrip, open, bulk, connect, idle, serve };

struct Origin {
  uint16_t port = 0;
  const char* path = nullptr;  // of a Unix socket, instead of a port of 127.0.0.1
};

struct Options {
  static constexpr uint32_t kOriginsMax = 16;

  Mode mode = Mode::roundtrip;
  sockaddr_in target{};
  bool http = false;       // HTTP/1.1 instead of raw TCP
  bool forwarded = false;  // HTTP: origins insist on X-Forwarded-*
  Origin origins[kOriginsMax] = {};
  uint32_t origin_count = 0;
  uint32_t connections = 64;
  uint32_t sources = 1;  // addresses the clients come from: 127.0.0.2 upwards, when more than one
  uint64_t request_bytes = 100;  // 0 in HTTP unless --bytes says otherwise
  uint64_t answer_bytes = 100;
  double warmup_seconds = 0.5;
  double seconds = 2;  // idle: the longest the connections are held
  double rate = 10'000;
  int cpu = -1;
  pid_t watched_pid = 0;
  int watched_cpu = -1;
};

// Prints what is wrong to stderr and returns false when the arguments cannot be used.
bool parse_options(int argc, char** argv, Options& options);

}  // namespace load
