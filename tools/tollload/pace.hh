// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Pace: how many requests may be sent now, and when they were planned.
//
// With a window (closed loop) a request is planned when it is sent. With a rate (open loop) the
// plan is fixed before the first one leaves: request k belongs to the moment k/rate after the
// start. If the server, the network or we ourselves fall behind, the wait counts as latency of the
// requests that had to wait; nothing is left out.
#pragma once

#include "base/time.hh"
#include "base/types.hh"

namespace tollgate::tollload {

class Pace {
 public:
  static Pace closed(u32 window_count) { return Pace(window_count, 0, {}); }
  static Pace open(u64 rate_per_second, Instant start) { return Pace(0, rate_per_second, start); }

  u64 allowed(Instant now, u64 in_flight_count) const {
    if (rate_ == 0) return in_flight_count < window_ ? window_ - in_flight_count : 0;
    if (now < start_) return 0;
    const u64 due = static_cast<u64>(u128{static_cast<u64>((now - start_).ns)} * rate_ / second);
    // Request 0 is due at the start itself.
    return due + 1 > sent_ ? due + 1 - sent_ : 0;
  }

  // The planned moment of the request that is sent now; counts it as sent.
  Instant take(Instant now) {
    if (rate_ == 0) return now;
    const u64 after = static_cast<u64>(u128{sent_++} * second / rate_);
    return start_ + Duration::nanoseconds(static_cast<i64>(after));
  }

 private:
  static constexpr u64 second = 1'000'000'000;
  Pace(u32 window, u64 rate, Instant start) : window_(window), rate_(rate), start_(start) {}

  u64 window_;
  u64 rate_;
  Instant start_;
  u64 sent_ = 0;
};

}  // namespace tollgate::tollload
