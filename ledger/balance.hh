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
u32 add_bucket(Operation& op, Shard& shard, u32 account, const BucketTerms& terms);

// The bucket of the account with just these terms, or 0.
u32 find_bucket(const Shard& shard, u32 account, const BucketTerms& terms);

}  // namespace tollgate::ledger
