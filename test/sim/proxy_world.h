// The world around the simulated engines: virtual time, descriptors, listeners with their queues,
// pipes, and one connection per socket between the proxy and a scripted peer (a client or an
// origin). Bytes are not stored in sockets: byte n of a peer's stream is a function of the stream
// and n, made when the proxy receives it and checked when the proxy sends it on.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "base/prng.h"
#include "proxy_fault.h"

namespace sluice::proxy_sim {

class SimEngine;

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kSecond = 1000 * kMs;
inline constexpr uint64_t kNever = UINT64_MAX;
inline constexpr uint32_t kNone = UINT32_MAX;

// Bytes of stream `stream` from `offset` on.
void make_bytes(uint32_t stream, uint64_t offset, uint8_t* out, uint32_t bytes);
bool are_bytes(uint32_t stream, uint64_t offset, const uint8_t* data, uint32_t bytes);

// What a peer will do.
struct Plan {
  enum class End : uint8_t { fin, waits_for_eof, resets, vanishes };
  uint64_t total = 0;  // bytes it sends
  uint32_t write_chunk = 1;
  uint64_t write_gap_ns = 0;
  uint32_t read_chunk = 1;
  uint64_t read_gap_ns = 0;
  uint64_t reply_after = 0;  // bytes read (or end of stream) before it starts to send
  End end = End::fin;
  uint64_t reset_at = 0;       // after so many bytes sent, or
  uint64_t reset_ns = 0;       // at this time
  uint64_t pause_at = kNever;  // bytes sent before a long silence
  uint64_t pause_ns = 0;
  uint64_t stall_at = kNever;  // bytes read before it stops reading for long
  uint64_t stall_ns = 0;
};

struct Connection {
  Plan plan;
  uint32_t id = 0;  // also its stream
  bool is_client = false;
  bool established = false;
  uint32_t target = kNone;    // origins: which backend was connected to
  uint32_t listener = kNone;  // clients: listening descriptor's object
  int fd = -1;                // the proxy's descriptor while open
  uint32_t view = kNone;
  uint64_t accepted_ns = 0;  // clients: or queued
  // peer -> proxy
  uint32_t rx_queued = 0;
  uint32_t rx_capacity = 0;
  uint64_t sent = 0;   // by the peer
  uint64_t taken = 0;  // by the proxy
  bool peer_fin = false;
  bool peer_reset = false;
  // proxy -> peer
  uint32_t tx_queued = 0;
  uint32_t tx_capacity = 0;
  uint64_t delivered = 0;  // by the proxy
  uint64_t read = 0;       // by the peer
  uint64_t last_ack_ns = 0;
  bool proxy_fin = false;
  bool proxy_reset = false;
  bool lingers = false;  // close resets
  bool saw_end = false;
  bool writing = false;  // an event of that kind is under way
  bool reading = false;
  bool paused = false;
};

// A tunnel as an engine sees it through its tokens: which two sockets belong together.
struct View {
  uint32_t conns[2] = {kNone, kNone};  // by Side
  uint32_t engine = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint64_t idle_ns = 0;
  uint64_t last_activity_ns = 0;
  uint64_t cancelled_ns = 0;  // when the proxy decided to end it; 0 while it has not
  bool excused = false;       // idle at that time
  bool both() const { return conns[0] != kNone && conns[1] != kNone; }
};

// What answers at a backend's address.
struct Target {
  enum class Mode : uint8_t { accepts, refuses, hangs, unreachable };
  Mode mode = Mode::accepts;
  bool cut = false;  // the controller has ended its connections at some time
  // Once a worker has acknowledged these, it may not pick the backend. kNone: it may.
  uint32_t banned_generation = kNone;
  uint32_t banned_live = kNone;
  uint64_t picks = 0;
};

struct Listener {
  std::vector<uint32_t> queue;  // connections
  size_t queue_head = 0;
  int fd = -1;
  uint64_t idle_ns = 0;
  uint64_t connect_budget_ns = 0;  // all tries of a tunnel that comes in here
  bool is_open = true;
  bool is_wanted = true;  // in the published configuration
  uint32_t queued() const { return static_cast<uint32_t>(queue.size() - queue_head); }
};

struct PipeBuffer {
  std::vector<uint8_t> bytes;
  size_t head = 0;
  uint32_t capacity = 0;
  uint32_t ends_open = 2;
};

struct Descriptor {
  enum class Kind : uint8_t { free, socket, stream, listener, pipe };
  Kind kind = Kind::free;
  uint32_t object = kNone;
  int32_t receive = -1;  // operations in progress, as the proxy sees it
  int32_t transmit = -1;
};

enum class EventKind : uint8_t {
  tick,            // only moves the clock
  peer_writes,     // a: connection
  peer_reads,      // a: connection
  peer_resets,     // a: connection
  connect_ends,    // a: engine, b: operation serial
  retry,           // a: engine, b: operation serial
  cancels,         // a: engine, b: operation serial
  feeds,           // a: engine: buffers are to be had again
  client_arrives,  // the rest belongs to the run
  control_edits,
  run_step,
};

struct Event {
  uint64_t at;
  uint64_t sequence;
  EventKind kind;
  uint32_t a;
  uint64_t b;
  bool operator>(const Event& other) const {
    return at != other.at ? at > other.at : sequence > other.sequence;
  }
};

struct WorldOptions {
  uint64_t seed = 0;
  bool faults = true;
  bool verbose = false;
  bool shared_clock = false;  // several workers: the run moves the clock, not wait()
};

class World {
 public:
  explicit World(const WorldOptions& options);

