// epoll of the simulated kernel: edge- and level-triggered items. An edge is remembered until it is
// collected; several edges before that are one event with the state of the moment of collection.
#include <algorithm>
#include <cerrno>

#include "sim/io_sim_kernel.h"

namespace sluice::sim {

int SimKernel::epoll_create() {
  enter("epoll_create", -1);
  if (world_.table_full()) return static_cast<int>(leave(-EMFILE));
  const int id = world_.make(Kind::epoll);
  epolls_[id];
  return static_cast<int>(leave(world_.install(id)));
}

int SimKernel::epoll_control(int epoll_fd, int operation, int fd, epoll_event* event) {
  enter("epoll_control", fd);
  const auto found = epolls_.find(world_.lookup(epoll_fd));
  const int id = world_.lookup(fd);
  if (found == epolls_.end() || id < 0) return static_cast<int>(leave(-EBADF));
  Epoll& epoll = found->second;
  const auto item = std::find_if(epoll.items.begin(), epoll.items.end(),
                                 [&](const Item& i) { return i.object == id && i.fd == fd; });
  const bool exists = item != epoll.items.end();
  if (operation == EPOLL_CTL_ADD) {
    if (exists) return static_cast<int>(leave(-EEXIST));
    epoll.items.push_back(Item{fd, id, *event, false});
    if ((world_.poll(id) & (event->events | EPOLLERR | EPOLLHUP)) != 0) {
      mark_ready(epoll, epoll.items.back());
    }
    return static_cast<int>(leave(0));
  }
  if (!exists) return static_cast<int>(leave(-ENOENT));
  if (operation == EPOLL_CTL_DEL) {
    std::erase(epoll.ready, id);
    epoll.items.erase(item);
    return static_cast<int>(leave(0));
  }
  item->event = *event;
  if ((world_.poll(id) & (event->events | EPOLLERR | EPOLLHUP)) != 0) mark_ready(epoll, *item);
  return static_cast<int>(leave(0));
}

void SimKernel::mark_ready(Epoll& epoll, Item& item) {
  if (item.ready) return;
  item.ready = true;
  epoll.ready.push_back(item.object);
}

void SimKernel::woke_epoll(int object, uint32_t events) {
  for (auto& [id, epoll] : epolls_) {
    for (Item& item : epoll.items) {
      if (item.object != object) continue;
      if ((events & (item.event.events | EPOLLERR | EPOLLHUP)) == 0) continue;
      if (!item.ready && faults_.fires(Fault::delayed)) {
        world_.wake_later(object);
        continue;
      }
      mark_ready(epoll, item);
    }
  }
}

// Reports an event that does not hold, as a kernel may after it dropped a bad segment.
void SimKernel::invent_event(Epoll& epoll) {
  if (epoll.items.empty() || !faults_.fires(Fault::epoll_spurious)) return;
  Item& item = epoll.items[world_.prng().below(static_cast<uint32_t>(epoll.items.size()))];
  if ((item.event.events & EPOLLET) != 0) mark_ready(epoll, item);
}

int SimKernel::collect(Epoll& epoll, epoll_event* events, int max) {
  invent_event(epoll);
  if (epoll.ready.size() > 1 && faults_.fires(Fault::reorder)) {
    const uint32_t count = static_cast<uint32_t>(epoll.ready.size());
    std::swap(epoll.ready[world_.prng().below(count)], epoll.ready[world_.prng().below(count)]);
  }
  int n = 0;
  std::vector<int> level_triggered;
  while (n < max && !epoll.ready.empty()) {
    const int object = epoll.ready.front();
    epoll.ready.erase(epoll.ready.begin());
    const auto item = std::find_if(epoll.items.begin(), epoll.items.end(),
                                   [&](const Item& i) { return i.object == object; });
    item->ready = false;
    const uint32_t wanted = item->event.events | EPOLLERR | EPOLLHUP;
    uint32_t now = world_.poll(object) & wanted;
    if ((item->event.events & EPOLLET) == 0) {
      if (now != 0) level_triggered.push_back(object);
    } else if (faults_.fires(Fault::epoll_spurious)) {
      now |= (world_.prng().one_in(2) ? EPOLLIN : EPOLLOUT) & wanted;
    }
    if (now == 0) continue;
    events[n].events = now;
    events[n].data = item->event.data;
    n++;
    mix(static_cast<uint64_t>(object) << 32 | now);
  }
  for (const int object : level_triggered) {
    for (Item& item : epoll.items) {
      if (item.object == object) mark_ready(epoll, item);
    }
  }
  return n;
}

int SimKernel::epoll_wait(int epoll_fd, epoll_event* events, int max, uint64_t timeout_ns) {
  enter("epoll_wait", epoll_fd);
  const int id = world_.lookup(epoll_fd);
  if (epolls_.find(id) == epolls_.end()) return static_cast<int>(leave(-EBADF));
  if (max <= 0) return static_cast<int>(leave(-EINVAL));
  const uint64_t until =
      timeout_ns > UINT64_MAX - world_.now_ns() ? UINT64_MAX : world_.now_ns() + timeout_ns;
  if (timeout_ns > 0 && faults_.fires(Fault::enter_eintr)) return static_cast<int>(leave(-EINTR));
  const bool early = timeout_ns > 0 && faults_.fires(Fault::epoll_early);
  while (true) {
    const int n = collect(epolls_[id], events, max);
    if (n > 0) return static_cast<int>(leave(n));
    const uint64_t next = world_.next_event_ns();
    if (next > until || early || world_.failed()) break;
    if (next == UINT64_MAX) {
      world_.fail("epoll_wait without timeout, and nothing will ever happen");
      break;
    }
    world_.advance_to(next);
  }
  if (!early && until != UINT64_MAX) world_.advance_to(until);
  return static_cast<int>(leave(0));
}

}  // namespace sluice::sim
