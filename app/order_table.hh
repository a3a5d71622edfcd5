// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// OrderTable: the RARs and ASRs of a net tile that wait for their answers. Bounded: what does not
// fit is not sent, and counted.
#pragma once

#include <vector>

#include "app/session_order.hh"
#include "base/time.hh"
#include "dataplane/stream.hh"

namespace tollgate::app {

struct PendingOrder {
  SessionOrder order;
  dataplane::StreamId stream;  // where it was sent
  u32 end_to_end = 0;
  u32 hop_by_hop = 0;
  u32 tries = 0;  // 0: this place is free
  Instant deadline;
};

class OrderTable {
 public:
  static constexpr u32 orders_max = 1024;

  // nullptr if all places are taken. `tries` is 1.
  PendingOrder* take(const SessionOrder& order);
  void give(PendingOrder& pending);
  // By the identifier of an answer; nullptr: nobody waits for it.
  PendingOrder* find(u32 hop_by_hop);
  u32 used_count() const { return used_count_; }

  // fn(pending) for each whose time is over.
  template <class Fn>
  void for_each_due(Instant now, Fn fn) {
    if (used_count_ == 0) return;
    for (PendingOrder& pending : places_) {
      if (pending.tries != 0 && pending.deadline <= now) fn(pending);
    }
  }

 private:
  static constexpr u32 place_bits = 10;
  static_assert(orders_max == 1u << place_bits);

  std::vector<PendingOrder> places_ = std::vector<PendingOrder>(orders_max);
  u32 used_count_ = 0;
  u32 next_place_ = 0;
  u32 next_round_ = 0;
};

}  // namespace tollgate::app
