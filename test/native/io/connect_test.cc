// Accepting, connecting, cancelling, closing.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <set>

#include "native/io/host.h"

using namespace sluice::test;
using sluice::io::SocketAddress;

namespace {

int raw_connect(const SocketAddress& address, int flags = 0) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  (void)::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes);
  return fd;
}

SocketAddress unix_address(const char* name) {
  SocketAddress address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  const int length =
      std::snprintf(un->sun_path, sizeof(un->sun_path), "/tmp/sluice-io-%d-%s", ::getpid(), name);
  address.bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path)) + static_cast<socklen_t>(length) + 1;
  return address;
}

const char* path_of(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
}

const uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
const uint8_t* bytes_of(std::string&&) = delete;

}  // namespace

TEST_CASE_TEMPLATE("io: a burst of accepts", T, ENGINES) {
  On<T> host;
  SocketAddress address;
  const int listener = tcp_listener(&address, 256);
  host->accept(listener, token(Op::accept, 7));
  host.turn(1);
  constexpr size_t kClients = 100;
  int clients[kClients];
  for (int& client : clients) client = raw_connect(address);
  size_t accepted = 0;
  REQUIRE(host.until([&] {
    for (const Report& report : host.reports()) {
      CHECK(report.result >= 0);
      CHECK((::fcntl(report.result, F_GETFL) & O_NONBLOCK) != 0);
      CHECK((::fcntl(report.result, F_GETFD) & FD_CLOEXEC) != 0);
      host->close_now(report.result);
      accepted++;
      if (!report.more) host->accept(listener, token(Op::accept, 7));
    }
    host.reports().clear();
    return accepted == kClients;
  }));
  host->cancel(listener);
  CHECK(host.ended(token(Op::accept, 7)).result == -ECANCELED);
  for (const int client : clients) ::close(client);
  const int late = raw_connect(address);
  CHECK(host->pending_accepts(listener) == 1);
  const int fd = host->accept_now(listener);
  CHECK(fd >= 0);
  CHECK(host->accept_now(listener) == -EAGAIN);
  host->close_now(fd);
  ::close(late);
  host->close(listener);
}

TEST_CASE_TEMPLATE("io: no descriptor left for an accept", T, ENGINES) {
  On<T> host;
  SocketAddress address;
  const int listener = tcp_listener(&address);
  const int client = raw_connect(address);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int lowest = ::dup(client);
  ::close(lowest);
  const rlimit tight{static_cast<rlim_t>(lowest), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  host->accept(listener, token(Op::accept));
  const Report report = host.ended(token(Op::accept));
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(report.result == -EMFILE);
  host->accept(listener, token(Op::accept));
  REQUIRE(host.until([&] { return !host.reports().empty(); }));
  CHECK(host.reports()[0].result >= 0);
  host->close_now(host.reports()[0].result);
  host.reports().clear();
  host->cancel(listener);
  CHECK(host.ended(token(Op::accept)).result == -ECANCELED);
  ::close(client);
  host->close(listener);
}

TEST_CASE_TEMPLATE("io: connecting", T, ENGINES) {
  On<T> host;
  SocketAddress address;
  const int listener = tcp_listener(&address);
  const int fd = host->open_socket(AF_INET);
  REQUIRE(fd >= 0);
  CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  {
    SocketAddress gone_after_the_call = address;
    host->connect(fd, token(Op::connect), gone_after_the_call);
    gone_after_the_call = SocketAddress{};
  }
  CHECK(host.ended(token(Op::connect)).result == 0);
  const std::string text = "hi";
  host->send(fd, token(Op::send), bytes_of(text), 2);
  CHECK(host.ended(token(Op::send)).result == 2);
  const int far = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  CHECK(read_some(far, 2) == "hi");
  CHECK(host->unacknowledged_bytes(fd) >= 0);
  ::close(far);
  host->close(fd);

  ::close(listener);
  const int refused = host->open_socket(AF_INET);
  host->connect(refused, token(Op::connect), address);
  CHECK(host.ended(token(Op::connect)).result == -ECONNREFUSED);
  host->close(refused);
}

TEST_CASE_TEMPLATE("io: connecting to a Unix socket", T, ENGINES) {
  On<T> host;
  const SocketAddress address = unix_address("listener");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) ==
          0);
  ::listen(listener, 0);
  const int fd = host->open_socket(AF_UNIX);
  host->connect(fd, token(Op::connect), address);
  CHECK(host.ended(token(Op::connect)).result == 0);
  // The queue of one is full now.
  const int second = host->open_socket(AF_UNIX);
  host->connect(second, token(Op::connect), address);
  CHECK(host.ended(token(Op::connect)).result == -EAGAIN);
  host->close(second);
  host->close(fd);
  ::close(listener);
  ::unlink(path_of(address));
  const int none = host->open_socket(AF_UNIX);
  host->connect(none, token(Op::connect), address);
  CHECK(host.ended(token(Op::connect)).result == -ENOENT);
  host->close(none);
}

