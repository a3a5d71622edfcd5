// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Which bucket a command means.
#pragma once

#include "ledger/balance.hh"
#include "ledger/command.hh"

namespace tollgate::app {

// A place that was given to another account since is not this account any more.
inline bool is_account(const ledger::Shard& shard, ledger::AccountRef place, u64 account_id) {
  if (!shard.is_account(place.index())) return false;
  return account_id == 0 || shard.account(place.index()).id == account_id;
}

inline ledger::BucketTerms terms_of(const ledger::NewBucket& bucket) {
  return {.unit = bucket.unit,
          .priority = bucket.priority,
          .product = bucket.product,
          .expires_s = bucket.expires_s,
          .valid_from_s = bucket.valid_from_s};
}

// The bucket that an operator means by a unit alone: the first usable one, by priority.
inline u32 first_bucket_of(const ledger::Shard& shard, u32 account, Unit unit, ledger::Second now) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    if (shard.bucket(at).unit == unit && is_usable(shard.bucket(at), now)) return at;
  }
  return 0;
}

// Whether so much may be added to the bucket (or to a new one, 0) without leaving 64 bits.
inline bool fits(const ledger::Shard& shard, u32 bucket, Amount amount) {
  if (bucket == 0) return true;
  Amount unused;
  return add(shard.bucket(bucket).put_in, amount, unused) &&
         add(shard.bucket(bucket).balance, amount, unused);
}

// Whether an account may have so many more buckets.
inline bool has_room(const ledger::Shard& shard, u32 account, u32 count) {
  return shard.free_buckets() >= count &&
         shard.account(account).bucket_count + count <= ledger::buckets_per_account_max;
}

}  // namespace tollgate::app
