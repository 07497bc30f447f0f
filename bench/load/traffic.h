// Clients and origins in one thread: connections, their bytes, and nothing of what a measurement
// means. Origins answer by themselves; what happens to a client is reported to ClientEvents.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "options.h"
#include "protocol.h"
#include "ring.h"

namespace load {

inline constexpr uint32_t kMessageInlineBytes = 512;

struct Connection {
  enum class Role : uint8_t { client, origin };
  // finishing: a client has sent its end and waits for the other one.
  enum class State : uint8_t { free, connecting, open, finishing, failed };

  uint32_t index = 0;
  uint32_t generation = 0;  // of this slot; completions of an earlier one are dropped
  int fd = -1;
  Role role = Role::client;
  State state = State::free;
  uint64_t tag = 0;         // of the request in flight
  uint64_t body_bytes = 0;  // of the answer to it
  uint64_t started_ns = 0;  // when it was due
  Incoming in;
  // One message at a time is on its way out: small ones whole in `out`, others as head and pattern.
  uint8_t out[kMessageInlineBytes];
  iovec pieces[2];
  msghdr gather{};
};

class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void connected(Connection& client) = 0;
  virtual void answered(Connection& client) = 0;
  // Orderly when the client had finished. The slot is reused afterwards.
  virtual void closed(Connection& client, bool orderly) = 0;
};

class Traffic {
 public:
  explicit Traffic(Protocol& protocol) : protocol_(protocol) {}

  bool open(uint32_t connections, uint32_t buffers, uint32_t buffer_bytes);
  // False with errno when the system refuses.
  bool listen(const Origin& origin);

  // A client on its way to `target`; null when the system has no socket for it.
  Connection* connect(const sockaddr_in& target, const sockaddr_in* source);
  void request(Connection& client, uint64_t request_bytes, uint64_t answer_bytes);
  void finish(Connection& client);

  // Sends what is staged, handles what is there. `now()` is the time of the latest poll.
  uint32_t poll(ClientEvents& events);
  // The same, after sleeping for at most 20 ms until there is something.
  uint32_t wait(ClientEvents& events);
  uint64_t now() const { return now_ns_; }

  uint64_t answer_bytes() const { return answer_bytes_; }  // received by clients
  uint64_t served() const { return served_; }              // answers that origins have given
  uint64_t errors() const { return errors_; }
  const std::string& first_error() const { return first_error_; }
  void count_error(const char* what, int error);

 private:
  enum class Op : uint8_t { accept, connect, receive, send, close };

  uint64_t user_data(Op op, const Connection& connection) const {
    return uint64_t{static_cast<uint8_t>(op)} << 56 |
           uint64_t{connection.generation & 0xffffff} << 32 | connection.index;
  }
  Connection* take(int fd, Connection::Role role, Connection::State state);
  uint32_t take_completions(ClientEvents& events, int entered);
  void handle(ClientEvents& events, uint64_t user_data, int32_t result, uint32_t flags);
  void on_accept(uint32_t listener, int32_t result, uint32_t flags);
  void on_receive(ClientEvents& events, Connection& connection, int32_t result, uint32_t flags);
  void on_bytes(ClientEvents& events, Connection& connection, const uint8_t* data, uint32_t bytes);
  void on_end(ClientEvents& events, Connection& connection, int32_t result);
  void arm_accept(uint32_t listener);
  void arm_receive(Connection& connection);
  void send(Connection& connection, const Message& message, uint32_t head_bytes);
  void fail(Connection& connection, const char* what, int error);
  void close(Connection& connection);

  Protocol& protocol_;
  Ring ring_;
  std::vector<int> listeners_;
  std::unique_ptr<Connection[]> connections_;
  std::vector<uint32_t> free_;
  std::vector<uint64_t> to_rearm_;  // user_data of receives that ended, for after this batch
  sockaddr_in target_{};            // read by the kernel when a connect is submitted
  uint64_t now_ns_ = 0;
  uint64_t next_tag_ = 1;
  uint64_t answer_bytes_ = 0;
  uint64_t served_ = 0;
  uint64_t errors_ = 0;
  std::string first_error_;
};

}  // namespace load
