// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Overload: whether a net tile takes new work, and what it tells clients of it.
//
// There are two measures. What waits for answers: from a half of the room on the tile is crowded,
// as others are behind it. And how long input waits before this tile looks at it: if that does not
// fall below `lag_high` for `lag_patience`, more comes than can be done, and the tile is behind.
// Then what begins something (INITIAL and EVENT) is told DIAMETER_TOO_BUSY before it is decoded, in
// the turn that it came in; what goes on with something (UPDATE, TERMINATION) is taken as long as
// there is any room, for refusing it would cost what has been worked for already. The room is fixed
// at start, so memory is bounded.
//
// To refuse is not free: packets and TCP are a fifth to a quarter of what a request costs. A tile
// that is behind and refuses whatever comes would end up doing nothing else. So it refuses at most
// two for every five that it takes, which leaves nine tenths of its time for work; what is beyond
// waits in the clients, which TCP's windows hold back. A tile that is crowded has no choice.
//
// Clients that support it (RFC 7683) are told by how much they should send less: the share of new
// work that was refused in the last second. When nothing is refused any more, the report ends.
#pragma once

#include <algorithm>

#include "base/time.hh"
#include "base/types.hh"
#include "diameter/overload_report.hh"

namespace tollgate::app {

class Overload {
 public:
  // Requests that may wait for answers before new work is refused.
  explicit Overload(u32 waiting_max) : waiting_max_(waiting_max) {}

  // `links_are_full`: some charge tile is half a link behind.
  void measure(u32 waiting_count, bool links_are_full) {
    is_crowded_ = waiting_count >= waiting_max_ || links_are_full;
  }
  // `lag`: how long input waits, as the transport saw it last. Once a turn.
  void note_lag(Duration lag, Instant now);

  bool refuses_new_work() const { return is_crowded_ || (is_behind_ && credit_ >= refusal_cost); }
  void count_refused() {
    ++refused_;
    if (!is_crowded_) credit_ -= refusal_cost;
  }
  void count_taken(bool begins) {
    begun_ += begins ? 1 : 0;
    credit_ = std::min(credit_ + taken_gain, credit_max);
  }

  // To be called now and then; makes the report anew every second.
  void on_time(Instant now);
  const diameter::OverloadReport& report() const { return report_; }

  static constexpr Duration lag_high = Duration::milliseconds(8);
  static constexpr Duration lag_low = Duration::milliseconds(4);
  static constexpr Duration lag_patience = Duration::milliseconds(100);

 private:
  static constexpr i32 taken_gain = 2;
  static constexpr i32 refusal_cost = 5;
  // Some thousand clients that come at once are refused at once, if it must be.
  static constexpr i32 credit_max = 8192 * refusal_cost;

  u32 waiting_max_;
  bool is_crowded_ = false;
  bool is_behind_ = false;
  i32 credit_ = credit_max;
  Instant high_since_ = Instant::never();
  u64 refused_ = 0;  // since the last report
  u64 begun_ = 0;    // taken, likewise
  Instant next_;
  diameter::OverloadReport report_;
};

// Whether a credit-control request begins something, as far as one look at its AVPs tells.
bool begins_something(Bytes message);

}  // namespace tollgate::app
