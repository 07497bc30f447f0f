// Urgent data in a stream: its mark stops a splice and cuts a receive short. The byte itself is not
// passed on; what lies behind it is.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>

#include "fleet_host.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// Sends `front`, an urgent byte and `rear`, and reads the echo of both. Returns its length, or what
// had come when nothing moved for three seconds.
size_t echoed_around_urgent(int fd, const std::string& front, const std::string& rear) {
  const std::string all = front + rear;
  size_t sent = 0;
  size_t received = 0;
  bool marked = false;
  char chunk[65536];
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  while (received < all.size()) {
    const bool sending = sent < all.size();
    pollfd entry{fd, static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0};
    if (::poll(&entry, 1, 3000) <= 0) return received;
    if (sending && (entry.revents & POLLOUT) != 0) {
      if (sent == front.size() && !marked) marked = ::send(fd, "!", 1, MSG_OOB) == 1;
      const size_t end = sent < front.size() ? front.size() : all.size();
      const ssize_t n = ::send(fd, all.data() + sent, end - sent, MSG_NOSIGNAL);
      if (n > 0) sent += static_cast<size_t>(n);
    }
    if ((entry.revents & POLLIN) != 0) {
      const ssize_t n = ::recv(fd, chunk, sizeof(chunk), 0);
      if (n <= 0) return received;
      if (all.compare(received, static_cast<size_t>(n), chunk, static_cast<size_t>(n)) != 0)
        return 0;
      received += static_cast<size_t>(n);
    }
  }
  return received;
}

}  // namespace

TEST_CASE("urgent: what lies behind an urgent byte is passed on, copied or spliced") {
  for (const auto engine : {io::EngineChoice::io_uring, io::EngineChoice::epoll}) {
    CAPTURE(static_cast<int>(engine));
    EchoOrigin origin;
    worker::FleetOptions options;
    options.engine = engine;
    options.connections_max = 100;
    FleetHost host(2, options);
    host.add_backend(origin.port);
    const uint16_t port = host.add_listener(2);
    host.publish();
    for (const size_t bytes : {size_t{10}, size_t{4} << 20}) {
      CAPTURE(bytes);
      const int fd = connect_client(port);
      REQUIRE(fd >= 0);
      CHECK(echoed_around_urgent(fd, std::string(bytes, 'a'), std::string(bytes, 'b')) ==
            2 * bytes);
      ::close(fd);
    }
    CHECK(eventually([&] { return host.connections() == 0; }));
    CHECK(host.fleet->stop(20'000) == 0);
  }
}
