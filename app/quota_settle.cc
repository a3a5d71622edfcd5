// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Reports: what was used is priced and debited.

#include "app/quota_settle.hh"

#include <limits>

#include "app/account_counters.hh"
#include "app/purse.hh"
#include "app/quota_pool.hh"
#include "app/tariff_change.hh"
#include "rating/stretch.hh"

namespace tollgate::app {
namespace {

using ledger::Outcome;
using ledger::Quota;

// Counts for charging data: at the end of their range they stay there.
template <class Count>
void count_up(Count& sum, i64 more) {
  Count next{};
  sum = __builtin_add_overflow(sum, more, &next) ? std::numeric_limits<Count>::max() : next;
}

// Adds a charge to what the quota remembers of the session.
void remember_cost(const rating::Rule& rule, const rating::PaymentSource& source, Amount cost,
                   Quota& quota) {
  if (!source.is_money()) return;
  quota.cost_unit = rule.currency;
  Money sum;
  if (add(quota.cost, Money{cost.count}, sum)) quota.cost = sum;
}

// Use beyond what the buckets hold: the money goes below zero. Without money to do so it stays
// uncollected, and the quota's counts show that it was used.
struct Overrun {
  u32 source = 0;
  Amount cost;
  bool is_collected = false;
};
Outcome price_overrun(const rating::Rule& rule, const Payers& payers,
                      const rating::Coverage& coverage, Overrun& overrun) {
  for (u32 i = 0; i < rule.source_count; ++i) {
    const rating::PaymentSource& source = rule.source[i];
    if (!source.is_money() || payers.last_money == 0) continue;
    if (price(rule, source, coverage.after, coverage.missing, overrun.cost) !=
        rating::Outcome::ok) {
      return Outcome::amount_overflow;
    }
    overrun.source = i;
    overrun.is_collected = true;
    return Outcome::ok;
  }
  return Outcome::ok;
}

Outcome debit_overrun(const ChargeContext& context, const rating::Rule& rule, const Payers& payers,
                      const Overrun& overrun, Quantity missing, Quota& quota) {
  const Outcome outcome = debit_in(context, payers.last_money, overrun.cost);
  if (outcome != Outcome::ok) return outcome;
  const rating::PaymentSource& source = rule.source[overrun.source];
  remember_cost(rule, source, overrun.cost, quota);
  const rating::UsageSoFar so_far{.by_money = quota.used_by_money,
                                  .by_allowance = quota.used_by_allowance,
                                  .counted = {},
                                  .spent = {}};
  quota.used_by_money = rating::advance(source, so_far, missing).by_money;
  return count_use(context, rule, {.quantity = missing, .money = {overrun.cost.count}});
}

bool knows_pools(const ChargeContext& context) {
  return (context.habits & habit::knows_pools) != 0;
}

void count_report(const ChargeService& service, Quota& quota) {
  count_up(quota.used_input_octets, service.used.input_octets);
  count_up(quota.used_output_octets, service.used.output_octets);
  count_up(quota.used_seconds, service.used.time_s);
  count_up(quota.used_events, service.used.specific);
}

}  // namespace

Outcome debit_coverage(const ChargeContext& context, const rating::Rule& rule, const Payers& payers,
                       const rating::Coverage& coverage, Quota& quota) {
  CountedUse counted;
  for (u32 i = 0; i < rule.source_count; ++i) {
    const Amount cost = coverage.charge[i].cost;
    if (rule.source[i].is_money()) {
      counted.quantity.count += coverage.charge[i].covered.count;
      counted.money.count += cost.count;
    }
    if (cost.is_zero()) continue;
    const Outcome outcome = take_from(
        payers, i, cost, [&](u32 bucket, Amount part) { return debit_in(context, bucket, part); });
    if (outcome != Outcome::ok) return outcome;
    remember_cost(rule, rule.source[i], cost, quota);
  }
  quota.used_by_money = coverage.after.by_money;
  quota.used_by_allowance = coverage.after.by_allowance;
  return count_use(context, rule, counted);
}

Outcome remember_free(Quantity used, Quota& quota) {
  Quantity sum;
  if (!add(quota.used_by_allowance, used, sum)) return Outcome::amount_overflow;
  quota.used_by_allowance = sum;
  return Outcome::ok;
}

namespace {

constexpr Duration report_delay = Duration::seconds(60);

// The rule that counted just before: where a service has none from an edge on, what is reported at
// the edge was used before it.
const rating::Rule* earlier_rule(const ChargeContext& context, const ChargeService& service) {
  rating::Match match;
  const Instant before = context.op.now() - report_delay;
  const bool is_found =
      context.image.find(key_of(context, service), before, match) == rating::Found::rule;
  return is_found ? match.rule : nullptr;
}

// What the last grant leaned on. Its holds go back; those of a pool only as far as the report
// costs, see settle_stretch.
HeldBuckets begin_settling(const ChargeContext& context, Quota& quota) {
  HeldBuckets held;
  if (quota.pool == Unit::none || !knows_pools(context)) [[likely]] {
    held.add(quota);
    release_holds(context, quota);
    quota.pool = Unit::none;
    return held;
  }
  each_quota(context, [&](const QuotaPlace& place) {
    if (place.quota->pool == quota.pool) held.add(*place.quota);
  });
  quota.granted = {};
  return held;
}

// What one rule prices of a report.
Outcome settle_stretch(const ChargeContext& context, const ChargeService& service,
                       const rating::Rule& rule, const HeldBuckets& held, Quantity used,
                       Quota& quota) {
  if (rule.verdict != rating::Verdict::charged) {
    quota.kind = kind_of(rule);
    return remember_free(used, quota);
  }
  const rating::UsageSoFar so_far{.by_money = quota.used_by_money,
                                  .by_allowance = quota.used_by_allowance,
                                  .counted = {},
                                  .spent = {}};
  if (quota.pool != Unit::none) [[unlikely]] {
    Money cost;
    const auto priced =
        rating::price(rule, with_counters(context, service, rule, so_far), used, cost);
    if (priced == rating::Outcome::ok) free_for_report(context, quota, Amount{cost.count});
  }
  const Payers payers = find_payers(context, rule, Payers::payers_max, held);
  const rating::Coverage coverage =
      rating::cover(rule, {.so_far = with_counters(context, service, rule, so_far),
                           .wanted = used,
                           .available = std::span(payers.available).first(rule.source_count)});
  // All refusals come before the first debit.
  if (!has_counters(context, rule)) return Outcome::too_busy;
  Overrun overrun;
  if (coverage.missing.is_positive()) {
    const Outcome priced = price_overrun(rule, payers, coverage, overrun);
    if (priced != Outcome::ok) return priced;
  }
  const Outcome outcome = debit_coverage(context, rule, payers, coverage, quota);
  if (outcome != Outcome::ok || !overrun.is_collected) return outcome;
  return debit_overrun(context, rule, payers, overrun, coverage.missing, quota);
}

// When the use that is reported began. Time is used up to the report. Of volume nobody knows; a
// grant ends with its time band (validity_of), so what is reported just after an edge was used
// before it.
Instant begin_of(const ChargeContext& context, const rating::Rule& rule, Quantity used) {
  if (rule.meter != rating::Meter::time) return context.op.now() - report_delay;
  return context.op.now() - Duration::milliseconds(used.count);
}

}  // namespace

Outcome settle(const ChargeContext& context, const ServiceRule& found, const ChargeService& service,
               Quota& quota) {
  const HeldBuckets held = begin_settling(context, quota);
  if (service.used_kinds == 0) return Outcome::ok;
  count_report(service, quota);
  const rating::Rule* known = found.rule != nullptr ? found.rule : earlier_rule(context, service);
  if (known == nullptr) return Outcome::rating_failed;
  const rating::Rule& rule = *known;
  Quantity used;
  if (!used_quantity(rule, service, used)) return Outcome::unit_mismatch;
  if (used.is_negative()) return Outcome::amount_invalid;
  if (used.is_zero()) return Outcome::ok;
  Instant at = begin_of(context, rule, used);
  constexpr u8 change_flags = ChargeService::is_before_change | ChargeService::is_after_change;
  if ((service.priced_flags & change_flags) != 0) {
    at = begin_of_part(context, service, rule, used);
  } else if (found.rule != nullptr && found.since <= at) {
    return settle_stretch(context, service, rule, held, used, quota);
  }
  for (;;) {
    rating::Match match;
    if (context.image.find(key_of(context, service), at, match) != rating::Found::rule) {
      return Outcome::rating_failed;
    }
    if (match.rule->meter != rule.meter || match.rule->unit != rule.unit) {
      return Outcome::unit_mismatch;
    }
    const rating::Stretch stretch = rating::first_stretch(match, at, used);
    const Outcome outcome =
        settle_stretch(context, service, *match.rule, held, stretch.quantity, quota);
    used.count -= stretch.quantity.count;
    if (outcome != Outcome::ok || used.is_zero()) return outcome;
    at = stretch.end;
  }
}

}  // namespace tollgate::app
