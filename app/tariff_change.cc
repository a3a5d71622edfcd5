// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/tariff_change.hh"

#include <algorithm>
#include <cstring>

namespace tollgate::app {
namespace {

constexpr Duration nanosecond{1};

// One price a block, and nothing that looks at the whole session or account.
bool is_plain(const rating::Rule& rule) {
  return rule.verdict == rating::Verdict::charged && rule.step_count == 1 && rule.functions == 0 &&
         (rating::is_of_octets(rule.meter) || rule.meter == rating::Meter::events) &&
         rule.cycle.is_zero() && rule.minimum.is_zero() && rule.cap.is_zero() &&
         rule.usage_counter == 0 && rule.money_counter == 0;
}

// Whether the same buckets pay in the same way.
bool is_paid_alike(const rating::Rule& one, const rating::Rule& other) {
  if (one.currency != other.currency || one.source_count != other.source_count) return false;
  const bool is_own_money = std::ranges::all_of(one.sources(), [&](const auto& source) {
    return !source.is_money() || source.unit == one.currency;
  });
  return is_own_money &&
         std::memcmp(one.source, other.source, one.source_count * sizeof one.source[0]) == 0;
}

// Whether the setup fee is the same on both sides: it is paid on the first that is used.
bool is_set_up_alike(const rating::Rule& one, const rating::Rule& other) {
  if (one.setup_fee != other.setup_fee) return false;
  return one.setup_fee.is_zero() ||
         (one.factor == other.factor && one.factor_by == other.factor_by);
}

// The last moment before now from which on another rule counted than before it.
Instant last_change(const ChargeContext& context, const ChargeService& service) {
  constexpr int edges_max = 8;
  const rating::RuleKey key = key_of(context, service);
  rating::Match match;
  if (context.image.find(key, context.op.now(), match) != rating::Found::rule) {
    return ChargeContext::no_change;
  }
  const rating::Rule* now = match.rule;
  for (int i = 0; i < edges_max && match.since != ChargeContext::no_change; ++i) {
    const Instant edge = match.since;
    const rating::Found found = context.image.find(key, edge - nanosecond, match);
    if (found != rating::Found::rule || match.rule != now) return edge;
  }
  return ChargeContext::no_change;
}

}  // namespace

bool may_span_change(const ChargeContext& context, const ServiceRule& found,
                     const ChargeService& service, TariffChange& change) {
  const bool is_part = (service.flags & ledger::service_flag::is_multiple_services) != 0;
  if (!found.may_tell_change || !is_part || found.until == Instant::never()) return false;
  if (found.until != Instant::from_seconds(found.until.whole_seconds())) return false;
  const rating::Rule& rule = *found.rule;
  const u32 validity_s = rule.grant.validity_seconds;
  if (validity_s != 0 && context.op.now() + Duration::seconds(validity_s) <= found.until) {
    return false;  // the client comes back before it
  }
  rating::Match next;
  if (!is_plain(rule) ||
      context.image.find(key_of(context, service), found.until, next) != rating::Found::rule) {
    return false;
  }
  change = {.after = next.rule, .until = next.until};
  return is_plain(*next.rule) && next.rule->unit == rule.unit && next.rule->meter == rule.meter &&
         is_set_up_alike(rule, *next.rule) && is_paid_alike(rule, *next.rule);
}

bool cover_both(const rating::Rule& before, const rating::Rule& after, const rating::Wish& wish,
                rating::Coverage& held) {
  constexpr i64 blocks = 3;
  constexpr i64 roundings = 2;
  const i64 block = std::max(before.step[0].block.count, after.step[0].block.count);
  rating::Wish wider = wish;
  if (!add(wider.wanted, Quantity{blocks * block}, wider.wanted)) return false;
  const rating::Coverage under_first = rating::cover(before, wider);
  const rating::Coverage under_second = rating::cover(after, wider);
  if (under_first.missing.is_positive() || under_second.missing.is_positive()) return false;
  held = under_first;
  for (u32 i = 0; i < before.source_count; ++i) {
    if (!before.source[i].is_money()) continue;
    if (held.charge[i].cost < under_second.charge[i].cost) held = under_second;
    if (held.charge[i].cost.is_zero()) continue;
    const i64 step = std::max(before.money_step.count, after.money_step.count);
    if (!add(held.charge[i].cost, Amount{roundings * step}, held.charge[i].cost)) return false;
    if (wish.available[i] < held.charge[i].cost) return false;
  }
  return true;
}

Instant told_change(const ledger::Session& session, Instant now) {
  Instant told = ChargeContext::no_change;
  for (const ledger::Answer& answer : session.answers) {
    if ((answer.flags & ledger::answer_flag::has_tariff_change) == 0) continue;
    const Instant at = Instant::from_seconds(answer.tariff_change_s);
    if (at <= now && at > told) told = at;
  }
  return told;
}

Instant begin_of_part(const ChargeContext& context, const ChargeService& service,
                      const rating::Rule& rule, Quantity used) {
  const Instant now = context.op.now();
  const Instant told = context.tariff_change;
  const Instant change = told != ChargeContext::no_change ? told : last_change(context, service);
  if (change == ChargeContext::no_change) return now;
  const bool is_before = (service.priced_flags & ChargeService::is_before_change) != 0;
  if (rule.meter != rating::Meter::time) return is_before ? change - nanosecond : change;
  const Duration length = Duration::milliseconds(used.count);
  return is_before ? change - length : std::max(change, now - length);
}

}  // namespace tollgate::app
