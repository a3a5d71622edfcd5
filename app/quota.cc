// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/quota.hh"

#include "app/purse.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Outcome;
using ledger::Pool;
using ledger::Quota;
using ledger::UnitKind;

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

bool is_service(const Quota& quota, const ChargeService& service) {
  constexpr u8 key_flags =
      ledger::service_flag::has_rating_group | ledger::service_flag::has_service_identifier;
  return quota.rating_group == service.rating_group &&
         quota.service_identifier == service.service_identifier &&
         (quota.flags & key_flags) == (service.flags & key_flags);
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

}  // namespace tollgate::app
