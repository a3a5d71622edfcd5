// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Session: one cache line that is a client's whole memory of a credit-control session.
//
// Sessions stand in an array; an index there is a "slot". A slot has at most one request under way
// (and perhaps its deliberate duplicate), so the Hop-by-Hop Identifier names it: the low bits are
// the slot, the high bits count its requests by two (the odd ones are duplicates), and an answer is
// found by one load. When a session ends, its slot opens the next one, with the next subscriber and
// a new Session-Id.
#pragma once

#include <vector>

#include "base/types.hh"
#include "tools/tollload/service.hh"

namespace tollgate::tollload {

// The bits of Session::flags.
inline constexpr u8 session_is_open = 0x01;          // the server knows it
inline constexpr u8 session_must_end = 0x02;         // the next request is the last
inline constexpr u8 session_waits = 0x04;            // for the answer
inline constexpr u8 session_waits_duplicate = 0x08;  // for the answer of the duplicate
inline constexpr u8 session_plans_duplicate = 0x10;  // sent once the answer is there
inline constexpr u8 session_is_answered = 0x20;      // one of both answers is there
inline constexpr u8 session_stands_again = 0x40;     // in the queue of what is sent again
inline constexpr u8 session_was_resent = 0x80;       // the request under way has the T flag

struct alignas(cache_line_bytes) Session {
  i64 planned_ns = 0;  // when the request was to be sent: latency counts from here
  i64 sent_ns = 0;     // when it was sent last: the timeout counts from here
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  u32 subscriber_index = 0;
  u32 incarnation = 0;  // with the slot it makes the Session-Id
  u32 number = 0;       // of the last request
  u32 updates_left = 0;
  u32 used = 0;          // reported by the request under way
  u32 used_carried = 0;  // reported, but the server was too busy: goes with the next report
  u32 first_granted = 0;
  u16 first_result = 0;
  Service service{};
  RequestType type{};  // of the last request
  u8 flags = 0;

  bool has(u8 flag) const { return (flags & flag) != 0; }
  void set(u8 flag) { flags = static_cast<u8>(flags | flag); }
  void clear(u8 flag) { flags = static_cast<u8>(flags & ~flag); }
};
static_assert(sizeof(Session) == cache_line_bytes, "a request touches one line");

// A queue of slots, as long as there may be slots: it never fills.
class SlotQueue {
 public:
  explicit SlotQueue(u32 slot_count_max)
      : slots_(next_power_of_two(u64{slot_count_max} + 1)), mask_(slots_.size() - 1) {}

  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  void push(u32 slot) { slots_[tail_++ & mask_] = slot; }
  u32 front() const { return slots_[head_ & mask_]; }
  // What will be the front after `count` pops; any slot that was ever there if it is beyond.
  u32 ahead(u32 count) const { return slots_[(head_ + count) & mask_]; }
  void pop() { ++head_; }
  void clear() { head_ = tail_; }

 private:
  std::vector<u32> slots_;
  u64 mask_;
  u64 head_ = 0;
  u64 tail_ = 0;
};

}  // namespace tollgate::tollload
