// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/translate.hh"

#include <algorithm>

#include "base/check.hh"

namespace tollgate::app {
namespace {

using diameter::AnswerMscc;
using diameter::ResultCode;
using ledger::Outcome;

constexpr i32 money_exponent = -6;  // millionths
constexpr i64 ms_per_second = 1000;
constexpr u32 currency_code_max = 999;  // ISO 4217 has three digits

// digits * 10^exponent in millionths. False if it does not fit, or is finer than a millionth.
bool money_of(const diameter::MoneyValue& value, Money& money) {
  i64 micros = value.digits;
  i64 steps = i64{value.exponent} - money_exponent;
  for (; steps > 0 && micros != 0; --steps) {
    if (__builtin_mul_overflow(micros, i64{10}, &micros)) return false;
  }
  for (; steps < 0 && micros != 0; ++steps) {
    if (micros % 10 != 0) return false;
    micros /= 10;
  }
  money = {micros};
  return true;
}

bool add_count(u64 more, i64& sum) {
  return more <= static_cast<u64>(INT64_MAX) &&
         !__builtin_add_overflow(sum, static_cast<i64>(more), &sum);
}

static_assert(unit_bit::time == diameter::unit_time);
static_assert(unit_bit::total_octets == diameter::unit_total_octets);
static_assert(unit_bit::input_octets == diameter::unit_input_octets);
static_assert(unit_bit::output_octets == diameter::unit_output_octets);
static_assert(unit_bit::specific == diameter::unit_service_specific);
static_assert(unit_bit::money == diameter::unit_money);

// Adds what a Requested- or Used-Service-Unit holds.
bool add_units(const diameter::Units& from, u8& kinds, ServiceUnits& units, Unit& money_unit) {
  kinds |= from.kinds;
  if (from.has(diameter::unit_time) &&
      __builtin_add_overflow(units.time_s, from.time_s, &units.time_s)) {
    return false;
  }
  if (from.has(diameter::unit_total_octets) && !add_count(from.total_octets, units.total_octets)) {
    return false;
  }
  if (from.has(diameter::unit_input_octets) && !add_count(from.input_octets, units.input_octets)) {
    return false;
  }
  if (from.has(diameter::unit_output_octets) &&
      !add_count(from.output_octets, units.output_octets)) {
    return false;
  }
  if (from.has(diameter::unit_service_specific) &&
      !add_count(from.service_specific, units.specific)) {
    return false;
  }
  if (!from.has(diameter::unit_money)) return true;
  Money money;
  if (!money_of(from.money, money) || !add(units.money, money, units.money)) return false;
  if (from.money.currency_code == 0) return true;
  // A number that is no currency must not become the unit of something else; two do not add up.
  if (from.money.currency_code > currency_code_max) return false;
  const Unit unit = tollgate::money_unit(from.money.currency_code);
  if (money_unit != Unit::none && money_unit != unit) return false;
  money_unit = unit;
  return true;
}

Wanted wanted_of(diameter::Requested requested) {
  switch (requested) {
    case diameter::Requested::absent:
      return Wanted::nothing;
    case diameter::Requested::empty:
      return Wanted::anything;
    case diameter::Requested::units:
      return Wanted::units;
  }
  return Wanted::nothing;
}

bool write_service(const diameter::Units& asked, std::span<const diameter::UsedUnits> reports,
                   ChargeService& service) {
  if (!add_units(asked, service.asked_kinds, service.asked, service.money_unit)) return false;
  for (const diameter::UsedUnits& report : reports) {
    if (!add_units(report.units, service.used_kinds, service.used, service.money_unit)) {
      return false;
    }
    if (report.reason == diameter::ReportingReason::final_report) service.is_final_report = 1;
  }
  return true;
}

bool has_command_level(const diameter::CreditControlRequest& request) {
  return request.requested != diameter::Requested::absent || request.used_count != 0 ||
         request.type == diameter::RequestType::event;
}

diameter::Units units_of(const ledger::ServiceAnswer& answer, Unit currency) {
  diameter::Units units;
  if (!answer.has_grant) return units;
  switch (answer.kind) {
    case ledger::UnitKind::octets:
      units.kinds = diameter::unit_total_octets;
      units.total_octets = static_cast<u64>(answer.granted.count);
      break;
    case ledger::UnitKind::time:
      units.kinds = diameter::unit_time;
      units.time_s =
          static_cast<u32>(std::min(answer.granted.count / ms_per_second, i64{UINT32_MAX}));
      break;
    case ledger::UnitKind::events:
      units.kinds = diameter::unit_service_specific;
      units.service_specific = static_cast<u64>(answer.granted.count);
      break;
    case ledger::UnitKind::money:
      units.kinds = diameter::unit_money;
      units.money = {.digits = answer.granted.count,
                     .exponent = money_exponent,
                     .currency_code = currency == Unit::none ? 0 : currency_code(currency)};
      break;
    case ledger::UnitKind::none:
      break;
  }
  return units;
}

diameter::FinalUnit final_unit_of(const ledger::ServiceAnswer& answer, const rating::Image& image) {
  diameter::FinalUnit final_unit;
  switch (answer.final_action) {
    case ledger::FinalAction::none:
      break;
    case ledger::FinalAction::terminate:
      final_unit.action = diameter::FinalUnitAction::terminate;
      break;
    case ledger::FinalAction::redirect:
      final_unit.action = diameter::FinalUnitAction::redirect;
      final_unit.redirect_address = image.redirect(answer.text);
      // A SIP URI is a redirect of its own type (RFC 8506 8.38); a lost text ends the service.
      if (final_unit.redirect_address.starts_with("sip")) {
        final_unit.redirect_type = diameter::RedirectAddressType::sip_uri;
      }
      if (final_unit.redirect_address.empty()) {
        final_unit.action = diameter::FinalUnitAction::terminate;
      }
      break;
    case ledger::FinalAction::restrict_access:
      final_unit.action = diameter::FinalUnitAction::restrict_access;
      final_unit.restriction_filter = "deny out ip from any to any";
      break;
  }
  return final_unit;
}

AnswerMscc mscc_of(const ledger::ServiceAnswer& answer, Unit currency, const rating::Image& image) {
  AnswerMscc mscc;
  mscc.granted = units_of(answer, currency);
  if ((answer.flags & ledger::service_flag::has_service_identifier) != 0) {
    mscc.service_identifiers = {&answer.service_identifier, 1};
  }
  if ((answer.flags & ledger::service_flag::has_rating_group) != 0) {
    mscc.rating_group = answer.rating_group;
  }
  mscc.result_code = result_code_of(answer.outcome);
  if (!answer.has_grant) return mscc;
  if (answer.validity_s != 0) mscc.validity_time_s = answer.validity_s;
  mscc.final_unit = final_unit_of(answer, image);
  if (answer.threshold == 0) return mscc;
  if (answer.kind == ledger::UnitKind::octets) {
    mscc.volume_quota_threshold_octets = answer.threshold;
  } else if (answer.kind == ledger::UnitKind::time) {
    mscc.time_quota_threshold_s = answer.threshold;
  } else if (answer.kind == ledger::UnitKind::events) {
    mscc.unit_quota_threshold = answer.threshold;
  }
  return mscc;
}

// Whether all that was asked about can be paid. What cannot even be priced is told as such.
Outcome balance_outcome(const AnswerFrame& frame) {
  Outcome outcome = frame.answer.outcome;
  for (u32 i = 0; i < frame.answer.service_count; ++i) {
    const Outcome of_service = frame.service(i).outcome;
    if (of_service == Outcome::ok) continue;
    if (outcome == Outcome::ok || outcome == Outcome::credit_limit_reached) outcome = of_service;
  }
  return outcome;
}

// Without MSCC the one service's outcome is that of the whole.
Outcome whole_outcome(const ledger::Answer& answer) {
  if (answer.outcome != Outcome::ok || answer.service_count == 0) return answer.outcome;
  const bool is_part = (answer.first.flags & ledger::service_flag::is_multiple_services) != 0;
  return is_part ? Outcome::ok : answer.first.outcome;
}

}  // namespace

ResultCode result_code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return ResultCode::success;
    case Outcome::too_busy:
      return ResultCode::too_busy;
    case Outcome::session_id_too_long:
      return ResultCode::invalid_avp_value;
    case Outcome::too_many_quotas:
      return ResultCode::resources_exceeded;
    case Outcome::account_unknown:
      return ResultCode::user_unknown;
    case Outcome::session_unknown:
    case Outcome::session_closed:
      return ResultCode::unknown_session_id;
    case Outcome::session_forgotten:
      return ResultCode::unable_to_comply;
    case Outcome::account_inactive:
    case Outcome::account_suspended:
    case Outcome::account_expired:
    case Outcome::service_barred:
      return ResultCode::end_user_service_denied;
    case Outcome::rating_failed:
    case Outcome::unit_mismatch:
    case Outcome::amount_invalid:
    case Outcome::amount_overflow:
      return ResultCode::rating_failed;
    case Outcome::credit_limit_reached:
      return ResultCode::credit_limit_reached;
    case Outcome::free_of_charge:
      return ResultCode::credit_control_not_applicable;
    case Outcome::bucket_unknown:
      return ResultCode::credit_limit_reached;
    case Outcome::account_exists:
    case Outcome::identity_taken:
    case Outcome::account_has_sessions:
    case Outcome::too_many_identities:
    case Outcome::other_shard:
      break;  // of commands: no request ends so
  }
  return ResultCode::unable_to_comply;
}

