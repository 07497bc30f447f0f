// Datagrams to a receiver with a path, and to one with an abstract name.
#include "io/datagram.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

using sluice::io::send_datagram;

namespace {

int send(const std::string& path, const std::string& text) {
  return send_datagram(path.data(), path.size(), text.data(), text.size());
}

struct Receiver {
  // `name` as the kernel has it: an abstract one begins with a zero byte.
  explicit Receiver(const std::string& name) {
    fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '\0' ? 0 : 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(bytes)) == 0);
  }
  ~Receiver() { ::close(fd); }
  std::string next() const {
    char text[256];
    const ssize_t count = ::recv(fd, text, sizeof(text), 0);
    return count < 0 ? "nothing" : std::string(text, static_cast<size_t>(count));
  }
  int fd;
};

std::string unique(const char* name) {
  return "/tmp/sluice-datagram-" + std::to_string(::getpid()) + "-" + name;
}

}  // namespace

TEST_CASE("a datagram reaches a path, whole and alone") {
  const std::string path = unique("path");
  {
    const Receiver receiver(path);
    CHECK(send(path, "READY=1\nSTATUS=serving") == 0);
    CHECK(send(path, "STOPPING=1") == 0);
    CHECK(receiver.next() == "READY=1\nSTATUS=serving");
    CHECK(receiver.next() == "STOPPING=1");
    CHECK(receiver.next() == "nothing");
  }
  CHECK(send(path, "x") == -ECONNREFUSED);
  ::unlink(path.c_str());
  CHECK(send(path, "x") == -ENOENT);
}

TEST_CASE("a datagram reaches an abstract name") {
  const std::string name = unique("abstract").substr(1);
  const Receiver receiver(std::string(1, '\0') + name);
  CHECK(send("@" + name, "READY=1") == 0);
  CHECK(receiver.next() == "READY=1");
}

TEST_CASE("what cannot be sent is refused") {
  CHECK(send("", "x") == -EINVAL);
  CHECK(send(std::string(108, 'a'), "x") == -EINVAL);
  const Receiver receiver(std::string(1, '\0') + std::string(106, 'a'));
  CHECK(send("@" + std::string(106, 'a'), "x") == 0);
  CHECK(send("@" + std::string(106, 'a'), std::string(65537, 'x')) == -EMSGSIZE);
}
