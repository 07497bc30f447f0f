#include "http/authority.h"

#include "messages.h"

using namespace sluice::http;

namespace {
bool valid(std::string_view text) {
  const auto copy = exact_copy(text);
  return is_authority(copy.get(), static_cast<uint32_t>(text.size()));
}
}  // namespace

TEST_CASE("authority: hosts and ports that are taken") {
  for (const char* text : {"a",
                           "example.com",
                           "example.com:80",
                           "example.com:0",
                           "example.com:65535",
                           "example.com:",
                           "a_b.example",
                           "EXAMPLE",
                           "192.0.2.1:8080",
                           "999.1.1.1",
                           "xn--bcher-kva.example",
                           "%41%4f.example",
                           "a!$&'()*+;=~",
                           "[::]",
                           "[::1]",
                           "[1::]",
                           "[::1]:443",
                           "[2001:DB8::8:800:200c:417a]",
                           "[1:2:3:4:5:6:7:8]",
                           "[1:2:3:4:5:6:7::]",
                           "[::2:3:4:5:6:7:8]",
                           "[::ffff:192.0.2.1]",
                           "[1:2:3:4:5:6:192.0.2.1]",
                           "[::1.2.3.4]"}) {
    CAPTURE(text);
    CHECK(valid(text));
  }
}

TEST_CASE("authority: what is refused") {
  for (const char* text : {"",
                           ":80",
                           "a,b",
                           "a b",
                           "user@host",
                           "a/b",
                           "a?b",
                           "a#b",
                           "a\\b",
                           "a:b",
                           "a:80:80",
                           "a:65536",
                           "a:000080",
                           "a:-1",
                           "a:+1",
                           "a: 80",
                           "a:80 ",
                           "%",
                           "%4",
                           "%zz",
                           "a%4",
                           "\"a\"",
                           "a\x80",
                           "[]",
                           "[",
                           "[::1",
                           "::1",
                           "[:::1]",
                           "[1:2:3:4:5:6:7]",
                           "[1:2:3:4:5:6:7:8:9]",
                           "[1:2:3:4:5:6:7:8::]",
                           "[1::2::3]",
                           "[12345::]",
                           "[g::]",
                           "[::1]x",
                           "[::1]80",
                           "[:1]",
                           "[1:]",
                           "[1:2:3:4:5:6:7:192.0.2.1]",
                           "[::1.2.3]",
                           "[::1.2.3.256]",
                           "[::01.2.3.4]",
                           "[::1.2.3.4.5]",
                           "[1.2.3.4]",
                           "[1.2.3.4::]",
                           "[v1.a]",
                           "[fe80::1%25eth0]",
                           "[::1]:65536"}) {
    CAPTURE(text);
    CHECK_FALSE(valid(text));
  }
  CHECK(valid(std::string(kHostBytesMax, 'a')));
  CHECK_FALSE(valid(std::string(kHostBytesMax + 1, 'a')));
}
