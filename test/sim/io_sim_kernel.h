// The simulated kernel: the engines' seam (native/io/kernel.h) over a World. Every call lets a
// little virtual time pass, may meet a fault of the plan, and goes into a running hash, so that two
// runs of a seed can be compared.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "io/kernel.h"
#include "sim/io_sim_ring.h"
#include "sim/io_sim_world.h"

namespace sluice::sim {

class SimKernel final : public io::Kernel {
 public:
  struct Options {
    Level level = Level::v6_18;
    bool trace = false;  // print every call
  };

  SimKernel(World& world, Options options);
  ~SimKernel() override;

  uint64_t clock_ns() override;
  int uring_setup(uint32_t entries, io_uring_params* params) override;
  int uring_enter(int ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                  const void* argument, size_t argument_bytes) override;
  int uring_register(int ring, uint32_t opcode, void* argument, uint32_t count) override;
  void* map(size_t bytes, int fd, uint64_t offset) override;
  void unmap(void* memory, size_t bytes) override;

  int epoll_create() override;
  int epoll_control(int epoll, int operation, int fd, epoll_event* event) override;
  int epoll_wait(int epoll, epoll_event* events, int max, uint64_t timeout_ns) override;

  int event_fd() override;
  int socket(int family) override;
  int set_option(int fd, int level, int name, const void* value, socklen_t bytes) override;
  int socket_error(int fd) override;
  int accept(int fd) override;
  uint32_t pending_accepts(int fd) override;
  int socket_pair(int fds[2]) override;
  int connect(int fd, const sockaddr* address, socklen_t bytes) override;
  int64_t recv(int fd, void* data, size_t bytes) override;
  int64_t send(int fd, const msghdr* message) override;
  int shutdown_write(int fd) override;
  int64_t unacknowledged_bytes(int fd) override;
  int pipe(int fds[2], uint32_t bytes) override;
  int64_t splice(int from, int to, size_t bytes) override;
  int64_t read(int fd, void* data, size_t bytes) override;
  int64_t write(int fd, const void* data, size_t bytes) override;
  int close(int fd) override;

  // What a test may ask. Mappings that nobody has returned; the hash over all calls so far.
  size_t mappings() const { return mappings_.size(); }
  uint64_t hash() const { return hash_; }
  void mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ull; }
  uint64_t calls() const { return calls_; }

 private:
  friend class RingDriver;

  struct Mapping {
    void* memory;
    size_t bytes;
    std::shared_ptr<Block> block;
  };
  // An epoll instance. `ready` holds items with an edge nobody has seen yet.
  struct Item {
    int fd;
    int object;
    epoll_event event;
    bool ready;
  };
  struct Epoll {
    std::vector<Item> items;
    std::vector<int> ready;  // descriptors, oldest first
  };

  // Entry of every call: time passes. Calls from within an event (another thread's) cost nothing.
  void enter(const char* name, int fd);
  int64_t leave(int64_t result);
  int stream_of(int fd) const;  // object id, or -EBADF / -ENOTSOCK
  void woke(int object, uint32_t events);
  void woke_epoll(int object, uint32_t events);
  void released(int object);
  void mark_ready(Epoll& epoll, Item& item);
  int collect(Epoll& epoll, epoll_event* events, int max);
  void invent_event(Epoll& epoll);
  int64_t limited_recv(int object, void* data, size_t bytes);
  int accept_object(int listener);  // a descriptor, -EAGAIN, -EMFILE
  Ring* ring_of(int fd, bool registered);
  uint32_t port_of(const sockaddr* address) const;

  World& world_;
  FaultPlan& faults_;
  Options options_;
  uint64_t hash_ = 0xcbf29ce484222325ull;
  uint64_t calls_ = 0;
  std::vector<Mapping> mappings_;
  std::map<int, Epoll> epolls_;                 // by object
  std::map<int, std::unique_ptr<Ring>> rings_;  // by object
  std::vector<int> registered_rings_;           // object by index, -1 free
};

}  // namespace sluice::sim
