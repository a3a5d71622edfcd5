// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/time.hh"

#include <gtest/gtest.h>
#include <time.h>

#include "base/clock_slew.hh"

namespace tollgate {
namespace {

TEST(TimeTest, WritesAndReadsRfc3339) {
  const Instant at{1'795'310'709'123'000'000};
  EXPECT_EQ(to_rfc3339(at), "2026-11-22T01:25:09.123Z");
  Instant back;
  EXPECT_TRUE(parse_rfc3339("2026-11-22T01:25:09.123Z", back));
  EXPECT_EQ(back, at);
  EXPECT_TRUE(parse_rfc3339("2026-11-22T03:25:09.123+02:00", back));
  EXPECT_EQ(back, at);
  EXPECT_EQ(to_rfc3339(Instant{-1'000'000}), "1969-12-31T23:59:59.999Z");
}

TEST(TimeTest, RefusesOtherForms) {
  Instant at{5};
  for (const std::string_view text :
       {"", "2026-11-22", "2026-13-22T01:25:09Z", "2026-04-31T01:25:09Z", "2026-11-22T01:25:09",
        "2026-11-22T01:25:09+0200", "2026-11-22T01:25:09Zx", "2026-11-22 01:25:09Z"}) {
    EXPECT_FALSE(parse_rfc3339(text, at)) << text;
  }
  EXPECT_EQ(at.ns, 5);
}

TEST(TimeTest, ClockFollowsTheKernel) {
  const Clock clock;
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  const Instant kernel{i64{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec};
  EXPECT_LT(std::abs((clock.now() - kernel).ns), 1'000'000'000);
  EXPECT_GE(clock.at_tsc(read_tsc()), clock.at_tsc(read_tsc() - 1'000'000));
}

// A second of real time at a time, the kernel's clock being off by so much at first.
Instant after_seconds(i64 seconds, Duration off) {
  Instant mine = Instant::from_seconds(1'000'000);
  Instant kernel = mine + off;
  for (i64 i = 0; i < seconds; ++i) {
    const Duration second = Duration::seconds(1);
    mine = mine + second;
    kernel = kernel + second;
    const Instant before = mine;
    mine = slew(mine, kernel, second);
    EXPECT_LE((before - mine).ns, Duration::seconds(2).ns);
  }
  return mine;
}

TEST(TimeTest, AJumpOfTheClockIsFollowedSlowly) {
  const Instant begin = Instant::from_seconds(1'000'000);
  EXPECT_EQ(after_seconds(1, Duration::seconds(1)), begin + Duration::seconds(2));
  EXPECT_EQ(after_seconds(1, Duration::seconds(-2)), begin - Duration::seconds(1));
  EXPECT_EQ(after_seconds(10, Duration::seconds(3600)), begin + Duration::seconds(11));
  EXPECT_EQ(after_seconds(10, Duration::seconds(-3600)), begin + Duration::seconds(9));
  // Ten hours later the two agree.
  EXPECT_EQ(after_seconds(36'000, Duration::seconds(3600)), begin + Duration::seconds(39'600));
  EXPECT_EQ(after_seconds(36'000, Duration::seconds(-3600)), begin + Duration::seconds(32'400));
}

}  // namespace
}  // namespace tollgate
