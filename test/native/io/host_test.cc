// What the conformance cases share; see host.h.
#include "native/io/host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace sluice::test {
namespace {

void set_timeouts(int fd) {
  const timeval five_seconds{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof(five_seconds));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &five_seconds, sizeof(five_seconds));
}

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// Threads that io_uring starts for what it cannot do without blocking. None is wanted.
int kernel_threads() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(directory)) {
    const std::string path = std::string("/proc/self/task/") + entry->d_name + "/comm";
    char name[32] = {};
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (::read(fd, name, sizeof(name) - 1) > 0 && std::strncmp(name, "iou-", 4) == 0) count++;
    ::close(fd);
  }
  ::closedir(directory);
  return count;
}

}  // namespace

int open_descriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

Host::Host(io::EngineChoice choice, bool cap, Options options)
    : pool_(io::BufferClassSpec{kSmall, options.small_buffers},
            io::BufferClassSpec{kLarge, options.large_buffers}),
      reports_max_(options.reports_max),
      descriptors_before_(open_descriptors()) {
  ::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  io::EngineOptions engine_options;
  engine_options.choice = choice;
  engine_options.sq_entries = options.sq_entries;
  engine_options.cq_entries = options.cq_entries;
  engine_options.receive_cap = cap;
  engine_options.mail_lanes = options.lanes;
  engine_options.descriptors_max = static_cast<uint32_t>(limit.rlim_max);
  io::EngineResult made = io::make_engine(io::real_kernel(), pool_, engine_options);
  REQUIRE(made.engine != nullptr);
  CHECK(made.error == 0);
  CHECK(made.fallback == io::EngineFallback::none);
  engine_ = std::move(made.engine);
}

Host::~Host() {
  release_held(held_.size());
  settle();  // staged closes
  CHECK(kernel_threads() == 0);
  engine_.reset();
  for (const BufferClass cls : {BufferClass::small, BufferClass::large}) {
    CHECK(pool_.lent_count(cls) == 0);
    CHECK(pool_.free_count(cls) == pool_.capacity(cls));
  }
  CHECK(open_descriptors() == descriptors_before_);
}

size_t Host::turn(uint64_t ms) {
  std::vector<Completion> completions(reports_max_);
  const uint64_t deadline = ms == 0 ? 0 : engine_->clock_ns() + ms * 1'000'000;
  const size_t count = engine_->wait(deadline, completions.data(), reports_max_);
  CHECK(count <= reports_max_);
  for (size_t i = 0; i < count; i++) {
    const Completion& completion = completions[i];
    Report report{Token::decode(completion.token), completion.result, completion.more,
                  completion.value, ""};
    if (!completion.buffer.is_none()) {
      const io::BufferPool::Meta& meta = pool_.meta(completion.buffer);
      CHECK(completion.result > 0);
      CHECK(meta.length == static_cast<uint32_t>(completion.result));
      report.data.assign(reinterpret_cast<char*>(pool_.data(completion.buffer)), meta.length);
      if (hold_) {
        held_.push_back(completion.buffer);
      } else {
        pool_.release(completion.buffer);
      }
    }
    reports_.push_back(report);
  }
  return count;
}

void Host::settle() {
  for (int i = 0; i < 5; i++) turn(3);
}

Report Host::ended(Token wanted) {
  Report found{wanted, kMissing, false, 0, ""};
  until([&] {
    for (size_t i = 0; i < reports_.size(); i++) {
      if (reports_[i].token.encode() != wanted.encode() || reports_[i].more) continue;
      found = reports_[i];
      reports_.erase(reports_.begin() + static_cast<long>(i));
      return true;
    }
    return false;
  });
  return found;
}

std::string Host::received(Token wanted) const {
  std::string all;
  for (const Report& report : reports_) {
    if (report.token.encode() == wanted.encode()) all += report.data;
  }
  return all;
}

bool Host::has_terminal(Token wanted) const {
  for (const Report& report : reports_) {
    if (report.token.encode() == wanted.encode() && !report.more) return true;
  }
  return false;
}

void Host::release_held(size_t count) {
  for (; count > 0 && !held_.empty(); count--) {
    pool_.release(held_.back());
    held_.pop_back();
  }
}

int tcp_listener(io::SocketAddress* address, int backlog) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto* in = reinterpret_cast<sockaddr_in*>(&address->storage);
  *in = sockaddr_in{};
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->bytes = sizeof(sockaddr_in);
  auto* raw = reinterpret_cast<sockaddr*>(in);
  REQUIRE(::bind(listener, raw, address->bytes) == 0);
  REQUIRE(::listen(listener, backlog) == 0);
  ::getsockname(listener, raw, &address->bytes);
  return listener;
}

Pair tcp_pair(int send_buffer_bytes, int far_receive_buffer_bytes) {
  io::SocketAddress address;
  const int listener = tcp_listener(&address);
  if (far_receive_buffer_bytes > 0) {
    ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &far_receive_buffer_bytes, sizeof(int));
  }
  Pair pair;
  pair.near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (send_buffer_bytes > 0) {
    ::setsockopt(pair.near, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof(int));
  }
  REQUIRE(::connect(pair.near, reinterpret_cast<sockaddr*>(&address.storage), address.bytes) == 0);
  set_nonblocking(pair.near);
  pair.far = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  REQUIRE(pair.far >= 0);
  set_timeouts(pair.far);
  const int one = 1;
  ::setsockopt(pair.far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  ::close(listener);
  return pair;
}

Pair unix_pair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  set_nonblocking(fds[0]);
  set_timeouts(fds[1]);
  return Pair{fds[0], fds[1]};
}

Token token(Op op, uint32_t slot) {
  return Token{op, io::Side::upstream, 0xabc123, slot};
}

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; i++) text[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return text;
}

void write_all(int fd, const std::string& data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::send(fd, data.data() + done, data.size() - done, MSG_NOSIGNAL);
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  CHECK(done == data.size());
}

std::string read_some(int fd, size_t bytes) {
  std::string data(bytes, '\0');
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::recv(fd, data.data() + done, bytes - done, 0);
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  data.resize(done);
  return data;
}

}  // namespace sluice::test
