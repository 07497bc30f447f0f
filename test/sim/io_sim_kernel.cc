// The calls of the seam that are neither io_uring nor epoll.
#include "sim/io_sim_kernel.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sluice::sim {

namespace {
constexpr uint32_t kPairBytes = 200 * 1024;
constexpr uint64_t kCallsMax = 1'000'000;  // an ordinary run makes a few thousand
}  // namespace

SimKernel::SimKernel(World& world, Options options)
    : world_(world), faults_(world.faults()), options_(options) {
  world_.on_wake = [this](int object, uint32_t events) { woke(object, events); };
  world_.on_release = [this](int object) { released(object); };
  world_.on_kernel_event = [this](uint32_t object, uint64_t what) {
    const auto ring = rings_.find(static_cast<int>(object));
    if (ring != rings_.end()) RingDriver(*this, *ring->second).kernel_event(what);
  };
}

SimKernel::~SimKernel() {
  world_.on_wake = nullptr;
  world_.on_release = nullptr;
  world_.on_kernel_event = nullptr;
}

void SimKernel::enter(const char* name, int fd) {
  if (++calls_ > kCallsMax) {
    std::fprintf(stderr, "assertion failed: the engine spins: %llu kernel calls\n",
                 static_cast<unsigned long long>(calls_));
    std::abort();
  }
  world_.advance_to(world_.now_ns() + 100 + world_.prng().below(900));
  if (options_.trace) {
    std::printf("%10.3f us  %s(%d)", static_cast<double>(world_.now_ns()) / 1000.0, name, fd);
  }
  mix(static_cast<uint64_t>(static_cast<uint8_t>(name[0])) << 32 | static_cast<uint32_t>(fd));
  mix(world_.now_ns());
  if (world_.in_event()) return;
  for (auto& [id, ring] : rings_) {
    if (!ring->defers()) RingDriver(*this, *ring).run_task_work(UINT32_MAX);
  }
}

int64_t SimKernel::leave(int64_t result) {
  if (options_.trace) std::printf(" = %lld\n", static_cast<long long>(result));
  mix(static_cast<uint64_t>(result));
  return result;
}

uint64_t SimKernel::clock_ns() {
  world_.advance_to(world_.now_ns() + 20);
  return world_.now_ns();
}

void SimKernel::woke(int object, uint32_t events) {
  for (auto& [id, ring] : rings_) RingDriver(*this, *ring).woke(object, events);
  woke_epoll(object, events);
}

void SimKernel::released(int object) {
  const Kind kind = world_.object(object).kind;
  if (kind == Kind::epoll) epolls_.erase(object);
  if (kind == Kind::ring) {
    const auto ring = rings_.find(object);
    std::unique_ptr<Ring> dying = std::move(ring->second);
    rings_.erase(ring);
    RingDriver(*this, *dying).destroy();
    std::replace(registered_rings_.begin(), registered_rings_.end(), object, -1);
  }
  for (auto& [id, epoll] : epolls_) {
    std::erase_if(epoll.items, [&](const Item& item) { return item.object == object; });
    std::erase_if(epoll.ready, [&](int ready) {
      return std::none_of(epoll.items.begin(), epoll.items.end(),
                          [&](const Item& item) { return item.object == ready; });
    });
  }
}

int SimKernel::stream_of(int fd) const {
  const int id = world_.lookup(fd);
  if (id < 0) return -EBADF;
  return world_.object(id).kind == Kind::stream ? id : -ENOTSOCK;
}

// --- Memory ---

Block::Block(size_t bytes) : bytes_((bytes + 4095) / 4096 * 4096) {
  data_ = static_cast<uint8_t*>(std::aligned_alloc(4096, bytes_));
  std::memset(data_, 0, bytes_);
}
Block::~Block() {
  std::free(data_);
}

void* SimKernel::map(size_t bytes, int fd, uint64_t offset) {
  enter("map", fd);
  std::shared_ptr<Block> block;
  if (faults_.fires(Fault::map_refused)) return leave(0), nullptr;
  if (fd == -1) {
    block = std::make_shared<Block>(bytes);
  } else if (Ring* ring = ring_of(fd, false); ring != nullptr) {
    if (offset == IORING_OFF_SQ_RING || offset == IORING_OFF_CQ_RING) block = ring->rings;
    if (offset == IORING_OFF_SQES) block = ring->sqes;
    if ((offset & kOffsetPbufRing) != 0) {
      const auto group = ring->groups.find(static_cast<uint16_t>(offset >> 16 & 0x7fff));
      if (group != ring->groups.end()) block = group->second.block;
    }
  }
  if (block == nullptr || bytes > block->bytes()) return leave(0), nullptr;
  mappings_.push_back(Mapping{block->data(), bytes, block});
  leave(1);
  return block->data();
}

