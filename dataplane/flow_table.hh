// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FlowTable: from the hash of a connection's addresses and ports to the places of the streams that
// have it.
//
// lwIP looks for a connection along a list, which costs more than all the rest of a segment once
// there are some hundreds of them. This table finds the stream at once; the caller compares the
// addresses themselves. Open addressing, at most half full, linear probing.
#pragma once

#include <bit>
#include <vector>

#include "base/check.hh"
#include "base/types.hh"

namespace tollgate::dataplane {

class FlowTable {
 public:
  explicit FlowTable(u32 stream_count_max)
      : mask_(static_cast<u32>(next_power_of_two(u64{stream_count_max} * 2)) - 1),
        slots_(std::size_t{mask_} + 1) {}

  struct Flow {
    u32 hash = 0;
    u32 stream_index = 0;
  };

  void insert(Flow flow) {
    check(count_ * 2 <= mask_, "the table is at most half full");
    u32 at = flow.hash & mask_;
    while (slots_[at].is_used) at = (at + 1) & mask_;
    slots_[at] = {.flow = flow, .is_used = true};
    ++count_;
  }

  void remove(Flow flow) {
    u32 at = flow.hash & mask_;
    while (slots_[at].is_used && slots_[at].flow.stream_index != flow.stream_index)
      at = (at + 1) & mask_;
    check(slots_[at].is_used, "what is removed was inserted");
    // Those behind move up, unless they stand where their hash wants them already.
    for (u32 next = (at + 1) & mask_; slots_[next].is_used; next = (next + 1) & mask_) {
      const u32 home = slots_[next].flow.hash & mask_;
      if (((next - home) & mask_) < ((next - at) & mask_)) continue;
      slots_[at] = slots_[next];
      at = next;
    }
    slots_[at] = {};
    --count_;
  }

  // The index of a stream with this hash for which `matches(index)` holds; none: ~0u.
  template <class Matches>
  u32 find(u32 hash, Matches&& matches) const {
    for (u32 at = hash & mask_; slots_[at].is_used; at = (at + 1) & mask_) {
      if (slots_[at].flow.hash == hash && matches(slots_[at].flow.stream_index))
        return slots_[at].flow.stream_index;
    }
    return ~0u;
  }

  u32 count() const { return count_; }

 private:
  struct Slot {
    Flow flow;
    bool is_used = false;
  };

  u32 mask_;
  u32 count_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tollgate::dataplane
