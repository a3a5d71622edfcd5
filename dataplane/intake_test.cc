// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/intake.hh"

#include <gtest/gtest.h>

#include <deque>

namespace tollgate::dataplane {
namespace {

// A queue of numbered frames, of which a turn handles one burst and takes `turn_time`.
struct Bench {
  std::deque<u64> waiting;
  Intake intake;
  Instant now = Instant{} + Duration::seconds(1);
  u64 next_number = 0;
  u64 next_handled = 0;

  void arrive(u32 count) {
    for (u32 i = 0; i < count; ++i) waiting.push_back(next_number++);
  }
  u32 turn(Duration turn_time) {
    const auto frames = intake.take(now, [&](Intake::Burst burst) {
      u32 count = 0;
      for (; count < burst.size() && !waiting.empty(); ++count) {
        burst[count] = reinterpret_cast<rte_mbuf*>(waiting.front() + 1);
        waiting.pop_front();
      }
      return count;
    });
    for (rte_mbuf* frame : frames) {
      EXPECT_EQ(reinterpret_cast<u64>(frame), ++next_handled) << "frames keep their order";
    }
    now = now + turn_time;
    return static_cast<u32>(frames.size());
  }
};

constexpr Duration turn_time = Duration::microseconds(200);

TEST(Intake, has_no_lag_while_turns_empty_the_queue) {
  Bench bench;
  for (u32 i = 0; i < 100; ++i) {
    bench.arrive(i % Intake::burst_max);
    EXPECT_EQ(bench.turn(turn_time), i % Intake::burst_max);
    EXPECT_EQ(bench.intake.lag(), Duration{});
  }
}

TEST(Intake, tells_how_long_what_waits_will_take) {
  Bench bench;
  bench.turn(turn_time);
  bench.arrive(2048);  // 32 turns
  for (u32 i = 0; i < 60; ++i) {
    bench.turn(turn_time);
    bench.arrive(Intake::burst_max);  // as much as is handled: the queue stays as long as it is
  }
  EXPECT_GT(bench.intake.lag(), turn_time * 15);
  EXPECT_LE(bench.intake.lag(), turn_time * 33);
}

TEST(Intake, a_queue_that_grows_without_end_has_a_growing_lag_and_is_held_in_part) {
  Bench bench;
  bench.turn(turn_time);
  for (u32 i = 0; i < 400; ++i) {
    bench.arrive(2 * Intake::burst_max);
    EXPECT_EQ(bench.turn(turn_time), Intake::burst_max);
    EXPECT_LE(bench.intake.rest().size(), Intake::held_max);
  }
  EXPECT_GT(bench.intake.lag(), turn_time * 30);
}

TEST(Intake, frames_are_taken_ahead_now_and_then_only) {
  Bench bench;
  bench.turn(turn_time);
  bench.arrive(1000);
  u32 looks = 0;
  constexpr u32 turns = 2000;
  for (u32 i = 0; i < turns; ++i) {
    const std::size_t before = bench.intake.rest().size();
    bench.turn(turn_time);
    looks += bench.intake.rest().size() > before ? 1 : 0;
    bench.arrive(Intake::burst_max);
  }
  EXPECT_GE(looks, 7u) << "in 400 ms";
  EXPECT_LE(looks, 8u);
}

TEST(Intake, the_lag_ends_when_the_queue_does) {
  Bench bench;
  bench.turn(turn_time);
  bench.arrive(5000);
  u32 handled = 0;
  while (handled < 5000) handled += bench.turn(turn_time);
  bench.turn(turn_time);
  EXPECT_EQ(bench.intake.lag(), Duration{});
  EXPECT_TRUE(bench.intake.rest().empty());
}

}  // namespace
}  // namespace tollgate::dataplane
