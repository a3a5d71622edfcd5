// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/quota.hh"

#include <algorithm>
#include <limits>

#include "app/account_counters.hh"
#include "app/payers.hh"
#include "app/purse.hh"
#include "app/quota_pool.hh"
#include "app/tariff_change.hh"
#include "base/check.hh"
#include "base/hash.hh"
#include "rating/stretch.hh"

namespace tollgate::app {
namespace {

using ledger::Bucket;
using ledger::Outcome;
using ledger::Pool;
using ledger::Quota;
using ledger::Second;
using ledger::UnitKind;

// What is granted when neither the client nor the tariff says how much.
constexpr i64 octets_default = 10 << 20;
constexpr i64 milliseconds_default = 600'000;
constexpr i64 events_default = 1;

constexpr i64 ms_per_second = 1000;

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

// Counts for charging data: at the end of their range they stay there.
template <class Count>
void count_up(Count& sum, i64 more) {
  Count next{};
  sum = __builtin_add_overflow(sum, more, &next) ? std::numeric_limits<Count>::max() : next;
}

// The value of `units` in the unit of the meter. Totals win over their parts (interop: some clients
// send all three, some only the parts).
bool quantity_in(rating::Meter meter, u8 kinds, const ServiceUnits& units, Quantity& quantity) {
  switch (meter) {
    case rating::Meter::volume:
      if ((kinds & unit_bit::total_octets) != 0) {
        quantity.count = units.total_octets;
        return true;
      }
      if ((kinds & (unit_bit::input_octets | unit_bit::output_octets)) == 0) return false;
      return !__builtin_add_overflow(units.input_octets, units.output_octets, &quantity.count);
    case rating::Meter::time:
      quantity.count = i64{units.time_s} * ms_per_second;
      return (kinds & unit_bit::time) != 0;
    case rating::Meter::events:
      quantity.count = units.specific;
      return (kinds & unit_bit::specific) != 0;
    case rating::Meter::money:
      quantity.count = units.money.count;
      return (kinds & unit_bit::money) != 0;
    case rating::Meter::upload:
      quantity.count = units.input_octets;
      return (kinds & unit_bit::input_octets) != 0;
    case rating::Meter::download:
      quantity.count = units.output_octets;
      return (kinds & unit_bit::output_octets) != 0;
  }
  return false;
}

// Money is only understood in the currency of the rule, or without one.
bool is_currency_of(const rating::Rule& rule, const ChargeService& service) {
  if (rule.meter != rating::Meter::money) return true;
  return service.money_unit == Unit::none || service.money_unit == rule.currency;
}

// Adds a charge to what the quota remembers of the session.
void remember_cost(const rating::Rule& rule, const rating::PaymentSource& source, Amount cost,
                   Quota& quota) {
  if (!source.is_money()) return;
  quota.cost_unit = rule.currency;
  Money sum;
  if (add(quota.cost, Money{cost.count}, sum)) quota.cost = sum;
}

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

// What costs nothing stands in the charging record all the same; money did not pay for it, so it
// joins what allowances paid for.
Outcome remember_free(Quantity used, Quota& quota) {
  Quantity sum;
  if (!add(quota.used_by_allowance, used, sum)) return Outcome::amount_overflow;
  quota.used_by_allowance = sum;
  return Outcome::ok;
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

bool is_service(const Quota& quota, const ChargeService& service) {
  constexpr u8 key_flags =
      ledger::service_flag::has_rating_group | ledger::service_flag::has_service_identifier;
  return quota.rating_group == service.rating_group &&
         quota.service_identifier == service.service_identifier &&
         (quota.flags & key_flags) == (service.flags & key_flags);
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

rating::Coverage cover_at_once(const ChargeContext& context, const ChargeService& service,
                               const rating::Rule& rule, const Payers& payers, Quantity quantity) {
  rating::UsageSoFar so_far = with_counters(context, service, rule, {});
  add_held(context, rule, so_far);
  return rating::cover(rule, {.so_far = so_far,
                              .wanted = quantity,
                              .available = std::span(payers.available).first(rule.source_count)});
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

}  // namespace

void add_hold(u32 bucket, Amount amount, Quota& quota) {
  for (u32 i = 0; i < quota.hold_count; ++i) {
    if (quota.hold_bucket[i] != bucket) continue;
    quota.hold_amount[i].count += amount.count;  // it fitted the bucket's sum
    return;
  }
  check(quota.hold_count < ledger::holds_per_quota_max, "payers were bounded");
  quota.hold_bucket[quota.hold_count] = bucket;
  quota.hold_amount[quota.hold_count] = amount;
  ++quota.hold_count;
}

UnitKind kind_of(const rating::Rule& rule) {
  switch (rule.meter) {
    case rating::Meter::volume:
      return UnitKind::octets;
    case rating::Meter::time:
      return UnitKind::time;
    case rating::Meter::events:
      return UnitKind::events;
    case rating::Meter::money:
      return UnitKind::money;
    case rating::Meter::upload:
      return UnitKind::input_octets;
    case rating::Meter::download:
      return UnitKind::output_octets;
  }
  return UnitKind::none;
}

rating::RuleKey key_of(const ChargeContext& context, const ChargeService& service) {
  const bool is_apart = (service.priced_flags & ChargeService::is_priced_apart) != 0;
  const u8 flags = is_apart ? service.priced_flags : service.flags;
  const u32 group = is_apart ? service.priced_group : service.rating_group;
  const u32 identifier = is_apart ? service.priced_identifier : service.service_identifier;
  const bool has_group = (flags & ledger::service_flag::has_rating_group) != 0;
  const bool has_identifier = (flags & ledger::service_flag::has_service_identifier) != 0;
  return {.plan = context.account().plan,
          .context = context.service_context,
          .rating_group = has_group ? group : rating::RuleKey::absent,
          .service_identifier = has_identifier ? identifier : rating::RuleKey::absent,
          .origin = context.numbers.calling(),
          .destination = context.numbers.destination,
          .network = rating::long_number(context.numbers.network),
          .zone = context.numbers.zone,
          .products = context.account().products,
          .direction = rating::direction_of(context.numbers.way()),
          .location = rating::location_of(context.numbers.way())};
}

ServiceRule find_rule(const ChargeContext& context, const ChargeService& service) {
  rating::Match match;
  if (context.image.find(key_of(context, service), context.op.now(), match) !=
      rating::Found::rule) {
    return {.outcome = Outcome::rating_failed};
  }
  ServiceRule found{.rule = match.rule, .since = match.since, .until = match.until};
  if (found.rule->verdict == rating::Verdict::barred) {
    found.outcome = Outcome::service_barred;
  } else if (found.rule->verdict == rating::Verdict::charged &&
             context.account().state == ledger::AccountState::one_way) {
    found.outcome = Outcome::account_one_way;
  }
  return found;
}

bool used_quantity(const rating::Rule& rule, const ChargeService& service, Quantity& quantity) {
  return is_currency_of(rule, service) &&
         quantity_in(rule.meter, service.used_kinds, service.used, quantity);
}

bool asked_quantity(const rating::Rule& rule, const ChargeService& service, Quantity& quantity) {
  return is_currency_of(rule, service) &&
         quantity_in(rule.meter, service.asked_kinds, service.asked, quantity);
}

QuotaPlace find_quota(const ChargeContext& context, u32 session_index,
                      const ChargeService& service) {
  ledger::Session& session = context.shard.session(session_index);
  if (session.quota_count == 0) return {};
  if (is_service(session.quota, service)) return {&session.quota, Pool::session, session_index};
  for (u32 at = session.first_extension; at != 0;) {
    Quota& quota = context.shard.extension(at).quota;
    if (is_service(quota, service)) return {&quota, Pool::extension, at};
    at = quota.next;
  }
  return {};
}

QuotaPlace add_quota(const ChargeContext& context, u32 session_index,
                     const ChargeService& service) {
  ledger::Session& session = context.shard.session(session_index);
  if (session.quota_count >= ledger::quotas_per_session_max) return {};
  QuotaPlace place{&session.quota, Pool::session, session_index};
  u32 next = 0;
  if (session.quota_count != 0) {
    place.index = context.shard.take_extension();
    if (place.index == 0) return {};
    ledger::Extension& extension = context.shard.extension(place.index);
    context.op.change_all(extension, Pool::extension, place.index);
    extension.use = ledger::Extension::Use::quota;
    place.quota = &extension.quota;
    place.pool = Pool::extension;
    next = session.first_extension;
    session.first_extension = place.index;
  } else {
    change_quota(context, place);
  }
  *place.quota = Quota{};
  place.quota->rating_group = service.rating_group;
  place.quota->service_identifier = service.service_identifier;
  place.quota->flags = service.flags;
  place.quota->next = next;
  ++session.quota_count;
  return place;
}

void change_quota(const ChargeContext& context, const QuotaPlace& place) {
  constexpr u32 in_session = offsetof(ledger::Session, quota) / 8;
  constexpr u32 in_extension = offsetof(ledger::Extension, quota) / 8;
  constexpr u32 word_count = sizeof(Quota) / 8;
  if (place.pool == Pool::session) {
    context.op.change(context.shard.session(place.index), {.pool = Pool::session,
                                                           .index = place.index,
                                                           .at_word = in_session,
                                                           .word_count = word_count});
  } else {
    context.op.change(context.shard.extension(place.index), {.pool = Pool::extension,
                                                             .index = place.index,
                                                             .at_word = in_extension,
                                                             .word_count = word_count});
  }
}

void release_holds(const ChargeContext& context, Quota& quota) {
  for (u32 i = 0; i < quota.hold_count; ++i) {
    const Outcome outcome = release_in(context, quota.hold_bucket[i], quota.hold_amount[i]);
    check(outcome == Outcome::ok, "what was held fits back");
    quota.hold_bucket[i] = 0;
    quota.hold_amount[i] = {};
  }
  quota.hold_count = 0;
  quota.granted = {};
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

namespace {

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
