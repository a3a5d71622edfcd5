// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/account_counters.hh"

#include <algorithm>

#include "app/purse.hh"
#include "app/quota.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::counter_unit;
using ledger::Outcome;
using ledger::Second;

const rating::Counter& counter_of(const ChargeContext& context, u16 number) {
  return context.image.counters()[number - 1u];
}

// Where it stands: what a family shares with the payer, who is there as long as he has members.
u32 owner_of(const ChargeContext& context, const rating::Counter& counter) {
  const u32 payer = context.account().payer;
  const bool is_payers = counter.is_shared != 0 && payer != 0 && context.shard.is_account(payer);
  return is_payers ? payer : context.account_index;
}

u32 find_counter(const ChargeContext& context, const rating::Counter& counter) {
  const u32 owner = owner_of(context, counter);
  for (u32 at = context.shard.account(owner).first_bucket; at != 0;
       at = context.shard.bucket(at).next) {
    const Bucket& bucket = context.shard.bucket(at);
    if (bucket.unit == counter_unit && bucket.product == counter.id) return at;
  }
  return 0;
}

Second period_end(const ChargeContext& context, const rating::Counter& counter) {
  const Instant end = context.image.period_end(counter, context.op.now());
  const i64 seconds = end.whole_seconds();
  return seconds > i64{UINT32_MAX} ? UINT32_MAX : static_cast<Second>(seconds);
}

i64 value_of(const ChargeContext& context, u16 number) {
  if (number == 0) return 0;
  const rating::Counter& counter = counter_of(context, number);
  if (!rating::has_product(context.account().products, counter.product)) return 0;
  const u32 index = find_counter(context, counter);
  if (index == 0) return 0;
  const Bucket& bucket = context.shard.bucket(index);
  return bucket.valid_from_s > context.op.now_second() ? bucket.consumed.count : 0;
}

bool has_counter(const ChargeContext& context, u16 number) {
  if (number == 0) return true;
  const rating::Counter& counter = counter_of(context, number);
  if (find_counter(context, counter) != 0) return true;
  return add_bucket(context.op, context.shard, owner_of(context, counter),
                    {.unit = counter_unit,
                     .priority = 255,
                     .product = counter.id,
                     .expires_s = 0,
                     .valid_from_s = period_end(context, counter)}) != 0;
}

// A period that is over is taken out again, and the next begins at nothing.
Outcome begin_period(const ChargeContext& context, u32 index, Second end) {
  Bucket& bucket = context.shard.bucket(index);
  const Amount counted = bucket.consumed;
  Outcome outcome = refund(context.op, {context.shard, index}, counted);
  if (outcome == Outcome::ok) outcome = take_out(context.op, {context.shard, index}, counted);
  constexpr u32 word = offsetof(Bucket, expires_s) / 8;
  static_assert(offsetof(Bucket, valid_from_s) / 8 <= word + 1);
  context.op.change(bucket, {.pool = ledger::Pool::bucket,
                             .index = index,
                             .at_word = word,
                             .word_count = offsetof(Bucket, valid_from_s) / 8 - word + 1});
  bucket.valid_from_s = end;
  return outcome;
}

// So much can be held or debited: what came back from holds, and what is missing is put in.
Outcome make_free(const ChargeContext& context, u32 index, Amount amount) {
  const Amount missing{amount.count - context.shard.bucket(index).balance.count};
  if (!missing.is_positive()) return Outcome::ok;
  return put_in(context.op, {context.shard, index}, missing);
}

Outcome count(const ChargeContext& context, u16 number, i64 more) {
  if (number == 0 || more == 0) return Outcome::ok;
  if (!has_counter(context, number)) return Outcome::too_busy;
  const rating::Counter& counter = counter_of(context, number);
  const u32 index = find_counter(context, counter);
  if (context.shard.bucket(index).valid_from_s <= context.op.now_second()) {
    const Outcome begun = begin_period(context, index, period_end(context, counter));
    if (begun != Outcome::ok) return begun;
  }
  const Outcome outcome = make_free(context, index, Amount{more});
  if (outcome != Outcome::ok) return outcome;
  return debit(context.op, {context.shard, index}, Amount{more});
}

}  // namespace

rating::UsageSoFar with_counters(const ChargeContext& context, const ChargeService& service,
                                 const rating::Rule& rule, rating::UsageSoFar so_far) {
  so_far.facts = nullptr;
  if (rule.functions != 0) [[unlikely]] {
    check(context.facts != nullptr, "who charges has room for the facts of functions");
    context.image.fill_facts(rule, key_of(context, service), context.began, *context.facts);
    rating::visit_counters(rating::functions_of(rule), *context.facts,
                           [&](u16 number, i64& value) { value = value_of(context, number); });
    so_far.facts = context.facts;
  }
  so_far.counted = {value_of(context, rule.usage_counter)};
  so_far.spent = {value_of(context, rule.money_counter)};
  return so_far;
}

void add_held(const ChargeContext& context, const rating::Rule& rule, rating::UsageSoFar& so_far) {
  if (!has_limit(rule)) return;
  const u32 index = find_counter(context, counter_of(context, rule.money_counter));
  if (index == 0) return;
  const Money held{context.shard.bucket(index).reserved.count};
  if (!add(so_far.spent, held, so_far.spent)) so_far.spent = Money::max();
}

bool find_limit_counter(const ChargeContext& context, const rating::Rule& rule, u32& counter) {
  counter = 0;
  if (!has_limit(rule)) return true;
  if (!has_counter(context, rule.money_counter)) return false;
  counter = find_counter(context, counter_of(context, rule.money_counter));
  return true;
}

Outcome hold_in_counter(const ChargeContext& context, const rating::Rule& rule, u32 counter,
                        const rating::Coverage& coverage, ledger::Quota& quota) {
  Amount cost;
  for (u32 i = 0; i < rule.source_count; ++i) {
    if (rule.source[i].is_money()) cost.count += coverage.charge[i].cost.count;
  }
  if (counter == 0 || cost.is_zero()) return Outcome::ok;
  Outcome outcome = make_free(context, counter, cost);
  if (outcome == Outcome::ok) outcome = hold_in(context, counter, cost);
  if (outcome == Outcome::ok) add_hold(counter, cost, quota);
  return outcome;
}

u32 payers_left(const ledger::Quota& quota, u32 counter) {
  const u32 places = ledger::holds_per_quota_max - quota.hold_count;
  if (counter == 0 || places == 0) return places;
  for (u32 i = 0; i < quota.hold_count; ++i) {
    if (quota.hold_bucket[i] == counter) return places;
  }
  return places - 1;
}

bool has_counters(const ChargeContext& context, const rating::Rule& rule) {
  return has_counter(context, rule.usage_counter) && has_counter(context, rule.money_counter);
}

void begin_counters(const ChargeContext& context, const rating::ProductSet& products) {
  for (const rating::Counter& counter : context.image.counters()) {
    if (counter.product == 0 || !rating::has_product(products, counter.product)) continue;
    const u32 index = find_counter(context, counter);
    if (index == 0) continue;
    const Outcome outcome = begin_period(context, index, period_end(context, counter));
    check(outcome == Outcome::ok, "what was counted was put in");
  }
}

Outcome count_use(const ChargeContext& context, const rating::Rule& rule, CountedUse use) {
  const Outcome outcome = count(context, rule.usage_counter, use.quantity.count);
  if (outcome != Outcome::ok) return outcome;
  return count(context, rule.money_counter, use.money.count);
}

}  // namespace tollgate::app
