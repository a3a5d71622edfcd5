// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/balance.hh"

#include <gtest/gtest.h>

#include <optional>

#include "ledger/ledger_fixture.hh"

namespace tollgate::ledger {
namespace {

class BalanceTest : public testing::Test {
 protected:
  BalanceTest()
      : burst(fixture.undo, fixture.memory.base(), fixture.producer), shard(fixture.memory, 0) {
    shard.rebuild(test_begin);
    burst.begin();
    op.emplace(burst, 0, shard.header(), test_begin);
    account = shard.take_account();
    op->change_all(shard.account(account), Pool::account, account);
    shard.account(account).state = AccountState::active;
    bucket = add_bucket(
        *op, shard, account,
        {.unit = Unit::eur, .priority = 1, .product = 0, .expires_s = 0, .valid_from_s = 0});
  }
  Bucket& record() { return shard.bucket(bucket); }
  BucketPlace place() { return {shard, bucket}; }
  void set(i64 balance, i64 reserved, i64 consumed) {
    record().balance = {balance};
    record().reserved = {reserved};
    record().consumed = {consumed};
    record().put_in = {balance + reserved + consumed};
  }

  LedgerFixture fixture;
  Burst burst;
  Shard shard;
  std::optional<Operation> op;
  u32 account = 0;
  u32 bucket = 0;
};

using Movement = Outcome (*)(Operation&, BucketPlace, Amount);

TEST_F(BalanceTest, EveryMovementMovesWhatItsNameSays) {
  struct Row {
    Movement movement;
    i64 amount, put_in, balance, reserved, consumed;
  };
  const Row rows[] = {
      {put_in, 1000, 1000, 1000, 0, 0},   {hold, 300, 1000, 700, 300, 0},
      {release, 50, 1000, 750, 250, 0},   {release, 250, 1000, 1000, 0, 0},
      {debit, 1200, 1000, -200, 0, 1200}, {refund, 200, 1000, 0, 0, 1000},
      {take_out, 10, 990, -10, 0, 1000},  {hold, 0, 990, -10, 0, 1000},
  };
  for (const Row& row : rows) {
    ASSERT_EQ(row.movement(*op, place(), {row.amount}), Outcome::ok);
    EXPECT_EQ(record().put_in.count, row.put_in);
    EXPECT_EQ(record().balance.count, row.balance);
    EXPECT_EQ(record().reserved.count, row.reserved);
    EXPECT_EQ(record().consumed.count, row.consumed);
  }
}

TEST_F(BalanceTest, ARefusalChangesNothing) {
  constexpr i64 top = INT64_MAX;
  struct Row {
    Movement movement;
    i64 amount, balance, reserved, consumed;
    Outcome outcome;
  };
  const Row rows[] = {
      {hold, -1, 10, 0, 0, Outcome::amount_invalid},
      {debit, -1, 10, 0, 0, Outcome::amount_invalid},
      {refund, -1, 10, 0, 0, Outcome::amount_invalid},
      {put_in, -1, 10, 0, 0, Outcome::amount_invalid},
      {take_out, -1, 10, 0, 0, Outcome::amount_invalid},
      {take_out, INT64_MIN, 10, 0, 0, Outcome::amount_invalid},
      {hold, top, -10, 0, 0, Outcome::amount_overflow},
      {hold, top, 0, 1, 0, Outcome::amount_overflow},
      {debit, top, 0, 0, 1, Outcome::amount_overflow},
      {debit, top, -2, 0, 0, Outcome::amount_overflow},
      {refund, top, 1, 0, 0, Outcome::amount_overflow},
      {put_in, top, 1, 0, 0, Outcome::amount_overflow},
      {put_in, top, -1, 2, 0, Outcome::amount_overflow},
      {put_in, top, 1, 0, -1, Outcome::amount_overflow},
      {take_out, top, -2, 0, 0, Outcome::amount_overflow},
      {take_out, top, 1, -3, 0, Outcome::amount_overflow},
  };
  for (const Row& row : rows) {
    set(row.balance, row.reserved, row.consumed);
    const std::vector<u64> before = journaled_words(shard);
    EXPECT_EQ(row.movement(*op, place(), {row.amount}), row.outcome)
        << row.amount << " of " << row.balance;
    EXPECT_EQ(journaled_words(shard), before);
  }
}

TEST_F(BalanceTest, RandomMovementsConserveOrRefuse) {
  std::mt19937_64 random(1);
  const Movement movements[] = {hold, release, debit, refund, put_in, take_out};
  u64 refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const u64 which = random() % 6;
    Amount amount{static_cast<i64>(random() >> (1 + random() % 60))};
    if (which == 1) {
      if (!record().reserved.is_positive()) continue;
      amount.count %= record().reserved.count + 1;
    }
    const Bucket before = record();
    if (movements[which](*op, place(), amount) != Outcome::ok) {
      ++refused;
      ASSERT_EQ(before.balance, record().balance);
      ASSERT_EQ(before.put_in, record().put_in);
    }
    const i128 sum =
        i128{record().balance.count} + record().reserved.count + record().consumed.count;
    ASSERT_EQ(sum == record().put_in.count, true);
  }
  EXPECT_GT(refused, 100U);
}

TEST_F(BalanceTest, BucketsPayInOrderOfPriorityThenExpiry) {
  burst.commit();
  const BucketTerms terms[] = {
      {.unit = Unit::eur, .priority = 2, .product = 1, .expires_s = 0, .valid_from_s = 0},
      {.unit = Unit::eur, .priority = 1, .product = 2, .expires_s = 500, .valid_from_s = 0},
      {.unit = Unit::octets, .priority = 0, .product = 3, .expires_s = 0, .valid_from_s = 0},
      {.unit = Unit::eur, .priority = 1, .product = 4, .expires_s = 400, .valid_from_s = 0},
      {.unit = Unit::eur, .priority = 1, .product = 5, .expires_s = 500, .valid_from_s = 0},
      {.unit = Unit::eur, .priority = 1, .product = 6, .expires_s = 0, .valid_from_s = 0},
  };
  for (const BucketTerms& row : terms) {
    burst.begin();
    Operation own(burst, 0, shard.header(), test_begin);
    const u32 made = add_bucket(own, shard, account, row);
    own.finish(EntryKind::command, AnswerTag::none());
    burst.commit();
    EXPECT_EQ(find_bucket(shard, account, row), made);
  }
  std::vector<u32> order;
  for (u32 i = shard.account(account).first_bucket; i != 0; i = shard.bucket(i).next) {
    order.push_back(shard.bucket(i).product);
  }
  EXPECT_EQ(order, (std::vector<u32>{3, 4, 2, 5, 0, 6, 1}));
  EXPECT_EQ(
      find_bucket(
          shard, account,
          {.unit = Unit::usd, .priority = 1, .product = 0, .expires_s = 0, .valid_from_s = 0}),
      0U);
}

TEST_F(BalanceTest, AnAccountHasABoundedNumberOfBuckets) {
  for (u32 i = 1; i < buckets_per_account_max; ++i) {
    ASSERT_NE(
        add_bucket(
            *op, shard, account,
            {.unit = Unit::eur, .priority = 0, .product = i, .expires_s = 0, .valid_from_s = 0}),
        0U);
  }
  const std::vector<u64> before = journaled_words(shard);
  EXPECT_EQ(
      add_bucket(
          *op, shard, account,
          {.unit = Unit::eur, .priority = 0, .product = 99, .expires_s = 0, .valid_from_s = 0}),
      0U);
  EXPECT_EQ(journaled_words(shard), before);
}

TEST_F(BalanceTest, ABucketIsUsableFromItsFirstSecondToBeforeItsLast) {
  const Bucket row{.state = BucketState::open, .expires_s = 20, .valid_from_s = 10};
  EXPECT_FALSE(is_usable(row, 9));
  EXPECT_TRUE(is_usable(row, 10));
  EXPECT_TRUE(is_usable(row, 19));
  EXPECT_FALSE(is_usable(row, 20));
  EXPECT_TRUE(is_usable(Bucket{.state = BucketState::open}, 4'000'000'000U));
  EXPECT_FALSE(is_usable(Bucket{.state = BucketState::expired}, 10));
}

}  // namespace
}  // namespace tollgate::ledger
