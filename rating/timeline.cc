// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/timeline.hh"

#include <algorithm>
#include <set>

#include "base/check.hh"
#include "rating/calendar.hh"

namespace tollgate::rating {
namespace {

constexpr i64 horizon_begin = timeline_first_day * timeline_day_seconds;
constexpr i64 horizon_end = horizon_begin + timeline_seconds;

bool is_day_of(const BandLine& line, i64 day) {
  if (std::ranges::binary_search(line.except, day)) return false;
  return ((line.weekdays >> weekday_of(day)) & 1) != 0 ||
         std::ranges::binary_search(line.days, day);
}

bool holds(const BandLine& line, i64 day, i64 second) {
  const bool is_today = is_day_of(line, day);
  if (line.hours.empty()) return is_today;
  for (const BandLine::Hours& hours : line.hours) {
    if (hours.from < hours.until) {
      if (is_today && second >= hours.from && second < hours.until) return true;
      continue;
    }
    if (is_today && second >= hours.from) return true;
    if (second < hours.until && is_day_of(line, day - 1)) return true;
  }
  return false;
}

u32 mask_at(std::span<const Band* const> bands, i64 day, i64 second) {
  u32 mask = 0;
  for (std::size_t i = 0; i < bands.size(); ++i) {
    const auto is_in = [&](const BandLine& line) { return holds(line, day, second); };
    if (std::ranges::any_of(bands[i]->lines, is_in)) mask |= u32{1} << i;
  }
  return mask;
}

// Calls visit(utc, local day, local second) for each second of the local day in `seconds`, over the
// whole horizon, and wherever the clocks are changed; in order of time.
template <class Visit>
void walk(const TimeZone& zone, const std::set<i64>& seconds, Visit visit) {
  const auto& stretches = zone.stretches();
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const i64 begin = std::max(stretches[i].begin, horizon_begin);
    const i64 end =
        i + 1 < stretches.size() ? std::min(stretches[i + 1].begin, horizon_end) : horizon_end;
    if (begin >= end) continue;
    const i64 offset = stretches[i].offset;
    const i64 first_day = floor_divide(begin + offset, timeline_day_seconds);
    visit(begin, first_day, begin + offset - first_day * timeline_day_seconds);
    for (i64 day = first_day; day * timeline_day_seconds - offset < end; ++day) {
      for (const i64 second : seconds) {
        const i64 utc = day * timeline_day_seconds + second - offset;
        if (utc > begin && utc < end) visit(utc, day, second);
      }
    }
  }
}

void index_days(BuiltTimeline& built) {
  built.days.resize(timeline_days);
  u32 edge = 0;
  for (i64 day = 0; day < timeline_days; ++day) {
    const u64 begin = static_cast<u64>(day * timeline_day_seconds);
    while (edge + 1 < built.edges.size() && built.edges[edge + 1] >> timeline_class_bits <= begin) {
      ++edge;
    }
    built.days[static_cast<std::size_t>(day)] = edge;
  }
}

bool begins(Period period, i64 day) {
  if (period == Period::week) return weekday_of(day) == 0;
  return period == Period::day || date_of(day).day == 1;
}

}  // namespace

TimeClass class_at(const TimelineTables& timeline, Instant at) {
  const i64 second = floor_divide(at.ns, 1'000'000'000) - horizon_begin;
  const i64 round = floor_divide(second, timeline_seconds);
  const i64 inside = second - round * timeline_seconds;
  u32 edge = timeline.days[static_cast<std::size_t>(inside / timeline_day_seconds)];
  while (edge + 1 < timeline.edges.size() &&
         static_cast<i64>(timeline.edges[edge + 1] >> timeline_class_bits) <= inside) {
    ++edge;
  }
  const i64 next = edge + 1 < timeline.edges.size()
                       ? static_cast<i64>(timeline.edges[edge + 1] >> timeline_class_bits)
                       : timeline_seconds;
  const i64 begin = horizon_begin + round * timeline_seconds;
  const u64 word = timeline.edges[edge];
  return {.number = static_cast<u32>(word & ((u64{1} << timeline_class_bits) - 1)),
          .since = Instant::from_seconds(begin + static_cast<i64>(word >> timeline_class_bits)),
          .until = Instant::from_seconds(begin + next)};
}

BuiltTimeline build_timeline(const TimeZone& zone, std::span<const Band* const> bands) {
  check(bands.size() <= timeline_class_bits, "a combination of bands has a number");
  std::set<i64> seconds{0};
  for (const Band* band : bands) {
    for (const BandLine& line : band->lines) {
      for (const BandLine::Hours& hours : line.hours) {
        seconds.insert(hours.from);
        if (hours.until < timeline_day_seconds) seconds.insert(hours.until);
      }
    }
  }
  BuiltTimeline built;
  u32 before = ~u32{0};
  walk(zone, seconds, [&](i64 utc, i64 day, i64 second) {
    const u32 mask = mask_at(bands, day, second);
    if (mask == before) return;
    before = mask;
    const auto known = std::ranges::find(built.masks, mask);
    const auto number = static_cast<u32>(known - built.masks.begin());
    if (known == built.masks.end()) built.masks.push_back(mask);
    built.edges.push_back(timeline_edge(utc - horizon_begin, number));
  });
  index_days(built);
  return built;
}

BuiltTimeline build_periods(const TimeZone& zone, Period period) {
  BuiltTimeline built;
  built.masks = {0, 1};
  built.edges.push_back(timeline_edge(0, 0));
  if (period != Period::ever) {
    // A day may begin at one o'clock, or twice, where clocks are changed at midnight.
    i64 newest = INT64_MIN;
    walk(zone, {0}, [&](i64 utc, i64 day, i64) {
      if (day <= newest) return;
      newest = day;
      if (!begins(period, day) || utc == horizon_begin) return;
      built.edges.push_back(timeline_edge(utc - horizon_begin, built.edges.size() % 2));
    });
  }
  index_days(built);
  return built;
}

BuiltTimeline build_clock(const TimeZone& zone) {
  BuiltTimeline built;
  built.masks.resize(2 * clock_minutes_max + 1);  // so many classes
  u64 before = ~u64{0};
  const std::vector<TimeZone::Stretch>& all = zone.stretches();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const i64 begin = std::max(all[i].begin, horizon_begin);
    const i64 end = i + 1 < all.size() ? all[i + 1].begin : horizon_end;
    const i64 minutes = std::clamp(all[i].offset / 60, -clock_minutes_max, clock_minutes_max);
    const auto clock_class = static_cast<u64>(minutes + clock_minutes_max);
    if (begin >= std::min(end, horizon_end) || clock_class == before) continue;
    before = clock_class;
    built.edges.push_back(timeline_edge(begin - horizon_begin, static_cast<u32>(clock_class)));
  }
  index_days(built);
  return built;
}

i64 easter(int year) {
  // Gauss, in the form that holds for all years of the Gregorian calendar.
  const int a = year % 19, b = year / 100, c = year % 100;
  const int d = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
  const int e = (32 + 2 * (b % 4) + 2 * (c / 4) - d - c % 4) % 7;
  const int f = d + e - 7 * ((a + 11 * d + 22 * e) / 451) + 114;
  return day_of({year, static_cast<u32>(f / 31), static_cast<u32>(f % 31 + 1)});
}

}  // namespace tollgate::rating