u32 service_count_of(const diameter::CreditControlRequest& request) {
  if (request.mscc_count != 0) return request.mscc_count;
  return has_command_level(request) ? 1 : 0;
}

Outcome write_services(const diameter::CreditControlRequest& request,
                       std::span<ChargeService> services) {
  check(services.size() == service_count_of(request), "there is a place for each service");
  u32 number = 0;
  for (const diameter::RequestMscc& mscc : request.mscc()) {
    ChargeService& service = services[number++];
    service = {};
    service.flags = ledger::service_flag::is_multiple_services;
    if (mscc.rating_group) {
      service.rating_group = *mscc.rating_group;
      service.flags |= ledger::service_flag::has_rating_group;
    }
    if (mscc.service_identifier_count != 0) {
      service.service_identifier = request.service_identifiers_of(mscc)[0];
      service.flags |= ledger::service_flag::has_service_identifier;
    }
    service.wanted = wanted_of(mscc.requested);
    if (mscc.reason == diameter::ReportingReason::final_report) service.is_final_report = 1;
    if (!write_service(mscc.requested_units, request.used_of(mscc), service)) {
      return Outcome::amount_overflow;
    }
  }
  if (number != 0 || services.empty()) return Outcome::ok;
  ChargeService& service = services[0];
  service = {};
  if (request.service_identifier) {
    service.service_identifier = *request.service_identifier;
    service.flags |= ledger::service_flag::has_service_identifier;
  }
  service.wanted = wanted_of(request.requested);
  return write_service(request.requested_units, request.used(), service) ? Outcome::ok
                                                                         : Outcome::amount_overflow;
}

