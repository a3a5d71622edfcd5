// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Timeline: which class a moment belongs to, and until when: time bands, days, months.
//
// The compiler works weekdays, holidays, time zone and daylight saving into one row of edges over
// 28 years (after which the days of the week fall on the same dates again), with an index by day.
// So the charge core finds the class of a moment and the next edge in two cache lines, and knows no
// calendar. A moment outside of 2020 to 2047 is looked up 28 years before or after.
#pragma once

#include <span>
#include <vector>

#include "base/time.hh"
#include "base/types.hh"
#include "rating/timezone.hh"

namespace tollgate::rating {

inline constexpr i64 timeline_day_seconds = 86'400;
inline constexpr i64 timeline_first_day = 18'262;  // 2020-01-01
inline constexpr i64 timeline_days = 10'227;       // 28 years
inline constexpr i64 timeline_seconds = timeline_days * timeline_day_seconds;
inline constexpr u32 timeline_class_bits = 16;

struct Timeline {
  u32 days_first = 0;  // into the image's days: timeline_days words
  u32 edges_first = 0;
  u32 edge_count = 0;
  u32 class_count = 0;
};

// Its tables, where they lie.
struct TimelineTables {
  std::span<const u32> days;   // the edge in force when a day (in UTC) begins
  std::span<const u64> edges;  // second since timeline_first_day, and class
};

constexpr u64 timeline_edge(i64 second, u32 band_class) {
  return static_cast<u64>(second) << timeline_class_bits | band_class;
}

// The class of a moment, and when it begins and ends.
struct TimeClass {
  u32 number = 0;
  Instant since = {INT64_MIN};
  Instant until = Instant::never();
};
TimeClass class_at(const TimelineTables& timeline, Instant at);

// What clocks are ahead of UTC, as a class of a timeline: minutes, and as much as they are behind
// at most.
inline constexpr i64 clock_minutes_max = 16 * 60;
constexpr Duration clock_offset(u32 clock_class) {
  return Duration::seconds((static_cast<i64>(clock_class) - clock_minutes_max) * 60);
}

// The rest is for the compiler.

// A day is counted from 1970-01-01, by the local clock.
struct BandLine {
  u8 weekdays = 0;          // bit 0: Monday
  std::vector<i64> days;    // also on these; in order
  std::vector<i64> except;  // but never on these; in order
  struct Hours {
    i64 from = 0;  // seconds of the local day; from > until goes over midnight
    i64 until = timeline_day_seconds;
  };
  std::vector<Hours> hours;  // empty: the whole day
};
struct Band {
  std::vector<BandLine> lines;  // any of them
};

struct BuiltTimeline {
  std::vector<u32> days;
  std::vector<u64> edges;
  std::vector<u32> masks;  // of each class: bit i: band i holds
};
// The classes are the combinations of `bands` (at most 16) that come up.
BuiltTimeline build_timeline(const TimeZone& zone, std::span<const Band* const> bands);

// Edges where a period begins; its classes 0 and 1 take turns.
enum class Period : u8 { ever, day, week, month };
BuiltTimeline build_periods(const TimeZone& zone, Period period);

// Edges where the clocks are changed; its classes are what clock_offset understands.
BuiltTimeline build_clock(const TimeZone& zone);

// Easter Sunday of a year, as a day.
i64 easter(int year);

}  // namespace tollgate::rating
