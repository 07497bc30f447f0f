#include "options.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace load {
namespace {

constexpr char kUsage[] =
    "load MODE --target HOST:PORT --origins PORT[,PORT...] [options]\n"
    "MODE is one of\n"
    "  roundtrip  closed loop: every connection asks again as soon as it is answered\n"
    "  open       open loop at --rate a second, latency counted from the moment a request is due\n"
    "  bulk       closed loop with 1 MiB answers\n"
    "  connect    every request on a connection of its own\n"
    "  idle       one round trip a connection, then held until a line on stdin or SIGTERM\n"
    "options (default)\n"
    "  --connections N (64, bulk 16)       --bytes N or REQUEST,ANSWER (100,100)\n"
    "  --seconds S (2)  --warmup S (0.5)   --rate R (10000)\n"
    "  --sources N client addresses (1, connect 16)\n"
    "  --cpu N run there  --watch PID whose CPU time to measure  --watch-cpu N whose load\n";

bool parse_mode(std::string_view word, Options& options) {
  constexpr std::string_view names[] = {"roundtrip", "open", "bulk", "connect", "idle"};
  for (uint8_t i = 0; i < 5; i++) {
    if (word == names[i]) {
      options.mode = static_cast<Mode>(i);
      return true;
    }
  }
  return false;
}

bool parse_target(const char* value, Options& options) {
  char host[64];
  unsigned port = 0;
  if (sscanf(value, "%63[^:]:%u", host, &port) != 2 || port > 65535) return false;
  options.target.sin_family = AF_INET;
  options.target.sin_port = htons(static_cast<uint16_t>(port));
  return inet_pton(AF_INET, host, &options.target.sin_addr) == 1;
}

bool parse_origins(const char* value, Options& options) {
  options.origin_count = 0;
  while (options.origin_count < Options::kOriginsMax) {
    char* end = nullptr;
    const unsigned long port = strtoul(value, &end, 10);
    if (end == value || port == 0 || port > 65535) return false;
    options.origins[options.origin_count++] = static_cast<uint16_t>(port);
    if (*end == '\0') return true;
    if (*end != ',') return false;
    value = end + 1;
  }
  return false;
}

bool parse_bytes(const char* value, Options& options) {
  unsigned long long request = 0;
  unsigned long long answer = 0;
  const int fields = sscanf(value, "%llu,%llu", &request, &answer);
  if (fields < 1) return false;
  options.request_bytes = request;
  options.answer_bytes = fields == 2 ? answer : request;
  return options.request_bytes <= (1 << 26) && options.answer_bytes <= (1 << 26);
}

bool parse_option(std::string_view name, const char* value, Options& options) {
  if (name == "--target") return parse_target(value, options);
  if (name == "--origins") return parse_origins(value, options);
  if (name == "--bytes") return parse_bytes(value, options);
  char* end = nullptr;
  const double number = strtod(value, &end);
  if (end == value || *end != '\0' || number < 0 || number > 1e9) return false;
  if (name == "--connections")
    options.connections = static_cast<uint32_t>(number);
  else if (name == "--sources")
    options.sources = static_cast<uint32_t>(number);
  else if (name == "--seconds")
    options.seconds = number;
  else if (name == "--warmup")
    options.warmup_seconds = number;
  else if (name == "--rate")
    options.rate = number;
  else if (name == "--cpu")
    options.cpu = static_cast<int>(number);
  else if (name == "--watch")
    options.watched_pid = static_cast<pid_t>(number);
  else if (name == "--watch-cpu")
    options.watched_cpu = static_cast<int>(number);
  else
    return false;
  return true;
}

}  // namespace

bool parse_options(int argc, char** argv, Options& options) {
  if (argc < 2 || !parse_mode(argv[1], options)) {
    fputs(kUsage, stderr);
    return false;
  }
  if (options.mode == Mode::bulk) {
    options.answer_bytes = 1 << 20;
    options.connections = 16;
  }
  if (options.mode == Mode::connect) options.sources = 16;
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 >= argc || !parse_option(argv[i], argv[i + 1], options)) {
      fprintf(stderr, "load: cannot use %s %s\n%s", argv[i], i + 1 < argc ? argv[i + 1] : "",
              kUsage);
      return false;
    }
  }
  const bool usable = options.target.sin_port != 0 && options.origin_count > 0 &&
                      options.connections > 0 && options.sources > 0 && options.sources <= 250 &&
                      options.rate >= 1;
  if (!usable) fprintf(stderr, "load: --target and --origins are needed\n%s", kUsage);
  return usable;
}

}  // namespace load
