// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/balance.hh"

namespace tollgate::ledger {
namespace {

void check_conserved(const Bucket& bucket) {
  const i128 sum = i128{bucket.balance.count} + bucket.reserved.count + bucket.consumed.count;
  check(sum == bucket.put_in.count, "what was put in is free, held or consumed");
}

// Moves `amount` from one field of a bucket to another.
Outcome move(Operation& op, BucketPlace at, Amount amount, Amount Bucket::*from,
             Amount Bucket::*to) {
  Bucket& bucket = at.shard.bucket(at.index);
  if (amount.is_negative()) return Outcome::amount_invalid;
  Amount less;
  Amount more;
  if (!subtract(bucket.*from, amount, less)) return Outcome::amount_overflow;
  if (!add(bucket.*to, amount, more)) return Outcome::amount_overflow;
  op.change(bucket, {.pool = Pool::bucket, .index = at.index, .at_word = 5, .word_count = 3});
  bucket.*from = less;
  bucket.*to = more;
  check_conserved(bucket);
  return Outcome::ok;
}

// Changes what was put in and what is free by the same amount, up or down.
Outcome move_outside(Operation& op, BucketPlace at, Amount change) {
  Bucket& bucket = at.shard.bucket(at.index);
  Amount put;
  Amount balance;
  if (!add(bucket.put_in, change, put)) return Outcome::amount_overflow;
  if (!add(bucket.balance, change, balance)) return Outcome::amount_overflow;
  op.change(bucket, {.pool = Pool::bucket, .index = at.index, .at_word = 4, .word_count = 4});
  bucket.put_in = put;
  bucket.balance = balance;
  check_conserved(bucket);
  return Outcome::ok;
}

static_assert(offsetof(Bucket, put_in) == 4 * 8, "the words that a movement touches");
static_assert(offsetof(Bucket, balance) == 5 * 8, "the words that a movement touches");
static_assert(offsetof(Bucket, consumed) == 7 * 8, "the words that a movement touches");

// Order of payment: priority, then what ends sooner; what never ends comes last.
bool pays_before(const Bucket& a, const BucketTerms& b) {
  if (a.priority != b.priority) return a.priority < b.priority;
  const Second a_end = a.expires_s - 1;  // 0, never, becomes the largest
  const Second b_end = b.expires_s - 1;
  return a_end <= b_end;
}

}  // namespace

Outcome hold(Operation& op, BucketPlace at, Amount amount) {
  return move(op, at, amount, &Bucket::balance, &Bucket::reserved);
}

Outcome release(Operation& op, BucketPlace at, Amount amount) {
  check(at.shard.bucket(at.index).reserved >= amount, "only what is held is released");
  return move(op, at, amount, &Bucket::reserved, &Bucket::balance);
}

Outcome debit(Operation& op, BucketPlace at, Amount amount) {
  return move(op, at, amount, &Bucket::balance, &Bucket::consumed);
}

Outcome refund(Operation& op, BucketPlace at, Amount amount) {
  return move(op, at, amount, &Bucket::consumed, &Bucket::balance);
}

Outcome put_in(Operation& op, BucketPlace at, Amount amount) {
  if (amount.is_negative()) return Outcome::amount_invalid;
  return move_outside(op, at, amount);
}

Outcome take_out(Operation& op, BucketPlace at, Amount amount) {
  if (amount.is_negative()) return Outcome::amount_invalid;
  return move_outside(op, at, Amount{-amount.count});
}

u32 add_bucket(Operation& op, Shard& shard, u32 account_index, const BucketTerms& terms) {
  Account& account = shard.account(account_index);
  if (account.bucket_count >= buckets_per_account_max) return 0;
  const u32 index = shard.take_bucket();
  if (index == 0) return 0;
  Bucket& bucket = shard.bucket(index);
  op.change_all(bucket, Pool::bucket, index);
  const u32 version = bucket.version;
  bucket = Bucket{.version = version,
                  .account = account_index,
                  .product = terms.product,
                  .unit = terms.unit,
                  .priority = terms.priority,
                  .state = BucketState::open,
                  .expires_s = terms.expires_s,
                  .valid_from_s = terms.valid_from_s};
  u32 before = 0;
  u32 after = account.first_bucket;
  while (after != 0 && pays_before(shard.bucket(after), terms)) {
    before = after;
    after = shard.bucket(after).next;
  }
  bucket.next = after;
  op.change(account,
            {.pool = Pool::account, .index = account_index, .at_word = 2, .word_count = 2});
  account.bucket_count = static_cast<u16>(account.bucket_count + 1);
  if (before == 0) {
    account.first_bucket = index;
  } else {
    Bucket& earlier = shard.bucket(before);
    op.change(earlier, {.pool = Pool::bucket, .index = before, .at_word = 1, .word_count = 1});
    earlier.next = index;
  }
  return index;
}

static_assert(offsetof(Account, plan) == 2 * 8, "the words that a new bucket touches");
static_assert(offsetof(Account, bucket_count) < 4 * 8, "the words that a new bucket touches");
static_assert(offsetof(Bucket, next) < 2 * 8, "the word that a new neighbour touches");

u32 find_bucket(const Shard& shard, u32 account, const BucketTerms& terms) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    if (bucket.state == BucketState::open && bucket.unit == terms.unit &&
        bucket.priority == terms.priority && bucket.product == terms.product &&
        bucket.expires_s == terms.expires_s && bucket.valid_from_s == terms.valid_from_s) {
      return at;
    }
  }
  return 0;
}

}  // namespace tollgate::ledger
