// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Link: a ring between two tiles. One produces, one consumes, neither waits for the other.
//
// It carries frames of any size up to a quarter of its capacity, each aligned to 8 octets and never
// broken at the ring's end. It lies in shared memory and has no pointers inside, so the two tiles
// may live in two processes, and either may die and come back.
//
//   producer:  MutableBytes room = producer.reserve(bytes);   empty: the ring is full (counted)
//              ... write the frame in place ...
//              producer.commit(bytes);                        bytes <= what was reserved
//              producer.publish();                            all committed frames at once
//   consumer:  while (consumer.next(frame)) ...;              frames stay valid until release
//              consumer.release();                            all frames seen so far go back
//
// `publish` is one store, and that makes it a commit point: what a producer had not published when
// it died was never there. The same is true of `release`: what was not released is seen again.
#pragma once

#include <atomic>
#include <cstring>

#include "base/check.hh"
#include "base/types.hh"

namespace tollgate {

// What lies in shared memory: two cursors on lines of their own, then the octets.
// Cursors count octets since the beginning of time; the place in the ring is cursor & mask.
struct LinkMemory {
  u64 capacity_bytes;  // a power of two
  u64 reserved[7];
  alignas(cache_line_bytes) std::atomic<u64> tail;  // written by the producer: published up to here
  std::atomic<u64> full_count;                      // how often a reserve found no room
  alignas(cache_line_bytes) std::atomic<u64> head;  // written by the consumer: released up to here

  static constexpr u64 footprint(u64 capacity_bytes) { return sizeof(LinkMemory) + capacity_bytes; }

  // Lays out an empty ring in zeroed memory of `footprint` octets, aligned to a cache line.
  static LinkMemory* format(void* memory, u64 capacity_bytes) {
    check(is_power_of_two(capacity_bytes), "a link's capacity is a power of two");
    auto* link = static_cast<LinkMemory*>(memory);
    link->capacity_bytes = capacity_bytes;
    link->tail.store(0, std::memory_order_relaxed);
    link->full_count.store(0, std::memory_order_relaxed);
    link->head.store(0, std::memory_order_release);
    return link;
  }

  u8* octets() { return reinterpret_cast<u8*>(this + 1); }
};
static_assert(sizeof(LinkMemory) == 3 * cache_line_bytes);

namespace link_detail {
// Before each frame: its size, and how far it is to the next one. A frame of size `skip` only fills
// the ring up to its end.
struct FrameHead {
  u32 size;
  u32 step;
};
inline constexpr u32 skip = UINT32_MAX;
constexpr u64 step_bytes(u64 size) {
  return sizeof(FrameHead) + round_up(size, 8);
}
}  // namespace link_detail

class LinkProducer {
 public:
  LinkProducer() = default;
  explicit LinkProducer(LinkMemory* link)
      : link_(link),
        octets_(link->octets()),
        mask_(link->capacity_bytes - 1),
        tail_(link->tail.load(std::memory_order_acquire)),
        head_cached_(link->head.load(std::memory_order_acquire)) {}

  u64 frame_bytes_max() const { return (mask_ + 1) / 4; }

  // Room for one frame of `size` octets, or an empty span if the consumer is too far behind.
  MutableBytes reserve(u64 size) {
    check(size <= frame_bytes_max(), "a frame is at most a quarter of its link");
    const u64 step = link_detail::step_bytes(size);
    const u64 to_end = mask_ + 1 - (tail_ & mask_);
    const u64 needed = step <= to_end ? step : to_end + step;
    if (!has_room(needed)) {
      link_->full_count.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
    if (step > to_end) {
      write_head(tail_, {link_detail::skip, static_cast<u32>(to_end)});
      tail_ += to_end;
    }
    return {octets_ + (tail_ & mask_) + sizeof(link_detail::FrameHead), size};
  }

  // The frame reserved last is whole; `size` may be less than was reserved.
  void commit(u64 size) {
    const u64 step = link_detail::step_bytes(size);
    write_head(tail_, {static_cast<u32>(size), static_cast<u32>(step)});
    tail_ += step;
  }

  void publish() { link_->tail.store(tail_, std::memory_order_release); }

  // True if frames of `bytes` octets in all, heads and the ring's end included, would find room.
  bool has_room(u64 bytes) {
    const u64 capacity = mask_ + 1;
    if (tail_ + bytes - head_cached_ <= capacity) return true;
    head_cached_ = link_->head.load(std::memory_order_acquire);
    return tail_ + bytes - head_cached_ <= capacity;
  }

  u64 position() const { return tail_; }
  u64 published_position() const { return link_->tail.load(std::memory_order_acquire); }

 private:
  void write_head(u64 at, link_detail::FrameHead head) {
    std::memcpy(octets_ + (at & mask_), &head, sizeof head);
  }

  LinkMemory* link_ = nullptr;
  u8* octets_ = nullptr;
  u64 mask_ = 0;
  u64 tail_ = 0;         // ahead of the published tail by what is committed
  u64 head_cached_ = 0;  // as last read: looking at the consumer's line costs a cache miss
};

class LinkConsumer {
 public:
  LinkConsumer() = default;
  explicit LinkConsumer(LinkMemory* link)
      : link_(link),
        octets_(link->octets()),
        mask_(link->capacity_bytes - 1),
        head_(link->head.load(std::memory_order_acquire)),
        tail_cached_(head_) {}

  // The next frame, or false if there is none. It stays valid until `release`.
  bool next(Bytes& frame) {
    for (;;) {
      if (head_ == tail_cached_) {
        tail_cached_ = link_->tail.load(std::memory_order_acquire);
        if (head_ == tail_cached_) return false;
      }
      link_detail::FrameHead head;
      std::memcpy(&head, octets_ + (head_ & mask_), sizeof head);
      const u8* payload = octets_ + (head_ & mask_) + sizeof head;
      head_ += head.step;
      if (head.size == link_detail::skip) continue;
      frame = {payload, head.size};
      return true;
    }
  }

  void release() { link_->head.store(head_, std::memory_order_release); }

  // Where the next frame will be taken from. A frame that cannot be handled yet is put back by
  // `rewind(position before it)`, and comes again.
  u64 position() const { return head_; }
  void rewind(u64 position) { head_ = position; }

  // True if all that was published has been taken.
  bool is_drained() const { return head_ == link_->tail.load(std::memory_order_acquire); }

 private:
  LinkMemory* link_ = nullptr;
  u8* octets_ = nullptr;
  u64 mask_ = 0;
  u64 head_ = 0;         // ahead of the released head by what was taken
  u64 tail_cached_ = 0;  // as last read
};

}  // namespace tollgate
