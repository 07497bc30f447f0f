#include "traffic.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "meter.h"

namespace load {
namespace {

constexpr uint32_t kQueueEntries = 4096;
constexpr uint32_t kWaitMs = 20;

void set_option(int fd, int level, int name) {
  const int on = 1;
  (void)setsockopt(fd, level, name, &on, sizeof on);
}

bool bind_port(int fd, uint16_t port) {
  set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// A path that an earlier run has left is taken over.
bool bind_path(int fd, const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  (void)unlink(path);
  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

bool Traffic::open(uint32_t connections, uint32_t buffers, uint32_t buffer_bytes) {
  if (!ring_.open(kQueueEntries) || !ring_.provide_buffers(buffers, buffer_bytes)) return false;
  connections_ = std::make_unique<Connection[]>(connections);
  for (uint32_t i = connections; i-- > 0;) {
    connections_[i].index = i;
    free_.push_back(i);
  }
  now_ns_ = now_ns();
  return true;
}

bool Traffic::listen(const Origin& origin) {
  const bool is_path = origin.path != nullptr;
  const int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  if (!(is_path ? bind_path(fd, origin.path) : bind_port(fd, origin.port)) ||
      ::listen(fd, 4096) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return false;
  }
  listeners_.push_back(fd);
  arm_accept(static_cast<uint32_t>(listeners_.size() - 1));
  return true;
}

Connection* Traffic::connect(const sockaddr_in& target, const sockaddr_in* source) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    count_error("socket", errno);
    return nullptr;
  }
  set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  if (source != nullptr) {
    // Leaves the port to connect, which may then share one between different destinations.
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (bind(fd, reinterpret_cast<const sockaddr*>(source), sizeof *source) != 0) {
      count_error("bind", errno);
    }
  }
  Connection* client = take(fd, Connection::Role::client, Connection::State::connecting);
  if (client == nullptr) return nullptr;
  target_ = target;
  io_uring_sqe* sqe = ring_.sqe();
  sqe->opcode = IORING_OP_CONNECT;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<uint64_t>(&target_);
  sqe->off = sizeof target_;
  sqe->user_data = user_data(Op::connect, *client);
  return client;
}

void Traffic::request(Connection& client, uint64_t request_bytes, uint64_t answer_bytes) {
  client.tag = next_tag_++;
  client.body_bytes = protocol_.body_bytes(answer_bytes);
  Message message{client.tag, 0, answer_bytes};
  const uint32_t head_bytes = protocol_.write_request(client.out, message, request_bytes);
  send(client, message, head_bytes);
}

void Traffic::finish(Connection& client) {
  client.state = Connection::State::finishing;
  (void)shutdown(client.fd, SHUT_WR);
}

uint32_t Traffic::poll(ClientEvents& events) {
  // Looking at the shared flags is much cheaper than asking the kernel.
  if (!ring_.has_work()) {
    now_ns_ = now_ns();
    return 0;
  }
  return take_completions(events, ring_.enter());
}

uint32_t Traffic::wait(ClientEvents& events) {
  return take_completions(events, ring_.enter_and_wait(kWaitMs));
}

uint32_t Traffic::take_completions(ClientEvents& events, int entered) {
  if (entered < 0 && entered != -EINTR && entered != -EBUSY && entered != -EAGAIN &&
      entered != -ETIME) {
    count_error("io_uring_enter", -entered);
  }
  now_ns_ = now_ns();
  const uint32_t count = ring_.drain([this, &events](uint64_t data, int32_t res, uint32_t flags) {
    handle(events, data, res, flags);
  });
  if (count > 0) ring_.publish_buffers();
  // After the buffers of this batch are the kernel's again: a receive that ended for want of one
  // would only end again.
  for (const uint64_t data : to_rearm_) {
    Connection& connection = connections_[static_cast<uint32_t>(data)];
    if (user_data(Op::receive, connection) == data) arm_receive(connection);
  }
  to_rearm_.clear();
  return count;
}

void Traffic::count_error(const char* what, int error) {
  errors_++;
  if (!first_error_.empty()) return;
  first_error_ = what;
  if (error != 0) first_error_.append(": ").append(strerror(error));
}

Connection* Traffic::take(int fd, Connection::Role role, Connection::State state) {
  if (free_.empty()) {
    count_error("more connections than expected", 0);
    ::close(fd);
    return nullptr;
  }
  Connection& connection = connections_[free_.back()];
  free_.pop_back();
  connection.fd = fd;
  connection.role = role;
  connection.state = state;
  connection.started_ns = now_ns_;
  between_messages(connection.in);
  connection.in.is_answer = role == Connection::Role::client;
  return &connection;
}

void Traffic::handle(ClientEvents& events, uint64_t data, int32_t result, uint32_t flags) {
  const auto op = static_cast<Op>(data >> 56);
  const auto index = static_cast<uint32_t>(data);
  if (op == Op::accept) return on_accept(index, result, flags);
  Connection& connection = connections_[index];
  if (user_data(op, connection) != data) {
    if (flags & IORING_CQE_F_BUFFER) ring_.recycle(flags >> IORING_CQE_BUFFER_SHIFT);
    return;
  }
  switch (op) {
    case Op::receive:
      return on_receive(events, connection, result, flags);
    case Op::connect:
      if (result < 0) {
        count_error("connect", -result);
        close(connection);
        return events.closed(connection, false);
      }
      connection.state = Connection::State::open;
      arm_receive(connection);
      return events.connected(connection);
    case Op::send:  // good ones are not reported
      return fail(connection, "send", result < 0 ? -result : 0);
    case Op::accept:
    case Op::close:
      return;
  }
}

void Traffic::on_accept(uint32_t listener, int32_t result, uint32_t flags) {
  if (!(flags & IORING_CQE_F_MORE)) arm_accept(listener);
  if (result < 0) return count_error("accept", -result);
  Connection* origin = take(result, Connection::Role::origin, Connection::State::open);
  if (origin != nullptr) arm_receive(*origin);
}

void Traffic::on_receive(ClientEvents& events, Connection& connection, int32_t result,
                         uint32_t flags) {
  if (result <= 0 && result != -ENOBUFS) return on_end(events, connection, result);
  if (!(flags & IORING_CQE_F_MORE)) to_rearm_.push_back(user_data(Op::receive, connection));
  if (result == -ENOBUFS) return;
  const uint32_t buffer = flags >> IORING_CQE_BUFFER_SHIFT;
  on_bytes(events, connection, ring_.buffer(buffer), static_cast<uint32_t>(result));
  ring_.recycle(buffer);
}

void Traffic::on_bytes(ClientEvents& events, Connection& connection, const uint8_t* data,
                       uint32_t bytes) {
  if (connection.state != Connection::State::open) return;
  const bool is_client = connection.role == Connection::Role::client;
  if (is_client) answer_bytes_ += bytes;
  while (bytes > 0) {
    Progress progress = Progress::more;
    const uint64_t used = consume(protocol_, connection.in, data, bytes, progress);
    if (progress == Progress::malformed) {
      const char* complaint = connection.in.complaint;
      return fail(connection, complaint != nullptr ? complaint : "malformed message", 0);
    }
    data += used;
    bytes -= static_cast<uint32_t>(used);
    if (progress == Progress::more) continue;
    Message message = connection.in.message;
    between_messages(connection.in);
    if (!is_client) {
      const uint64_t total = message.answer_bytes;
      const uint32_t head_bytes = protocol_.write_answer(connection.out, message, total);
      send(connection, message, head_bytes);
      served_++;
    } else if (message.tag != connection.tag || bytes > 0) {
      return fail(connection, "an answer to another request", 0);
    } else if (message.body_bytes != connection.body_bytes) {
      return fail(connection, "an answer of another length", 0);
    } else {
      events.answered(connection);
    }
  }
}

// The receive has ended for good, and with it the last operation that needs the descriptor.
void Traffic::on_end(ClientEvents& events, Connection& connection, int32_t result) {
  const bool is_client = connection.role == Connection::Role::client;
  const bool orderly = connection.state == Connection::State::finishing && result == 0;
  if (connection.state != Connection::State::failed && is_client && !orderly) {
    count_error("a client's connection was closed", -result);
  }
  close(connection);
  if (is_client) events.closed(connection, orderly);
}

void Traffic::arm_accept(uint32_t listener) {
  io_uring_sqe* sqe = ring_.sqe();
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->fd = listeners_[listener];
  sqe->accept_flags = SOCK_CLOEXEC;
  sqe->user_data = uint64_t{static_cast<uint8_t>(Op::accept)} << 56 | listener;
}

void Traffic::arm_receive(Connection& connection) {
  io_uring_sqe* sqe = ring_.sqe();
  sqe->opcode = IORING_OP_RECV;
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
  sqe->fd = connection.fd;
  sqe->user_data = user_data(Op::receive, connection);
}

void Traffic::send(Connection& connection, const Message& message, uint32_t head_bytes) {
  io_uring_sqe* sqe = ring_.sqe();
  sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
  sqe->fd = connection.fd;
  sqe->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
  sqe->user_data = user_data(Op::send, connection);
  if (head_bytes + message.body_bytes <= kMessageInlineBytes) {
    memcpy(connection.out + head_bytes, pattern(), message.body_bytes);
    sqe->opcode = IORING_OP_SEND;
    sqe->addr = reinterpret_cast<uint64_t>(connection.out);
    sqe->len = head_bytes + static_cast<uint32_t>(message.body_bytes);
    return;
  }
  connection.pieces[0] = {connection.out, head_bytes};
  connection.pieces[1] = {const_cast<uint8_t*>(pattern()), message.body_bytes};
  connection.gather.msg_iov = connection.pieces;
  connection.gather.msg_iovlen = 2;
  sqe->opcode = IORING_OP_SENDMSG;
  sqe->addr = reinterpret_cast<uint64_t>(&connection.gather);
  sqe->len = 1;
}

// The shutdown ends the armed receive; its completion closes the descriptor.
void Traffic::fail(Connection& connection, const char* what, int error) {
  if (connection.state != Connection::State::failed) count_error(what, error);
  connection.state = Connection::State::failed;
  (void)shutdown(connection.fd, SHUT_RDWR);
}

void Traffic::close(Connection& connection) {
  io_uring_sqe* sqe = ring_.sqe();
  sqe->opcode = IORING_OP_CLOSE;
  sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
  sqe->fd = connection.fd;
  sqe->user_data = user_data(Op::close, connection);
  connection.fd = -1;
  connection.state = Connection::State::free;
  connection.generation++;
  free_.push_back(connection.index);
}

}  // namespace load
