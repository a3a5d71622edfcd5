// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/shard.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <unordered_map>

#include "ledger/ledger_fixture.hh"

namespace tollgate::ledger {
namespace {

class ShardTest : public testing::Test {
 protected:
  ShardTest() : ShardTest(LedgerFixture::small) {}
  explicit ShardTest(const LedgerSizes& sizes)
      : fixture(sizes),
        burst(fixture.undo, fixture.memory.base(), fixture.producer),
        shard(fixture.memory, 5) {
    shard.rebuild(test_begin);
    burst.begin();
    Operation op(burst, 5, shard.header(), test_begin);
    account = shard.take_account();
    op.change_all(shard.account(account), Pool::account, account);
    shard.account(account).state = AccountState::active;
    op.finish(EntryKind::command, AnswerTag::none());
    burst.commit();
  }

  u32 open(const std::string& name, Instant deadline, u32 hash) {
    burst.begin();
    Operation op(burst, 5, shard.header(), test_begin);
    const u32 index =
        shard.take_session(op, {.session_id = name, .hash = hash, .deadline = deadline});
    if (index != 0) {
      shard.session(index).state = SessionState::open;
      shard.session(index).account = account;
      ++shard.account(account).open_sessions;
    }
    op.finish(EntryKind::request, AnswerTag::none());
    burst.commit();
    drain();
    return index;
  }
  u32 open(const std::string& name, Instant deadline) {
    return open(name, deadline, Shard::session_hash(name));
  }
  void close(u32 index, Instant until) {
    burst.begin();
    Operation op(burst, 5, shard.header(), test_begin);
    op.change_all(shard.session(index), Pool::session, index);
    shard.session(index).state = SessionState::closed;
    shard.session(index).deadline_ns = until.ns;
    shard.queue_closed(index);
    --shard.account(account).open_sessions;
    op.finish(EntryKind::request, AnswerTag::none());
    burst.commit();
    drain();
  }
  void drain() {
    Bytes frame;
    while (fixture.consumer.next(frame)) continue;
    fixture.consumer.release();
  }
  // Turns the wheel until nothing is left to visit; the names of those that ended.
  std::set<std::string> turn(Instant now, u32 visit_max = 1000) {
    std::set<std::string> ended;
    for (int i = 0; i < 1000; ++i) {
      const u32 visited = shard.turn_wheel(now, visit_max, [&](u32 index) {
        EXPECT_LE(shard.session(index).deadline_ns, now.ns);
        EXPECT_TRUE(ended.insert(std::string(shard.session(index).session_id_text())).second);
        close(index, now + Duration::seconds(60));
      });
      EXPECT_LE(visited, visit_max);
      if (visited == 0) break;
    }
    EXPECT_EQ(check_shard_consistency(shard), "");
    return ended;
  }
  static Instant at(i64 seconds) { return test_begin + Duration::seconds(seconds); }

