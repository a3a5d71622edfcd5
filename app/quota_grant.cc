// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Grants: how much, for how long, and what it may cost is held.

#include <algorithm>

#include "app/account_counters.hh"
#include "app/payers.hh"
#include "app/purse.hh"
#include "app/quota.hh"
#include "app/quota_pool.hh"
#include "app/tariff_change.hh"
#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::app {
namespace {

using ledger::Outcome;
using ledger::Quota;
using ledger::Second;

// What is granted when neither the client nor the tariff says how much.
constexpr i64 octets_default = 10 << 20;
constexpr i64 milliseconds_default = 600'000;
constexpr i64 events_default = 1;

Quantity default_size(rating::Meter meter) {
  switch (meter) {
    case rating::Meter::volume:
    case rating::Meter::upload:
    case rating::Meter::download:
      return {octets_default};
    case rating::Meter::time:
      return {milliseconds_default};
    case rating::Meter::events:
      return {events_default};
    case rating::Meter::money:
      return {};
  }
  return {};
}

// A threshold is told in the client's unit.
u32 threshold_of(const rating::Rule& rule, Quantity granted) {
  i64 left = rating::grant_threshold(rule.grant, granted).count;
  if (rule.meter == rating::Meter::time) left /= ms_per_second;
  return left > UINT32_MAX ? 0 : static_cast<u32>(left);
}

ledger::FinalAction final_action_of(rating::FinalAction action) {
  switch (action) {
    case rating::FinalAction::terminate:
      return ledger::FinalAction::terminate;
    case rating::FinalAction::redirect:
      return ledger::FinalAction::redirect;
    case rating::FinalAction::restrict_access:
      return ledger::FinalAction::restrict_access;
    case rating::FinalAction::restrict_to_filter:
      return ledger::FinalAction::restrict_to_filter;
  }
  return ledger::FinalAction::terminate;
}

// What is out in all: a sum that left 64 bits stays where it was, for it is only shown.
void add_granted(Quantity more, Quota& quota) {
  Quantity sum;
  if (add(quota.granted, more, sum)) quota.granted = sum;
}

void describe_grant(const rating::Rule& rule, Quantity granted, u32 validity_s,
                    ledger::ServiceAnswer& answer) {
  answer.kind = kind_of(rule);
  answer.granted = granted;
  answer.has_grant = true;
  answer.validity_s = validity_s;
  answer.text = static_cast<u16>(std::min(rule.grant.holding_seconds, u32{UINT16_MAX}));
  answer.threshold = threshold_of(rule, granted);
}

// Holds what the grant costs. All sums were looked at by cover: what is available can be held.
Outcome hold_coverage(const ChargeContext& context, const rating::Rule& rule, const Payers& payers,
                      const rating::Coverage& coverage, Quota& quota) {
  for (u32 i = 0; i < rule.source_count; ++i) {
    if (coverage.charge[i].cost.is_zero()) continue;
    const Outcome outcome =
        take_from(payers, i, coverage.charge[i].cost, [&](u32 bucket, Amount part) {
          const Outcome held = hold_in(context, bucket, part);
          if (held == Outcome::ok) add_hold(bucket, part, quota);
          return held;
        });
    if (outcome != Outcome::ok) return outcome;
  }
  return Outcome::ok;
}

// Whether nothing at all could be granted after this: then it is the last, although it is whole.
bool is_used_up(const rating::Rule& rule, const Payers& payers, const rating::Coverage& coverage,
                Quantity granule) {
  std::array<Amount, rating::sources_max> left{};
  bool is_ample = false;
  for (u32 i = 0; i < rule.source_count; ++i) {
    left[i].count = payers.available[i].count - coverage.charge[i].cost.count;
    // A second grant of this size costs no more than twice the first: see price.hh, "pieces".
    is_ample = is_ample || (rule.step_count <= 1 && rule.functions == 0 && !has_limit(rule) &&
                            coverage.charge[i].cost.is_positive() &&
                            left[i].count / 2 > coverage.charge[i].cost.count);
  }
  if (is_ample) return false;
  return !rating::cover(rule, {.so_far = coverage.after,
                               .wanted = granule,
                               .available = std::span(left).first(rule.source_count),
                               .granule = granule})
              .covered.is_positive();
}

// Where a grant begins: a grant that is out already has its part of the counters.
rating::UsageSoFar with_pending(const ChargeContext& context, const ChargeService& service,
                                const rating::Rule& rule, rating::UsageSoFar so_far,
                                const Quota& quota) {
  so_far = with_counters(context, service, rule, so_far);
  const i64 pending = so_far.by_money.count - quota.used_by_money.count;
  if (pending > 0 && !add(so_far.counted, Quantity{pending}, so_far.counted)) {
    so_far.counted = Quantity::max();
  }
  return so_far;
}

// Each session has its own: those that began together do not report together. It stays the same, or
// every second deadline would come nearer than the one before and cost a new place in the wheel.
u32 jitter_of(const ChargeContext& context, u32 validity_s) {
  const u64 range = u64{validity_s} * context.policy.validity_jitter_percent / 100;
  if (range == 0) return 0;
  return static_cast<u32>(mix64(context.session_hash) % (range + 1));
}

// Validity of a grant: the rule's, but no longer than the buckets live that it leans on; then what
// follows is paid by others; and no longer than the time band, so that the client reports at its
// edge.
u32 validity_of(const ChargeContext& context, const ServiceRule& found, const Quota& quota) {
  const rating::Rule& rule = *found.rule;
  u32 validity_s = rule.grant.validity_seconds;
  const Second now = context.op.now_second();
  for (u32 i = 0; i < quota.hold_count; ++i) {
    const Second end = context.shard.bucket(quota.hold_bucket[i]).expires_s;
    if (end <= now) continue;
    if (validity_s == 0 || end - now < validity_s) validity_s = end - now;
  }
  validity_s -= jitter_of(context, validity_s);
  if (found.until == Instant::never()) return validity_s;
  const i64 edge_s = (found.until - context.op.now()).whole_seconds() + 1;
  return validity_s == 0 || edge_s < validity_s ? static_cast<u32>(edge_s) : validity_s;
}

// The source that pays alone, in the rule's own money, or none: what lies before it is empty.
constexpr u32 no_source = rating::sources_max;
u32 only_money(const rating::Rule& rule, const Payers& payers) {
  for (u32 i = 0; i < rule.source_count; ++i) {
    if (rule.source[i].unit == rule.currency) return i;
    if (payers.available[i].is_positive()) break;
  }
  return no_source;
}

// How much is to be granted, or why nothing is.
Outcome find_wish(const ServiceRule& found, const ChargeService& service, Quantity& wanted) {
  if (found.outcome != Outcome::ok) return found.outcome;
  const rating::Rule& rule = *found.rule;
  Quantity asked;
  if (service.wanted == Wanted::units && !asked_quantity(rule, service, asked)) {
    return Outcome::unit_mismatch;
  }
  wanted = rating::grant_size(rule.grant, asked);
  if (wanted.is_zero()) wanted = default_size(rule.meter);
  // Of money nobody knows how much.
  return wanted.is_positive() ? Outcome::ok : Outcome::unit_mismatch;
}

}  // namespace

