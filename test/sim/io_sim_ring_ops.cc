// What each opcode of the simulated io_uring does: one attempt, which completes or waits.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

#include "sim/io_sim_kernel.h"

namespace sluice::sim {

namespace {

constexpr uint32_t kMultishotRoundsMax = 32;
constexpr uint32_t kAlways = EPOLLERR | EPOLLHUP;

// Newer headers call this part of the union `optlen`.
uint32_t optlen(const io_uring_sqe& sqe) {
  return sqe.file_index;
}

}  // namespace

// Decodes an entry. False when it was refused (and completed).
bool RingDriver::prepare(const io_uring_sqe& sqe, Request& r) {
  r.dont_wait = (sqe.opcode == IORING_OP_RECV || sqe.opcode == IORING_OP_SEND ||
                 sqe.opcode == IORING_OP_SENDMSG) &&
                (sqe.msg_flags & MSG_DONTWAIT) != 0;
  switch (sqe.opcode) {
    case IORING_OP_ACCEPT:
      r.events = EPOLLIN | kAlways;
      r.multishot = (sqe.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
      if (r.multishot && sqe.addr != 0) return finish(r, -EINVAL), false;
      return true;
    case IORING_OP_RECV:
      prepare_recv(sqe, r);
      return r.live;
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      r.events = EPOLLOUT | kAlways;
      r.wait_all = (sqe.msg_flags & MSG_WAITALL) != 0;
      if (sqe.opcode == IORING_OP_SEND) {
        r.vectors.push_back(iovec{reinterpret_cast<void*>(sqe.addr), sqe.len});
      } else {
        const auto* message = reinterpret_cast<const msghdr*>(sqe.addr);
        r.vectors.assign(message->msg_iov, message->msg_iov + message->msg_iovlen);
      }
      return true;
    case IORING_OP_CONNECT:
      r.events = EPOLLOUT | kAlways;
      r.port = kernel_.port_of(reinterpret_cast<const sockaddr*>(sqe.addr));
      return true;
    case IORING_OP_POLL_ADD:
      r.events = sqe.poll32_events | kAlways;
      r.multishot = (sqe.len & IORING_POLL_ADD_MULTI) != 0;
      return true;
    case IORING_OP_READ:
      r.events = EPOLLIN | kAlways;
      r.address = sqe.addr;
      r.bytes = sqe.len;
      return true;
    default:
      world_.fail("the simulated kernel does not know opcode " + std::to_string(sqe.opcode));
      return finish(r, -EINVAL), false;
  }
}

void RingDriver::prepare_recv(const io_uring_sqe& sqe, Request& r) {
  const Level level = kernel_.options_.level;
  r.events = EPOLLIN | EPOLLRDHUP | kAlways;
  r.multishot = (sqe.ioprio & IORING_RECV_MULTISHOT) != 0;
  r.bytes = sqe.len;
  r.address = sqe.addr;
  r.group = sqe.buf_group;
  r.left = optlen(sqe);
  r.capped = r.left != 0;
  const bool selects = (r.flags & IOSQE_BUFFER_SELECT) != 0;
  if ((r.multishot && !selects) || (r.capped && (level < Level::v6_18 || !r.multishot)) ||
      (r.multishot && level < Level::v6_18 && r.bytes != 0)) {
    finish(r, -EINVAL);
  }
}

RingDriver::Outcome RingDriver::attempt(Request& r) {
  switch (r.opcode) {
    case IORING_OP_ACCEPT:
      return accept(r);
    case IORING_OP_RECV:
      return recv(r);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      return send(r);
    case IORING_OP_CONNECT:
      return connect(r);
    case IORING_OP_POLL_ADD:
      return poll(r);
    default:
      return read(r);
  }
}

RingDriver::Outcome RingDriver::recv(Request& r) {
  for (uint32_t round = 0; round < kMultishotRoundsMax; round++) {
    bool again = false;
    const Outcome outcome = recv_once(r, again);
    if (!again) return outcome;
  }
  return Outcome::waits;  // arming queues it again: the socket is still readable
}

RingDriver::Outcome RingDriver::recv_once(Request& r, bool& again) {
  uint8_t* to = reinterpret_cast<uint8_t*>(r.address);
  uint32_t want = r.bytes;
  BufferGroup* group = nullptr;
  uint16_t id = 0;
  if ((r.flags & IOSQE_BUFFER_SELECT) != 0) {
    const auto found = ring_.groups.find(r.group);
    if (found == ring_.groups.end()) return finish(r, -ENOBUFS);
    group = &found->second;
    const uint16_t tail =
        std::atomic_ref<uint16_t>(group->ring->tail).load(std::memory_order_acquire);
    if (static_cast<uint16_t>(tail - group->head) > group->entries) {
      world_.fail("a buffer ring holds more buffers than it has entries");
    }
    // The choice of a buffer comes before the look at the socket: an idle one fails as well.
    if (tail == group->head || faults_.fires(Fault::enobufs)) return finish(r, -ENOBUFS);
    const io_uring_buf* entries = reinterpret_cast<const io_uring_buf*>(group->ring);
    const io_uring_buf& chosen = entries[group->head & (group->entries - 1)];
    to = reinterpret_cast<uint8_t*>(chosen.addr);
    want = want == 0 ? chosen.len : std::min(want, chosen.len);
    id = chosen.bid;
  }
  Object& socket = world_.object(r.object);
  if (socket.kind != Kind::stream) return finish(r, -ENOTSOCK);
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(r.object);
    return Outcome::waits;
  }
  const uint32_t there = std::min(socket.rx.size(), want);
  if (there > 1 && faults_.fires(Fault::short_recv)) want = 1 + world_.prng().below(there - 1);
  const int64_t n = world_.recv(r.object, to, want);
  if (n == -EAGAIN) return Outcome::waits;
  if (n <= 0) return finish(r, n);
  uint32_t flags = socket.rx.size() > 0 ? IORING_CQE_F_SOCK_NONEMPTY : 0u;
  if (group != nullptr) {
    group->head++;
    flags |= IORING_CQE_F_BUFFER | uint32_t{id} << IORING_CQE_BUFFER_SHIFT;
  }
  if (!r.multishot) return finish(r, n, flags);
  if (r.capped) {
    r.left -= std::min(r.left, static_cast<uint32_t>(n));
    if (r.left == 0) return finish(r, n, flags);
  }
  if (!post_more(r, static_cast<int32_t>(n), flags)) return finish(r, n, flags);
  again = true;
  return Outcome::waits;
}

RingDriver::Outcome RingDriver::send(Request& r) {
  if (world_.object(r.object).kind != Kind::stream) return finish(r, -ENOTSOCK);
  if (faults_.fires(Fault::spurious_eagain)) {
    world_.wake_later(r.object);
    return Outcome::waits;
  }
  while (true) {
    uint64_t asked = 0;
    for (const iovec& v : r.vectors) asked += v.iov_len;
    uint32_t limit = UINT32_MAX;
    if (faults_.fires(Fault::short_send)) limit = 1 + world_.prng().below(512);
    const int64_t n = world_.send(r.object, r.vectors.data(), r.vectors.size(), limit);
    if (n == -EAGAIN) return Outcome::waits;
    if (n < 0) return finish(r, r.done > 0 ? static_cast<int64_t>(r.done) : n);
    r.done += static_cast<uint32_t>(n);
    if (!r.wait_all || static_cast<uint64_t>(n) == asked) return finish(r, r.done);
    uint64_t skip = static_cast<uint64_t>(n);
    for (iovec& v : r.vectors) {
      const size_t step = std::min<uint64_t>(skip, v.iov_len);
      v.iov_base = static_cast<uint8_t*>(v.iov_base) + step;
      v.iov_len -= step;
      skip -= step;
    }
  }
}

RingDriver::Outcome RingDriver::accept(Request& r) {
  while (true) {
    if (faults_.fires(Fault::spurious_eagain)) {
      world_.wake_later(r.object);
      return Outcome::waits;
    }
    const int fd = kernel_.accept_object(r.object);
    if (fd == -EAGAIN) return Outcome::waits;
    if (fd < 0 || !r.multishot || !post_more(r, fd, 0)) return finish(r, fd);
  }
}

RingDriver::Outcome RingDriver::connect(Request& r) {
  Object& socket = world_.object(r.object);
  if (socket.kind != Kind::stream) return finish(r, -ENOTSOCK);
  if (!r.started) {
    r.started = true;
    const int result = world_.connect(r.object, r.port);
    return result == -EINPROGRESS ? Outcome::waits : finish(r, result);
  }
  if (socket.connecting) return Outcome::waits;
  const int error = world_.socket_error(r.object);
  return finish(r, error != 0 ? error : socket.connected ? 0 : -ECONNABORTED);
}

RingDriver::Outcome RingDriver::poll(Request& r) {
  const uint32_t ready = world_.poll(r.object) & r.events;
  if (ready == 0) return Outcome::waits;
  if (r.multishot && post_more(r, static_cast<int32_t>(ready), 0)) return Outcome::waits;
  return finish(r, ready);
}

RingDriver::Outcome RingDriver::read(Request& r) {
  Object& o = world_.object(r.object);
  if (o.kind != Kind::event || r.bytes < sizeof(uint64_t)) return finish(r, -EINVAL);
  if (o.counter == 0) return Outcome::waits;
  *reinterpret_cast<uint64_t*>(r.address) = o.counter;
  o.counter = 0;
  return finish(r, sizeof(uint64_t));
}

}  // namespace sluice::sim