  // The first broken invariant ends the run.
  [[gnu::format(printf, 3, 4)]] void fail(const char* invariant, const char* format, ...);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  void note(const char* what, uint64_t a, uint64_t b, uint64_t c);
  uint64_t hash() const { return hash_; }

  void at(uint64_t when, EventKind kind, uint32_t a = 0, uint64_t b = 0);
  uint64_t next_event_ns() const { return events_.empty() ? kNever : events_.top().at; }
  void run_next_event();

  int new_descriptor(Descriptor::Kind kind, uint32_t object);
  void free_descriptor(int fd);
  Descriptor& descriptor(int fd);
  bool is_open(int fd) const;
  uint32_t open_descriptors() const { return open_; }
  // For the message about one that was left open.
  const Descriptor* first_open() const;

  int listen(uint64_t idle_ns, uint64_t connect_budget_ns);
  void client_connects(int listener_fd, const Plan& plan);
  uint32_t pop_accept(Listener& listener);
  uint32_t connect_to(int fd, uint32_t target, const Plan& plan);

  // The proxy closed its end. Judges why, and lets the peer see it.
  void close_socket(int fd);
  void judge_close(Connection& conn);
  // The proxy took bytes, or made them.
  void proxy_received(Connection& conn, uint32_t bytes);
  void proxy_sent(Connection& conn, uint32_t bytes);
  void peer_wakes(uint32_t id);

  Plan draw_plan(bool is_client);
  // Every peer still there resets: an impatient end of a run.
  void reset_all();
  // Sockets that no tunnel has opened yet: queued ones are accepted before long, accepted ones are
  // bounded by the connect timeouts.
  void check_unopened();

  uint64_t now = 0;
  Prng prng;
  FaultPlan faults;
  const WorldOptions options;
  bool stopping = false;      // the controller has asked the workers to end everything
  uint64_t clients_done = 0;  // clients that got all and saw the end
  uint64_t bytes_moved = 0;
  uint32_t plan_bytes_max = 200'000;
  uint64_t plan_silence_ns = 30 * kSecond;
  std::deque<Connection> conns;
  std::vector<Listener> listeners;
  std::vector<PipeBuffer> pipes;
  std::vector<Target> targets;
  std::deque<View> views;
  std::vector<SimEngine*> engines;
  uint64_t connect_timeout_ns = 0;
  std::function<void(const Event&)> script;
  std::function<void(uint32_t worker, uint32_t target)> picked;
  // A worker closed an accepted socket without serving it.
  std::function<void(uint32_t worker, const Connection& conn)> turned_away;

 private:
  uint32_t add_connection(const Plan& plan);
  void peer_writes(Connection& conn);
  void peer_reads(Connection& conn);
  void peer_resets(Connection& conn);
  void peer_ends(Connection& conn);
  void schedule_write(Connection& conn, uint64_t gap);
  void schedule_read(Connection& conn, uint64_t gap);
  void judge_end(Connection& conn);
  void stir(const Connection& conn);

  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
  uint64_t event_sequence_ = 0;
  std::vector<Descriptor> table_;
  std::priority_queue<int, std::vector<int>, std::greater<int>> free_fds_;
  uint32_t open_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325ull;
  std::string failure_;
};

}  // namespace sluice::proxy_sim
