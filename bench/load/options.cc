#include "options.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
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
    "  serve      origins only, for another program's clients, until a line on stdin or SIGTERM\n"
    "an origin is a port of 127.0.0.1 or the path of a Unix socket\n"
    "options (default)\n"
    "  --connections N (64, bulk 16)       --bytes N or REQUEST,ANSWER (100,100)\n"
    "  --seconds S (2)  --warmup S (0.5)   --rate R (10000)\n"
    "  --sources N client addresses (1, connect 16)\n"
    "  --protocol raw|http (raw)           --forwarded 1: HTTP origins insist on X-Forwarded-*\n"
    "  --cpu N run there  --watch PID whose CPU time to measure  --watch-cpu N whose load\n";

bool parse_mode(std::string_view word, Options& options) {
  constexpr std::string_view names[] = {"roundtrip", "open", "bulk", "connect", "idle", "serve"};
  const auto* found = std::find(std::begin(names), std::end(names), word);
  if (found == std::end(names)) return false;
  options.mode = static_cast<Mode>(found - names);
  return true;
}

bool parse_target(const char* value, Options& options) {
  char host[64];
  unsigned port = 0;
  if (sscanf(value, "%63[^:]:%u", host, &port) != 2 || port > 65535) return false;
  options.target.sin_family = AF_INET;
  options.target.sin_port = htons(static_cast<uint16_t>(port));
  return inet_pton(AF_INET, host, &options.target.sin_addr) == 1;
}

bool parse_origin(char* word, Origin& origin) {
  if (*word == '/') {
    origin.path = word;
    return strlen(word) < sizeof(sockaddr_un::sun_path);
  }
  char* end = nullptr;
  const unsigned long port = strtoul(word, &end, 10);
  origin.port = static_cast<uint16_t>(port);
  return *end == '\0' && port > 0 && port <= 65535;
}

// Cuts the argument at its commas; paths stay where they are.
bool parse_origins(char* value, Options& options) {
  options.origin_count = 0;
  for (char* word = strtok(value, ","); word != nullptr; word = strtok(nullptr, ",")) {
    if (options.origin_count == Options::kOriginsMax) return false;
    if (!parse_origin(word, options.origins[options.origin_count++])) return false;
  }
  return options.origin_count > 0;
}

bool parse_protocol(std::string_view value, Options& options) {
  options.http = value == "http";
  if (options.http) options.request_bytes = 0;
  return options.http || value == "raw";
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

bool parse_option(std::string_view name, char* value, Options& options) {
  if (name == "--target") return parse_target(value, options);
  if (name == "--origins") return parse_origins(value, options);
  if (name == "--protocol") return parse_protocol(value, options);
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
  else if (name == "--forwarded")
    options.forwarded = number != 0;
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
  const bool has_target = options.target.sin_port != 0 || options.mode == Mode::serve;
  const bool usable = has_target && options.origin_count > 0 && options.connections > 0 &&
                      options.sources > 0 && options.sources <= 250 && options.rate >= 1;
  if (!usable) fprintf(stderr, "load: --target and --origins are needed\n%s", kUsage);
  return usable;
}

}  // namespace load
