#include "log/format.h"

#include <vector>

#include "log/text.h"
#include "native/log/scene.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// 2026-11-21T14:58:01.250Z
constexpr uint64_t kBegan = 1'795'273'081'250'000'000;

template <typename Put>
std::string written(Put&& put) {
  char buffer[4096];
  return {buffer, static_cast<size_t>(put(buffer) - buffer)};
}
std::string json(const std::string& text) {
  return written([&](char* out) {
    return log::put_json(out, reinterpret_cast<const uint8_t*>(text.data()),
                         static_cast<uint32_t>(text.size()));
  });
}
std::string escaped(const std::string& text) {
  return written([&](char* out) {
    return log::put_escaped(out, reinterpret_cast<const uint8_t*>(text.data()),
                            static_cast<uint32_t>(text.size()));
  });
}

struct Lines {
  shm::Region region;
  log::Names names;
  log::Formatter formatter;
  std::vector<char> out = std::vector<char>(log::kLineBytesMax);

  std::string operator()(log::Format format, const log::Record& record) {
    char* end = formatter.line(out.data(), format, record, names, 0);
    return {out.data(), static_cast<size_t>(end - out.data())};
  }
};

void fill(log::Record& record) {
  record.began_ns = kBegan;
  record.status = 200;
  record.duration_us = 1'500'042;
  record.bytes_in = 120;
  record.bytes_out = 1234;
  record.body_bytes = 1000;
  record.connect_us = 310;
  record.first_byte_us = 2000;
  record.family = log::AddressFamily::ipv4;
  record.address[0] = 192;
  record.address[1] = 0;
  record.address[2] = 2;
  record.address[3] = 255;
  record.listener = {0, 1};
  record.route = {3, 1};
  record.pool = {2, 7};
  record.backend = {5, 2};
  record.retries = 1;
  record.reused = true;
}

}  // namespace

