// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/balance.hh"

namespace tollgate::ledger {
namespace {

void check_conserved(const Bucket& bucket) {
  const i128 sum = i128{bucket.balance.count} + bucket.reserved.count + bucket.consumed.count;
  check(sum == bucket.put_in.count, "what was put in is free, held or consumed");
}

// Free and held together. It fits: both were added up to what was put in.
Amount worth_of(const Bucket& bucket) {
  Amount worth = Amount::max();
  if (!add(bucket.balance, bucket.reserved, worth)) worth = Amount::max();
  return worth;
}

// What the bucket is worth has changed: tells of each threshold that it fell below.
void look_for_crossings(Operation& op, BucketPlace at, Amount before) {
  const Bucket& bucket = at.shard.bucket(at.index);
  const Amount after = worth_of(bucket);
  if (after >= before || bucket.state != BucketState::open) return;
  for (u32 i = 0; i < op.thresholds()->count; ++i) {
    const Threshold& threshold = op.thresholds()->all[i];
    if (threshold.unit != bucket.unit || before < threshold.below || after >= threshold.below) {
      continue;
    }
    op.crossings().add({.account_id = at.shard.account(bucket.account).id,
                        .bucket = at.index,
                        .unit = bucket.unit,
                        .threshold = threshold.below,
                        .before = before,
                        .after = after});
  }
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
  const bool is_watched = op.thresholds() != nullptr;
  const Amount before = is_watched ? worth_of(bucket) : Amount{};
  bucket.*from = less;
  bucket.*to = more;
  check_conserved(bucket);
  if (is_watched) look_for_crossings(op, at, before);
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
  const bool is_watched = op.thresholds() != nullptr;
  const Amount before = is_watched ? worth_of(bucket) : Amount{};
  bucket.put_in = put;
  bucket.balance = balance;
  check_conserved(bucket);
  if (is_watched) look_for_crossings(op, at, before);
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

namespace {

void change_account_chain(Operation& op, Shard& shard, u32 index) {
  op.change(shard.account(index),
            {.pool = Pool::account, .index = index, .at_word = 2, .word_count = 2});
}

void change_next(Operation& op, Shard& shard, u32 index) {
  op.change(shard.bucket(index),
            {.pool = Pool::bucket, .index = index, .at_word = 1, .word_count = 1});
}

static_assert(offsetof(Account, plan) == 2 * 8, "the words that a new bucket touches");
static_assert(offsetof(Account, bucket_count) < 4 * 8, "the words that a new bucket touches");
static_assert(offsetof(Bucket, next) < 2 * 8, "the word that a new neighbour touches");

// Puts the bucket, which is under change, into its place in the order of payment.
void link_bucket(Operation& op, Shard& shard, u32 index) {
  Bucket& bucket = shard.bucket(index);
  Account& account = shard.account(bucket.account);
  const BucketTerms terms{.unit = bucket.unit,
                          .priority = bucket.priority,
                          .product = bucket.product,
                          .expires_s = bucket.expires_s,
                          .valid_from_s = bucket.valid_from_s};
  u32 before = 0;
  u32 after = account.first_bucket;
  while (after != 0 && pays_before(shard.bucket(after), terms)) {
    before = after;
    after = shard.bucket(after).next;
  }
  bucket.next = after;
  change_account_chain(op, shard, bucket.account);
  account.bucket_count = static_cast<u8>(account.bucket_count + 1);
  if (before == 0) {
    account.first_bucket = index;
  } else {
    change_next(op, shard, before);
    shard.bucket(before).next = index;
  }
}

void unlink_bucket(Operation& op, Shard& shard, u32 index) {
  const Bucket& bucket = shard.bucket(index);
  Account& account = shard.account(bucket.account);
  change_account_chain(op, shard, bucket.account);
  account.bucket_count = static_cast<u8>(account.bucket_count - 1);
  if (account.first_bucket == index) {
    account.first_bucket = bucket.next;
    return;
  }
  u32 before = account.first_bucket;
  while (before != 0 && shard.bucket(before).next != index) before = shard.bucket(before).next;
  check(before != 0, "a bucket is in the chain of its account");
  change_next(op, shard, before);
  shard.bucket(before).next = bucket.next;
}

}  // namespace

u32 add_bucket(Operation& op, Shard& shard, u32 account_index, const BucketTerms& terms,
               BucketState state) {
  if (shard.account(account_index).bucket_count >= buckets_per_account_max) return 0;
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
                  .state = state,
                  .expires_s = terms.expires_s,
                  .valid_from_s = terms.valid_from_s};
  link_bucket(op, shard, index);
  return index;
}

void remove_bucket(Operation& op, Shard& shard, u32 index) {
  Bucket& bucket = shard.bucket(index);
  check(bucket.state != BucketState::free, "only what is there is removed");
  op.change_all(bucket, Pool::bucket, index);
  unlink_bucket(op, shard, index);
  bucket.state = BucketState::free;
  shard.give_bucket(index);
}

void extend_bucket(Operation& op, Shard& shard, u32 index, Second expires_s) {
  const Bucket& bucket = shard.bucket(index);
  const bool is_later = bucket.expires_s != 0 && (expires_s == 0 || bucket.expires_s < expires_s);
  if (is_later) set_validity(op, shard, index, bucket.valid_from_s, expires_s);
}

void set_validity(Operation& op, Shard& shard, u32 index, Second valid_from_s, Second expires_s) {
  Bucket& bucket = shard.bucket(index);
  op.change(bucket, {.pool = Pool::bucket, .index = index, .at_word = 1, .word_count = 3});
  unlink_bucket(op, shard, index);
  bucket.valid_from_s = valid_from_s;
  bucket.expires_s = expires_s;
  link_bucket(op, shard, index);
}

void open_bucket(Operation& op, Shard& shard, u32 index) {
  Bucket& bucket = shard.bucket(index);
  op.change(bucket, {.pool = Pool::bucket, .index = index, .at_word = 1, .word_count = 3});
  unlink_bucket(op, shard, index);
  bucket.state = BucketState::open;
  bucket.product = 0;
  bucket.priority = 0;
  bucket.expires_s = 0;
  bucket.valid_from_s = 0;
  link_bucket(op, shard, index);
}

static_assert(offsetof(Bucket, expires_s) == 3 * 8, "the words that a longer validity touches");

BucketTerms transfer_terms(Unit unit, AccountRef other, u64 transfer_id) {
  return {.unit = unit,
          .priority = UINT8_MAX,
          .product = other.value,
          .expires_s = static_cast<Second>(transfer_id),
          .valid_from_s = static_cast<Second>(transfer_id >> 32)};
}

u64 transfer_id_of(const Bucket& bucket) {
  return u64{bucket.valid_from_s} << 32 | bucket.expires_s;
}

u32 find_transfer(const Shard& shard, u32 account, BucketState state, u64 transfer_id) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    if (bucket.state == state && transfer_id_of(bucket) == transfer_id) return at;
  }
  return 0;
}

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
