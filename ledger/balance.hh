// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Movements of a bucket: the only places where money moves.
//
// Each is double entry inside one record, so that put_in = balance + reserved + consumed holds
// after every one of them. Each refuses before it writes: amount_invalid for a negative amount,
// amount_overflow if a sum would leave 64 bits. Whether a movement is allowed (the balance covers
// it, the bucket is valid) is for the caller to know: debit may drive a balance below zero, because
// what was used was used.
#pragma once

#include "ledger/shard.hh"

namespace tollgate::ledger {

// A bucket of a shard, inside an operation.
struct BucketPlace {
  Shard& shard;
  u32 index;
};

Outcome hold(Operation& op, BucketPlace at, Amount amount);      // balance -> reserved
Outcome release(Operation& op, BucketPlace at, Amount amount);   // reserved -> balance
Outcome debit(Operation& op, BucketPlace at, Amount amount);     // balance -> consumed
Outcome refund(Operation& op, BucketPlace at, Amount amount);    // consumed -> balance
Outcome put_in(Operation& op, BucketPlace at, Amount amount);    // outside -> balance
Outcome take_out(Operation& op, BucketPlace at, Amount amount);  // balance -> outside

// True if a charge at that second may draw on the bucket.
constexpr bool is_usable(const Bucket& bucket, Second now) {
  return bucket.state == BucketState::open && bucket.valid_from_s <= now &&
         (bucket.expires_s == 0 || now < bucket.expires_s);
}

// Makes a bucket of the account and puts it into its place in the order of payment: lower priority
// first, then what expires sooner. 0 if the pool is full or the account has too many.
struct BucketTerms {
  Unit unit;
  u8 priority;
  u32 product;
  Second expires_s;
  Second valid_from_s;
};
u32 add_bucket(Operation& op, Shard& shard, u32 account, const BucketTerms& terms,
               BucketState state = BucketState::open);

// Takes the bucket out of its account, with whatever is in it: the caller has seen to that.
void remove_bucket(Operation& op, Shard& shard, u32 index);

// A bucket that paid for nothing pays from now on, for ever and before all others of its unit.
void open_bucket(Operation& op, Shard& shard, u32 index);

// The bucket ends at `expires_s` (0: never) if that is later than it would have, and takes its new
// place in the order of payment.
void extend_bucket(Operation& op, Shard& shard, u32 index, Second expires_s);

// The bucket pays from `valid_from_s` to `expires_s` (0: for ever), and takes its new place in the
// order of payment. One from never_s on pays for nothing.
inline constexpr Second never_s = UINT32_MAX;
void set_validity(Operation& op, Shard& shard, u32 index, Second valid_from_s, Second expires_s);

// The two ends of a transfer between shards are buckets that pay for nothing: what has left lies in
// one of state in_transit, that it came in is known by one of state received (see records.hh). Both
// carry the number of the transfer where other buckets have their validity.
BucketTerms transfer_terms(Unit unit, AccountRef other, u64 transfer_id);
u64 transfer_id_of(const Bucket& bucket);
u32 find_transfer(const Shard& shard, u32 account, BucketState state, u64 transfer_id);

// The state of an account at that second: one whose time is over has expired, whatever it was, but
// for a suspension, which is told first.
constexpr AccountState state_at(const Account& account, Second now) {
  const bool is_over = account.valid_until_s != 0 && now >= account.valid_until_s;
  const bool may_end =
      account.state != AccountState::free && account.state != AccountState::suspended;
  return is_over && may_end ? AccountState::expired : account.state;
}

// The open bucket of the account with just these terms, or 0.
u32 find_bucket(const Shard& shard, u32 account, const BucketTerms& terms);

}  // namespace tollgate::ledger
