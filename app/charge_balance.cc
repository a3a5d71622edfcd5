// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commands that move a balance by hand: top-up, adjustment, refund.

#include "app/charge_command.hh"
#include "app/command_bucket.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Account;
using ledger::Bucket;
using ledger::Command;
using ledger::NewBucket;
using ledger::Operation;
using ledger::Outcome;
using ledger::Shard;

// The bucket that a top-up goes into: one of just these terms; if validity is to be extended, one
// of the same kind that is still valid, whenever it ends.
u32 find_top_up_bucket(const Shard& shard, u32 account, const Command& command,
                       ledger::Second now) {
  const NewBucket& wanted = command.buckets[0];
  if ((command.flags & ledger::command_flag::extend) == 0) {
    return find_bucket(shard, account, terms_of(wanted));
  }
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    if (bucket.unit == wanted.unit && bucket.priority == wanted.priority &&
        bucket.product == wanted.product && is_usable(bucket, now)) {
      return at;
    }
  }
  return 0;
}

// What comes on top of a top-up, each into the bucket of just these terms. The sum of all is looked
// at, since they and the top-up may go into one.
Outcome bonus_outcome(const Shard& shard, u32 account, const Command& command,
                      std::span<const NewBucket> bonuses) {
  if (bonuses.empty()) return Outcome::ok;
  for (const NewBucket& bonus : bonuses) {
    if (!bonus.amount.is_positive() || bonus.unit == Unit::none) return Outcome::amount_invalid;
    Amount sum;
    for (u32 i = 0; i < command.bucket_count; ++i) {
      const NewBucket& other = command.buckets[i];
      if (other.unit == bonus.unit && !add(sum, other.amount, sum)) return Outcome::amount_overflow;
    }
    const u32 bucket = find_bucket(shard, account, terms_of(bonus));
    if (!fits(shard, bucket, sum)) return Outcome::amount_overflow;
  }
  // One more for the top-up itself; too_busy is told although some may find a bucket.
  return has_room(shard, account, command.bucket_count) ? Outcome::ok : Outcome::too_busy;
}

void put_bonus(Operation& op, Shard& shard, u32 account, const NewBucket& bonus) {
  u32 bucket = find_bucket(shard, account, terms_of(bonus));
  if (bucket == 0) bucket = add_bucket(op, shard, account, terms_of(bonus));
  check(bucket != 0, "there was room");
  const Outcome outcome = put_in(op, {shard, bucket}, bonus.amount);
  check(outcome == Outcome::ok, "the sum was looked at");
}

// An account that is topped up stays valid for as long as what was put in.
void extend_account(Operation& op, Shard& shard, u32 index, ledger::Second expires_s) {
  Account& account = shard.account(index);
  if (account.valid_until_s == 0) return;
  if (expires_s != 0 && expires_s <= account.valid_until_s) return;
  constexpr u32 word = offsetof(Account, valid_until_s) / 8;
  op.change(account,
            {.pool = ledger::Pool::account, .index = index, .at_word = word, .word_count = 1});
  account.valid_until_s = expires_s;
}

}  // namespace

Outcome Commander::top_up(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& wanted = command.buckets[0];
  if (command.bucket_count < 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  const u32 index = command.account.index();
  const std::span<const NewBucket> bonuses{&command.buckets[1], command.bucket_count - 1U};
  const Outcome possible = bonus_outcome(shard, index, command, bonuses);
  if (possible != Outcome::ok) return possible;
  u32 bucket = find_top_up_bucket(shard, index, command, op.now_second());
  if (!fits(shard, bucket, wanted.amount)) return Outcome::amount_overflow;
  if (bucket == 0) {
    if (!has_room(shard, index, 1)) return Outcome::too_busy;
    bucket = add_bucket(op, shard, index, terms_of(wanted));
    check(bucket != 0, "there was room");
  }
  const Outcome outcome = put_in(op, {shard, bucket}, wanted.amount);
  check(outcome == Outcome::ok, "the sum was looked at");
  if ((command.flags & ledger::command_flag::extend) != 0) {
    extend_bucket(op, shard, bucket, wanted.expires_s);
    extend_account(op, shard, index, wanted.expires_s);
  }
  for (const NewBucket& bonus : bonuses) put_bonus(op, shard, index, bonus);
  tell_balance(shard, bucket);
  return Outcome::ok;
}

// Up or down; down only as far as there is something free, whoever the operator is: what is held
// belongs to a session.
Outcome Commander::adjust(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& change = command.buckets[0];
  if (command.bucket_count != 1 || change.amount.is_zero()) return Outcome::amount_invalid;
  if (change.amount.count == INT64_MIN) return Outcome::amount_overflow;  // it has no opposite
  const u32 bucket = first_bucket_of(shard, command.account.index(), change.unit, op.now_second());
  if (bucket == 0) {
    return change.amount.is_positive() ? top_up(shard, op, command) : Outcome::bucket_unknown;
  }
  if (!fits(shard, bucket, change.amount)) return Outcome::amount_overflow;
  Outcome outcome = Outcome::ok;
  if (change.amount.is_positive()) {
    outcome = put_in(op, {shard, bucket}, change.amount);
  } else {
    const Amount less{-change.amount.count};
    if (shard.bucket(bucket).balance < less) return Outcome::credit_limit_reached;
    outcome = take_out(op, {shard, bucket}, less);
  }
  tell_balance(shard, bucket);
  return outcome;
}

// What was charged comes back into a bucket that it was taken from: one that was charged at least
// so much, and that can still be used.
Outcome Commander::refund_charge(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& wanted = command.buckets[0];
  const u32 account = command.account.index();
  const u32 first = first_bucket_of(shard, account, wanted.unit, op.now_second());
  if (first == 0) return Outcome::bucket_unknown;
  if (command.bucket_count != 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  for (u32 at = first; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    if (bucket.unit != wanted.unit || !is_usable(bucket, op.now_second())) continue;
    if (bucket.consumed < wanted.amount) continue;
    const Outcome outcome = refund(op, {shard, at}, wanted.amount);
    tell_balance(shard, at);
    return outcome;
  }
  return Outcome::refund_too_large;
}

}  // namespace tollgate::app
