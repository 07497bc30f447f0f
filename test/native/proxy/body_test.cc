#include "proxy/body.h"

#include "../io/queues.h"

using namespace sluice;
using proxy::Body;
using proxy::Moved;

namespace {

struct Passage {
  Moved moved = Moved::all;
  http::Refusal why = http::Refusal::none;
  std::string out;
  std::string left;
  bool done = false;
  uint64_t counted = 0;
};

// `text` arrives in two pieces, in buffers of `room` bytes.
Passage pass(http::Framing framing, uint64_t length, bool strip, std::string_view text, size_t cut,
             uint32_t room) {
  io::BufferPool pool({room, 256}, {64, 1});
  io::BufferQueue in;
  io::BufferQueue out;
  Body body;
  body.begin(framing, length, strip);
  Passage passage;
  for (const std::string_view piece : {text.substr(0, cut), text.substr(cut)}) {
    REQUIRE(test::receive(pool, in, piece));
    if (passage.moved == Moved::refused) continue;
    passage.moved = proxy::move_body(pool, body, in, out, &passage.why);
  }
  passage.out = test::text_of(pool, out);
  REQUIRE(test::sent_text(pool, out, 64).compare(0, 64, passage.out, 0, 64) == 0);
  passage.left = test::text_of(pool, in);
  passage.done = body.done;
  passage.counted = body.moved;
  in.drop(pool);
  out.drop(pool);
  REQUIRE(test::lent(pool) == 0);
  REQUIRE(pool.free_count(io::BufferClass::small) == 256);
  return passage;
}

// The passage, which is the same however the text is cut.
Passage pass_cut(http::Framing framing, uint64_t length, bool strip, std::string_view text) {
  const Passage whole = pass(framing, length, strip, text, text.size(), 4096);
  CAPTURE(std::string(text));
  for (size_t cut = 0; cut <= text.size(); cut++) {
    for (const uint32_t room : {1u, 3u, 16u, 4096u}) {
      CAPTURE(cut);
      CAPTURE(room);
      const Passage other = pass(framing, length, strip, text, cut, room);
      REQUIRE(other.moved == whole.moved);
      REQUIRE(other.why == whole.why);
      REQUIRE(other.done == whole.done);
      if (whole.moved == Moved::refused) continue;
      REQUIRE(other.out == whole.out);
      REQUIRE(other.left == whole.left);
      REQUIRE(other.counted == whole.counted);
    }
  }
  return whole;
}

}  // namespace

TEST_CASE("body: without one nothing moves") {
  const Passage none = pass_cut(http::Framing::none, 0, false, "GET / HTTP/1.1");
  CHECK(none.done);
  CHECK(none.out.empty());
  CHECK(none.left == "GET / HTTP/1.1");
  const Passage empty = pass_cut(http::Framing::length, 0, false, "GET /");
  CHECK(empty.done);
  CHECK(empty.left == "GET /");
}

TEST_CASE("body: a length takes so many bytes") {
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (uint64_t length = 1; length <= text.size(); length++) {
    const Passage passage = pass_cut(http::Framing::length, length, false, text);
    CHECK(passage.moved == Moved::all);
    CHECK(passage.done);
    CHECK(passage.out == text.substr(0, length));
    CHECK(passage.left == text.substr(length));
    CHECK(passage.counted == length);
  }
  const Passage unfinished = pass_cut(http::Framing::length, text.size() + 1, false, text);
  CHECK_FALSE(unfinished.done);
  CHECK(unfinished.out == text);
}

TEST_CASE("body: chunks pass with their framing or without it") {
  const std::string chunks = "5;a=b\r\nhello\r\n0b\r\n, the world\r\n0\r\nX: y\r\n\r\n";
  const Passage kept = pass_cut(http::Framing::chunked, 0, false, chunks + "GET /");
  CHECK(kept.moved == Moved::all);
  CHECK(kept.done);
  CHECK(kept.out == "5\r\nhello\r\n0b\r\n, the world\r\n0\r\nX: y\r\n\r\n");
  CHECK(kept.left == "GET /");
  const Passage stripped = pass_cut(http::Framing::chunked, 0, true, chunks + "GET /");
  CHECK(stripped.done);
  CHECK(stripped.out == "hello, the world");
  CHECK(stripped.left == "GET /");
  CHECK(stripped.counted == 16);
  const Passage unfinished = pass_cut(http::Framing::chunked, 0, false, "5\r\nhello\r\n0\r\n");
  CHECK(unfinished.moved == Moved::all);
  CHECK_FALSE(unfinished.done);
}