void SimKernel::unmap(void* memory, size_t bytes) {
  enter("unmap", -1);
  const auto mapping = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& m) {
    return m.memory == memory && m.bytes == bytes;
  });
  if (mapping == mappings_.end()) return world_.fail("unmap of something that is not mapped");
  mappings_.erase(mapping);
  leave(0);
}

// --- Sockets ---

int SimKernel::event_fd() {
  enter("event_fd", -1);
  if (world_.table_full()) return static_cast<int>(leave(-EMFILE));
  return static_cast<int>(leave(world_.install(world_.make(Kind::event))));
}

int SimKernel::socket(int family) {
  enter("socket", family);
  if (world_.table_full()) return static_cast<int>(leave(-EMFILE));
  return static_cast<int>(leave(world_.install(world_.make_stream(family))));
}

int SimKernel::socket_pair(int fds[2]) {
  enter("socket_pair", -1);
  const int ends[2] = {world_.make_stream(AF_UNIX), world_.make_stream(AF_UNIX)};
  for (const int end : ends) {
    world_.object(end).rx.set_capacity(kPairBytes);
    world_.object(end).tx.set_capacity(kPairBytes);
  }
  world_.join(ends[0], ends[1]);
  fds[0] = world_.install(ends[0]);
  if (fds[0] < 0) return static_cast<int>(leave(-EMFILE));
  fds[1] = world_.install(ends[1]);
  if (fds[1] >= 0) return static_cast<int>(leave(0));
  (void)world_.close_fd(fds[0]);
  return static_cast<int>(leave(-EMFILE));
}

int SimKernel::set_option(int fd, int level, int name, const void* value, socklen_t bytes) {
  enter("set_option", fd);
  const int id = stream_of(fd);
  if (id < 0) return static_cast<int>(leave(id));
  if (level == SOL_SOCKET && name == SO_LINGER && bytes == sizeof(linger)) {
    const linger* option = static_cast<const linger*>(value);
    world_.object(id).linger_reset = option->l_onoff != 0 && option->l_linger == 0;
  }
  return static_cast<int>(leave(0));
}

int SimKernel::socket_error(int fd) {
  enter("socket_error", fd);
  const int id = stream_of(fd);
  return static_cast<int>(leave(id < 0 ? id : world_.socket_error(id)));
}

int SimKernel::accept_object(int listener) {
  if (world_.object(listener).kind != Kind::listener) return -EINVAL;
  if (world_.object(listener).backlog.empty()) return -EAGAIN;
  if (world_.table_full() || faults_.fires(Fault::accept_emfile)) return -EMFILE;
  const int near = world_.accept(listener);
  const int fd = world_.install(near);
  world_.unref(near);  // the queue's reference
  return fd;
}

int SimKernel::accept(int fd) {
  enter("accept", fd);
  const int id = world_.lookup(fd);
  if (id < 0) return static_cast<int>(leave(-EBADF));
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(id);
    return static_cast<int>(leave(-EAGAIN));
  }
  return static_cast<int>(leave(accept_object(id)));
}

uint32_t SimKernel::port_of(const sockaddr* address) const {
  if (address->sa_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  }
  if (address->sa_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  }
  const char* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  return static_cast<uint32_t>(std::strtoul(path + std::strcspn(path, "0123456789"), nullptr, 10));
}

int SimKernel::connect(int fd, const sockaddr* address, socklen_t /*bytes*/) {
  enter("connect", fd);
  const int id = stream_of(fd);
  if (id < 0) return static_cast<int>(leave(id));
  return static_cast<int>(leave(world_.connect(id, port_of(address))));
}

int64_t SimKernel::limited_recv(int object, void* data, size_t bytes) {
  uint32_t want = static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX));
  const uint32_t there = world_.object(object).rx.size();
  if (there > 1 && want > 1 && faults_.fires(Fault::short_recv)) {
    want = 1 + world_.prng().below(std::min(want, there) - 1);
    world_.wake_later(object);  // a caller may take a short read for an empty socket
  }
  return world_.recv(object, static_cast<uint8_t*>(data), want);
}