bool grant_pooled(const ChargeContext& context, const ServiceRule& found,
                  const ChargeService& service, rating::UsageSoFar& so_far, Quota& quota,
                  ledger::ServiceAnswer& answer) {
  Quantity wanted;
  const bool is_part = (service.flags & ledger::service_flag::is_multiple_services) != 0;
  if (!is_part || find_wish(found, service, wanted) != Outcome::ok) return false;
  const rating::Rule& rule = *found.rule;
  const bool is_member = quota.pool == rule.currency;
  if (!is_member && (quota.pool != Unit::none || quota.hold_count != 0)) return false;
  Multiplier multiplier;
  if (!find_multiplier(rule, multiplier)) return false;
  const Payers payers = find_payers(context, rule, ledger::holds_per_quota_max - quota.hold_count);
  const u32 source = only_money(rule, payers);
  if (source == no_source) return false;
  Amount left;
  for (u32 i = 0; i < quota.hold_count; ++i) left.count += quota.hold_amount[i].count;
  const Quantity granule{rule.meter == rating::Meter::time ? ms_per_second : 1};
  const Quantity granted = is_member ? pool_grant_size(rule, wanted, left, granule) : wanted;
  Amount cost;
  if (!pool_cost(rule, granted, cost)) return false;
  if (!is_member && !add(cost, rounding_reserve(rule), cost)) return false;
  if (payers.available[source] < cost) return false;
  const rating::UsageSoFar from = with_pending(context, service, rule, so_far, quota);
  Quantity sum;
  if (!add(from.by_money, granted, sum)) return false;
  rating::Coverage coverage{.covered = granted, .missing = {}, .after = from};
  coverage.after.by_money = sum;
  coverage.charge[source] = {.covered = granted, .cost = cost};
  if (is_used_up(rule, payers, coverage, granule)) return false;
  const Outcome held = hold_coverage(context, rule, payers, coverage, quota);
  check(held == Outcome::ok, "what is free can be held");
  quota.pool = rule.currency;
  quota.kind = kind_of(rule);
  so_far = coverage.after;
  add_granted(granted, quota);
  describe_grant(rule, granted, validity_of(context, found, quota), answer);
  answer.flags |= ledger::service_flag::is_pooled;
  put_multiplier(multiplier, answer);
  return true;
}

