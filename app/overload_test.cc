// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "app/overload.hh"

#include <gtest/gtest.h>

namespace tollgate::app {
namespace {

constexpr Instant start = Instant::from_seconds(1'800'000'000);

Instant after(i64 milliseconds) {
  return start + Duration::milliseconds(milliseconds);
}

// Behind from 100 ms on.
Overload behind() {
  Overload overload(1000);
  for (i64 ms = 0; ms <= 100; ++ms) overload.note_lag(Overload::lag_high, after(ms));
  return overload;
}

TEST(Overload, a_stall_is_none) {
  Overload overload(1000);
  for (i64 ms = 0; ms < 1000; ++ms) {
    overload.note_lag(Duration::milliseconds(ms % 100 < 99 ? 50 : 0), after(ms));
    EXPECT_FALSE(overload.refuses_new_work()) << ms;
  }
}

TEST(Overload, begins_when_input_waits_all_the_time_and_ends_at_half_of_it) {
  Overload overload = behind();
  EXPECT_TRUE(overload.refuses_new_work());
  overload.note_lag(Overload::lag_low, after(101));
  EXPECT_TRUE(overload.refuses_new_work());
  overload.note_lag(Overload::lag_low - Duration{1}, after(102));
  EXPECT_FALSE(overload.refuses_new_work());
}

// Whatever comes, at most two are refused for each five that are taken, but for the first.
TEST(Overload, refusing_never_takes_the_time_of_working) {
  Overload overload = behind();
  u64 refused = 0;
  u64 taken = 0;
  for (u64 come = 0; come < 1'000'000; ++come) {
    if (overload.refuses_new_work()) {
      overload.count_refused();
      ++refused;
    } else {
      overload.count_taken(true);
      ++taken;
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LE((refused - 8192) * 5, taken * 2);
  EXPECT_GE(refused * 5 + 5, taken * 2);
}

// Without room there is no choice.
TEST(Overload, who_is_crowded_refuses_all_of_it) {
  Overload overload(1000);
  overload.measure(1000, false);
  for (u64 come = 0; come < 100'000; ++come) {
    ASSERT_TRUE(overload.refuses_new_work());
    overload.count_refused();
  }
  overload.measure(999, false);
  EXPECT_FALSE(overload.refuses_new_work());
}

}  // namespace
}  // namespace tollgate::app