TEST_CASE_TEMPLATE("io: cancelling a receive and a send together", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair(4096, 4096);
  const std::string text = pattern(4 << 20);
  host->recv(pair.near, token(Op::recv), BufferClass::small, 1000);
  host->send(pair.near, token(Op::send), bytes_of(text), static_cast<uint32_t>(text.size()));
  host.settle();
  // Short sends come first; then one finds the socket full.
  while (host.has_terminal(token(Op::send))) {
    CHECK(host.ended(token(Op::send)).result > 0);
    host->send(pair.near, token(Op::send), bytes_of(text), static_cast<uint32_t>(text.size()));
    host.settle();
  }
  CHECK(host.reports().empty());
  host->cancel(pair.near);
  CHECK(host.ended(token(Op::recv)).result == -ECANCELED);
  const int sent = host.ended(token(Op::send)).result;
  CHECK((sent == -ECANCELED || sent > 0));
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: cancelling a blocked vector send", T, ENGINES) {
  On<T> host;
  const Pair pair = tcp_pair(4096, 4096);
  std::string text = pattern(2 << 20);
  iovec vectors[2] = {{text.data(), text.size() / 2}, {text.data(), text.size() / 2}};
  for (;;) {
    host->sendv(pair.near, token(Op::send), vectors, 2);
    host.settle();
    if (!host.has_terminal(token(Op::send))) break;
    CHECK(host.ended(token(Op::send)).result > 0);
  }
  host->cancel(pair.near);
  const int sent = host.ended(token(Op::send)).result;
  CHECK((sent == -ECANCELED || sent > 0));
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: cancelling a poll", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  host->poll(pair.near, token(Op::poll), POLLIN);
  host.settle();
  CHECK(host.reports().empty());
  host->cancel(pair.near);
  CHECK(host.ended(token(Op::poll)).result == -ECANCELED);
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: cancelling a connect", T, ENGINES) {
  On<T> host;
  SocketAddress address;
  const int listener = tcp_listener(&address, 0);
  int fillers[4];
  for (int& filler : fillers) filler = raw_connect(address, SOCK_NONBLOCK);
  const int fd = host->open_socket(AF_INET);
  host->connect(fd, token(Op::connect), address);
  host.settle();
  REQUIRE(host.reports().empty());
  host->cancel(fd);
  CHECK(host.ended(token(Op::connect)).result == -ECANCELED);
  host->close(fd);
  for (const int filler : fillers) ::close(filler);
  ::close(listener);
}