void grant(const ChargeContext& context, const ServiceRule& found, const ChargeService& service,
           rating::UsageSoFar& so_far, Quota& quota, ledger::ServiceAnswer& answer) {
  Quantity wanted;
  answer.outcome = find_wish(found, service, wanted);
  if (answer.outcome != Outcome::ok) return;
  const rating::Rule& rule = *found.rule;
  quota.kind = kind_of(rule);
  if (quota.pool != Unit::none) [[unlikely]] {
    if (quota.granted.is_positive()) {
      answer.outcome = Outcome::credit_limit_reached;  // beside the grant that this answer has
      return;
    }
    leave_pool(context, quota);
  }
  if (rule.verdict == rating::Verdict::free) {
    answer.flags |= ledger::service_flag::is_free;
    add_granted(wanted, quota);
    describe_grant(rule, wanted, validity_of(context, found, quota), answer);
    return;
  }
  u32 counter = 0;
  if (!find_limit_counter(context, rule, counter)) {
    answer.outcome = Outcome::too_busy;
    return;
  }
  const Payers payers = find_payers(context, rule, payers_left(quota, counter));
  so_far = with_pending(context, service, rule, so_far, quota);
  add_held(context, rule, so_far);
  const Quantity granule{rule.meter == rating::Meter::time ? ms_per_second : 1};
  const rating::Coverage coverage =
      rating::cover(rule, {.so_far = so_far,
                           .wanted = wanted,
                           .available = std::span(payers.available).first(rule.source_count),
                           .granule = granule});
  if (!coverage.covered.is_positive()) {
    answer.outcome = Outcome::credit_limit_reached;
    return;
  }
  rating::Coverage held = coverage;
  ServiceRule valid = found;
  TariffChange change;
  if (coverage.missing.is_zero() && may_span_change(context, found, service, change)) {
    rating::Coverage both;
    const rating::Wish wish{.so_far = so_far,
                            .wanted = wanted,
                            .available = std::span(payers.available).first(rule.source_count)};
    if (cover_both(rule, *change.after, wish, both) && !is_used_up(rule, payers, both, granule)) {
      held = both;
      valid.until = change.until;
      answer.flags |= ledger::service_flag::has_tariff_change;
    }
  }
  answer.outcome = hold_in_counter(context, rule, counter, held, quota);
  if (answer.outcome != Outcome::ok) return;
  answer.outcome = hold_coverage(context, rule, payers, held, quota);
  check(answer.outcome == Outcome::ok, "what is free can be held");
  so_far = coverage.after;
  add_granted(coverage.covered, quota);
  describe_grant(rule, coverage.covered, validity_of(context, valid, quota), answer);
  if (payers.is_cut) return;
  if (coverage.missing.is_positive() || is_used_up(rule, payers, held, granule)) {
    answer.final_action = final_action_of(rule.grant.final_action);
    if (has_text(answer.final_action)) answer.text = rule.redirect;
    answer.threshold = 0;  // it is the last: there is nothing to ask for early
  }
}

}  // namespace tollgate::app
