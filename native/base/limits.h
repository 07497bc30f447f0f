// Every limit of the data plane that is not part of the shared layout (those are in
// src/shm/schema.ts). One comment per term.
#pragma once

#include <cstdint>

namespace sluice::limits {

// Connections one worker can hold. Address space only: a slot's page is faulted in by first use.
inline constexpr uint32_t kConnectionsPerWorkerMax = 131072;

// Receive buffers of a worker. Small ones carry messages and heads, large ones bodies that are
// copied. Reserved, not touched: 64 MiB and 16 MiB of address space.
inline constexpr uint32_t kSmallBufferBytes = 4096;
inline constexpr uint32_t kSmallBuffers = 16384;
inline constexpr uint32_t kLargeBufferBytes = 256 * 1024;
inline constexpr uint32_t kLargeBuffers = 64;

// Bytes one direction of a connection may hold received but not yet sent.
inline constexpr uint32_t kWindowBytes = 64 * 1024;
inline constexpr uint32_t kLargeWindowBytes = 512 * 1024;
// Large buffers that a direction holds at most. What it has received and not sent is its window and
// less than a buffer of overshoot, three buffers' worth; behind the first buffer, two neighbours
// together hold more than one (Tunnels::merge): five and the first.
inline constexpr uint32_t kLargeBuffersEachMax = 6;
// Directions that may receive into large buffers at one time. With one more buffer for each that is
// being filled, none of them ever waits for another's.
inline constexpr uint32_t kLargeDirectionsMax = kLargeBuffers / (kLargeBuffersEachMax + 1);
// A piece up to this size is copied behind the one before it instead of keeping its buffer.
inline constexpr uint32_t kMergeBytesMax = kSmallBufferBytes / 2;
// Below these shares of free small buffers a direction gets a smaller window.
inline constexpr uint32_t kScarceDivisor = 2;     // less than 1/2 free: a quarter of the window
inline constexpr uint32_t kExhaustedDivisor = 8;  // less than 1/8 free: one buffer

// Blocks for message heads: as large as the largest head that may be configured, with what
// forwarding adds to it. Reserved, not touched: 1.1 GiB of address space. No two share a page; they
// begin at different lines of their first ones, out of each other's cache sets.
inline constexpr uint32_t kHeadBytesMax = 64 * 1024;
inline constexpr uint32_t kHeadBlockBytes = kHeadBytesMax + 4096 + 64;
inline constexpr uint32_t kHeadBlockOffsets = 64;  // of a line each
inline constexpr uint32_t kHeadBlockStride = kHeadBlockBytes + (kHeadBlockOffsets - 1) * 64;
static_assert(kHeadBlockStride % 4096 == 0);
inline constexpr uint32_t kHeadBlocks = 16384;
// A body up to this size travels in the same piece of memory as its head.
inline constexpr uint32_t kInlineBodyBytes = 2048;
// Interim responses (1xx) that a backend may send before the final one.
inline constexpr uint32_t kInterimResponsesMax = 16;
// How long, and for how many bytes, a client's sending is still read after the last response.
inline constexpr uint64_t kLingerMs = 2000;
inline constexpr uint32_t kLingerBytesMax = 1024 * 1024;

// Pipes of a worker for splice, each as large as an unprivileged process may ask for.
inline constexpr uint32_t kPipesMax = 64;
inline constexpr uint32_t kPipeBytes = 1024 * 1024;

// How often memory is looked for that a burst has left behind, what is given back at most each
// time, which bounds how long a turn takes, and what of each kind is kept for the next requests.
inline constexpr uint64_t kRestMs = 500;
inline constexpr uint32_t kRestReleasesMax = 128;
inline constexpr uint32_t kWarmSmallBuffers = 32;
inline constexpr uint32_t kWarmLargeBuffers = 2;
inline constexpr uint32_t kWarmHeadBlocks = 16;
inline constexpr uint32_t kWarmRecords = 64;

// Completions handled in one turn of a worker.
inline constexpr uint32_t kCompletionsPerTurn = 256;
// A worker writes its heartbeat at least this often, also when idle.
inline constexpr uint64_t kHeartbeatMs = 250;
// How long a listener rests after the system had no descriptor or memory for an accept.
inline constexpr uint64_t kAcceptRestMs = 100;
// Other workers' loads are summed again when older than this.
inline constexpr uint64_t kLoadRefreshNs = 2'000'000;

// Further backends that may be tried after a failed connect.
inline constexpr uint32_t kConnectRetriesMax = 2;

// Submission queue of a worker's ring; the completion queue is four times as long.
inline constexpr uint32_t kSubmissionEntries = 1024;

static_assert(kSmallBuffers <= 32768 && kLargeBuffers <= 32768, "kernel limit of a buffer ring");
static_assert(kWindowBytes >= 4 * kSmallBufferBytes);
static_assert(kLargeWindowBytes >= kLargeBufferBytes);
static_assert(kLargeBuffersEachMax == 2 * (kLargeWindowBytes / kLargeBufferBytes + 1));

}  // namespace sluice::limits
