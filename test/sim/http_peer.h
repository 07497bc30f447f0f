// A scripted far end of a socket: it writes what is to be said in pieces and with pauses, reads in
// pieces and with pauses, and ends as it is told at a byte that it is told. What it says and what
// it makes of what it reads is a client's or a backend's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http_world.h"

namespace sluice::http_sim {

class Peer {
 public:
  Peer(World& world, uint32_t id);
  virtual ~Peer() = default;

  // Something may be possible now, or after `gap`.
  void wake(uint64_t gap);
  // The same, whatever happens before.
  void remind(uint64_t gap) { world_.at(world_.now + gap, EventKind::peer_acts, id_); }
  void act();
  // The proxy has taken bytes, or given some.
  virtual void taken() {}
  virtual void given(std::string_view) {}

 protected:
  enum class End : uint8_t { none, fin, reset, silence };

  virtual void read(std::string_view bytes) = 0;
  // Something of what was to be said has been written, or it has ended.
  virtual void written() {}
  // The proxy's end of the stream, or its reset.
  virtual void ended(bool reset) = 0;
  // Time passes: called by every act.
  virtual void think() {}

  Socket& socket() { return world_.sockets[id_]; }
  const Socket& socket() const { return world_.sockets[id_]; }
  bool is_over() { return socket().peer_fin || socket().peer_reset; }
  void say(std::string_view text) { out_ += text; }
  uint64_t said() const { return out_.size(); }
  uint64_t wrote() const { return wrote_; }
  // At this byte of what is said.
  void end_at(uint64_t at, End end) {
    end_at_ = at;
    end_ = end;
  }
  void end_now(End end);
  void stop_reading() { reads_ = false; }
  bool saw_end() const { return saw_end_; }

  World& world_;
  const uint32_t id_;
  uint32_t write_chunk_;
  uint64_t write_gap_ns_;
  uint32_t read_chunk_;
  uint64_t read_gap_ns_;

 private:
  bool read_some();
  bool write_some();

  std::string out_;
  uint64_t wrote_ = 0;
  uint64_t end_at_ = kNever;
  End end_ = End::none;
  bool reads_ = true;
  bool writes_ = true;
  bool saw_end_ = false;
  uint64_t due_ns_ = kNever;
};

std::unique_ptr<Peer> make_client(World& world, uint32_t id);
std::unique_ptr<Peer> make_backend(World& world, uint32_t id);

}  // namespace sluice::http_sim