u32 identity_keys(const diameter::CreditControlRequest& request,
                  std::array<ledger::IdentityKey, identity_keys_max>& keys) {
  u32 count = 0;
  const auto keep = [&](ledger::IdentityKey key) {
    if (!key.is_none() && count < identity_keys_max) keys[count++] = key;
  };
  for (const diameter::SubscriptionId& id : request.subscription_ids()) {
    if (id.type == diameter::SubscriptionIdType::e164) {
      keep(number_key(ledger::IdentityType::msisdn, as_text(id.data)));
    } else if (id.type == diameter::SubscriptionIdType::imsi) {
      keep(number_key(ledger::IdentityType::imsi, as_text(id.data)));
    }
  }
  for (const diameter::SubscriptionId& id : request.subscription_ids()) {
    if (id.type == diameter::SubscriptionIdType::sip_uri) {
      keep(ledger::uri_key(as_text(id.data)));
    } else if (id.type == diameter::SubscriptionIdType::nai) {
      keep(text_key(ledger::IdentityType::nai, as_text(id.data)));
    } else if (id.type == diameter::SubscriptionIdType::private_id) {
      keep(text_key(ledger::IdentityType::private_id, as_text(id.data)));
    }
  }
  return count;
}

std::size_t encode_charge_answer(const AnswerParts& parts, AnswerScratch& scratch, MutableBytes out,
                                 ResultCode& code) {
  const KeptRequest& kept = parts.kept;
  const ledger::Answer& stored = parts.frame.answer;
  diameter::CreditControlAnswer answer;
  answer.hop_by_hop = kept.hop_by_hop;
  answer.end_to_end = kept.end_to_end;
  answer.is_proxiable = kept.is_proxiable;
  answer.session_id = kept.session_id;
  answer.origin = &parts.origin;
  answer.type = static_cast<diameter::RequestType>(kept.kind);
  answer.number = kept.number;
  answer.proxy_info = kept.proxy_info;
  answer.result_code = result_code_of(whole_outcome(stored));
  code = answer.result_code;
  if ((stored.flags & ledger::answer_flag::check_balance) != 0) {
    const Outcome outcome = balance_outcome(parts.frame);
    if (outcome == Outcome::ok) {
      answer.check_balance = diameter::CheckBalanceResult::enough_credit;
    } else if (outcome == Outcome::credit_limit_reached) {
      answer.check_balance = diameter::CheckBalanceResult::no_credit;
    }
    const bool is_told = answer.check_balance != diameter::CheckBalanceResult::none;
    answer.result_code = is_told ? ResultCode::success : result_code_of(outcome);
    code = answer.result_code;
  } else if (diameter::is_success(code)) {
    const bool is_part = (stored.first.flags & ledger::service_flag::is_multiple_services) != 0;
    if (stored.service_count != 0 && is_part) {
      for (u32 i = 0; i < stored.service_count; ++i) {
        scratch[i] = mscc_of(parts.frame.service(i), stored.cost_unit, parts.image);
      }
      answer.mscc = {scratch.data(), stored.service_count};
    } else if (stored.service_count != 0) {
      answer.granted = units_of(stored.first, stored.cost_unit);
      if (stored.first.validity_s != 0) answer.validity_time_s = stored.first.validity_s;
      answer.final_unit = final_unit_of(stored.first, parts.image);
    }
    if (is_money(stored.cost_unit)) {
      answer.cost = {.digits = stored.cost.count,
                     .exponent = money_exponent,
                     .currency_code = currency_code(stored.cost_unit)};
    }
  }
  return diameter::encode_answer(answer, out);
}

}  // namespace tollgate::app
