// A world of sockets, pipes and eventfds in virtual time, under a simulated kernel. It keeps what a
// kernel keeps: bounded queues on both sides of a connection, half-closed and reset states, a
// listener's backlog, a table of descriptors that always hands out the lowest free number.
//
// A stream's bytes wait in its own send queue until a wire event moves them to its peer's receive
// queue, so delays, splits and back-pressure arise by themselves. Far ends (clients and backends)
// are streams without a descriptor; the model program drives them directly.
//
// Readiness masks are epoll's. One thread; nothing here knows of engines.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "base/prng.h"
#include "sim/io_sim_fault.h"

namespace sluice::sim {

// A bounded first-in first-out queue of bytes.
class ByteQueue {
 public:
  void set_capacity(uint32_t bytes) { capacity_ = bytes; }
  uint32_t capacity() const { return capacity_; }
  uint32_t size() const { return size_; }
  uint32_t space() const { return capacity_ - size_; }
  void push(const uint8_t* data, uint32_t bytes);
  void pop(uint8_t* out, uint32_t bytes);
  void move_to(ByteQueue& other, uint32_t bytes);
  void clear() { head_ = size_ = 0; }

 private:
  std::vector<uint8_t> bytes_;  // allocated by the first push
  uint32_t capacity_ = 0;
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

enum class Kind : uint8_t { stream, listener, pipe_read, pipe_write, event, epoll, ring };

struct Object {
  Kind kind = Kind::stream;
  int refs = 0;
  int fd = -1;  // its descriptor, if it has one
  uint32_t tag = 0;

  // stream; pipe_read uses rx, pipe_write names its read end as peer
  int family = 0;
  int peer = -1;
  int error = 0;  // SO_ERROR, positive; taken by the first call that sees it
  bool connecting = false;
  bool connected = false;
  bool dead = false;     // reset or refused: both directions ended
  bool closed = false;   // no reference left; what is queued still goes out
  bool tx_shut = false;  // FIN follows the queued bytes
  bool fin_sent = false;
  bool rx_fin = false;
  bool nospace = false;  // somebody wants to hear of room in tx
  bool wire_due = false;
  bool linger_reset = false;
  bool was_reset = false;  // bytes may have been lost
  ByteQueue rx, tx;

  // listener
  std::vector<int> backlog;
  // event
  uint64_t counter = 0;
};

class World {
 public:
  struct Limits {
    uint32_t queue_bytes = 16384;  // of a send or receive queue
    uint32_t backlog = 16;
    uint32_t descriptors = 256;
    uint32_t wire_ns = 20000;  // largest ordinary delay of the network
  };

  World(uint64_t seed, FaultPlan& faults, Limits limits);

  // --- Time. An event is {what, a, b}; kernel and actor events go to the handlers below. ---
  enum class What : uint8_t { wire, reset, arrive, connect, wake, kernel, actor };
  uint64_t now_ns() const { return now_ns_; }
  void schedule(uint64_t at_ns, What what, uint32_t a, uint64_t b = 0);
  uint64_t next_event_ns() const { return events_.empty() ? UINT64_MAX : events_.top().at_ns; }
  // Lets time pass and runs what falls due. Does nothing when called from within an event.
  void advance_to(uint64_t at_ns);
  bool in_event() const { return in_event_; }
  uint32_t delay_ns();  // of one hop in the network
  uint64_t events_run() const { return events_run_; }

  std::function<void(int object, uint32_t events)> on_wake;
  std::function<void(uint32_t a, uint64_t b)> on_kernel_event;
  std::function<void(uint32_t a, uint64_t b)> on_actor_event;
  std::function<void(int far_end, uint32_t port)> on_backend_connected;

  // --- The first broken invariant ends the run. ---
  void fail(const std::string& what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

  // --- Objects and descriptors. ---
  Object& object(int id) { return objects_[static_cast<size_t>(id)]; }
  int make(Kind kind);
  void ref(int id) { object(id).refs++; }
  void unref(int id);
  int install(int id);       // lowest free descriptor, or -EMFILE
  int lookup(int fd) const;  // object id, or -1
  int close_fd(int fd);      // 0 or -EBADF
  uint32_t open_descriptors() const;
  uint32_t open_of(Kind kind);
  bool table_full() const { return open_descriptors() >= limits_.descriptors; }
  std::function<void(int object)> on_release;

  // --- Streams. Results are >= 0 or -errno; nothing here blocks. ---
  int make_stream(int family);
  void join(int a, int b);  // makes two streams one connection
  uint32_t poll(int id);    // ready events
  int64_t recv(int id, uint8_t* out, uint32_t bytes);
  int64_t send(int id, const iovec* vectors, size_t count, uint32_t limit);
  int shutdown_write(int id);
  void abort(int id);  // RST to the peer
  int connect(int id, uint32_t port);
  int socket_error(int id);

  // --- Listeners. ---
  int accept(int listener);  // object id with one reference, or -EAGAIN
  // A client's connection to `listener`: the far end, with one reference.
  int connect_client(int listener, uint32_t tag);
  void open_port(uint32_t port) { open_ports_[port] = true; }

  // --- Pipes. ---
  int make_pipe(int ends[2], uint32_t bytes);
  int64_t splice(int from, int to, uint32_t bytes);

  void wake(int id, uint32_t events) {
    if (on_wake) on_wake(id, events);
  }
  // A wake-up that comes some time later, with whatever is ready then.
  void wake_later(int id) { schedule(now_ns_ + 1000 + prng_.below(200000), What::wake, id); }
  Prng& prng() { return prng_; }
  FaultPlan& faults() { return faults_; }

 private:
  struct Event {
    uint64_t at_ns;
    uint64_t order;
    What what;
    uint32_t a;
    uint64_t b;
    bool operator<(const Event& other) const {  // the queue's top is the earliest
      return at_ns != other.at_ns ? at_ns > other.at_ns : order > other.order;
    }
  };

  void run(const Event& event);
  void wire(int id);
  void schedule_wire(int id);
  void receive_reset(int id);
  void arrive(int listener, int near);
  void connect_done(int id, uint32_t port, bool refused);
  bool is_writable(const Object& stream) const;
  void release(int id);
  int64_t splice_to_pipe(int from, Object& pipe, uint32_t bytes);
  int64_t splice_to_stream(Object& pipe, bool writer_open, int to, uint32_t bytes);

  FaultPlan& faults_;
  Prng prng_;
  Limits limits_;
  uint64_t now_ns_ = 1'000'000'000;
  uint64_t order_ = 0;
  uint64_t events_run_ = 0;
  bool in_event_ = false;
  std::priority_queue<Event> events_;
  std::deque<Object> objects_;  // stable addresses; ids are never reused
  std::vector<int> table_;
  std::map<uint32_t, bool> open_ports_;
  std::string failure_;
};

}  // namespace sluice::sim
