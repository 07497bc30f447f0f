// The engine as a whole: deadlines, waking, mail, small queues, and the choice of the engine.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <thread>

#include "io/mailbox.h"
#include "native/io/host.h"

using namespace sluice::test;
using sluice::io::EngineChoice;
using sluice::io::EngineFallback;
using sluice::io::EngineKind;
using sluice::io::Mailbox;

TEST_CASE_TEMPLATE("io: a deadline is honoured", T, ENGINES) {
  On<T> host;
  Completion out[4];
  for (const uint64_t ms : {1u, 20u, 50u}) {
    const uint64_t before = host->clock_ns();
    CHECK(host->wait(before + ms * 1'000'000, out, 4) == 0);
    const uint64_t took = host->clock_ns() - before;
    CHECK(took >= ms * 1'000'000);
    CHECK(took < ms * 1'000'000 + 200'000'000);
    CHECK(host->now_ns() >= before + ms * 1'000'000);
  }
  const uint64_t before = host->clock_ns();
  CHECK(host->wait(0, out, 4) == 0);
  CHECK(host->wait(1, out, 4) == 0);
  CHECK(host->clock_ns() - before < 100'000'000);
}

TEST_CASE_TEMPLATE("io: waking from another thread", T, ENGINES) {
  On<T> host;
  Completion out[4];
  host->wake();  // before the wait
  CHECK(host->wait(UINT64_MAX, out, 4) == 0);
  for (int i = 0; i < 20; i++) {
    std::thread waker([&] {
      ::usleep(2000);
      host->wake();
    });
    CHECK(host->wait(UINT64_MAX, out, 4) == 0);
    waker.join();
  }
}

TEST_CASE_TEMPLATE("io: mail from several threads", T, ENGINES) {
  constexpr uint32_t kLanes = 4;
  constexpr uint32_t kEach = 3000;
  On<T> host({.lanes = kLanes, .reports_max = 16});
  std::atomic<uint32_t> refused{0};
  std::thread senders[kLanes];
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    senders[lane] = std::thread([&, lane] {
      for (uint64_t i = 0; i < kEach;) {
        if (host->post(lane, uint64_t{lane} << 32 | i)) {
          i++;
        } else {
          refused++;
          std::this_thread::yield();
        }
      }
    });
  }
  uint64_t next[kLanes] = {};
  uint64_t total = 0;
  REQUIRE(host.until([&] {
    for (const Report& report : host.reports()) {
      CHECK(report.token.op == Op::mail);
      const uint64_t lane = report.value >> 32;
      CHECK((report.value & 0xffffffff) == next[lane]);
      next[lane]++;
      total++;
    }
    host.reports().clear();
    for (int i = 0; i < 100; i++) host.turn(1);
    return total == uint64_t{kLanes} * kEach;
  }));
  for (std::thread& sender : senders) sender.join();
  host->wake();
  host.turn(5);
  CHECK(host->counters().mail_full == refused);
}

TEST_CASE_TEMPLATE("io: a full mailbox refuses", T, ENGINES) {
  On<T> host({.lanes = 2});
  for (uint64_t i = 0; i < Mailbox::kLaneEntries; i++) CHECK(host->post(1, i));
  CHECK_FALSE(host->post(1, 99));
  CHECK(host->post(0, 7));
  REQUIRE(host.until([&] { return host.reports().size() == Mailbox::kLaneEntries + 1; }));
  CHECK(host->post(1, 5));
  CHECK(host->counters().mail_full == 1);
  CHECK(host.until([&] { return host.reports().size() == Mailbox::kLaneEntries + 2; }));
}

