// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Purses: whose buckets pay for an account.
//
// Its own pay first. A member of a family has a payer beside, an account of the same shard, so that
// both have the same writer: what the member's own buckets do not cover, the payer's do, source by
// source, and as far as the member's limit in that unit reaches. A limit is a bucket of the member
// (BucketState::limit) on which every movement of the payer's buckets is repeated: what is free in
// it may still be used, what is held or consumed in it is so at the payer. One without a limit may
// use all. A payer's own payer does not pay for its members.
#pragma once

#include <array>

#include "app/charge_context.hh"

namespace tollgate::app {

struct Purses {
  std::array<u32, 2> account{};
  u32 count = 0;

  std::span<const u32> all() const& { return {account.data(), count}; }
  std::span<const u32> all() && = delete;  // a loop over a temporary's would outlive it
};
Purses purses_of(const ChargeContext& context);

// How much of its payer's unit the account may use now; the largest amount: there is no limit.
Amount member_allowance(const ChargeContext& context, Unit unit);

// How much of its payer's unit was charged for the account; the largest amount: there is no limit
// that counts it.
Amount member_consumed(const ChargeContext& context, Unit unit);

// True if the bucket is the payer's.
inline bool is_payers(const ChargeContext& context, u32 bucket) {
  return context.shard.bucket(bucket).account != context.account_index;
}

// The movements of ledger/balance.hh, repeated on the limit if the bucket is the payer's.
ledger::Outcome hold_in(const ChargeContext& context, u32 bucket, Amount amount);
ledger::Outcome release_in(const ChargeContext& context, u32 bucket, Amount amount);
ledger::Outcome debit_in(const ChargeContext& context, u32 bucket, Amount amount);
ledger::Outcome refund_in(const ChargeContext& context, u32 bucket, Amount amount);

}  // namespace tollgate::app
