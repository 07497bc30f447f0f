// The world around the simulated engine of an HTTP run: virtual time, descriptors, sockets that
// hold their bytes, and the scripted peers at their far ends.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/prng.h"
#include "http_fault.h"
#include "http_messages.h"

namespace sluice::http_sim {

class Peer;
class SimEngine;

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kSecond = 1000 * kMs;
inline constexpr uint64_t kNever = UINT64_MAX;

struct Socket {
  uint32_t id = 0;
  int fd = -1;  // the proxy's, while open
  bool is_client = false;
  bool established = false;
  uint32_t target = kNone;  // of backends
  uint64_t active_ns = 0;   // when bytes last moved
  // peer -> proxy
  std::string rx;
  uint32_t rx_capacity = 0;
  uint64_t taken = 0;
  bool peer_fin = false;
  bool peer_reset = false;
  // proxy -> peer
  std::string tx;
  uint32_t tx_capacity = 0;
  uint64_t delivered = 0;
  bool proxy_fin = false;
  bool proxy_reset = false;
  bool lingers = false;  // its close resets
  std::unique_ptr<Peer> peer;
};

struct Listener {
  std::deque<uint32_t> queue;  // sockets
  int fd = -1;
  bool is_open = true;
};

struct PipeBuffer {
  std::string bytes;
  uint32_t capacity = 0;
};

struct Descriptor {
  enum class Kind : uint8_t { free, socket, stream, listener, pipe };
  Kind kind = Kind::free;
  uint32_t object = kNone;
  int32_t receive = -1;  // operations in progress, as the proxy sees it
  int32_t transmit = -1;
};

// What is at a backend's address.
struct Target {
  enum class Mode : uint8_t { accepts, refuses, hangs } mode = Mode::accepts;
};

enum class EventKind : uint8_t {
  tick,  // only moves the clock
  peer_acts,
  connect_ends,
  retry,
  cancels,
  feeds,
  client_arrives,
  control_edits,
};

struct Event {
  uint64_t at;
  uint64_t sequence;
  EventKind kind;
  uint64_t a;
  bool operator>(const Event& other) const {
    return at != other.at ? at > other.at : sequence > other.sequence;
  }
};

class World {
 public:
  World(uint64_t seed, bool faults, bool verbose);
  ~World();

  const uint64_t seed;
  // The first broken invariant ends the run.
  [[gnu::format(printf, 3, 4)]] void fail(const char* invariant, const char* format, ...);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  void note(const char* what, uint64_t a, uint64_t b, uint64_t c);
  uint64_t hash() const { return hash_; }

  void at(uint64_t when, EventKind kind, uint64_t a = 0);
  uint64_t next_event_ns() const { return events_.empty() ? kNever : events_.top().at; }
  void run_next_event();

  int new_descriptor(Descriptor::Kind kind, uint32_t object);
  Descriptor& descriptor(int fd);
  Socket& socket_of(int fd);
  uint32_t open_descriptors() const { return open_; }

  int listen();
  void client_connects(int listener_fd);
  uint32_t pop_accept(Listener& listener);
  uint32_t connect_to(int fd, uint32_t target);
  void close_descriptor(int fd);
  // Moves bytes between a socket and the proxy.
  std::string take(Socket& socket, uint32_t bytes);
  void give(Socket& socket, const uint8_t* data, uint32_t bytes);
  // Operations of the proxy that wait for this socket may go on.
  void stir(const Socket& socket);
  // Sockets of clients that nothing has moved on for longer than all time limits together.
  void check_deadlines();

  uint64_t now = kSecond;
  Prng prng;
  FaultPlan faults;
  bool stopping = false;
  bool draining = false;
  uint32_t body_max = 20'000;
  uint64_t patience_ns = kNever;
  uint64_t connect_timeout_ns = 0;
  uint64_t clients_content = 0;
  uint64_t bytes_moved = 0;
  uint64_t heads_given = 0;   // final heads that clients were given whole
  uint64_t own_read = 0;      // answers of ours that clients have read
  uint64_t heads_read = 0;    // final heads that clients have read
  uint64_t answers_over = 0;  // answers that another one followed on the same connection
  std::deque<Socket> sockets;
  std::deque<Listener> listeners;
  std::deque<PipeBuffer> pipes;
  std::deque<Target> targets;
  std::deque<Request> requests;
  std::deque<Answer> answers;
  SimEngine* engine = nullptr;
  std::function<void(const Event&)> script;

 private:
  uint32_t add_socket();

  const bool verbose_;
  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
  uint64_t event_sequence_ = 0;
  std::vector<Descriptor> table_;
  std::priority_queue<int, std::vector<int>, std::greater<int>> free_fds_;
  uint32_t open_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325ull;
  std::string failure_;
};

}  // namespace sluice::http_sim
