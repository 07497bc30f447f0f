// The scripted clients and origins: each writes, reads, pauses, half-closes or resets as its plan
// says, and checks what it meets at its end.
#include "proxy_engine.h"
#include "proxy_world.h"

namespace sluice::proxy_sim {

Plan World::draw_plan(bool is_client) {
  Plan plan;
  switch (prng.below(5)) {
    case 0:
      plan.total = prng.below(64);
      break;
    case 1:
      plan.total = prng.below(plan_bytes_max);
      break;
    default:
      plan.total = prng.below(1 + plan_bytes_max / 16);
      break;
  }
  const bool quick = prng.below(3) > 0;
  plan.write_chunk = 1 + prng.below(quick ? 64 * 1024 : 4096);
  plan.write_gap_ns = quick ? prng.below(kMs) : prng.below(50 * kMs);
  plan.read_chunk = 1 + prng.below(quick ? 128 * 1024 : 8192);
  plan.read_gap_ns = quick ? prng.below(kMs) : prng.below(50 * kMs);
  // Tiny steps over many bytes only cost time.
  const uint64_t steps = 1 + plan_bytes_max / 256;
  if (plan.write_chunk < steps) plan.write_chunk = static_cast<uint32_t>(steps);
  if (plan.read_chunk < steps) plan.read_chunk = static_cast<uint32_t>(steps);
  if (options.faults && !is_client && prng.below(3) == 0) plan.reply_after = 1 + prng.below(20'000);
  if (is_client && prng.below(4) == 0) plan.end = Plan::End::waits_for_eof;
  if (faults.fires(Fault::network_reset)) {
    plan.end = Plan::End::resets;
    plan.reset_at = prng.below(static_cast<uint32_t>(plan.total) + 1);
    if (prng.below(2) == 0) plan.reset_ns = now + prng.below(5'000) * kMs;
  }
  if (faults.fires(Fault::peer_vanishes)) plan.end = Plan::End::vanishes;
  if (faults.fires(Fault::reader_stalls)) {
    plan.stall_at = prng.below(plan_bytes_max / 8);
    plan.stall_ns = kSecond + prng.next() % plan_silence_ns;
  }
  if (faults.fires(Fault::writer_pauses)) {
    plan.pause_at = prng.below(plan_bytes_max / 8);
    plan.pause_ns = kSecond + prng.next() % plan_silence_ns;
  }
  return plan;
}

void World::stir(const Connection& conn) {
  if (conn.fd < 0 || !is_open(conn.fd)) return;
  const Descriptor entry = descriptor(conn.fd);
  if (entry.receive >= 0) SimEngine::stir_operation(*this, entry.receive);
  if (entry.transmit >= 0) SimEngine::stir_operation(*this, entry.transmit);
}

void World::schedule_write(Connection& conn, uint64_t gap) {
  if (conn.writing || !conn.established || conn.peer_fin || conn.peer_reset || conn.saw_end) return;
  conn.writing = true;
  at(now + gap, EventKind::peer_writes, conn.id);
}

void World::schedule_read(Connection& conn, uint64_t gap) {
  if (conn.reading || !conn.established || conn.peer_reset) return;
  conn.reading = true;
  at(now + gap, EventKind::peer_reads, conn.id);
}

// Something about the connection changed that its peer may want to see.
void World::peer_wakes(uint32_t id) {
  Connection& conn = conns[id];
  if (conn.plan.end == Plan::End::resets && conn.plan.reset_ns != 0 && conn.established) {
    at(conn.plan.reset_ns, EventKind::peer_resets, id);
    conn.plan.reset_ns = 0;
  }
  schedule_read(conn, conn.plan.read_gap_ns);
  schedule_write(conn, conn.plan.write_gap_ns);
}

void World::peer_writes(Connection& conn) {
  conn.writing = false;
  if (conn.peer_fin || conn.peer_reset || !conn.established) return;
  if (conn.plan.end == Plan::End::vanishes) return;
  if (conn.fd < 0 && (conn.proxy_fin || conn.proxy_reset)) return;  // its reader sees the end
  if (conn.read < conn.plan.reply_after && !conn.proxy_fin) return;
  if (conn.sent >= conn.plan.pause_at && !conn.paused) {
    conn.paused = true;
    return schedule_write(conn, conn.plan.pause_ns);
  }
  const uint64_t left = conn.plan.total - conn.sent;
  uint32_t bytes = conn.rx_capacity - conn.rx_queued;
  if (bytes > left) bytes = static_cast<uint32_t>(left);
  if (bytes > conn.plan.write_chunk) bytes = conn.plan.write_chunk;
  conn.rx_queued += bytes;
  conn.sent += bytes;
  if (conn.plan.end == Plan::End::resets && conn.sent >= conn.plan.reset_at &&
      conn.plan.reset_ns == 0 && prng.below(2) == 0) {
    return peer_resets(conn);
  }
  if (conn.sent == conn.plan.total) {
    if (conn.plan.end != Plan::End::waits_for_eof || conn.proxy_fin) {
      conn.peer_fin = true;
      note("peer fin", conn.id, conn.sent, 0);
    }
  } else if (bytes > 0) {
    schedule_write(conn, conn.plan.write_gap_ns);
  }
  stir(conn);
}

void World::peer_reads(Connection& conn) {
  conn.reading = false;
  if (conn.peer_reset || conn.saw_end) return;
  if (conn.proxy_reset) return peer_ends(conn);
  if (conn.plan.end == Plan::End::vanishes) return;
  if (conn.read >= conn.plan.stall_at) {
    conn.plan.stall_at = kNever;
    return schedule_read(conn, conn.plan.stall_ns);
  }
  const uint32_t bytes =
      conn.tx_queued < conn.plan.read_chunk ? conn.tx_queued : conn.plan.read_chunk;
  conn.tx_queued -= bytes;
  conn.read += bytes;
  if (bytes > 0) {
    conn.last_ack_ns = now;
    stir(conn);
  }
  if (conn.tx_queued > 0) return schedule_read(conn, conn.plan.read_gap_ns);
  if (conn.proxy_fin) return peer_ends(conn);
  if (conn.read >= conn.plan.reply_after) schedule_write(conn, conn.plan.write_gap_ns);
}

// The peer has read the end of the stream, or met a reset.
void World::peer_ends(Connection& conn) {
  if (conn.fd >= 0 && !conn.proxy_reset) {  // half-closed: it may still send
    return schedule_write(conn, conn.plan.write_gap_ns);
  }
  conn.saw_end = true;
  note("peer end", conn.id, conn.read, conn.proxy_reset);
  if (conn.is_client && conn.proxy_fin && !conn.proxy_reset && conn.peer_fin &&
      conn.sent == conn.plan.total) {
    clients_done++;
  }
}

void World::peer_resets(Connection& conn) {
  if (conn.peer_reset || conn.saw_end || !conn.established) return;
  conn.peer_reset = true;
  conn.tx_queued = 0;
  if (faults.fires(Fault::reset_drops_data)) conn.rx_queued = 0;
  note("peer reset", conn.id, conn.sent, conn.rx_queued);
  stir(conn);
}

void World::reset_all() {
  for (Connection& conn : conns) peer_resets(conn);
}

}  // namespace sluice::proxy_sim
