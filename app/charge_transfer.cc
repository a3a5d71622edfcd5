// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Transfers between two accounts.
//
// Inside a shard it is one entry of the journal. Between two shards, each with a writer of its own,
// it is four, and between any two of them everything may die:
//
//   1 transfer          source   free -> a bucket in transit, of the same account
//   2 transfer_receive  target   put in, and a mark that this transfer has come in
//   3 transfer_settle   source   the bucket in transit goes: the target has it
//     transfer_return   source   or it comes back, since the target refused
//   4 transfer_forget   target   the mark goes
//
// Each step can be repeated: 1 finds its bucket, 2 its mark, 3 and 4 nothing more to do. So whoever
// drives them (control/transfers.hh) needs no memory: what the two accounts have tells which step
// is next. The mark goes last, after which nobody sends step 2 again. The money counts once at
// every moment: at the source as long as the target has no mark.

#include "app/charge_command.hh"
#include "app/command_bucket.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::BucketState;
using ledger::Command;
using ledger::CommandKind;
using ledger::NewBucket;
using ledger::Operation;
using ledger::Outcome;
using ledger::Shard;

// What both kinds of transfer ask of the source. `source` is the bucket that pays.
Outcome look_at_source(const Shard& shard, const Command& command, ledger::Second now,
                       u32& source) {
  const NewBucket& wanted = command.buckets[0];
  source = first_bucket_of(shard, command.account.index(), wanted.unit, now);
  if (source == 0) return Outcome::bucket_unknown;
  if (command.bucket_count != 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  if (shard.bucket(source).balance < wanted.amount) return Outcome::credit_limit_reached;
  return Outcome::ok;
}

void must(Outcome outcome) {
  check(outcome == Outcome::ok, "everything was looked at before the first write");
}

}  // namespace

Outcome Commander::transfer(Shard& shard, Operation& op, const Command& command) {
  if (command.other_account.shard() != shard.number()) return send(shard, op, command);
  const NewBucket& wanted = command.buckets[0];
  const u32 to = command.other_account.index();
  if (!is_account(shard, command.other_account, command.other_account_id)) {
    return Outcome::account_unknown;
  }
  u32 source = 0;
  const Outcome outcome = look_at_source(shard, command, op.now_second(), source);
  if (outcome != Outcome::ok) return outcome;
  u32 target = first_bucket_of(shard, to, wanted.unit, op.now_second());
  if (source == target) return Outcome::ok;
  if (!fits(shard, target, wanted.amount)) return Outcome::amount_overflow;
  if (target == 0) {
    if (!has_room(shard, to, 1)) return Outcome::too_busy;
    target = add_bucket(op, shard, to, terms_of(wanted));
    check(target != 0, "there was room");
  }
  must(take_out(op, {shard, source}, wanted.amount));
  must(put_in(op, {shard, target}, wanted.amount));
  tell_balance(shard, source);
  return Outcome::ok;
}

// Step 1.
Outcome Commander::send(Shard& shard, Operation& op, const Command& command) {
  const u32 account = command.account.index();
  const u64 id = command.idempotency_key;
  if (id == 0) return Outcome::other_shard;  // nobody could find it again
  if (find_transfer(shard, account, BucketState::in_transit, id) != 0) {
    answer_.is_repeated = 1;
    answer_.is_in_transit = 1;
    return Outcome::ok;
  }
  const NewBucket& wanted = command.buckets[0];
  u32 source = 0;
  const Outcome outcome = look_at_source(shard, command, op.now_second(), source);
  if (outcome != Outcome::ok) return outcome;
  if (!has_room(shard, account, 1)) return Outcome::too_busy;
  const u32 sent =
      add_bucket(op, shard, account, ledger::transfer_terms(wanted.unit, command.other_account, id),
                 BucketState::in_transit);
  check(sent != 0, "there was room");
  must(take_out(op, {shard, source}, wanted.amount));
  must(put_in(op, {shard, sent}, wanted.amount));
  tell_balance(shard, source);
  answer_.is_in_transit = 1;
  return Outcome::ok;
}

// Step 2.
Outcome Commander::receive(Shard& shard, Operation& op, const Command& command) {
  const u32 account = command.account.index();
  const NewBucket& wanted = command.buckets[0];
  if (find_transfer(shard, account, BucketState::received, command.transfer_id) != 0) {
    answer_.is_repeated = 1;
    return Outcome::ok;
  }
  if (command.bucket_count != 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  u32 target = first_bucket_of(shard, account, wanted.unit, op.now_second());
  if (!fits(shard, target, wanted.amount)) return Outcome::amount_overflow;
  if (!has_room(shard, account, target == 0 ? 2 : 1)) return Outcome::too_busy;
  if (target == 0) {
    target = add_bucket(op, shard, account, terms_of({.unit = wanted.unit}));
    check(target != 0, "there was room");
  }
  must(put_in(op, {shard, target}, wanted.amount));
  const u32 mark =
      add_bucket(op, shard, account,
                 ledger::transfer_terms(wanted.unit, command.other_account, command.transfer_id),
                 BucketState::received);
  check(mark != 0, "there was room");
  tell_balance(shard, target);
  return Outcome::ok;
}

// Steps 3 and 4.
Outcome Commander::end_transfer(Shard& shard, Operation& op, const Command& command) {
  const u32 account = command.account.index();
  const bool is_sender = command.kind != CommandKind::transfer_forget;
  const u32 bucket =
      find_transfer(shard, account, is_sender ? BucketState::in_transit : BucketState::received,
                    command.transfer_id);
  if (bucket == 0) {
    answer_.is_repeated = 1;
    return Outcome::ok;
  }
  if (command.kind != CommandKind::transfer_return) {
    remove_bucket(op, shard, bucket);
    return Outcome::ok;
  }
  const Bucket& sent = shard.bucket(bucket);
  const Amount amount = sent.balance;
  const u32 home = first_bucket_of(shard, account, sent.unit, op.now_second());
  if (home == 0 || !fits(shard, home, amount)) {
    open_bucket(op, shard, bucket);  // it always can come home
    tell_balance(shard, bucket);
    return Outcome::ok;
  }
  must(take_out(op, {shard, bucket}, amount));
  must(put_in(op, {shard, home}, amount));
  remove_bucket(op, shard, bucket);
  tell_balance(shard, home);
  return Outcome::ok;
}

}  // namespace tollgate::app
