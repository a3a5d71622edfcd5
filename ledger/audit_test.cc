// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/audit.hh"

#include <gtest/gtest.h>

#include "ledger/ledger_fixture.hh"
#include "ledger/recovery.hh"

namespace tollgate::ledger {
namespace {

class AuditTest : public testing::Test {
 protected:
  AuditTest()
      : burst(fixture.undo, fixture.memory.base(), fixture.producer), shard(fixture.memory, 11) {
    shard.rebuild(test_begin);
    Workload workload(burst, shard, 8);
    for (int i = 0; i < 300; ++i) {
      burst.begin();
      workload.step(test_begin);
      burst.commit();
    }
    while (shard.bucket(bucket).state == BucketState::free) ++bucket;
  }
  AuditReport report(Instant now = Instant::from_seconds(1)) const {
    return audit(LedgerView(fixture.memory), now);
  }

  LedgerFixture fixture;
  Burst burst;
  Shard shard;
  u32 bucket = 1;
};

TEST_F(AuditTest, ACleanLedgerIsClean) {
  const AuditReport found = report();
  EXPECT_TRUE(found.is_clean) << found.findings.front();
  EXPECT_EQ(found.account_count, shard.header().accounts.used_count);
  EXPECT_EQ(found.bucket_count, shard.header().buckets.used_count);
  ASSERT_EQ(found.units.size(), 1U);
  EXPECT_EQ(found.units[0].unit, Unit::eur);
  EXPECT_EQ(found.units[0].put_in == found.units[0].balance + found.units[0].reserved +
                                         found.units[0].consumed + found.units[0].expired,
            true);
}

TEST_F(AuditTest, OneCentIsFoundWhereverItIsMissing) {
  for (Amount Bucket::*field :
       {&Bucket::put_in, &Bucket::balance, &Bucket::reserved, &Bucket::consumed}) {
    (shard.bucket(bucket).*field).count += 10'000;
    const AuditReport found = report();
    EXPECT_FALSE(found.is_clean);
    ASSERT_FALSE(found.findings.empty());
    EXPECT_EQ(found.findings[0].find("shard 11 bucket " + std::to_string(bucket) + ":"), 0U)
        << found.findings[0];
    (shard.bucket(bucket).*field).count -= 10'000;
  }
  EXPECT_TRUE(report().is_clean);
}

TEST_F(AuditTest, TwoWrongsDoNotMakeARight) {
  u32 other = bucket + 1;
  while (shard.bucket(other).state == BucketState::free) ++other;
  shard.bucket(bucket).balance.count += 1;
  shard.bucket(other).balance.count -= 1;
  EXPECT_EQ(report().findings.size(), 2U);
}

TEST_F(AuditTest, LessThanNothingIsNotHeld) {
  Bucket& record = shard.bucket(bucket);
  record.balance.count += record.reserved.count + 5;
  record.reserved.count = -5;
  EXPECT_FALSE(report().is_clean);
}

TEST_F(AuditTest, WhatLiesInAnExpiredBucketCountsAsExpired) {
  const AuditReport before = report();
  Bucket& record = shard.bucket(bucket);
  const i64 balance = record.balance.count;
  record.state = BucketState::expired;
  const AuditReport after = report();
  EXPECT_TRUE(after.is_clean);
  EXPECT_EQ(after.units[0].expired == before.units[0].expired + balance, true);
  EXPECT_EQ(after.units[0].balance == before.units[0].balance - balance, true);
  record.state = BucketState::open;
  record.expires_s = 500;
  EXPECT_EQ(report(Instant::from_seconds(499)).units[0].expired ==
                report(Instant::from_seconds(500)).units[0].expired,
            balance == 0);
}

TEST_F(AuditTest, APayerThatMiscountsItsMembersIsFound) {
  u32 payer = 1;
  while (shard.account(payer).state == AccountState::free) ++payer;
  u32 member = payer + 1;
  while (shard.account(member).state == AccountState::free) ++member;
  shard.account(member).payer = payer;
  const AuditReport low = report();
  ASSERT_EQ(low.findings.size(), 1U);
  EXPECT_EQ(low.findings[0], "shard 11 account " + std::to_string(payer) +
                                 ": counts 0 members, 1 name it as their payer");
  ZeroMemory space(IdentityIndex::footprint(100));
  IdentityIndex index = IdentityIndex::format(space.get(), 100);
  RecoveryReport recovery;
  EXPECT_EQ(rebuild_derived(fixture.memory, index, test_begin, recovery), "");
  ASSERT_EQ(recovery.warnings.size(), 1U);
  EXPECT_NE(recovery.warnings[0].find("counts 0 members, 1 name it"), std::string::npos);
  shard.account(payer).member_count = 1;
  EXPECT_TRUE(report().is_clean);
  shard.account(member).payer = 0;
  EXPECT_FALSE(report().is_clean);
}

}  // namespace
}  // namespace tollgate::ledger
