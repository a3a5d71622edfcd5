// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/purse.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::BucketState;
using ledger::Outcome;

u32 find_limit(const ChargeContext& context, Unit unit) {
  for (u32 at = context.account().first_bucket; at != 0; at = context.shard.bucket(at).next) {
    const Bucket& bucket = context.shard.bucket(at);
    if (bucket.state == BucketState::limit && bucket.unit == unit) return at;
  }
  return 0;
}

using Movement = Outcome (*)(ledger::Operation&, ledger::BucketPlace, Amount);

Outcome move(const ChargeContext& context, u32 bucket, Amount amount, Movement movement) {
  const Outcome outcome = movement(context.op, {context.shard, bucket}, amount);
  if (outcome != Outcome::ok || !is_payers(context, bucket)) return outcome;
  const u32 limit = find_limit(context, context.shard.bucket(bucket).unit);
  return limit == 0 ? Outcome::ok : movement(context.op, {context.shard, limit}, amount);
}

}  // namespace

Purses purses_of(const ChargeContext& context) {
  Purses purses;
  purses.account[purses.count++] = context.account_index;
  const u32 payer = context.account().payer;
  if (payer == 0 || !context.shard.is_account(payer)) return purses;
  const auto state = state_at(context.shard.account(payer), context.op.now_second());
  if (state == ledger::AccountState::active) purses.account[purses.count++] = payer;
  return purses;
}

Amount member_allowance(const ChargeContext& context, Unit unit) {
  const u32 limit = find_limit(context, unit);
  return limit == 0 ? Amount::max() : context.shard.bucket(limit).balance;
}

Amount member_consumed(const ChargeContext& context, Unit unit) {
  const u32 limit = find_limit(context, unit);
  return limit == 0 ? Amount::max() : context.shard.bucket(limit).consumed;
}

Outcome hold_in(const ChargeContext& context, u32 bucket, Amount amount) {
  return move(context, bucket, amount, ledger::hold);
}

Outcome release_in(const ChargeContext& context, u32 bucket, Amount amount) {
  return move(context, bucket, amount, ledger::release);
}

Outcome debit_in(const ChargeContext& context, u32 bucket, Amount amount) {
  return move(context, bucket, amount, ledger::debit);
}

Outcome refund_in(const ChargeContext& context, u32 bucket, Amount amount) {
  return move(context, bucket, amount, ledger::refund);
}

}  // namespace tollgate::app
