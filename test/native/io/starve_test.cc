// Receives that wait for a buffer of one class while an entry of theirs, or of the descriptor's
// former owner, still lies in the queue of the other class.
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "native/io/host.h"

using namespace sluice::test;

namespace {

BufferClass other(BufferClass cls) {
  return cls == BufferClass::small ? BufferClass::large : BufferClass::small;
}

// Receives that have taken all buffers of a class, one each, and keep them.
template <typename T>
class Hoarders {
 public:
  Hoarders(On<T>& host, BufferClass cls, uint32_t slot_first) : host_(host), cls_(cls) {
    const uint32_t count = host.pool().capacity(cls);
    for (uint32_t i = 0; i < count; i++) {
      pairs_.push_back(tcp_pair());
      write_all(pairs_[i].far, "mine");
      host->recv(pairs_[i].near, name(slot_first + i), cls, 100000);
    }
    first_ = slot_first;
    REQUIRE(host.until([&] { return host.pool().lent_count(cls) == count; }));
  }
  ~Hoarders() {
    for (uint32_t i = 0; i < pairs_.size(); i++) {
      ::close(pairs_[i].far);
      CHECK(host_.ended(name(first_ + i)).result == 0);
      host_->close(pairs_[i].near);
    }
  }

 private:
  Token name(uint32_t slot) const { return token(Op::recv, slot); }

  On<T>& host_;
  BufferClass cls_;
  uint32_t first_ = 0;
  std::vector<Pair> pairs_;
};

// A receive into `first` starves and is cancelled; one into the other class, on the same
// descriptor, starves as well. Buffers of that other class alone come back.
template <typename T>
void starve_in_both(BufferClass first) {
  const BufferClass second = other(first);
  On<T> host({.small_buffers = 2, .large_buffers = 2});
  host.hold(true);
  {
    // What was taken last is given back first.
    Hoarders<T> of_first(host, first, 10);
    Hoarders<T> of_second(host, second, 20);
    const Pair pair = tcp_pair();
    write_all(pair.far, "late");
    host->recv(pair.near, token(Op::recv, 1), first, 100000);
    host.settle();
    host->cancel(pair.near);
    CHECK(host.ended(token(Op::recv, 1)).result == -ECANCELED);
    host->recv(pair.near, token(Op::recv, 2), second, 100000);
    host.settle();
    CHECK(host.received(token(Op::recv, 2)).empty());

    host.release_held(2);
    REQUIRE(host.pool().lent_count(second) == 0);
    REQUIRE(host.pool().lent_count(first) == 2);
    CHECK(host.until([&] { return host.received(token(Op::recv, 2)) == "late"; }));
    // The entry that was in vain does no harm when its class has buffers again.
    host.hold(false);
    host.release_held(host.held());
    write_all(pair.far, "r");
    CHECK(host.until([&] { return host.received(token(Op::recv, 2)) == "later"; }));
    ::close(pair.far);
    CHECK(host.ended(token(Op::recv, 2)).result == 0);
    host->close(pair.near);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("io: a receive starved in one class does not wait for the other", T, ENGINES) {
  SUBCASE("small, then large") {
    starve_in_both<T>(BufferClass::small);
  }
  SUBCASE("large, then small") {
    starve_in_both<T>(BufferClass::large);
  }
}

TEST_CASE_TEMPLATE("io: starving in both classes by turns names a descriptor once in each", T,
                   ENGINES) {
  On<T> host({.small_buffers = 2, .large_buffers = 2});
  host.hold(true);
  {
    Hoarders<T> large(host, BufferClass::large, 10);
    Hoarders<T> small(host, BufferClass::small, 20);
    const Pair pair = tcp_pair();
    write_all(pair.far, "once");
    uint32_t slot = 100;
    for (int round = 0; round < 20; round++) {
      const BufferClass cls = round % 2 == 0 ? BufferClass::small : BufferClass::large;
      host->recv(pair.near, token(Op::recv, slot), cls, 100000);
      host.settle();
      host->cancel(pair.near);
      CHECK(host.ended(token(Op::recv, slot)).result == -ECANCELED);
      slot++;
    }
    host->recv(pair.near, token(Op::recv, slot), BufferClass::small, 100000);
    host.settle();
    host.hold(false);
    host.release_held(host.held());
    CHECK(host.until([&] { return host.received(token(Op::recv, slot)) == "once"; }));
    ::close(pair.far);
    CHECK(host.ended(token(Op::recv, slot)).result == 0);
    host->close(pair.near);
  }
}
