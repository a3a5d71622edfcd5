// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Instant and Duration: time as types, in nanoseconds, and the clock that a tile reads once a turn.
//
// An Instant is a moment of civil time (nanoseconds since 1970-01-01T00:00:00Z): it is journaled,
// compared with expiries and shown to people. A Duration is a difference. Clock gives the time as a
// value that is passed down: no function below a tile asks the machine what time it is, so that the
// simulator can say so.
#pragma once

#include <compare>
#include <string>

#include "base/types.hh"

namespace tollgate {

struct Duration {
  i64 ns = 0;

  static constexpr Duration nanoseconds(i64 count) { return {count}; }
  static constexpr Duration microseconds(i64 count) { return {count * 1'000}; }
  static constexpr Duration milliseconds(i64 count) { return {count * 1'000'000}; }
  static constexpr Duration seconds(i64 count) { return {count * 1'000'000'000}; }

  constexpr i64 whole_seconds() const { return ns / 1'000'000'000; }
  constexpr i64 whole_milliseconds() const { return ns / 1'000'000; }

  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, i64 factor) { return {a.ns * factor}; }
  friend constexpr auto operator<=>(Duration, Duration) = default;
};

struct Instant {
  i64 ns = 0;  // since the Unix epoch

  static constexpr Instant from_seconds(i64 seconds) { return {seconds * 1'000'000'000}; }
  // The latest Instant: what never expires.
  static constexpr Instant never() { return {INT64_MAX}; }

  constexpr i64 whole_seconds() const { return ns / 1'000'000'000; }

  friend constexpr Instant operator+(Instant at, Duration by) { return {at.ns + by.ns}; }
  friend constexpr Instant operator-(Instant at, Duration by) { return {at.ns - by.ns}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
};

// The processor's time stamp counter: a raw count of ticks for measuring, constant rate.
[[gnu::always_inline]] inline u64 read_tsc() {
  return __builtin_ia32_rdtsc();
}

// Clock turns ticks into civil time without a system call. It is set from the kernel's clock at
// start and again by `resync`, which a tile calls in its housekeeping (every second or so): between
// two of them a jump of the wall clock is not seen, which is what a charging session wants.
class Clock {
 public:
  Clock();

  Instant now() const { return at_tsc(read_tsc()); }
  Instant at_tsc(u64 tsc) const;
  Duration ticks_to_duration(u64 ticks) const;
  u64 ticks_per_second() const { return ticks_per_second_; }
  void resync();

 private:
  u64 base_tsc_ = 0;
  Instant base_;
  u64 ticks_per_second_ = 0;
  u64 ns_per_tick_q32_ = 0;  // nanoseconds a tick, times 2^32
};

// "2026-11-22T14:05:09.123Z"; milliseconds, UTC (RFC 3339).
std::string to_rfc3339(Instant at);

// Reads what to_rfc3339 writes, with or without a fraction, UTC or a numeric offset.
// Returns false and leaves `at` alone if the text is of another form.
[[nodiscard]] bool parse_rfc3339(std::string_view text, Instant& at);

}  // namespace tollgate
