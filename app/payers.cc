// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/payers.hh"

#include "app/purse.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::Second;

// What a member may still take of its payer's unit, beside what was found already.
Amount allowance_left(const ChargeContext& context, u32 index, const Payers& payers) {
  const Unit unit = context.shard.bucket(index).unit;
  Amount left = member_allowance(context, unit);
  for (u32 i = 0; i < payers.count && left < Amount::max(); ++i) {
    const Payer& payer = payers.payer[i];
    if (!is_payers(context, payer.bucket)) continue;
    if (context.shard.bucket(payer.bucket).unit != unit) continue;
    if (!subtract(left, Amount{payer.available}, left)) return {};
  }
  return left;
}

// The bucket can pay so much, or what a member's limit leaves of it.
void offer(const ChargeContext& context, u32 index, u32 source_number, Amount available,
           Payers& payers) {
  if (payers.count >= Payers::payers_max) return;
  if (is_payers(context, index)) {
    const Amount left = allowance_left(context, index, payers);
    if (left < available) available = left;
  }
  if (!available.is_positive()) return;
  Amount sum;
  if (!add(payers.available[source_number], available, sum)) return;
  payers.available[source_number] = sum;
  payers.payer[payers.count++] = {
      .bucket = index, .source = source_number, .available = available.count};
}

// Looks at one bucket for one source. Money may go below zero as far as the credit limit says, in
// the last bucket of that currency only.
void consider(const ChargeContext& context, u32 index, u32 source_number, Payers& payers) {
  const Bucket& bucket = context.shard.bucket(index);
  offer(context, index, source_number, bucket.balance, payers);
}

// The credit limit extends the last money bucket, and counts from zero: a debt eats it up.
void extend_by_credit(const ChargeContext& context, u32 source_number, u32 payers_wanted,
                      Payers& payers) {
  if (payers.last_money == 0) return;
  const Bucket& last = context.shard.bucket(payers.last_money);
  const i64 limit = context.shard.account(last.account).credit_limit;
  if (limit == 0) return;
  const i64 debt = last.balance.is_negative() ? last.balance.count : 0;
  const Amount credit{limit + debt};
  if (!credit.is_positive()) return;
  if (payers.count >= payers_wanted) {
    payers.is_cut = true;
    return;
  }
  offer(context, payers.last_money, source_number, credit, payers);
}

// One purse for one source.
struct Look {
  const rating::PaymentSource& source;
  u32 number;  // of the source
  u32 purse;
  u32 payers_wanted;
};
void find_payers_in(const ChargeContext& context, const Look& look, const HeldBuckets& held,
                    Payers& payers) {
  const Second now = context.op.now_second();
  bool has_money = false;
  for (u32 at = context.shard.account(look.purse).first_bucket; at != 0;
       at = context.shard.bucket(at).next) {
    const Bucket& bucket = context.shard.bucket(at);
    if (bucket.unit != look.source.unit) continue;
    if (!is_usable(bucket, now) && !held.has(at)) continue;
    if (look.source.is_money()) {
      payers.last_money = at;
      has_money = true;
    }
    if (payers.count < look.payers_wanted) {
      consider(context, at, look.number, payers);
    } else if (bucket.balance.is_positive()) {
      payers.is_cut = true;
    }
  }
  if (has_money) extend_by_credit(context, look.number, look.payers_wanted, payers);
}

}  // namespace

Payers find_payers(const ChargeContext& context, const rating::Rule& rule, u32 payers_wanted,
                   const HeldBuckets& held) {
  Payers payers;
  const Purses purses = purses_of(context);
  u32 number = 0;
  for (const rating::PaymentSource& source : rule.sources()) {
    for (const u32 purse : purses.all()) {
      find_payers_in(context, {source, number, purse, payers_wanted}, held, payers);
    }
    ++number;
  }
  return payers;
}

}  // namespace tollgate::app
