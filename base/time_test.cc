// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/time.hh"

#include <gtest/gtest.h>
#include <time.h>

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

}  // namespace
}  // namespace tollgate