  LedgerFixture fixture;
  Burst burst;
  Shard shard;
  u32 account = 0;
};

class LargeShardTest : public ShardTest {
 protected:
  LargeShardTest() : ShardTest({.accounts = 4, .buckets = 4, .sessions = 1024, .extensions = 4}) {}
};

TEST_F(LargeShardTest, TheSessionTableAgreesWithAMap) {
  std::mt19937_64 random(1);
  std::unordered_map<std::string, u32> model;
  i64 closed_until = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::string name = fmt::format("s{}", random() % 3000);
    const u32 hash = static_cast<u32>(hash64(as_bytes(name)) % 1500);  // many share a hash
    const auto known = model.find(name);
    ASSERT_EQ(shard.find_session(hash, name), known == model.end() ? 0 : known->second) << i;
    if (known != model.end()) {
      close(known->second, at(++closed_until));
      ASSERT_EQ(shard.forget_closed(at(closed_until), 1), 1U);
      model.erase(known);
    } else if (model.size() < 1024) {
      const u32 index = open(name, at(50'000), hash);
      ASSERT_NE(index, 0U);
      model[name] = index;
    }
  }
  EXPECT_EQ(check_shard_consistency(shard), "");
}

TEST_F(ShardTest, TwoSessionsOfOneHashAreToldApartByTheirText) {
  const u32 a = open("first", at(10), 0xfeed);
  const u32 b = open("second", at(10), 0xfeed);
  EXPECT_EQ(shard.find_session(0xfeed, "first"), a);
  EXPECT_EQ(shard.find_session(0xfeed, "second"), b);
  EXPECT_EQ(shard.find_session(0xfeed, "third"), 0U);
  close(a, at(1));
  shard.forget_closed(at(1), 9);
  EXPECT_EQ(shard.find_session(0xfeed, "first"), 0U);
  EXPECT_EQ(shard.find_session(0xfeed, "second"), b);
}

TEST_F(ShardTest, AFullPoolForgetsTheSessionThatWasClosedFirst) {
  std::vector<u32> all;
  for (int i = 0; i < 64; ++i) all.push_back(open(fmt::format("s{}", i), at(100)));
  EXPECT_FALSE(shard.has_free_session());
  EXPECT_EQ(open("one too many", at(100)), 0U);
  close(all[7], at(30));
  close(all[3], at(30));
  EXPECT_TRUE(shard.has_free_session());
  EXPECT_EQ(open("fits", at(100)), all[7]);
  EXPECT_NE(shard.find_session(Shard::session_hash("s3"), "s3"), 0U);
  EXPECT_EQ(shard.find_session(Shard::session_hash("s7"), "s7"), 0U);
  EXPECT_EQ(check_shard_consistency(shard), "");
}

TEST_F(ShardTest, ASessionEndsAtItsDeadlineAndNotBefore) {
  for (int i = 0; i < 40; ++i) open(fmt::format("s{}", i), at(i * 3));
  std::set<std::string> ended;
  for (i64 now = 0; now < 130; ++now) {
    ended.merge(turn(at(now)));
    const auto due = static_cast<std::size_t>(now <= 0 ? 0 : (now - 1) / 3 + 1);
    ASSERT_EQ(ended.size(), std::min(due, std::size_t{40})) << now;
  }
}

TEST_F(ShardTest, ADeadlineThatMovesIsFollowed) {
  const u32 index = open("moves", at(10));
  for (i64 now = 1; now < 200; ++now) {
    if (now % 7 == 0 && now <= 100) shard.session(index).deadline_ns = at(now + 10).ns;
    ASSERT_EQ(turn(at(now)).size(), now == 98 + 11 ? 1U : 0U) << now;
  }
}

TEST_F(ShardTest, ADeadlineMoreThanATurnAheadIsReached) {
  open("far", at(3 * wheel_slot_count + 100));
  open("a turn", at(wheel_slot_count));
  open("less", at(wheel_slot_count - 1));
  i64 now = 0;
  std::vector<std::pair<i64, std::string>> ended;
  for (; now < 4 * wheel_slot_count; now += 1) {
    const u32 visited = shard.turn_wheel(at(now), 100, [&](u32 index) {
      ended.emplace_back(now, shard.session(index).session_id_text());
      close(index, at(now));
    });
    ASSERT_LE(visited, 3U);
  }
  ASSERT_EQ(ended.size(), 3U);
  const i64 deadlines[] = {wheel_slot_count - 1, wheel_slot_count, 3 * wheel_slot_count + 100};
  const char* names[] = {"less", "a turn", "far"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ended[i].second, names[i]);
    EXPECT_GE(ended[i].first, deadlines[i]);
    EXPECT_LE(ended[i].first, deadlines[i] + 1);
  }
}

TEST_F(ShardTest, ADeadlineThatComesNearerIsKept) {
  const u32 hastened = open("hastened", at(7200));
  open("other", at(7200));
  shard.session(hastened).deadline_ns = at(600).ns;
  shard.hasten(hastened);
  EXPECT_EQ(turn(at(599)), std::set<std::string>{});
  EXPECT_EQ(turn(at(601)), std::set<std::string>{"hastened"});
  EXPECT_EQ(turn(at(7201)), std::set<std::string>{"other"});
}

TEST_F(ShardTest, AClockThatJumpsAheadEndsWhatIsDueByItAndNothingElse) {
  open("soon", at(100));
  open("tomorrow", at(86'400));
  open("next week", at(7 * 86'400));
  EXPECT_EQ(turn(at(2 * 86'400)), (std::set<std::string>{"soon", "tomorrow"}));
  EXPECT_EQ(turn(at(7 * 86'400 + 1)), (std::set<std::string>{"next week"}));
}

TEST_F(ShardTest, AClockThatJumpsBackEndsNothingTooEarlyAndNothingTooLate) {
  turn(at(86'400));  // a clock that is a day ahead
  open("short", at(50));
  open("long", at(5000));
  EXPECT_TRUE(turn(at(10)).empty());
  open("new", at(20));
  EXPECT_TRUE(turn(at(19)).empty());
  EXPECT_EQ(turn(at(21)), (std::set<std::string>{"new"}));
  EXPECT_TRUE(turn(at(20)).empty());  // trembling
  EXPECT_EQ(turn(at(51)), (std::set<std::string>{"short"}));
  EXPECT_TRUE(turn(at(4999)).empty());
  EXPECT_EQ(turn(at(5001)), (std::set<std::string>{"long"}));
}

TEST_F(ShardTest, ABoundedTurnLosesNobody) {
  for (int i = 0; i < 60; ++i) open(fmt::format("s{}", i), at(i % 3));
  for (u32 i = 1; i <= 60; i += 2) shard.session(i).deadline_ns = at(wheel_slot_count * 2).ns;
  std::set<std::string> ended;
  for (int i = 0; i < 40; ++i) {
    const u32 visited = shard.turn_wheel(at(20), 2, [&](u32 index) {
      ended.insert(std::string(shard.session(index).session_id_text()));
      close(index, at(1000));
    });
    ASSERT_LE(visited, 2U);
    ASSERT_EQ(check_shard_consistency(shard), "");
  }
  EXPECT_EQ(ended.size(), 30U);
  EXPECT_EQ(turn(at(wheel_slot_count * 2 + 1)).size(), 30U);
}

TEST_F(ShardTest, OneThatCannotEndNowComesAgain) {
  const u32 index = open("stubborn", at(5));
  u32 calls = 0;
  for (i64 now = 6; now < 9; ++now) {
    shard.turn_wheel(at(now), 10, [&](u32 session) {
      EXPECT_EQ(session, index);
      ++calls;
      shard.postpone(session, at(now + 1));
    });
    EXPECT_EQ(check_shard_consistency(shard), "");
  }
  EXPECT_GE(calls, 2U);
}

TEST_F(ShardTest, AWriterThatDiesWhileItForgetsLeavesAMark) {
  open("s", at(5));
  EXPECT_FALSE(shard.needs_rebuild());
  shard.turn_wheel(at(10), 10, [&](u32 index) {
    EXPECT_TRUE(shard.needs_rebuild());
    shard.postpone(index, at(20));
  });
  EXPECT_FALSE(shard.needs_rebuild());
  shard.header().is_turning = 1;
  std::memset(shard.memory().wheel, 0, 4 * wheel_slot_count);
  shard.rebuild(at(10));
  EXPECT_FALSE(shard.needs_rebuild());
  EXPECT_EQ(check_shard_consistency(shard), "");
}

// Forgetting is not journaled, so recovery sees a session that had been forgotten as closed, with
// extensions that belong to somebody else by now.
TEST_F(ShardTest, AForgottenSessionThatComesBackTakesNobodysExtensions) {
  const u32 forgotten = open("forgotten", at(100));
  const u32 living = open("living", at(100));
  const u32 extension = shard.take_extension();
  shard.extension(extension).use = Extension::Use::quota;
  shard.session(forgotten).first_extension = extension;
  close(forgotten, at(50));
  shard.session(living).first_extension = extension;
  // An answer of it leads into what has become a quota: its rating group is no index.
  shard.session(forgotten).answers[0].next = extension;
  shard.extension(extension).quota.rating_group = 0x7fff'ffff;
  shard.rebuild(at(10));
  EXPECT_EQ(check_shard_consistency(shard), "");
  EXPECT_EQ(shard.find_session(Shard::session_hash("forgotten"), "forgotten"), 0U);
  EXPECT_EQ(shard.session(living).first_extension, extension);
}

TEST_F(ShardTest, AForgottenSessionThatComesBackDoesNotHideALivingOneOfItsName) {
  const u32 old = open("name", at(100), Shard::session_hash("name"));
  close(old, at(50));
  const u32 fresh = open("name", at(100), Shard::session_hash("name"));
  shard.rebuild(at(10));
  EXPECT_EQ(check_shard_consistency(shard), "");
  EXPECT_EQ(shard.find_session(Shard::session_hash("name"), "name"), fresh);
}

TEST_F(ShardTest, RebuildQueuesClosedSessionsByAgeAndForgetsTheOverdue) {
  std::vector<u32> all;
  for (int i = 0; i < 5; ++i) all.push_back(open(fmt::format("s{}", i), at(100)));
  for (const u32 i : {3U, 0U, 4U, 1U}) close(all[i], at(20 + i * 10));
  shard.rebuild(at(25));
  EXPECT_EQ(check_shard_consistency(shard), "");
  EXPECT_EQ(shard.header().closed_first, all[1]);
  EXPECT_EQ(shard.forget_closed(at(45), 10), 1U);
  EXPECT_EQ(shard.header().closed_first, all[3]);
  EXPECT_EQ(shard.session(all[0]).state, SessionState::free);
}

TEST_F(ShardTest, RandomLifeKeepsEveryDerivedStructureRight) {
  for (u64 seed = 0; seed < 20; ++seed) {
    LedgerFixture own({.accounts = 12, .buckets = 30, .sessions = 10, .extensions = 20});
    Burst life(own.undo, own.memory.base(), own.producer);
    Shard part(own.memory, 9);
    part.rebuild(test_begin);
    Workload workload(life, part, seed);
    for (i64 i = 0; i < 400; ++i) {
      life.begin();
      workload.step(at(i));
      life.commit();
      if (i % 9 == 0) part.forget_closed(at(i), 3);
      ASSERT_EQ(check_shard_consistency(part), "") << seed << " " << i;
      Bytes frame;
      while (own.consumer.next(frame)) continue;
      own.consumer.release();
    }
    part.rebuild(at(400));
    EXPECT_EQ(check_shard_consistency(part), "") << seed;
  }
}

}  // namespace
}  // namespace tollgate::ledger
