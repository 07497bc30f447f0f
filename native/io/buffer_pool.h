// A worker's receive buffers: two classes of fixed-size buffers in reserved address space, handed
// out last-in first-out so that few of them stay hot. An idle connection holds none. One thread.
//
// Each buffer carries a link and a range, so that a queue of received data is an intrusive list
// of buffers (see proxy/) and costs a connection two indices.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/free_stack.h"
#include "base/limits.h"
#include "base/reserved_array.h"
#include "io/buffer_ref.h"

namespace sluice::io {

struct BufferClassSpec {
  uint32_t bytes;  // of one buffer
  uint32_t count;  // at most 32,768: the kernel's limit for a provided-buffer ring
};

class BufferPool {
 public:
  // What a holder of a buffer may write beside it.
  struct Meta {
    uint32_t next;    // BufferRef bits of the next buffer of a queue, or BufferRef::kNone
    uint32_t offset;  // first unread byte
    uint32_t length;  // unread bytes
    uint32_t lent;    // 1 while outside the pool and its kernel ring; checked on return
  };

  BufferPool(BufferClassSpec small, BufferClassSpec large) : classes_{Class(small), Class(large)} {}

  bool ok() const { return classes_[0].ok() && classes_[1].ok(); }

  uint32_t buffer_bytes(BufferClass cls) const { return of(cls).spec.bytes; }
  uint32_t capacity(BufferClass cls) const { return of(cls).spec.count; }
  // Buffers that nobody holds and that lie in no kernel ring.
  uint32_t free_count(BufferClass cls) const { return of(cls).free_count(); }
  // Buffers handed to connections and not yet returned.
  uint32_t lent_count(BufferClass cls) const { return of(cls).lent; }

  uint8_t* data(BufferRef ref) {
    Class& cls = of(ref.cls());
    return cls.memory.data() + static_cast<size_t>(ref.index()) * cls.spec.bytes;
  }
  Meta& meta(BufferRef ref) { return of(ref.cls()).meta[ref.index()]; }

  // Takes a free buffer for the kernel (a buffer ring) or for a receive; none when exhausted.
  BufferRef take(BufferClass cls) {
    Class& c = of(cls);
    const uint32_t index = c.free.take();
    return index == FreeStack::kNone ? BufferRef() : BufferRef(cls, index);
  }
  // Marks a taken buffer as lent to a connection, holding `length` bytes from its start.
  void lend(BufferRef ref, uint32_t length) {
    Class& c = of(ref.cls());
    Meta& m = c.meta[ref.index()];
    SLUICE_VERIFY(m.lent == 0 && length <= c.spec.bytes);
    m = Meta{BufferRef::kNone, 0, length, 1};
    c.lent++;
  }
  // A connection returns a lent buffer. The only way back into the pool for lent data.
  void release(BufferRef ref) {
    Class& c = of(ref.cls());
    SLUICE_VERIFY(c.meta[ref.index()].lent == 1);
    c.meta[ref.index()].lent = 0;
    c.lent--;
#ifdef SLUICE_BREAK_leak_buffer  // a build that must fail in the simulator
    if (++releases_ % 97 == 0) return;
#endif
    give_back(ref);
  }
  // Returns a buffer that was taken but never lent.
  void give_back(BufferRef ref) {
    of(ref.cls()).free.give_back(ref.index());
  }
  // Gives back the memory of buffers that have not been used since the last call.
  void rest() {
    of(BufferClass::small).rest(limits::kWarmSmallBuffers);
    of(BufferClass::large).rest(limits::kWarmLargeBuffers);
  }

 private:
  struct Class {
    Class(BufferClassSpec s)  // NOLINT: made in place from its spec
        : spec(s), memory(static_cast<size_t>(s.bytes) * s.count), meta(s.count), free(s.count) {}
    bool ok() const { return memory.ok() && meta.ok() && free.ok(); }
    uint32_t free_count() const { return spec.count - free.taken(); }
    void rest(uint32_t warm) {
      free.rest(warm, limits::kRestReleasesMax, [this](uint32_t index) {
        memory.discard(static_cast<size_t>(index) * spec.bytes, spec.bytes);
      });
    }

    BufferClassSpec spec;
    ReservedArray<uint8_t> memory;
    ReservedArray<Meta> meta;
    FreeStack free;
    uint32_t lent = 0;
  };

  Class& of(BufferClass cls) {
    return classes_[static_cast<unsigned>(cls)];
  }
  const Class& of(BufferClass cls) const {
    return classes_[static_cast<unsigned>(cls)];
  }

  Class classes_[2];
#ifdef SLUICE_BREAK_leak_buffer
  uint32_t releases_ = 0;
#endif
};

}  // namespace sluice::io
