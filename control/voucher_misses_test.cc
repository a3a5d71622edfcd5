// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "control/voucher_misses.hh"

#include <gtest/gtest.h>

namespace tollgate::control {
namespace {

constexpr Instant start = Instant{} + Duration::seconds(1'800'000'000);

TEST(VoucherMisses, BlockAnAccountUntilAnHourAfterTheLast) {
  VoucherMisses misses;
  Instant now = start;
  for (u32 i = 1; i < VoucherMisses::misses_max; ++i) {
    misses.note(7, now);
    EXPECT_LE(misses.blocked_until(7), now) << i;
    now = now + Duration::seconds(60);
  }
  misses.note(7, now);
  EXPECT_EQ(misses.blocked_until(7), now + VoucherMisses::window);
  EXPECT_LE(misses.blocked_until(8), now) << "another account";
  now = now + Duration::seconds(1800);
  misses.note(7, now);
  EXPECT_EQ(misses.blocked_until(7), now + VoucherMisses::window) << "trying on";
}

TEST(VoucherMisses, AreForgottenAfterAnHourAndByARightCode) {
  VoucherMisses misses;
  for (u32 i = 0; i < 20; ++i) misses.note(7, start + VoucherMisses::window * i);
  EXPECT_LE(misses.blocked_until(7), start) << "one an hour is no guessing";
  for (u32 i = 0; i < VoucherMisses::misses_max; ++i) misses.note(9, start);
  misses.forget(9);
  EXPECT_LE(misses.blocked_until(9), start);
  misses.note(9, start);
  EXPECT_LE(misses.blocked_until(9), start);
}

TEST(VoucherMisses, KeepTheNewestOfMany) {
  VoucherMisses misses;
  for (u32 i = 0; i < VoucherMisses::misses_max; ++i) misses.note(1, start);
  for (u64 account = 2; account <= VoucherMisses::accounts_max; ++account) {
    misses.note(account, start);
  }
  EXPECT_GT(misses.blocked_until(1), start);
  misses.note(1'000'000, start);
  EXPECT_LE(misses.blocked_until(1), start) << "one more, and the oldest is forgotten";
}

}  // namespace
}  // namespace tollgate::control
