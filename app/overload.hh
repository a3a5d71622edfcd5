// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Overload: whether a net tile takes new work, and what it tells clients of it.
//
// What waits for answers is the measure. As long as it is little, everything is taken. From a half
// of the room on, what begins something (INITIAL and EVENT) is told DIAMETER_TOO_BUSY before it is
// decoded, in the turn that it came in; what goes on with something (UPDATE, TERMINATION) is taken
// as long as there is any room, for refusing it would cost what has been worked for already. The
// room is fixed at start, so memory is bounded.
//
// Clients that support it (RFC 7683) are told by how much they should send less: the share of new
// work that was refused in the last second. When nothing is refused any more, the report ends.
#pragma once

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
  bool is_crowded() const { return is_crowded_; }
  void count_refused() { ++refused_; }
  void count_begun() { ++begun_; }

  // To be called now and then; makes the report anew every second.
  void on_time(Instant now);
  const diameter::OverloadReport& report() const { return report_; }

 private:
  u32 waiting_max_;
  bool is_crowded_ = false;
  u64 refused_ = 0;  // since the last report
  u64 begun_ = 0;    // taken, likewise
  Instant next_;
  diameter::OverloadReport report_;
};

// Whether a credit-control request begins something, as far as one look at its AVPs tells.
bool begins_something(Bytes message);

}  // namespace tollgate::app