TEST_CASE_TEMPLATE("io: small queues lose nothing", T, ENGINES) {
  constexpr uint32_t kPairs = 64;
  On<T> host({.sq_entries = 8, .cq_entries = 8, .reports_max = 3});
  Pair pairs[kPairs];
  std::string texts[kPairs];
  for (uint32_t i = 0; i < kPairs; i++) {
    pairs[i] = tcp_pair();
    texts[i] = pattern(9000 + i);
    write_all(pairs[i].far, texts[i]);
  }
  for (uint32_t i = 0; i < kPairs; i++) {
    host->recv(pairs[i].near, token(Op::recv, i), BufferClass::small, 1 << 20);
    iovec vectors[2] = {{texts[i].data(), 5000}, {texts[i].data() + 5000, texts[i].size() - 5000}};
    host->sendv(pairs[i].near, token(Op::send, i), vectors, 2);
  }
  uint32_t sent = 0;
  uint32_t received = 0;
  std::string data[kPairs];
  REQUIRE(host.until([&] {
    for (const Report& report : host.reports()) {
      const uint32_t i = report.token.slot;
      if (report.token.op == Op::send) {
        CHECK(report.result == static_cast<int>(texts[i].size()));
        sent++;
        continue;
      }
      data[i] += report.data;
      received += static_cast<uint32_t>(report.data.size());
      if (!report.more) {
        host->recv(pairs[i].near, token(Op::recv, i), BufferClass::small, 1 << 20);
      }
    }
    host.reports().clear();
    for (int i = 0; i < 20; i++) host.turn(1);
    return sent == kPairs && received == kPairs * 9000 + kPairs * (kPairs - 1) / 2;
  }));
  for (uint32_t i = 0; i < kPairs; i++) {
    CHECK(data[i] == texts[i]);
    CHECK(read_some(pairs[i].far, texts[i].size()) == texts[i]);
    ::close(pairs[i].far);
    host->cancel(pairs[i].near);
  }
  for (uint32_t i = 0; i < kPairs; i++) {
    CHECK(host.ended(token(Op::recv, i)).result <= 0);
    host->close(pairs[i].near);
  }
  if (T::kChoice == EngineChoice::io_uring) {
    CHECK(host->counters().sq_full > 0);
    CHECK(host->counters().cq_overflows > 0);
  }
}

TEST_CASE_TEMPLATE("io: destroyed with everything outstanding", T, ENGINES) {
  On<T> host;
  Pair pairs[8];
  for (uint32_t i = 0; i < 8; i++) {
    pairs[i] = unix_pair();
    write_all(pairs[i].far, pattern(20000));
    host->recv(pairs[i].near, token(Op::recv, i), BufferClass::small, 1 << 20);
  }
  host.turn(1);
  for (const Pair& pair : pairs) {
    ::close(pair.far);
    ::close(pair.near);
  }
}

namespace {

// Makes io_uring_setup answer EPERM, as a container's filter does.
bool forbid_io_uring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

sluice::io::EngineResult make(sluice::io::BufferPool& pool, EngineChoice choice) {
  sluice::io::EngineOptions options;
  options.choice = choice;
  options.descriptors_max = 1024;
  return sluice::io::make_engine(sluice::io::real_kernel(), pool, options);
}

// The number of the first expectation that does not hold, 0 when all do.
int choose_where_refused() {
  if (!forbid_io_uring()) return 1;
  sluice::io::BufferPool pool({kSmall, 16}, {kLarge, 4});
  const sluice::io::EngineResult automatic = make(pool, EngineChoice::automatic);
  if (automatic.engine == nullptr || automatic.engine->kind() != EngineKind::epoll) return 2;
  if (automatic.fallback != EngineFallback::refused_permission) return 3;
  if (automatic.error != -EPERM) return 4;
  const sluice::io::EngineResult wanted = make(pool, EngineChoice::io_uring);
  if (wanted.engine != nullptr) return 5;
  if (wanted.error != -EPERM || wanted.fallback != EngineFallback::refused_permission) return 6;
  const sluice::io::EngineResult epoll = make(pool, EngineChoice::epoll);
  if (epoll.engine == nullptr || epoll.error != 0) return 7;
  return epoll.fallback == EngineFallback::none ? 0 : 8;
}

}  // namespace

TEST_CASE("io: epoll where io_uring is refused") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(choose_where_refused());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("io: io_uring where it is granted") {
  sluice::io::BufferPool pool({kSmall, 16}, {kLarge, 4});
  const sluice::io::EngineResult made = make(pool, EngineChoice::automatic);
  REQUIRE(made.engine != nullptr);
  CHECK(made.engine->kind() == EngineKind::io_uring);
  CHECK(made.fallback == EngineFallback::none);
  CHECK(made.error == 0);
}
