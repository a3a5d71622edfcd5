// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// OutputRing: the output of one stream, from the caller's encoder until the peer has acknowledged
// it.
//
// Octets pass three marks in order: written (commit), sent (mark_sent: the protocol refers to them
// in place, for sending and for sending again) and acknowledged (acknowledge: the room is free). A
// reserved piece is always contiguous: where the end of the memory is too near, the ring begins
// again at its start and leaves the tail of the memory unused until the marks have passed it.
#pragma once

#include "base/types.hh"

namespace tollgate::dataplane {

class OutputRing {
 public:
  // Puts the ring, empty, over memory that the caller owns.
  void attach(MutableBytes memory);

  // A contiguous piece of exactly this size, or an empty span. The same is given again until
  // commit.
  MutableBytes reserve(std::size_t size_bytes);
  void commit(std::size_t size_bytes);

  // What was committed and not yet sent, as far as it is contiguous; empty if there is none.
  Bytes unsent();
  void mark_sent(std::size_t size_bytes);

  // The oldest `size_bytes` of what was sent are no longer needed.
  void acknowledge(std::size_t size_bytes);

  std::size_t held_bytes() const { return held_bytes_; }      // committed, not acknowledged
  std::size_t unsent_bytes() const { return unsent_bytes_; }  // committed, not sent
  bool has_room(std::size_t size_bytes) const;

 private:
  bool fits_behind(std::size_t size_bytes) const;

  u8* memory_ = nullptr;
  u32 size_bytes_ = 0;
  u32 oldest_ = 0;   // first octet not acknowledged
  u32 send_at_ = 0;  // first octet not sent
  u32 write_at_ = 0;
  u32 end_ = 0;  // where the upper part ends, if wrapped
  u32 held_bytes_ = 0;
  u32 unsent_bytes_ = 0;
  u32 reserved_bytes_ = 0;
  bool wrapped_ = false;       // data is [oldest_, end_) and then [0, write_at_)
  bool send_wrapped_ = false;  // send_at_ is in the lower part
  bool reserved_low_ = false;  // the reserved piece begins a new lower part
};

}  // namespace tollgate::dataplane
