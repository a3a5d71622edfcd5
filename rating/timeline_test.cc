// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/timeline.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <random>

namespace tollgate::rating {
namespace {

constexpr i64 hour = 3600;

Instant at(std::string_view text) {
  Instant result;
  EXPECT_TRUE(parse_rfc3339(text, result)) << text;
  return result;
}

const TimeZone& zone(const std::string& name) {
  static TimeZones zones;
  const TimeZone* found = zones.find(name);
  EXPECT_NE(found, nullptr) << name << ": is tzdata installed?";
  return found != nullptr ? *found : *zones.find("UTC");
}

TEST(TimeZoneTest, AgreesWithTheLibraryOfTheSystem) {
  std::mt19937_64 random(1);
  for (const char* name : {"Europe/Stockholm", "America/New_York", "Australia/Lord_Howe",
                           "Asia/Kolkata", "America/Santiago", "Africa/Casablanca", "UTC"}) {
    setenv("TZ", name, 1);
    tzset();
    for (int i = 0; i < 3000; ++i) {
      const i64 utc = static_cast<i64>(random() % (80LL * 366 * 86'400));  // 1970 to 2050
      std::tm local{};
      const std::time_t time = utc;
      localtime_r(&time, &local);
      ASSERT_EQ(zone(name).offset_at(utc), local.tm_gmtoff) << name << " " << utc;
    }
  }
  unsetenv("TZ");
  tzset();
}

TEST(TimeZoneTest, WhatAClockShowsTwiceOrNever) {
  const TimeZone& stockholm = zone("Europe/Stockholm");
  const auto utc_of = [&](std::string_view local) {
    return to_rfc3339(Instant::from_seconds(stockholm.to_utc(at(local).whole_seconds())));
  };
  EXPECT_EQ(utc_of("2026-06-01T12:00:00Z"), "2026-06-01T10:00:00.000Z");
  EXPECT_EQ(utc_of("2026-12-01T12:00:00Z"), "2026-12-01T11:00:00.000Z");
  EXPECT_EQ(utc_of("2026-10-25T02:30:00Z"), "2026-10-25T00:30:00.000Z");  // the first of two
  EXPECT_EQ(utc_of("2026-03-29T02:30:00Z"), "2026-03-29T01:30:00.000Z");  // never shown
}

TEST(TimeZoneTest, RefusesWhatIsNoZone) {
  TimeZones zones;
  for (const char* name :
       {"", "Europe", "Europe/Atlantis", "../passwd", "/etc/passwd", "tzdata.zi"}) {
    EXPECT_EQ(zones.find(name), nullptr) << name;
  }
  TimeZone broken;
  std::string octets = "TZif2" + std::string(200, '\xff');
  for (std::size_t length = 0; length < octets.size(); ++length) {
    EXPECT_FALSE(broken.read(std::string_view(octets).substr(0, length)));
  }
}

struct BuiltBands {
  BuiltTimeline built;
  TimelineTables tables() const { return {built.days, built.edges}; }
  u32 mask_at(Instant when) const { return built.masks[class_at(tables(), when).number]; }
};

BuiltBands build(const std::string& name, const Band& band) {
  const Band* one = &band;
  return {build_timeline(zone(name), {&one, 1})};
}

const Band night{{{.weekdays = 0x7f, .days = {}, .except = {}, .hours = {{20 * hour, 6 * hour}}}}};

TEST(TimelineTest, ANightThatTheClocksAreChangedIn) {
  const BuiltBands bands = build("Europe/Stockholm", night);
  const auto until = [&](std::string_view when) {
    return to_rfc3339(class_at(bands.tables(), at(when)).until);
  };
  EXPECT_EQ(bands.mask_at(at("2026-11-22T18:59:59Z")), 0U);
  EXPECT_EQ(bands.mask_at(at("2026-11-22T19:00:00Z")), 1U);
  EXPECT_EQ(until("2026-11-22T19:00:00Z"), "2026-11-23T05:00:00.000Z");
  EXPECT_EQ(until("2026-03-28T19:00:00Z"), "2026-03-29T04:00:00.000Z");  // an hour less
  EXPECT_EQ(until("2026-10-24T18:00:00Z"), "2026-10-25T05:00:00.000Z");  // an hour more
}

TEST(TimelineTest, WeekendsHolidaysAndTheirExceptions) {
  const i64 christmas = 20'812;  // 2026-12-25, a Friday
  const Band off{{{.weekdays = 0x60, .days = {christmas}, .except = {}, .hours = {}}}};
  const Band work{{{.weekdays = 0x1f,
                    .days = {},
                    .except = {christmas},
                    .hours = {{8 * hour, 12 * hour}, {13 * hour, 18 * hour}}}}};
  const BuiltBands free = build("UTC", off);
  const BuiltBands busy = build("UTC", work);
  EXPECT_EQ(free.mask_at(at("2026-12-25T12:00:00Z")), 1U);
  EXPECT_EQ(free.mask_at(at("2026-12-24T23:59:59Z")), 0U);
  EXPECT_EQ(free.mask_at(at("2026-12-26T00:00:00Z")), 1U);  // Saturday
  EXPECT_EQ(free.mask_at(at("2026-12-28T00:00:00Z")), 0U);
  EXPECT_EQ(busy.mask_at(at("2026-12-24T11:59:59Z")), 1U);
  EXPECT_EQ(busy.mask_at(at("2026-12-24T12:00:00Z")), 0U);
  EXPECT_EQ(busy.mask_at(at("2026-12-24T13:00:00Z")), 1U);
  EXPECT_EQ(busy.mask_at(at("2026-12-25T11:00:00Z")), 0U);
  EXPECT_EQ(busy.mask_at(at("2026-12-26T11:00:00Z")), 0U);
}

TEST(TimelineTest, AnyMomentAsTheClockOnTheWallShowsIt) {
  std::mt19937_64 random(2);
  const BuiltBands bands = build("America/New_York", night);
  const TimeZone& new_york = zone("America/New_York");
  for (int i = 0; i < 20'000; ++i) {
    const i64 utc = 18'262 * 86'400 + static_cast<i64>(random() % (28ULL * 365 * 86'400));
    const i64 second = (utc + new_york.offset_at(utc)) % 86'400;
    const u32 expected = second >= 20 * hour || second < 6 * hour ? 1 : 0;
    const TimeClass now = class_at(bands.tables(), Instant::from_seconds(utc));
    ASSERT_EQ(bands.built.masks[now.number], expected) << utc;
    ASSERT_GT(now.until.whole_seconds(), utc);
    ASSERT_NE(bands.mask_at(now.until), expected) << utc;
    ASSERT_EQ(bands.mask_at(now.until - Duration::seconds(1)), expected) << utc;
  }
}

TEST(TimelineTest, OutsideOfItsYearsTheCalendarRepeats) {
  const BuiltBands bands = build("UTC", night);
  EXPECT_EQ(bands.mask_at(at("2055-05-05T20:00:00Z")), 1U);
  EXPECT_EQ(bands.mask_at(at("2055-05-05T19:59:59Z")), 0U);
  EXPECT_EQ(bands.mask_at(at("1999-05-05T20:00:00Z")), 1U);
  EXPECT_EQ(to_rfc3339(class_at(bands.tables(), at("2055-05-05T21:00:00Z")).until),
            "2055-05-06T06:00:00.000Z");
}

TEST(TimelineTest, PeriodsEndAtMidnightOfTheirPlace) {
  const auto end = [&](Period period, std::string_view when) {
    const BuiltTimeline built = build_periods(zone("Europe/Stockholm"), period);
    return to_rfc3339(class_at({built.days, built.edges}, at(when)).until);
  };
  EXPECT_EQ(end(Period::day, "2026-11-22T22:59:59Z"), "2026-11-22T23:00:00.000Z");
  EXPECT_EQ(end(Period::day, "2026-11-22T23:00:00Z"), "2026-11-23T23:00:00.000Z");
  EXPECT_EQ(end(Period::week, "2026-11-22T12:00:00Z"), "2026-11-22T23:00:00.000Z");  // a Sunday
  EXPECT_EQ(end(Period::month, "2026-02-10T12:00:00Z"), "2026-02-28T23:00:00.000Z");
  EXPECT_EQ(end(Period::month, "2028-02-10T12:00:00Z"), "2028-02-29T23:00:00.000Z");
  EXPECT_EQ(end(Period::month, "2026-06-30T21:59:59Z"), "2026-06-30T22:00:00.000Z");
}

TEST(TimelineTest, EasterOfSomeYears) {
  const auto text = [](int year) {
    return to_rfc3339(Instant::from_seconds(easter(year) * 86'400)).substr(0, 10);
  };
  EXPECT_EQ(text(2024), "2024-03-31");
  EXPECT_EQ(text(2025), "2025-04-20");
  EXPECT_EQ(text(2026), "2026-04-05");
  EXPECT_EQ(text(2038), "2038-04-25");
}

}  // namespace
}  // namespace tollgate::rating
