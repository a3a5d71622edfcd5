// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/tile.hh"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate {
namespace {

struct Record {
  std::vector<int> polls;  // which tile, in order
  int limit = 0;           // polls until stop
  std::atomic<bool> stop = false;
};

struct CountingTile {
  u32 poll(const Turn& turn) {
    EXPECT_GE(turn.tsc, last_tsc);
    last_tsc = turn.tsc;
    last_now = turn.now;
    record->polls.push_back(number);
    ++polls;
    if (static_cast<int>(record->polls.size()) >= record->limit) record->stop = true;
    return work;
  }
  void housekeep(const Turn& turn) {
    EXPECT_EQ(turn.tsc, last_tsc) << "a turn has one time";
    ++housekeeps;
  }

  Record* record;
  int number;
  u32 work = 0;
  u64 last_tsc = 0;
  Instant last_now;
  u64 polls = 0;
  u64 housekeeps = 0;
};

TEST(TileTest, TilesArePolledInTheOrderOfTheirAddition) {
  Record record{.limit = 1000};
  CountingTile first{.record = &record, .number = 1};
  CountingTile second{.record = &record, .number = 2};
  CoreCounters counters{};
  Core core({}, counters);
  core.add(first);
  core.add(second);
  core.run(record.stop, [] { return true; });
  EXPECT_EQ(first.polls, second.polls);
  for (std::size_t i = 0; i < record.polls.size(); ++i) {
    ASSERT_EQ(record.polls[i], i % 2 == 0 ? 1 : 2);
  }
  EXPECT_EQ(counters.turns, first.polls);
  EXPECT_EQ(counters.work, 0U);
  EXPECT_EQ(counters.busy_turns, 0U);
}

TEST(TileTest, WorkIsCounted) {
  Record record{.limit = 500};
  CountingTile busy{.record = &record, .number = 1, .work = 3};
  CountingTile idle{.record = &record, .number = 2};
  CoreCounters counters{};
  Core core({}, counters);
  core.add(busy);
  core.add(idle);
  core.run(record.stop, [] { return true; });
  EXPECT_EQ(counters.work, 3 * busy.polls);
  EXPECT_EQ(counters.busy_turns, counters.turns);
  EXPECT_GT(counters.busy_ticks, 0U);
}

TEST(TileTest, ACoreThatIsStoppedWorksOnUntilItIsDone) {
  Record record{.limit = 1};
  CountingTile tile{.record = &record, .number = 1};
  CoreCounters counters{};
  Core core({}, counters);
  core.add(tile);
  int asked = 0;
  core.run(record.stop, [&] { return ++asked == 10; });
  EXPECT_EQ(asked, 10);
  EXPECT_GE(tile.polls, 10U);
}

TEST(TileTest, HousekeepingComesByTheClockAndNotByTheTurn) {
  const Clock clock;
  Record record{.limit = 1 << 30};
  CountingTile tile{.record = &record, .number = 1};
  CoreCounters counters{};
  Core core({.yield_interval = Duration{}, .housekeep_interval = Duration::milliseconds(2)},
            counters);
  core.add(tile);
  const Instant begin = clock.now();
  u64 asked = 0;
  record.stop = true;
  core.run(record.stop, [&] {
    ++asked;
    return clock.now() - begin >= Duration::milliseconds(50);
  });
  const auto elapsed_ms = static_cast<u64>((clock.now() - begin).whole_milliseconds());
  EXPECT_GE(tile.housekeeps, 2U);
  EXPECT_LE(tile.housekeeps, elapsed_ms / 2 + 2);
  EXPECT_GT(tile.polls, tile.housekeeps);
  EXPECT_EQ(counters.yields, 0U) << "an isolated core never enters the scheduler";
  EXPECT_LT((clock.now() - tile.last_now).whole_milliseconds(), 1000);
}

TEST(TileTest, ACoreThatIsNotIsolatedYields) {
  Record record{.limit = 1 << 30};
  CountingTile tile{.record = &record, .number = 1};
  CoreCounters counters{};
  Core core({.yield_interval = Duration::microseconds(10)}, counters);
  core.add(tile);
  record.stop = true;
  const Clock clock;
  const Instant begin = clock.now();
  core.run(record.stop, [&] { return clock.now() - begin >= Duration::milliseconds(5); });
  EXPECT_GT(counters.yields, 0U);
  EXPECT_LE(counters.yields, counters.turns);
}

}  // namespace
}  // namespace tollgate
