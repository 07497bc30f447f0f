#include "log/logger.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "native/log/scene.h"

using namespace sluice;
using namespace sluice::test;

namespace {

template <typename Holds>
bool soon(Holds&& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

struct Scene {
  explicit Scene(uint32_t workers = 1) {
    REQUIRE(region.create(workers) == 0);
    logger.emplace_back(std::make_unique<log::Logger>(region));
    REQUIRE(logger[0]->start() == 0);
    char name[] = "/tmp/sluice-log-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder = name;
  }
  ~Scene() {
    (void)logger[0]->stop(1000);
    for (const std::string& name : files) ::unlink((folder + "/" + name).c_str());
    ::rmdir(folder.c_str());
  }

  log::Logger& log() { return *logger[0]; }
  int open(const std::string& name) {
    files.push_back(name);
    const int fd = log::Sink::open_descriptor((folder + "/" + name).c_str());
    REQUIRE(fd >= 0);
    return fd;
  }
  void await(uint32_t sequence) {
    REQUIRE(soon([&] { return logger_words(region).sink.load() == sequence; }));
  }
  std::vector<std::string> lines(const std::string& name) {
    std::ifstream in(folder + "/" + name);
    std::vector<std::string> result;
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
  }

  shm::Region region;
  std::vector<std::unique_ptr<log::Logger>> logger;
  std::string folder;
  std::vector<std::string> files;
};

}  // namespace

TEST_CASE("logger: the log is off until somebody switches it on, and again when it is off") {
  Scene scene;
  Producer producer(scene.region);
  CHECK(!producer.journal.is_on());
  scene.await(scene.log().switch_to(scene.open("a"), log::Format::combined));
  CHECK(producer.journal.is_on());
  producer.put("/one");
  scene.await(scene.log().switch_to(-1, log::Format::json));
  CHECK(!producer.journal.is_on());
  CHECK(scene.lines("a").size() == 1);
  producer.put("/began while it was on");  // belongs to no log any more
  scene.await(scene.log().switch_to(scene.open("b"), log::Format::json));
  producer.put("/two");
  REQUIRE(scene.log().stop(1000));
  REQUIRE(scene.lines("b").size() == 1);
  CHECK(scene.lines("b")[0].find("\"path\":\"/two\"") != std::string::npos);
  CHECK(logger_words(scene.region).written_total.load() == 2);
  CHECK(logger_words(scene.region).dropped_total.load() == 1);
}

TEST_CASE("logger: files are changed under load and no line is lost, torn or written twice") {
  Scene scene(2);
  scene.await(scene.log().switch_to(scene.open("0"), log::Format::combined));
  constexpr uint32_t kEach = 30'000;
  std::atomic<uint32_t> running{2};
  std::vector<std::thread> workers;
  for (uint32_t worker = 0; worker < 2; worker++) {
    workers.emplace_back([&scene, &running, worker] {
      Producer producer(scene.region, worker);
      for (uint32_t i = 0; i < kEach; i++) {
        producer.put("/" + std::to_string(worker) + "/" + std::to_string(i) + "/");
        if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      }
      running--;
    });
  }
  int changes = 0;
  while (running.load() > 0 && changes < 50) {
    const int fd = scene.open(std::to_string(++changes));
    scene.await(scene.log().switch_to(fd, log::Format::combined));
  }
  for (std::thread& worker : workers) worker.join();
  REQUIRE(scene.log().stop(5000));
  CHECK(changes > 1);
  std::vector<uint32_t> next(2, 0);
  for (int i = 0; i <= changes; i++) {
    for (const std::string& line : scene.lines(std::to_string(i))) {
      const size_t at = line.find("\"GET /");
      REQUIRE(at != std::string::npos);
      const uint32_t worker = static_cast<uint32_t>(line[at + 6] - '0');
      REQUIRE(worker < 2);
      REQUIRE(static_cast<uint32_t>(std::stoul(line.substr(at + 8))) == next[worker]);
      next[worker]++;
    }
  }
  CHECK(next[0] == kEach);
  CHECK(next[1] == kEach);
  CHECK(logger_words(scene.region).written_total.load() == 2 * kEach);
}

TEST_CASE("logger: a pipe that nobody reads holds up neither workers nor the end") {
  Scene scene;
  int pipe_fds[2];
  REQUIRE(::pipe2(pipe_fds, O_CLOEXEC) == 0);
  scene.await(scene.log().switch_to(pipe_fds[1], log::Format::json));
  Producer producer(scene.region);
  auto& words = log_words(scene.region);
  uint32_t put = 0;
  while (words.dropped_total.load() < 100 && put < 200'000) {
    producer.put(std::string(1500, 'z'));
    put++;
  }
  CHECK(words.dropped_total.load() == 100);
  const auto began = std::chrono::steady_clock::now();
  CHECK(scene.log().stop(300));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(3));
  const auto& logged = logger_words(scene.region);
  CHECK(logged.written_total.load() + logged.dropped_total.load() == words.records_total.load());
  CHECK(words.records_total.load() + words.dropped_total.load() == put);
  ::close(pipe_fds[0]);
}

