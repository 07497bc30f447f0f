// One simulated io_uring: the memory it shares with the engine, its requests, and the work that
// waits for the task to come in. Requests are what a kernel calls armed (waiting for a socket) or
// queued (task work); a request that is neither has completed.
#pragma once

#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "sim/io_sim_fault.h"

namespace sluice::sim {

// What the kernel can do. Names are the releases that brought the difference.
enum class Level : uint8_t {
  v5_15,  // no buffer rings: too old for the engine
  v6_0,   // no DEFER_TASKRUN: task work runs whenever the task enters the kernel
  v6_1,   // no NO_SQARRAY, no cap on multishot recv
  v6_6,   // NO_SQARRAY
  v6_18,  // everything
};

// The parts of the ABI that are newer than the system header may be.
inline constexpr uint32_t kSetupNoSqArray = 1u << 16;
inline constexpr uint32_t kEnterAbsTimer = 1u << 5;
inline constexpr uint32_t kRegisterPbufStatus = 26;
inline constexpr uint32_t kRegisterUseRegisteredRing = 1u << 31;
inline constexpr uint64_t kOffsetPbufRing = 0x80000000ull;
inline constexpr uint16_t kPbufRingMmap = 1;

// Page-aligned memory, shared by a ring and whoever maps it. Each block is its own allocation, so
// that a sanitizer sees any access outside of it.
class Block {
 public:
  explicit Block(size_t bytes);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  uint8_t* data() { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* data_;
  size_t bytes_;
};

struct Request {
  uint64_t user_data = 0;
  uint8_t opcode = 0;
  uint8_t flags = 0;  // IOSQE_*
  bool live = false;
  bool armed = false;   // waits for `events` on `object`
  bool queued = false;  // has task work, now or soon
  bool cancelled = false;
  bool multishot = false;
  bool wait_all = false;
  bool dont_wait = false;
  bool capped = false;   // multishot recv with a total limit
  bool started = false;  // connect: the handshake is under way
  int object = -1;       // holds a reference
  uint32_t generation = 0;
  uint32_t events = 0;  // poll mask it waits for
  uint32_t bytes = 0;   // recv: per-shot limit, read: size
  uint32_t left = 0;    // capped recv: bytes that may still come
  uint32_t done = 0;    // wait_all send: bytes sent so far
  uint16_t group = 0;
  uint64_t address = 0;  // read: where to; connect: unused
  uint32_t port = 0;
  std::vector<iovec> vectors;
};

struct BufferGroup {
  io_uring_buf_ring* ring = nullptr;
  std::shared_ptr<Block> block;  // when the kernel owns the memory
  uint32_t entries = 0;
  uint16_t head = 0;
};

struct Ring {
  uint32_t flags = 0;  // IORING_SETUP_*
  uint32_t sq_entries = 0;
  uint32_t cq_entries = 0;
  int object = -1;
  std::shared_ptr<Block> rings;
  std::shared_ptr<Block> sqes;

  // The words of the shared memory.
  struct Word {
    uint32_t sq_head, sq_tail, sq_mask, sq_entries, sq_flags, sq_dropped;
    uint32_t cq_head, cq_tail, cq_mask, cq_entries, cq_overflow, cq_flags;
  };
  Word* word = nullptr;
  uint32_t* array = nullptr;  // null with NO_SQARRAY
  io_uring_cqe* cqes = nullptr;

  std::vector<Request> requests;
  std::vector<uint32_t> free_requests;
  std::deque<uint32_t> task_work;  // request indices, in order of execution
  std::deque<io_uring_cqe> overflow;
  std::map<uint16_t, BufferGroup> groups;
  std::map<int, std::vector<uint32_t>> by_object;  // live requests

  bool defers() const { return (flags & IORING_SETUP_DEFER_TASKRUN) != 0; }
  uint32_t ready() const { return word->cq_tail - word->cq_head; }
  void set_flag(uint32_t flag, bool on) {
    word->sq_flags = on ? word->sq_flags | flag : word->sq_flags & ~flag;
  }
};

class SimKernel;
class World;

// Executes requests of one ring. A short-lived helper of SimKernel; all state is in the Ring.
class RingDriver {
 public:
  RingDriver(SimKernel& kernel, Ring& ring);

  uint32_t submit(uint32_t count);  // entries consumed
  void run_task_work(uint32_t max);
  void flush_overflow();
  void woke(int object, uint32_t events);
  void kernel_event(uint64_t what);  // delayed task work or a late cancel
  void destroy();                    // the ring's descriptor is gone

 private:
  enum class Outcome : uint8_t { completed, waits };

  void execute(const io_uring_sqe& sqe);
  bool prepare(const io_uring_sqe& sqe, Request& r);
  void prepare_recv(const io_uring_sqe& sqe, Request& r);
  void issue(uint32_t index, bool first);
  Outcome attempt(Request& r);
  Outcome recv(Request& r);
  Outcome recv_once(Request& r, bool& again);
  Outcome send(Request& r);
  Outcome accept(Request& r);
  Outcome connect(Request& r);
  Outcome poll(Request& r);
  Outcome read(Request& r);
  Outcome finish(Request& r, int64_t result, uint32_t flags = 0);
  void arm(uint32_t index);
  void queue(uint32_t index);
  void push_task_work(uint32_t index);
  void cancel(const io_uring_sqe& sqe);
  bool cancel_one(uint32_t index);
  void end_cancelled(Request& r);
  void post(uint64_t user_data, int32_t result, uint32_t flags);
  bool post_more(const Request& r, int32_t result, uint32_t flags);
  uint32_t index_of(const Request& r) const;
  uint32_t take_request();
  uint64_t event_key(uint32_t index, bool is_cancel) const;

  SimKernel& kernel_;
  World& world_;
  FaultPlan& faults_;
  Ring& ring_;
};

}  // namespace sluice::sim