TEST_CASE_TEMPLATE("io: cancelling splices, waiting and not yet tried", T, ENGINES) {
  On<T> host;
  for (const bool tried : {true, false}) {
    const Pair pair = tcp_pair(4096, 4096);
    int pipe[2];
    REQUIRE(host->open_pipe(pipe, 65536) > 0);
    host->splice_in(pair.near, pipe[1], token(Op::splice_in), 65536);
    int out[2];
    const int capacity = host->open_pipe(out, 1 << 20);
    // Fill the socket until a splice out of the pipe has to wait.
    const std::string text = pattern(static_cast<size_t>(capacity));
    for (int i = 0; i < 50; i++) {
      (void)!::write(out[1], text.data(), text.size());
      host->splice_out(out[0], pair.near, token(Op::splice_out), 1 << 20);
      if (tried) host.settle();
      if (!host.has_terminal(token(Op::splice_out))) break;
      CHECK(host.ended(token(Op::splice_out)).result > 0);
    }
    host->cancel(pair.near);
    CHECK(host.ended(token(Op::splice_in)).result == -ECANCELED);
    CHECK(host.ended(token(Op::splice_out)).result == -ECANCELED);
    for (const int fd : {pipe[0], pipe[1], out[0], out[1]}) host->close_now(fd);
    ::close(pair.far);
    host->close(pair.near);
  }
}

TEST_CASE_TEMPLATE("io: cancelling in the turn of the start", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  host->recv(pair.near, token(Op::recv), BufferClass::small, 1000);
  host->cancel(pair.near);
  CHECK(host.ended(token(Op::recv)).result == -ECANCELED);
  host->cancel(pair.near);  // nothing is outstanding
  host.settle();
  CHECK(host.reports().empty());
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a cancel does not touch what is started after it", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  for (uint32_t i = 0; i < 50; i++) {
    host->recv(pair.near, token(Op::recv, i), BufferClass::small, 1000);
    if (i % 2 == 0) host.turn(1);
    host->cancel(pair.near);
    CHECK(host.ended(token(Op::recv, i)).result == -ECANCELED);
  }
  host->recv(pair.near, token(Op::recv, 99), BufferClass::small, 1000);
  host.settle();
  CHECK(host.reports().empty());
  write_all(pair.far, "alive");
  REQUIRE(host.until([&] { return host.received(token(Op::recv, 99)) == "alive"; }));
  ::close(pair.far);
  CHECK(host.ended(token(Op::recv, 99)).result == 0);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: poll", T, ENGINES) {
  On<T> host;
  const Pair pair = unix_pair();
  host->poll(pair.near, token(Op::poll), POLLOUT);
  CHECK((host.ended(token(Op::poll)).result & POLLOUT) != 0);
  host->poll(pair.near, token(Op::poll), POLLIN);
  host.settle();
  CHECK(host.reports().empty());
  write_all(pair.far, "x");
  CHECK((host.ended(token(Op::poll)).result & POLLIN) != 0);
  // Still readable: an edge that has passed does not matter.
  host->poll(pair.near, token(Op::poll), POLLIN);
  CHECK((host.ended(token(Op::poll)).result & POLLIN) != 0);
  host->recv(pair.near, token(Op::recv), BufferClass::small, 1);
  REQUIRE(host.until([&] { return host.received(token(Op::recv)) == "x"; }));
  CHECK(host.has_terminal(token(Op::recv)));
  ::close(pair.far);
  host->close(pair.near);
}

TEST_CASE_TEMPLATE("io: a descriptor number that is used again", T, ENGINES) {
  On<T> host;
  std::set<int> seen;
  for (uint32_t i = 0; i < 60; i++) {
    const Pair pair = i % 2 == 0 ? tcp_pair() : unix_pair();
    seen.insert(pair.near);
    host->recv(pair.near, token(Op::recv, i), BufferClass::small, 100000);
    if (i % 3 == 0) {
      // Data and end arrive, and are not looked at: the events are stale when the next one comes.
      host->cancel(pair.near);
      write_all(pair.far, "unread");
      ::close(pair.far);
      CHECK(host.ended(token(Op::recv, i)).result != Host::kMissing);
    } else {
      write_all(pair.far, pattern(i + 1));
      ::close(pair.far);
      CHECK(host.ended(token(Op::recv, i)).result == 0);
      CHECK(host.received(token(Op::recv, i)) == pattern(i + 1));
    }
    host->close(pair.near);
    host.turn(0);
    for (const Report& report : host.reports()) CHECK(report.token.slot <= i);
  }
  CHECK(seen.size() < 10);
}