TEST_CASE("logger: a pipe that is read slowly gets whole lines, one for each record") {
  Scene scene;
  int pipe_fds[2];
  REQUIRE(::pipe2(pipe_fds, O_CLOEXEC) == 0);
  scene.await(scene.log().switch_to(pipe_fds[1], log::Format::combined));
  std::string text;
  std::thread reader([&] {
    char buffer[1000];
    for (ssize_t got; (got = ::read(pipe_fds[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(got));
    }
  });
  Producer producer(scene.region);
  constexpr int kRecords = 5000;
  for (int i = 0; i < kRecords; i++) producer.put("/" + std::to_string(i));
  REQUIRE(soon([&] { return logger_words(scene.region).written_total.load() == kRecords; }));
  REQUIRE(scene.log().stop(1000));
  reader.join();
  ::close(pipe_fds[0]);
  std::istringstream in(text);
  int next = 0;
  for (std::string line; std::getline(in, line); next++) {
    REQUIRE(line.find("\"GET /" + std::to_string(next) + " HTTP") != std::string::npos);
  }
  CHECK(next == kRecords);
}

TEST_CASE("logger: a full disk costs lines, which are counted, and the next file gets its own") {
  Scene scene;
  const int full = log::Sink::open_descriptor("/dev/full");
  REQUIRE(full >= 0);
  scene.await(scene.log().switch_to(full, log::Format::json));
  Producer producer(scene.region);
  for (int i = 0; i < 10; i++) producer.put("/lost");
  const auto& logged = logger_words(scene.region);
  REQUIRE(soon([&] { return logged.dropped_total.load() == 10; }));
  CHECK(logged.write_errors_total.load() >= 1);
  CHECK(logged.written_total.load() == 0);
  scene.await(scene.log().switch_to(scene.open("a"), log::Format::combined));
  producer.put("/kept");
  REQUIRE(scene.log().stop(1000));
  CHECK(scene.lines("a").size() == 1);
}

// The reader takes a part of a line and goes; another one comes and must find whole lines.
TEST_CASE("logger: a line that was begun is finished before the next one") {
  Scene scene;
  const std::string path = scene.folder + "/fifo";
  scene.files.push_back("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(log::Sink::open_descriptor(path.c_str()) == -ENXIO);  // nobody reads
  int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  const int fd = log::Sink::open_descriptor(path.c_str());
  REQUIRE(fd >= 0);
  scene.await(scene.log().switch_to(fd, log::Format::combined));
  Producer producer(scene.region);
  const auto& logged = logger_words(scene.region);
  // More than the pipe holds, so that a line is torn at its end.
  constexpr uint64_t kRecords = 200;
  for (uint64_t i = 0; i < kRecords; i++) producer.put("/" + std::string(1000, 'q'));
  std::string text(1 << 20, '\0');
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const ssize_t got = ::read(reader, text.data(), text.size());
  REQUIRE(got > 0);
  text.resize(static_cast<size_t>(got));
  ::close(reader);
  REQUIRE(soon([&] { return logged.write_errors_total.load() > 0; }));
  reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const uint64_t before = logged.written_total.load();
  // What comes while the logger still gives up the former lines goes with them. The pipe is read
  // all the time: lines of before may fill it.
  std::string more;
  std::string piece(1 << 16, '\0');
  const auto take = [&] {
    ssize_t rest = 0;
    while ((rest = ::read(reader, piece.data(), piece.size())) > 0) {
      more.append(piece.data(), static_cast<size_t>(rest));
    }
  };
  REQUIRE(soon([&] {
    producer.put("/after");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    take();
    return logged.written_total.load() > before && more.find("GET /after") != std::string::npos &&
           more.ends_with('\n');
  }));
  ::close(reader);
  // What came to the second reader begins with the rest of a line, if one was torn; all others are
  // whole.
  std::istringstream in(more);
  int after = 0;
  bool first = true;
  for (std::string line; std::getline(in, line); first = false) {
    const bool is_whole = line.find("\"GET /") != std::string::npos;
    CHECK((is_whole || first));
    CHECK(line.ends_with("\"-\" \"-\""));
    after += line.find("\"GET /after HTTP/1.1\"") != std::string::npos ? 1 : 0;
  }
  CHECK(after > 0);
}