int64_t SimKernel::recv(int fd, void* data, size_t bytes) {
  enter("recv", fd);
  const int id = stream_of(fd);
  if (id < 0) return leave(id);
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(id);
    return leave(-EAGAIN);
  }
  return leave(limited_recv(id, data, bytes));
}

int64_t SimKernel::send(int fd, const msghdr* message) {
  enter("send", fd);
  const int id = stream_of(fd);
  if (id < 0) return leave(id);
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(id);
    return leave(-EAGAIN);
  }
  uint32_t limit = UINT32_MAX;
  if (faults_.fires(Fault::short_send)) {
    limit = 1 + world_.prng().below(512);
    world_.wake_later(id);  // a caller may take a short write for a full socket
  }
  return leave(world_.send(id, message->msg_iov, message->msg_iovlen, limit));
}

uint32_t SimKernel::pending_accepts(int fd) {
  enter("pending_accepts", fd);
  const int id = world_.lookup(fd);
  if (id < 0) return leave(0), 0;
  return static_cast<uint32_t>(leave(static_cast<int64_t>(world_.object(id).backlog.size())));
}

int SimKernel::shutdown_write(int fd) {
  enter("shutdown_write", fd);
  const int id = world_.lookup(fd);
  if (id < 0) return static_cast<int>(leave(-EBADF));
  if (world_.object(id).kind != Kind::stream) return static_cast<int>(leave(-ENOTCONN));
  return static_cast<int>(leave(world_.shutdown_write(id)));
}

int64_t SimKernel::unacknowledged_bytes(int fd) {
  enter("unacknowledged_bytes", fd);
  const int id = stream_of(fd);
  return leave(id < 0 ? id : static_cast<int>(world_.object(id).tx.size()));
}

int SimKernel::pipe(int fds[2], uint32_t bytes) {
  enter("pipe", -1);
  if (faults_.fires(Fault::pipe_emfile)) return static_cast<int>(leave(-EMFILE));
  // An unprivileged process over its pipe quota gets one page.
  const uint32_t capacity = world_.prng().one_in(4) ? 4096 : std::min(bytes, 65536u);
  return static_cast<int>(leave(world_.make_pipe(fds, capacity)));
}

int64_t SimKernel::splice(int from, int to, size_t bytes) {
  enter("splice", from);
  const int source = world_.lookup(from);
  const int sink = world_.lookup(to);
  if (source < 0 || sink < 0) return leave(-EBADF);
  const int socket = world_.object(source).kind == Kind::stream ? source : sink;
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(socket);
    return leave(-EAGAIN);
  }
  uint32_t limit = static_cast<uint32_t>(std::min<size_t>(bytes, 1u << 30));
  if (limit > 1 && faults_.fires(Fault::splice_short)) {
    limit = 1 + world_.prng().below(std::min(limit, 1000u));
    world_.wake_later(socket);
  }
  return leave(world_.splice(source, sink, limit));
}

// --- Descriptors ---

int64_t SimKernel::read(int fd, void* data, size_t bytes) {
  enter("read", fd);
  const int id = world_.lookup(fd);
  if (id < 0) return leave(-EBADF);
  Object& o = world_.object(id);
  if (o.kind != Kind::event || bytes < sizeof(uint64_t)) return leave(-EINVAL);
  if (o.counter == 0) return leave(-EAGAIN);
  std::memcpy(data, &o.counter, sizeof(uint64_t));
  o.counter = 0;
  return leave(sizeof(uint64_t));
}

int64_t SimKernel::write(int fd, const void* data, size_t bytes) {
  enter("write", fd);
  const int id = world_.lookup(fd);
  if (id < 0) return leave(-EBADF);
  Object& o = world_.object(id);
  if (o.kind != Kind::event || bytes != sizeof(uint64_t)) return leave(-EINVAL);
  uint64_t value = 0;
  std::memcpy(&value, data, sizeof value);
  o.counter += value;
  world_.wake(id, EPOLLIN | EPOLLRDNORM);
  return leave(sizeof(uint64_t));
}

int SimKernel::close(int fd) {
  enter("close", fd);
  const int result = world_.close_fd(fd);
  if (result < 0) world_.fail("close of a descriptor that is not open");
  return static_cast<int>(leave(result));
}

}  // namespace sluice::sim
