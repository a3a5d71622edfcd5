// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Intake: frames taken from one queue of a port and not handled yet; and how far behind that is.
//
// Ports do not tell how many frames wait in them. As long as a turn's burst empties the queue there
// is nothing to know: frames are handled as they are taken, and the lag is zero. When bursts have
// been full for a while, there is a look: all that waits is taken at once (`held_max` at most), and
// worked off burst by burst before the queue is asked again. How long that took is how long its
// last frame has waited: the lag, until the next look or until the queue is empty. Frames that are
// taken and not handled at once are out of the caches by then, and cost a quarter more; so a look
// is made now and then only.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "base/time.hh"
#include "base/types.hh"

struct rte_mbuf;

namespace tollgate::dataplane {

class Intake {
 public:
  static constexpr u32 burst_max = 64;
  static constexpr u32 held_max = 4096;
  static constexpr Duration look_after = Duration::milliseconds(2);
  static constexpr Duration look_interval = Duration::milliseconds(50);
  using Burst = std::span<rte_mbuf*, burst_max>;

  // The frames of this turn, a burst at most; they belong to the caller. `receive(Burst)` takes
  // what the queue has, and returns how many.
  template <class Receive>
  std::span<rte_mbuf* const> take(Instant now, Receive&& receive) {
    if (first_ == end_) refill(now, receive);
    const u32 count = std::min(burst_max, end_ - first_);
    first_ += count;
    return {frames_.data() + first_ - count, count};
  }

  // How long what was handled last had been waiting, at least.
  Duration lag() const { return lag_; }

  // What was taken and never handed out.
  std::span<rte_mbuf* const> rest() const { return {frames_.data() + first_, end_ - first_}; }

 private:
  Burst room() { return Burst(frames_.data() + end_, burst_max); }

  template <class Receive>
  void refill(Instant now, Receive&& receive) {
    if (is_look_) lag_ = now - looked_at_;
    is_look_ = false;
    first_ = end_ = 0;
    end_ = receive(room());
    if (end_ < burst_max) {
      lag_ = {};
      empty_at_ = now;
      return;
    }
    if (now - empty_at_ < look_after || now < next_look_) return;
    next_look_ = now + look_interval;
    is_look_ = true;
    looked_at_ = now;
    for (u32 count = burst_max; count == burst_max && end_ + burst_max <= held_max;) {
      count = receive(room());
      end_ += count;
      if (count < burst_max) empty_at_ = now;
    }
  }

  u32 first_ = 0;
  u32 end_ = 0;
  bool is_look_ = false;  // what is held was taken by a look
  Instant looked_at_;
  Instant next_look_;
  Instant empty_at_;  // when the queue was last seen without frames
  Duration lag_;
  std::array<rte_mbuf*, held_max> frames_;
};

}  // namespace tollgate::dataplane
