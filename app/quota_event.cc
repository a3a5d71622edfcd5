// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Events: debited at once, or only asked about.

#include <algorithm>

#include "app/account_counters.hh"
#include "app/purse.hh"
#include "app/quota_settle.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::Outcome;
using ledger::Quota;
using ledger::Second;

rating::Coverage cover_at_once(const ChargeContext& context, const ChargeService& service,
                               const rating::Rule& rule, const Payers& payers, Quantity quantity) {
  rating::UsageSoFar so_far = with_counters(context, service, rule, {});
  add_held(context, rule, so_far);
  return rating::cover(rule, {.so_far = so_far,
                              .wanted = quantity,
                              .available = std::span(payers.available).first(rule.source_count)});
}

}  // namespace

Outcome debit_at_once(const ChargeContext& context, const ChargeService& service,
                      const rating::Rule& rule, Quantity quantity, Quota& quota) {
  if (quantity.is_negative()) return Outcome::amount_invalid;
  if (rule.verdict == rating::Verdict::free) return remember_free(quantity, quota);
  const Payers payers = find_payers(context, rule, Payers::payers_max);
  const rating::Coverage coverage = cover_at_once(context, service, rule, payers, quantity);
  if (coverage.missing.is_positive()) return Outcome::credit_limit_reached;
  if (!has_counters(context, rule)) return Outcome::too_busy;
  return debit_coverage(context, rule, payers, coverage, quota);
}

Amount& Promised::of(Unit unit) {
  for (One& one : all_) {
    if (one.unit == Unit::none) one.unit = unit;
    if (one.unit == unit) return one.amount;
  }
  return all_.back().amount;
}

bool can_afford(const ChargeContext& context, const ChargeService& service,
                const rating::Rule& rule, Quantity quantity, Promised& promised) {
  if (rule.verdict == rating::Verdict::free) return true;
  Payers payers = find_payers(context, rule, Payers::payers_max);
  for (u32 i = 0; i < rule.source_count; ++i) {
    const Amount taken = promised.of(rule.source[i].unit);
    payers.available[i].count = std::max<i64>(payers.available[i].count - taken.count, 0);
  }
  const rating::Coverage coverage = cover_at_once(context, service, rule, payers, quantity);
  if (coverage.missing.is_positive()) return false;
  for (u32 i = 0; i < rule.source_count; ++i) {
    promised.of(rule.source[i].unit).count += coverage.charge[i].cost.count;  // it was available
  }
  return true;
}

Amount money_left(const ChargeContext& context, Unit currency) {
  Amount sum;
  const Second now = context.op.now_second();
  const Purses purses = purses_of(context);
  for (const u32 purse : purses.all()) {
    Amount of_purse;
    for (u32 at = context.shard.account(purse).first_bucket; at != 0;
         at = context.shard.bucket(at).next) {
      const Bucket& bucket = context.shard.bucket(at);
      if (bucket.unit != currency || !is_usable(bucket, now)) continue;
      Amount next;
      if (add(of_purse, bucket.balance, next)) of_purse = next;
    }
    if (purse != context.account_index) {
      const Amount allowance = member_allowance(context, currency);
      if (allowance < of_purse) of_purse = allowance;
    }
    Amount next;
    if (add(sum, of_purse, next)) sum = next;
  }
  return sum;
}

}  // namespace tollgate::app
