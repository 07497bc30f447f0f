#include "io/buffer_queue.h"

#include "base/prng.h"
#include "queues.h"

using namespace sluice;
using io::BufferClass;
using io::BufferQueue;
using io::BufferRef;

namespace {

BufferRef lend(io::BufferPool& pool, uint32_t bytes, char fill,
               BufferClass cls = BufferClass::small) {
  const BufferRef buffer = pool.take(cls);
  REQUIRE_FALSE(buffer.is_none());
  std::memset(pool.data(buffer), fill, bytes);
  pool.lend(buffer, bytes);
  return buffer;
}

}  // namespace

TEST_CASE("buffer queue: empty") {
  io::BufferPool pool({64, 4}, {64, 1});
  BufferQueue queue;
  CHECK(queue.empty());
  CHECK(queue.front().is_none());
  queue.drop(pool);
  queue.append(pool, lend(pool, 0, 'x'));  // nothing in it: given back at once
  CHECK(queue.empty());
  CHECK(queue.front().is_none());
  CHECK(test::lent(pool) == 0);
}

TEST_CASE("buffer queue: small pieces share a buffer while there is room") {
  io::BufferPool pool({64, 4}, {64, 1});
  BufferQueue queue;
  queue.append(pool, lend(pool, 40, 'a'));
  queue.append(pool, lend(pool, 24, 'b'));
  CHECK(pool.lent_count(BufferClass::small) == 1);
  queue.append(pool, lend(pool, 1, 'c'));
  CHECK(pool.lent_count(BufferClass::small) == 2);
  const std::string text = std::string(40, 'a') + std::string(24, 'b') + "c";
  CHECK(test::text_of(pool, queue) == text);
  CHECK(test::sent_text(pool, queue, 16) == text);
  CHECK(test::sent_text(pool, queue, 1) == text.substr(0, 64));
  queue.drop(pool);
  CHECK(test::lent(pool) == 0);
}

// The kernel may read what is before the end of a buffer; nobody reads what is behind it.
TEST_CASE("buffer queue: a piece is not merged into what was consumed") {
  io::BufferPool pool({64, 4}, {64, 1});
  BufferQueue queue;
  queue.append(pool, lend(pool, 60, 'a'));
  queue.consume(pool, 59);
  queue.append(pool, lend(pool, 5, 'b'));
  CHECK(pool.lent_count(BufferClass::small) == 2);
  CHECK(test::text_of(pool, queue) == "abbbbb");
  queue.consume(pool, 6);
  CHECK(queue.empty());
  CHECK(test::lent(pool) == 0);
}

TEST_CASE("buffer queue: larger pieces keep their buffers") {
  constexpr uint32_t kRoom = 2 * limits::kMergeBytesMax + 2;
  io::BufferPool pool({kRoom, 4}, {64, 1});
  BufferQueue queue;
  queue.append(pool, lend(pool, 1, 'a'));
  queue.append(pool, lend(pool, limits::kMergeBytesMax + 1, 'b'));
  CHECK(pool.lent_count(BufferClass::small) == 2);
  queue.append(pool, lend(pool, limits::kMergeBytesMax, 'c'));
  CHECK(pool.lent_count(BufferClass::small) == 2);
  queue.drop(pool);
  CHECK(test::lent(pool) == 0);
}

TEST_CASE("buffer queue: behind the first, large buffers are shared by pieces of any size") {
  io::BufferPool pool({64, 1}, {16384, 8});
  BufferQueue queue;
  std::string text;
  for (char fill = 'a'; fill < 'g'; fill++) {
    queue.append(pool, lend(pool, 3000, fill, BufferClass::large));
    text += std::string(3000, fill);
  }
  CHECK(pool.lent_count(BufferClass::large) == 2);
  CHECK(test::text_of(pool, queue) == text);
  queue.drop(pool);
  CHECK(test::lent(pool) == 0);
}

TEST_CASE("buffer queue: detached buffers stay lent") {
  io::BufferPool pool({8, 4}, {64, 1});
  BufferQueue queue;
  REQUIRE(test::receive(pool, queue, "0123456789abcdef"));
  const BufferRef first = queue.detach(pool);
  CHECK(queue.bytes == 8);
  CHECK(pool.meta(first).length == 8);
  CHECK(pool.meta(first).next == BufferRef::kNone);
  const BufferRef second = queue.detach(pool);
  CHECK(queue.empty());
  CHECK(queue.front().is_none());
  CHECK(test::lent(pool) == 2);
  queue.append(pool, second);
  queue.append(pool, first);
  CHECK(test::text_of(pool, queue) == "89abcdef01234567");
  queue.drop(pool);
  CHECK(test::lent(pool) == 0);
}

TEST_CASE("buffer queue: any order of calls keeps the bytes and their number") {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    Prng prng(seed);
    io::BufferPool pool({1 + prng.below(40), 64}, {64, 1});
    BufferQueue queue;
    std::string model;
    for (int step = 0; step < 300; step++) {
      const uint32_t room = pool.buffer_bytes(BufferClass::small);
      if (prng.below(2) == 0 && pool.free_count(BufferClass::small) > 0) {
        const uint32_t bytes = prng.below(room + 1);
        const char fill = static_cast<char>('a' + step % 26);
        queue.append(pool, lend(pool, bytes, fill));
        model.append(bytes, fill);
      } else {
        const uint32_t bytes = prng.below(static_cast<uint32_t>(model.size()) + 1);
        queue.consume(pool, bytes);
        model.erase(0, bytes);
      }
      REQUIRE(queue.bytes == model.size());
      REQUIRE(test::text_of(pool, queue) == model);
      const std::string sent = test::sent_text(pool, queue, 5);
      REQUIRE(model.compare(0, sent.size(), sent) == 0);
    }
    queue.drop(pool);
    REQUIRE(test::lent(pool) == 0);
    REQUIRE(pool.free_count(BufferClass::small) == 64);
  }
}