TEST_CASE("body: wrong chunks are refused") {
  const Passage size = pass_cut(http::Framing::chunked, 0, false, "5\r\nhello\r\nx\r\n");
  CHECK(size.moved == Moved::refused);
  CHECK(size.why == http::Refusal::bad_chunk_size);
  CHECK_FALSE(size.done);
  const Passage end = pass_cut(http::Framing::chunked, 0, true, "5\r\nhello!\r\n");
  CHECK(end.moved == Moved::refused);
  CHECK(end.why == http::Refusal::bad_chunk_end);
}

TEST_CASE("body: until the end everything belongs to it") {
  const Passage passage = pass_cut(http::Framing::until_close, 0, false, "all of this\r\n\r\n");
  CHECK_FALSE(passage.done);
  CHECK(passage.out == "all of this\r\n\r\n");
  CHECK(passage.left.empty());
}

TEST_CASE("body: bytes that need no looking at") {
  Body body;
  CHECK(body.plain_bytes() == 0);
  body.begin(http::Framing::none, 7, false);
  CHECK(body.plain_bytes() == 0);
  body.begin(http::Framing::length, 7, false);
  CHECK(body.plain_bytes() == 7);
  body.begin(http::Framing::until_close, 0, false);
  CHECK(body.plain_bytes() == 0);
  body.pass(Body::kSurelyBulk - 1);
  CHECK(body.plain_bytes() == 0);
  body.pass(1);
  CHECK(body.plain_bytes() == UINT32_MAX);
  body.begin(http::Framing::chunked, 0, false);
  CHECK(body.plain_bytes() == 0);
  io::BufferPool pool({64, 4}, {64, 1});
  io::BufferQueue in;
  io::BufferQueue out;
  http::Refusal why = http::Refusal::none;
  REQUIRE(test::receive(pool, in, "a\r\n012"));
  REQUIRE(proxy::move_body(pool, body, in, out, &why) == Moved::all);
  CHECK(body.plain_bytes() == 7);
  out.drop(pool);
}

TEST_CASE("body: its end needs a buffer of its own, and says when there is none") {
  for (const uint32_t buffers : {1u, 2u}) {
    io::BufferPool pool({64, buffers}, {64, 1});
    io::BufferQueue in;
    io::BufferQueue out;
    Body body;
    body.begin(http::Framing::length, 5, false);
    http::Refusal why = http::Refusal::none;
    REQUIRE(test::receive(pool, in, "helloGET /"));
    const Moved moved = proxy::move_body(pool, body, in, out, &why);
    CHECK(moved == (buffers == 1 ? Moved::no_buffer : Moved::all));
    CHECK(test::text_of(pool, out) == (buffers == 1 ? "" : "hello"));
    CHECK(test::text_of(pool, in) == (buffers == 1 ? "helloGET /" : "GET /"));
    CHECK(body.done == (buffers == 2));
    in.drop(pool);
    out.drop(pool);
    CHECK(test::lent(pool) == 0);
  }
}

TEST_CASE("body: the end of a body in a large buffer is cut into small pieces") {
  io::BufferPool pool({16, 8}, {128, 1});
  io::BufferQueue in;
  io::BufferQueue out;
  const std::string text(100, 'x');
  const io::BufferRef large = pool.take(io::BufferClass::large);
  std::memcpy(pool.data(large), text.data(), text.size());
  pool.lend(large, 100);
  in.append(pool, large);
  Body body;
  body.begin(http::Framing::length, 90, false);
  http::Refusal why = http::Refusal::none;
  CHECK(proxy::move_body(pool, body, in, out, &why) == Moved::all);
  CHECK(out.bytes == 90);
  CHECK(in.bytes == 10);
  CHECK(body.moved == 90);
  in.drop(pool);
  out.drop(pool);
  CHECK(test::lent(pool) == 0);
}
