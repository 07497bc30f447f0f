// Fuzzes the parser of HTTP/1 with messages made from seeds.
//   http_fuzz --seeds A..B [--require-all] [--seed N --verbose] [--write A..B] [--judge]
// --require-all fails when a reason to refuse was never met; --write prints requests and responses
// for other parsers, each as `kind bytes` on a line and then its bytes; --judge reads such messages
// and prints a line of JSON for each.
#include <signal.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "http/parse.h"
#include "http_checks.h"
#include "http_messages.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace sluice::http_fuzz {
namespace {

constexpr uint32_t kMessagesOfASeed = 12;

struct Range {
  uint64_t first = 1;
  uint64_t last = 0;
};

const char* program = "http_fuzz";
uint64_t current_seed = 0;
uint64_t passed = 0;
uint64_t failed = 0;
Tally tally;

// An assertion of the product or a sanitizer's finding: the seed is what counts.
void on_death(const char* why) {
  char text[512];
  const int bytes = std::snprintf(text, sizeof(text),
                                  "FAILED seed %" PRIu64 ": %s\n  replay: %s --seed %" PRIu64
                                  " --verbose\nseeds: %" PRIu64 " passed, %" PRIu64 " failed\n",
                                  current_seed, why, program, current_seed, passed, failed + 1);
  (void)!::write(STDOUT_FILENO, text, static_cast<size_t>(bytes));
}

void on_signal(int number) {
  on_death(number == SIGALRM ? "a seed takes longer than a minute" : "an assertion of the product");
  ::_exit(1);
}

void print_escaped(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == '\n')
      std::printf("\\n\n");
    else if (byte == '\r')
      std::printf("\\r");
    else if (byte < 0x20 || byte >= 0x7f || byte == '\\')
      std::printf("\\x%02x", byte);
    else
      std::putchar(c);
  }
  std::printf("\n--\n");
}

std::string check(MessageMaker& maker, uint32_t kind, bool verbose) {
  const auto shape = static_cast<Shape>(kind % 3);
  std::string text = shape == Shape::request    ? maker.request()
                     : shape == Shape::response ? maker.response()
                                                : maker.body();
  if (kind >= 6) text = maker.mutated(text, shape);
  if (verbose) print_escaped(text);
  Prng& prng = maker.prng();
  return shape == Shape::request    ? check_request(text, prng, &tally)
         : shape == Shape::response ? check_response(text, prng, &tally)
                                    : check_body(text, prng, &tally);
}

void run_seed(uint64_t seed, bool verbose) {
  current_seed = seed;
  ::alarm(60);
  MessageMaker maker(seed);
  for (uint32_t i = 0; i < kMessagesOfASeed; i++) {
    const std::string wrong = check(maker, i, verbose);
    if (wrong.empty()) continue;
    failed++;
    std::printf("FAILED seed %" PRIu64 ": %s\n  replay: %s --seed %" PRIu64 " --verbose\n", seed,
                wrong.c_str(), program, seed);
    return;
  }
  passed++;
}

void write_messages(Range seeds) {
  for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
    MessageMaker maker(seed);
    const bool is_request = seed % 2 == 0;
    const Shape shape = is_request ? Shape::request : Shape::response;
    std::string text = is_request ? maker.request_with_body() : maker.response_with_body();
    if (maker.prng().one_in(2)) text = maker.mutated(text, shape);
    std::printf("%s %zu\n", is_request ? "request" : "response", text.size());
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
}

// Whether every reason was met.
bool print_tally() {
  bool all = true;
  for (uint32_t i = 1; i < kRefusals; i++) {
    std::printf("%-42s %10" PRIu64 "\n", http::text_of(static_cast<http::Refusal>(i)),
                tally.refused[i]);
    all = all && tally.refused[i] > 0;
  }
  std::printf("accepted requests %" PRIu64 ", responses %" PRIu64 ", bodies %" PRIu64
              "; incomplete %" PRIu64 "\n",
              tally.accepted[0], tally.accepted[1], tally.accepted[2], tally.incomplete);
  for (const uint64_t count : tally.accepted) all = all && count > 0;
  return all;
}

Range range_of(const char* text) {
  char* rest = nullptr;
  Range range;
  range.first = std::strtoull(text, &rest, 10);
  range.last =
      std::strncmp(rest, "..", 2) == 0 ? std::strtoull(rest + 2, nullptr, 10) : range.first;
  return range;
}

int run(int argc, char** argv) {
  Range seeds;
  bool require_all = false;
  bool verbose = false;
  for (int i = 1; i < argc; i++) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if ((is("--seeds") || is("--seed")) && i + 1 < argc) {
      seeds = range_of(argv[++i]);
    } else if (is("--write") && i + 1 < argc) {
      return write_messages(range_of(argv[++i])), 0;
    } else if (is("--judge")) {
      return judge_messages();
    } else if (is("--require-all")) {
      require_all = true;
    } else if (is("--verbose")) {
      verbose = true;
    } else {
      std::fprintf(stderr,
                   "usage: %s --seeds A..B [--require-all] [--seed N --verbose] [--write A..B] "
                   "[--judge]\n",
                   program);
      return 2;
    }
  }
  for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) run_seed(seed, verbose);
  const bool all_met = print_tally();
  if (require_all && !all_met) std::printf("FAILED: something was never met\n");
  std::printf("seeds: %" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
  return failed > 0 || (require_all && !all_met) ? 1 : 0;
}

}  // namespace

// Undefined behaviour ends the process without asking anybody.
void die_of_undefined_behaviour() {
  on_death("undefined behaviour");
}

}  // namespace sluice::http_fuzz

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __ubsan_on_report() {
  sluice::http_fuzz::die_of_undefined_behaviour();
}
#endif

int main(int argc, char** argv) {
  sluice::http_fuzz::program = argv[0];
  ::signal(SIGABRT, sluice::http_fuzz::on_signal);
  ::signal(SIGALRM, sluice::http_fuzz::on_signal);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback([] { sluice::http_fuzz::on_death("a sanitizer's finding"); });
#endif
  return sluice::http_fuzz::run(argc, argv);
}
