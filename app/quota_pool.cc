// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/quota_pool.hh"

#include <algorithm>
#include <utility>

#include "app/purse.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Outcome;
using ledger::Quota;

constexpr i64 pool_units_per_millionth = (i64{1} << 20) * 27;

// What one quantity costs is below 2^48 * 2^50 * 2^28: 128 bits hold it.
constexpr i64 quantity_max = i64{1} << 48;

// A multiplier in 48 bits: 43 of digits, five of exponent.
constexpr u32 digit_bits = 43;
constexpr i64 digits_max = (i64{1} << digit_bits) - 1;
constexpr i32 exponent_least = -16;
constexpr i32 exponent_most = 15;

// One price a block, and nothing that looks at the whole session or account.
bool is_linear(const rating::Rule& rule) {
  return rule.verdict == rating::Verdict::charged && rule.step_count == 1 && rule.functions == 0 &&
         rule.meter != rating::Meter::money && rule.setup_fee.is_zero() && rule.cycle.is_zero() &&
         rule.minimum.is_zero() && rule.cap.is_zero() && rule.usage_counter == 0 &&
         rule.money_counter == 0;
}

i64 client_unit_of(const rating::Rule& rule) {
  return rule.meter == rating::Meter::time ? ms_per_second : 1;
}

i128 common_divisor(i128 a, i128 b) {
  while (b != 0) a = std::exchange(b, a % b);
  return a;
}

constexpr i128 divide_up(i128 value, i128 by) {
  return (value + by - 1) / by;
}

// Makes `by` a power of ten by widening both. False: it is none, or there would be too many digits.
bool make_decimal(i128& value, i128& by, i32& exponent) {
  while (by != 1) {
    const bool is_even = by % 2 == 0;
    const bool is_fifth = by % 5 == 0;
    if (!is_even && !is_fifth) return false;
    by /= is_even && is_fifth ? 10 : is_even ? 2 : 5;
    if (is_even != is_fifth) value *= is_even ? 5 : 2;
    --exponent;
    if (value > digits_max || exponent < exponent_least) return false;
  }
  return true;
}

// Gives so much of the quota's holds back, and takes it off `left`.
void free_part(const ChargeContext& context, Quota& quota, Amount& left) {
  u32 kept = 0;
  const u32 count = quota.hold_count;
  for (u32 i = 0; i < count; ++i) {
    const u32 bucket = quota.hold_bucket[i];
    Amount held = quota.hold_amount[i];
    const Amount part = std::min(held, left);
    if (part.is_positive()) {
      const Outcome outcome = release_in(context, bucket, part);
      check(outcome == Outcome::ok, "what was held fits back");
      held.count -= part.count;
      left.count -= part.count;
    }
    quota.hold_bucket[i] = 0;
    quota.hold_amount[i] = {};
    if (held.is_zero()) continue;
    quota.hold_bucket[kept] = bucket;
    quota.hold_amount[kept] = held;
    ++kept;
  }
  quota.hold_count = static_cast<u8>(kept);
}

// Room for a hold on that bucket, or nullptr.
Amount* hold_place(Quota& quota, u32 bucket) {
  for (u32 i = 0; i < quota.hold_count; ++i) {
    if (quota.hold_bucket[i] == bucket) return &quota.hold_amount[i];
  }
  if (quota.hold_count == ledger::holds_per_quota_max) return nullptr;
  quota.hold_bucket[quota.hold_count] = bucket;
  quota.hold_amount[quota.hold_count] = {};
  return &quota.hold_amount[quota.hold_count++];
}

// Moves as many of the holds as find room.
void move_holds(Quota& from, Quota& to) {
  u32 kept = 0;
  const u32 count = from.hold_count;
  for (u32 i = 0; i < count; ++i) {
    const u32 bucket = std::exchange(from.hold_bucket[i], 0);
    const Amount amount = std::exchange(from.hold_amount[i], {});
    if (Amount* const place = hold_place(to, bucket); place != nullptr) {
      place->count += amount.count;  // it fitted the bucket's sum
      continue;
    }
    from.hold_bucket[kept] = bucket;
    from.hold_amount[kept] = amount;
    ++kept;
  }
  from.hold_count = static_cast<u8>(kept);
}

}  // namespace