TEST_CASE("log text: numbers, dates and addresses") {
  CHECK(written([](char* out) { return log::put_number(out, 0); }) == "0");
  CHECK(written([](char* out) { return log::put_number(out, UINT64_MAX); }) ==
        "18446744073709551615");
  CHECK(written([](char* out) { return log::put_seconds(out, 42); }) == "0.000042");
  CHECK(written([](char* out) { return log::put_seconds(out, 61'000'001); }) == "61.000001");
  const auto day = [](uint64_t seconds) {
    const log::Civil c = log::civil_of(seconds);
    return std::to_string(c.year) + "-" + std::to_string(c.month) + "-" + std::to_string(c.day) +
           " " + std::to_string(c.hour) + ":" + std::to_string(c.minute) + ":" +
           std::to_string(c.second);
  };
  CHECK(day(0) == "1970-1-1 0:0:0");
  CHECK(day(951'782'399) == "2000-2-28 23:59:59");
  CHECK(day(951'782'400) == "2000-2-29 0:0:0");
  CHECK(day(1'709'251'199) == "2024-2-29 23:59:59");
  CHECK(day(4'107'542'400) == "2100-3-1 0:0:0");
  CHECK(day(1'735'689'599) == "2024-12-31 23:59:59");
  const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  CHECK(written([&](char* out) { return log::put_ipv6(out, six); }) == "2001:db8::1");
}

TEST_CASE("log text: the bytes of strangers") {
  CHECK(json("a\"b\\c\n\r\t") == "a\\\"b\\\\c\\n\\r\\t");
  CHECK(json(std::string("\x00\x1f\x7f", 3)) == "\\u0000\\u001f\\u007f");
  CHECK(json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
  // Cut short, overlong, a surrogate, beyond U+10FFFF, a lone continuation.
  CHECK(json("\xe2\x82") == "\\u00e2\\u0082");
  CHECK(json("\xc0\xaf") == "\\u00c0\\u00af");
  CHECK(json("\xed\xa0\x80") == "\\u00ed\\u00a0\\u0080");
  CHECK(json("\xf4\x90\x80\x80") == "\\u00f4\\u0090\\u0080\\u0080");
  CHECK(json("\x80x") == "\\u0080x");
  CHECK(escaped("a\"b\\c\n\x7f\xc3\xbc ~") == "a\\x22b\\x5Cc\\x0A\\x7F\\xC3\\xBC ~");
}

TEST_CASE("log format: a line of each kind") {
  Lines lines;
  REQUIRE(lines.region.create(1) == 0);
  Producer producer(lines.region);
  lines.names.set(log::NameKind::listener, 0, 1, "in");
  lines.names.set(log::NameKind::route, 3, 1, "*/");
  lines.names.set(log::NameKind::pool, 2, 7, "web");
  lines.names.set(log::NameKind::backend, 5, 2, "10.0.0.1:80");
  log::Record& record = producer.draft({.target = "/a?b=\"c\"", .user_agent = "curl/8"});
  fill(record);
  CHECK(lines(log::Format::json, record) ==
        R"({"time":"2026-11-21T14:58:01.250Z","client_addr":"192.0.2.255","method":"GET",)"
        R"("host":"example.org","path":"/a?b=\"c\"","protocol":"HTTP/1.1","status":200,)"
        R"("bytes_in":120,"bytes_out":1234,"duration":1.500042,"connect_time":0.000310,)"
        R"("first_byte_time":0.002000,"listener":"in","route":"*/","pool":"web",)"
        R"("backend":"10.0.0.1:80","retries":1,"reused":true,"end":"complete",)"
        R"("user_agent":"curl/8","referer":null})"
        "\n");
  CHECK(lines(log::Format::combined, record) ==
        R"(192.0.2.255 - - [21/Nov/2026:14:58:01 +0000] "GET /a?b=\x22c\x22 HTTP/1.1" 200 1000 )"
        R"("-" "curl/8")"
        "\n");
}

TEST_CASE("log format: a request that could not be read, and a client that left") {
  Lines lines;
  REQUIRE(lines.region.create(1) == 0);
  Producer producer(lines.region);
  log::Record& record = producer.journal.begin(0);
  record.began_ns = kBegan;
  record.end = log::End::bad_request;
  record.status = 400;
  record.body_bytes = 16;
  CHECK(lines(log::Format::combined, record) ==
        "- - - [21/Nov/2026:14:58:01 +0000] \"-\" 400 16 \"-\" \"-\"\n");
  CHECK(lines(log::Format::json, record)
            .find("\"method\":null,\"host\":null,\"path\":null,"
                  "\"protocol\":null,\"status\":400") != std::string::npos);
  record.status = 0;
  record.end = log::End::client_aborted;
  CHECK(lines(log::Format::combined, record).find("\" 499 ") != std::string::npos);
  CHECK(lines(log::Format::json, record).find("\"status\":null") != std::string::npos);
}

TEST_CASE("log format: the longest line fits, and texts are cut to their limits") {
  Lines lines;
  REQUIRE(lines.region.create(1) == 0);
  Producer producer(lines.region);
  const std::string evil(100'000, '\x01');
  log::Record& record = producer.draft({evil, evil, evil, evil, evil});
  fill(record);
  CHECK(record.bytes <= log::kRecordBytesMax);
  for (uint32_t kind = 0; kind < log::kNameKinds; kind++) {
    for (const log::SlotName owner : {record.listener, record.route, record.pool, record.backend}) {
      lines.names.set(static_cast<log::NameKind>(kind), owner.slot, owner.incarnation, evil);
    }
  }
  CHECK(lines(log::Format::json, record).size() < log::kLineBytesMax);
  CHECK(lines(log::Format::combined, record).size() < log::kLineBytesMax);
  CHECK(record.target_bytes == log::kTargetBytesMax);
}

TEST_CASE("log names: a slot's former owner is known beside the present one") {
  log::Names names;
  CHECK(names.of(log::NameKind::pool, {3, 1}).empty());
  names.set(log::NameKind::pool, 3, 1, "old");
  names.set(log::NameKind::pool, 3, 2, "new");
  CHECK(names.of(log::NameKind::pool, {3, 1}) == "old");
  CHECK(names.of(log::NameKind::pool, {3, 2}) == "new");
  CHECK(names.of(log::NameKind::pool, {3, 3}).empty());
  CHECK(names.of(log::NameKind::backend, {3, 2}).empty());
  names.set(log::NameKind::pool, 3, 2, "renamed");
  CHECK(names.of(log::NameKind::pool, {3, 2}) == "renamed");
  CHECK(names.of(log::NameKind::pool, {3, 1}) == "old");
  CHECK(names.of(log::NameKind::pool, {log::SlotName::kNoSlot, 0}).empty());
}
