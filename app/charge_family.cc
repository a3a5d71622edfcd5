// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commands of a family: who pays for an account, and how much of it the account may use.

#include "app/charge_command.hh"
#include "app/command_bucket.hh"
#include "app/members.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Account;
using ledger::Bucket;
using ledger::BucketState;
using ledger::Command;
using ledger::NewBucket;
using ledger::Operation;
using ledger::Outcome;
using ledger::Shard;

u32 find_limit(const Shard& shard, u32 account, Unit unit) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    if (shard.bucket(at).state == BucketState::limit && shard.bucket(at).unit == unit) return at;
  }
  return 0;
}

void count_members(Operation& op, Shard& shard, u32 payer, int change) {
  Account& account = shard.account(payer);
  constexpr u32 word = offsetof(Account, member_count) / 8;
  op.change(account,
            {.pool = ledger::Pool::account, .index = payer, .at_word = word, .word_count = 1});
  account.member_count = static_cast<u8>(account.member_count + change);
}

void set_payer_of(Operation& op, Shard& shard, u32 index, u32 payer) {
  Account& account = shard.account(index);
  constexpr u32 word = offsetof(Account, payer) / 8;
  op.change(account,
            {.pool = ledger::Pool::account, .index = index, .at_word = word, .word_count = 1});
  account.payer = payer;
}

}  // namespace

void join_payer(Operation& op, Shard& shard, u32 index, u32 payer) {
  count_members(op, shard, payer, +1);
  set_payer_of(op, shard, index, payer);
}

void leave_payer(Operation& op, Shard& shard, u32 index) {
  const Account& account = shard.account(index);
  if (account.payer == 0) return;
  check(shard.account(account.payer).member_count != 0, "a payer counts its members");
  count_members(op, shard, account.payer, -1);
  set_payer_of(op, shard, index, 0);
}

// From now on the other account pays for what this one cannot pay for itself. They lie in one
// shard, so that both have the same writer. The payer counts its members, and cannot be removed
// while it has any: its place could be given to a stranger, who would pay for them.
Outcome Commander::set_payer(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  const Account& account = shard.account(index);
  const ledger::AccountRef payer = command.other_account;
  const bool is_here = !payer.is_none() && payer.shard() == shard.number();
  if (is_here && !is_account(shard, payer, command.other_account_id)) {
    return Outcome::account_unknown;
  }
  // They may lean on what the payer has.
  if (account.open_sessions != 0) return Outcome::account_has_sessions;
  if (!payer.is_none() && !is_here) return Outcome::other_shard;
  if (!payer.is_none() && payer.index() == index) return Outcome::account_has_members;
  if (is_here && payer.index() != account.payer &&
      shard.account(payer.index()).member_count >= ledger::members_per_account_max) {
    return Outcome::too_many_members;
  }
  leave_payer(op, shard, index);
  if (is_here) join_payer(op, shard, index, payer.index());
  return Outcome::ok;
}

// The member may use so much of that unit of its payer from now on; less than nothing: there is no
// limit any more.
Outcome Commander::set_limit(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& wanted = command.buckets[0];
  if (command.bucket_count != 1) return Outcome::amount_invalid;
  const u32 account = command.account.index();
  u32 limit = find_limit(shard, account, wanted.unit);
  if (wanted.amount.is_negative()) {
    if (limit == 0) return Outcome::bucket_unknown;
    if (!shard.bucket(limit).reserved.is_zero()) return Outcome::account_has_sessions;
    remove_bucket(op, shard, limit);
    return Outcome::ok;
  }
  Amount change = wanted.amount;
  Amount sum;
  if (limit != 0 && !subtract(wanted.amount, shard.bucket(limit).balance, change)) {
    return Outcome::amount_overflow;
  }
  if (limit != 0 && !add(shard.bucket(limit).put_in, change, sum)) return Outcome::amount_overflow;
  if (limit == 0) {
    // What sessions hold of the payer already would not be held of the limit.
    if (shard.account(account).open_sessions != 0) return Outcome::account_has_sessions;
    if (!has_room(shard, account, 1)) return Outcome::too_busy;
    limit = add_bucket(op, shard, account, terms_of({.unit = wanted.unit, .priority = UINT8_MAX}),
                       BucketState::limit);
    check(limit != 0, "there was room");
  }
  const Outcome outcome = change.is_negative() ? take_out(op, {shard, limit}, Amount{-change.count})
                                               : put_in(op, {shard, limit}, change);
  check(outcome == Outcome::ok, "the sum was looked at");
  tell_balance(shard, limit);
  return Outcome::ok;
}

}  // namespace tollgate::app
