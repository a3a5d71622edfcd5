// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/facts.hh"

#include <gtest/gtest.h>

#include "rating/image.hh"

namespace tollgate::rating {
namespace {

struct CalendarCase {
  const char* at;
  i64 offset_minutes;
  i64 year, month, day, hour, minute, second, weekday, yearday;
};

TEST(Facts, CalendarOfKnownMoments) {
  constexpr CalendarCase cases[] = {
      {"1970-01-01T00:00:00Z", 0, 1970, 1, 1, 0, 0, 0, 3, 1},
      {"2026-11-22T14:05:09Z", 0, 2026, 11, 22, 14, 5, 9, 6, 326},
      {"2024-02-29T23:59:59Z", 0, 2024, 2, 29, 23, 59, 59, 3, 60},
      {"2024-12-31T23:30:00Z", 60, 2025, 1, 1, 0, 30, 0, 2, 1},
      {"2024-03-01T00:10:00Z", -15, 2024, 2, 29, 23, 55, 0, 3, 60},
      {"2023-12-31T12:00:00Z", 0, 2023, 12, 31, 12, 0, 0, 6, 365},
      {"2000-03-01T00:00:00Z", 0, 2000, 3, 1, 0, 0, 0, 2, 61},
      {"2100-03-01T00:00:00Z", 0, 2100, 3, 1, 0, 0, 0, 0, 60},
  };
  for (const CalendarCase& one : cases) {
    Instant at;
    ASSERT_TRUE(parse_rfc3339(one.at, at)) << one.at;
    Facts facts;
    fill_calendar(at, Duration::seconds(one.offset_minutes * 60), facts);
    EXPECT_EQ(facts[Fact::year], one.year) << one.at;
    EXPECT_EQ(facts[Fact::month], one.month) << one.at;
    EXPECT_EQ(facts[Fact::day], one.day) << one.at;
    EXPECT_EQ(facts[Fact::hour], one.hour) << one.at;
    EXPECT_EQ(facts[Fact::minute], one.minute) << one.at;
    EXPECT_EQ(facts[Fact::second], one.second) << one.at;
    EXPECT_EQ(facts[Fact::weekday], one.weekday) << one.at;
    EXPECT_EQ(facts[Fact::yearday], one.yearday) << one.at;
    EXPECT_EQ(facts[Fact::time], at.whole_seconds()) << one.at;
  }
}

TEST(Facts, BeforeTheEpochSecondsRoundDown) {
  Facts facts;
  fill_calendar(Instant{-1}, {}, facts);
  EXPECT_EQ(facts[Fact::year], 1969);
  EXPECT_EQ(facts[Fact::second], 59);
  EXPECT_EQ(facts[Fact::weekday], 2);
  EXPECT_EQ(facts[Fact::yearday], 365);
}

TEST(Facts, OfAnEvent) {
  ChargeEvent event;
  event.service_context = context_key("8.32260@3gpp.org");
  event.zone = text_key("EU");
  event.location = Location::roaming;
  ASSERT_TRUE(event.network.set("24001"));
  ASSERT_TRUE(event.called.set("46701234567"));
  Facts facts;
  fill_facts(event, facts);
  EXPECT_EQ(static_cast<u64>(facts[Fact::service]), text_key("voice"));
  EXPECT_EQ(static_cast<u64>(facts[Fact::zone]), text_key("EU"));
  EXPECT_EQ(static_cast<u64>(facts[Fact::location]), text_key("roaming"));
  EXPECT_EQ(static_cast<u64>(facts[Fact::direction]), text_key("unknown"));
  EXPECT_EQ(facts[Fact::network], 24001);
  EXPECT_EQ(facts[Fact::called], 46701234567);
  EXPECT_EQ(facts[Fact::calling], 0);
  event.service_context = context_key("content@shop.example");
  fill_facts(event, facts);
  EXPECT_EQ(static_cast<u64>(facts[Fact::service]), text_key("content@shop.example"));
}

TEST(Facts, NumbersThatDoNotFitAreZero) {
  Digits digits;
  ASSERT_TRUE(digits.set("123456789012345678"));
  EXPECT_EQ(number_of(digits), 123456789012345678);
  ASSERT_TRUE(digits.set("1234567890123456789"));
  EXPECT_EQ(number_of(digits), 0);
  ASSERT_TRUE(digits.set("12a"));
  EXPECT_EQ(number_of(digits), 0);
  EXPECT_FALSE(digits.set("123456789012345678901234"));
}

TEST(Facts, NamesAreFoundAndCountersHaveNone) {
  for (u32 i = 0; i < static_cast<u32>(Fact::counter0); ++i) {
    const auto fact = static_cast<Fact>(i);
    EXPECT_EQ(find_fact(fact_info(fact).name), fact);
  }
  EXPECT_FALSE(find_fact(""));
  EXPECT_FALSE(find_fact("counter0"));
}

}  // namespace
}  // namespace tollgate::rating