bool find_multiplier(const rating::Rule& rule, Multiplier& multiplier) {
  if (!is_linear(rule)) return false;
  const rating::Step& step = rule.step[0];
  i128 value = i128{step.price.count} * rule.factor * client_unit_of(rule);
  i128 by = i128{step.block.count} * rule.factor_by;
  if (value <= 0) return false;
  const i128 first = common_divisor(value, by);
  value /= first;
  by /= first;
  const i128 second = common_divisor(pool_units_per_millionth, by);
  by /= second;
  // Below 2^88 * 2^25, and mostly noughts at the end.
  value *= pool_units_per_millionth / second;
  multiplier.exponent = 0;
  while (value % 10 == 0) {
    value /= 10;
    ++multiplier.exponent;
  }
  if (value > digits_max || !make_decimal(value, by, multiplier.exponent)) return false;
  if (multiplier.exponent > exponent_most) return false;
  multiplier.digits = static_cast<i64>(value);
  return true;
}

void put_multiplier(Multiplier multiplier, ledger::ServiceAnswer& answer) {
  const u64 exponent = static_cast<u64>(multiplier.exponent - exponent_least);
  const u64 packed = exponent << digit_bits | static_cast<u64>(multiplier.digits);
  answer.multiplier_low = static_cast<u32>(packed);
  answer.multiplier_high = static_cast<u16>(packed >> 32);
}

Multiplier multiplier_of(const ledger::ServiceAnswer& answer) {
  const u64 packed = u64{answer.multiplier_high} << 32 | answer.multiplier_low;
  return {.digits = static_cast<i64>(packed & static_cast<u64>(digits_max)),
          .exponent = static_cast<i32>(packed >> digit_bits) + exponent_least};
}

bool pool_cost(const rating::Rule& rule, Quantity quantity, Amount& cost) {
  if (quantity.count > quantity_max) return false;
  const rating::Step& step = rule.step[0];
  const i128 value = i128{quantity.count} * step.price.count * rule.factor;
  const i128 micros = divide_up(value, i128{step.block.count} * rule.factor_by);
  if (micros > Amount::max().count / 2) return false;
  cost.count = static_cast<i64>(micros);
  return true;
}

// A block more than was begun, or one that rounding down has left unpaid so far; and the same in
// the last digit of the money.
Amount rounding_reserve(const rating::Rule& rule) {
  constexpr i128 blocks = 2;
  constexpr i64 roundings = 2;
  const bool has_blocks = rule.usage_rounding != rating::BlockRounding::exact;
  const i128 price = has_blocks ? blocks * rule.step[0].price.count : 0;
  const i128 most = divide_up(price * rule.factor, rule.factor_by);
  constexpr i128 reserve_max = Amount::max().count / 2;
  return {static_cast<i64>(std::min(most, reserve_max)) + roundings * rule.money_step.count};
}

Quantity pool_grant_size(const rating::Rule& rule, Quantity wanted, Amount left, Quantity granule) {
  constexpr i64 least_parts = 8;
  constexpr i64 ample = 2;
  Amount whole;
  left.count -= rounding_reserve(rule).count;
  if (!left.is_positive() || !pool_cost(rule, wanted, whole) || whole.is_zero()) return wanted;
  if (left.count / ample >= whole.count) return granule;
  const i64 least = std::max(wanted.count / least_parts, granule.count);
  const i128 has = i128{wanted.count} * left.count / whole.count;
  const i128 missing = std::max<i128>(wanted.count - has, least);
  const i128 size = divide_up(missing, granule.count) * granule.count;
  return {static_cast<i64>(std::min<i128>(size, wanted.count))};
}

void free_for_report(const ChargeContext& context, Quota& quota, Amount cost) {
  free_part(context, quota, cost);
  if (!cost.is_positive()) return;
  each_quota(context, [&](const QuotaPlace& place) {
    Quota& other = *place.quota;
    if (other.pool != quota.pool || other.hold_count == 0 || &other == &quota) return;
    if (!cost.is_positive()) return;
    change_quota(context, place);
    free_part(context, other, cost);
  });
}

void leave_pool(const ChargeContext& context, Quota& quota) {
  const Unit pool = std::exchange(quota.pool, Unit::none);
  each_quota(context, [&](const QuotaPlace& place) {
    if (place.quota->pool != pool || quota.hold_count == 0) return;
    change_quota(context, place);
    move_holds(quota, *place.quota);
  });
  release_holds(context, quota);
}

void end_idle_pools(const ChargeContext& context) {
  Unit idle = Unit::none;
  bool has_grant = false;
  each_quota(context, [&](const QuotaPlace& place) {
    if (place.quota->pool == Unit::none) return;
    idle = place.quota->pool;
    has_grant = has_grant || place.quota->granted.is_positive();
  });
  if (idle == Unit::none || has_grant) return;
  each_quota(context, [&](const QuotaPlace& place) {
    if (place.quota->pool == Unit::none) return;
    change_quota(context, place);
    release_holds(context, *place.quota);
    place.quota->pool = Unit::none;
  });
}

}  // namespace tollgate::app
