// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// From the ledger's answer to the client's: what its profile lets it understand.

#include <algorithm>

#include "app/quota_pool.hh"
#include "app/translate.hh"
#include "base/check.hh"
#include "diameter/avp_ids.hh"

namespace tollgate::app {
namespace {

using diameter::AnswerMscc;
using diameter::ResultCode;
using ledger::Outcome;
using ledger::ServiceAnswer;

constexpr i32 money_exponent = -6;  // millionths
constexpr i64 ms_per_second = 1000;

bool is_free(const ServiceAnswer& answer) {
  return (answer.flags & ledger::service_flag::is_free) != 0;
}

diameter::MoneyValue money_value(i64 count, Unit currency) {
  return {.digits = count,
          .exponent = money_exponent,
          .currency_code = is_money(currency) ? currency_code(currency) : 0};
}

diameter::Units units_of(const ServiceAnswer& answer, Unit currency, const Profile& profile) {
  diameter::Units units;
  if (!answer.has_grant) return units;
  i64 count = answer.granted.count;
  switch (answer.kind) {
    case ledger::UnitKind::octets:
      if (is_free(answer)) count = std::max(count, profile.free_octets_least);
      units.kinds = diameter::unit_total_octets;
      units.total_octets = static_cast<u64>(count);
      break;
    case ledger::UnitKind::input_octets:
      if (is_free(answer)) count = std::max(count, profile.free_octets_least);
      units.kinds = diameter::unit_input_octets;
      units.input_octets = static_cast<u64>(count);
      break;
    case ledger::UnitKind::output_octets:
      if (is_free(answer)) count = std::max(count, profile.free_octets_least);
      units.kinds = diameter::unit_output_octets;
      units.output_octets = static_cast<u64>(count);
      break;
    case ledger::UnitKind::time:
      if (is_free(answer)) {
        count = std::max(count, i64{profile.free_seconds_least} * ms_per_second);
      }
      units.kinds = diameter::unit_time;
      units.time_s = static_cast<u32>(std::min(count / ms_per_second, i64{UINT32_MAX}));
      break;
    case ledger::UnitKind::events:
      units.kinds = diameter::unit_service_specific;
      units.service_specific = static_cast<u64>(count);
      break;
    case ledger::UnitKind::money:
      units.kinds = diameter::unit_money;
      units.money = money_value(count, currency);
      break;
    case ledger::UnitKind::none:
      break;
  }
  return units;
}

// What the client does at the end, as far as it understands it: terminating is what all can.
diameter::FinalUnit final_unit_of(const ServiceAnswer& answer, const rating::Image& image,
                                  Profile::FinalUnits understood) {
  using FinalUnits = Profile::FinalUnits;
  diameter::FinalUnit final_unit;
  if (answer.final_action == ledger::FinalAction::none || understood == FinalUnits::none) {
    return final_unit;
  }
  final_unit.action = diameter::FinalUnitAction::terminate;
  if (understood == FinalUnits::terminate) return final_unit;
  if (answer.final_action == ledger::FinalAction::redirect) {
    const std::string_view address = image.redirect(answer.text);
    // A SIP URI is a redirect of its own type (RFC 8506 8.38); a lost text ends the service.
    const bool is_sip = address.starts_with("sip");
    if (address.empty() || (understood == FinalUnits::sip_redirect && !is_sip)) return final_unit;
    final_unit.action = diameter::FinalUnitAction::redirect;
    final_unit.redirect_address = address;
    if (is_sip) final_unit.redirect_type = diameter::RedirectAddressType::sip_uri;
  } else if (answer.final_action == ledger::FinalAction::restrict_to_filter &&
             understood == FinalUnits::all) {
    const std::string_view filter = image.redirect(answer.text);
    if (filter.empty()) return final_unit;
    final_unit.action = diameter::FinalUnitAction::restrict_access;
    final_unit.filter_id = filter;
  } else if (answer.final_action == ledger::FinalAction::restrict_access &&
             understood == FinalUnits::all) {
    final_unit.action = diameter::FinalUnitAction::restrict_access;
    final_unit.restriction_filter = "deny out ip from any to any";
  }
  return final_unit;
}

bool is_given_up(const ServiceAnswer& answer, const Profile& profile) {
  return is_free(answer) && answer.has_grant &&
         profile.free_service == Profile::FreeService::not_applicable;
}

std::optional<diameter::PoolReference> pool_of(const ServiceAnswer& answer, Unit currency) {
  using diameter::UnitType;
  if ((answer.flags & ledger::service_flag::is_pooled) == 0) return {};
  const Multiplier multiplier = multiplier_of(answer);
  diameter::PoolReference pool{.identifier = currency_code(currency)};
  pool.multiplier = {.digits = multiplier.digits, .exponent = multiplier.exponent};
  if (answer.kind == ledger::UnitKind::octets) pool.type = UnitType::total_octets;
  if (answer.kind == ledger::UnitKind::input_octets) pool.type = UnitType::input_octets;
  if (answer.kind == ledger::UnitKind::output_octets) pool.type = UnitType::output_octets;
  if (answer.kind == ledger::UnitKind::events) pool.type = UnitType::service_specific;
  return pool;
}

std::optional<u32> validity_of(const ServiceAnswer& answer, const Profile& profile) {
  if (!answer.has_grant || profile.omits(leave_out::validity_time)) return {};
  if (answer.validity_s != 0) return answer.validity_s;
  if (profile.validity_seconds != 0) return profile.validity_seconds;
  return {};
}

void put_limits(const ServiceAnswer& answer, const Profile& profile, AnswerMscc& mscc) {
  const bool is_pooled = (answer.flags & ledger::service_flag::is_pooled) != 0;
  if (!has_text(answer.final_action) && answer.text != 0 && !is_pooled &&
      !profile.omits(leave_out::quota_holding_time)) {
    mscc.quota_holding_time_s = answer.text;
  }
  if (profile.consumption_seconds != 0 && answer.kind == ledger::UnitKind::time) {
    mscc.quota_consumption_time_s = profile.consumption_seconds;
  }
  if (profile.triggers) {
    mscc.has_trigger = true;
    mscc.trigger_types = *profile.triggers;
  }
  if (answer.threshold == 0 || is_pooled || profile.omits(leave_out::thresholds)) return;
  if (ledger::is_of_octets(answer.kind)) {
    mscc.volume_quota_threshold_octets = answer.threshold;
  } else if (answer.kind == ledger::UnitKind::time) {
    mscc.time_quota_threshold_s = answer.threshold;
  } else if (answer.kind == ledger::UnitKind::events) {
    mscc.unit_quota_threshold = answer.threshold;
  }
}

// All identifiers of the request's MSCC, if it had several; else the one that the answer has.
std::span<const u32> identifiers_of(const KeptRequest& kept, u32 number,
                                    const ServiceAnswer& answer) {
  for (std::span<const u32> left = kept.identifiers; !left.empty();) {
    const u32 count = left[0] & 0xffff;
    if (left[0] >> 16 == number) return left.subspan(1, count);
    left = left.subspan(1 + count);
  }
  if ((answer.flags & ledger::service_flag::has_service_identifier) == 0) return {};
  return {&answer.service_identifier, 1};
}

AnswerMscc mscc_of(const AnswerParts& parts, u32 number) {
  const ServiceAnswer& answer = parts.frame.service(number);
  constexpr u8 group_flags =
      ledger::service_flag::has_rating_group | ledger::service_flag::is_implied_group;
  AnswerMscc mscc;
  mscc.service_identifiers = identifiers_of(parts.kept, number, answer);
  if ((answer.flags & group_flags) == ledger::service_flag::has_rating_group) {
    mscc.rating_group = answer.rating_group;
  }
  mscc.result_code = result_code_of(answer.outcome);
  if (!answer.has_grant) return mscc;
  if (is_given_up(answer, parts.profile)) {
    mscc.result_code = ResultCode::credit_control_not_applicable;
    return mscc;
  }
  mscc.granted = units_of(answer, parts.frame.answer.cost_unit, parts.profile);
  if ((answer.flags & ledger::service_flag::has_tariff_change) != 0) {
    mscc.tariff_time_change = Instant::from_seconds(parts.frame.answer.tariff_change_s);
  }
  mscc.pool = pool_of(answer, parts.frame.answer.cost_unit);
  mscc.validity_time_s = validity_of(answer, parts.profile);
  mscc.final_unit = final_unit_of(answer, parts.image, parts.profile.final_units);
  put_limits(answer, parts.profile, mscc);
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

bool has_parts(const ledger::Answer& answer) {
  return answer.service_count != 0 &&
         (answer.first.flags & ledger::service_flag::is_multiple_services) != 0;
}

// Without MSCC the one service's outcome is that of the whole.
Outcome whole_outcome(const ledger::Answer& answer) {
  if (answer.outcome != Outcome::ok || answer.service_count == 0) return answer.outcome;
  return has_parts(answer) ? Outcome::ok : answer.first.outcome;
}

// What could not be rated: its group, or its identifier, or the group that was not there (RFC 8506
// section 9.2 wants an example of it).
void put_unrated(const ServiceAnswer& answer, diameter::AvpWriter& writer) {
  constexpr u8 group_flags =
      ledger::service_flag::has_rating_group | ledger::service_flag::is_implied_group;
  if ((answer.flags & group_flags) == ledger::service_flag::has_rating_group) {
    writer.put_u32(diameter::avp::rating_group, answer.rating_group);
  } else if ((answer.flags & ledger::service_flag::has_service_identifier) != 0) {
    writer.put_u32(diameter::avp::service_identifier, answer.service_identifier);
  } else {
    writer.put_u32(diameter::avp::rating_group, 0);
  }
}

Bytes failed_avps_of(const AnswerParts& parts, ResultCode code, MutableBytes room) {
  if (parts.profile.omits(leave_out::failed_avp)) return {};
  if (code == ResultCode::user_unknown) return parts.kept.failed_avps;
  // An event that no rule fitted: the net tile has found the AVP before charging.
  if (code == ResultCode::rating_failed && !parts.kept.failed_avps.empty()) {
    return parts.kept.failed_avps;
  }
  diameter::AvpWriter writer(room);
  const ledger::Answer& stored = parts.frame.answer;
  for (u32 i = 0; i < stored.service_count; ++i) {
    if (result_code_of(parts.frame.service(i).outcome) != ResultCode::rating_failed) continue;
    put_unrated(parts.frame.service(i), writer);
  }
  return Bytes(room).first(writer.size_bytes());
}

void put_services(const AnswerParts& parts, AnswerScratch& scratch,
                  diameter::CreditControlAnswer& answer) {
  const ledger::Answer& stored = parts.frame.answer;
  if (has_parts(stored)) {
    for (u32 i = 0; i < stored.service_count; ++i) scratch.mscc[i] = mscc_of(parts, i);
    answer.mscc = {scratch.mscc.data(), stored.service_count};
    return;
  }
  if (stored.service_count == 0) return;
  if (is_given_up(stored.first, parts.profile)) {
    answer.result_code = ResultCode::credit_control_not_applicable;
    return;
  }
  answer.granted = units_of(stored.first, stored.cost_unit, parts.profile);
  answer.validity_time_s = validity_of(stored.first, parts.profile);
  answer.final_unit = final_unit_of(stored.first, parts.image, parts.profile.final_units);
}

void put_money(const AnswerParts& parts, diameter::CreditControlAnswer& answer) {
  const ledger::Answer& stored = parts.frame.answer;
  const Profile& profile = parts.profile;
  const auto has = [&](u16 flag, u32 avp) {
    return (stored.flags & flag) != 0 && !profile.omits(avp);
  };
  if (has(ledger::answer_flag::has_cost, leave_out::cost_information)) {
    answer.cost = money_value(stored.cost.count, stored.cost_unit);
  }
  if (has(ledger::answer_flag::has_advice, leave_out::advice_of_charge)) {
    answer.advice_of_charge = money_value(stored.cost.count, stored.cost_unit);
  }
  if (has(ledger::answer_flag::has_remaining, 0)) {
    answer.remaining_balance = money_value(stored.remaining, stored.cost_unit);
  }
  if (has(ledger::answer_flag::has_low_balance, leave_out::low_balance)) {
    answer.low_balance = (stored.flags & ledger::answer_flag::is_low_balance) != 0;
  }
}

// How the client is to behave when it cannot reach us: told when something begins.
void put_failure_handling(const AnswerParts& parts, diameter::CreditControlAnswer& answer) {
  const Profile& profile = parts.profile;
  if (parts.kept.kind == RequestKind::initial) {
    if (!profile.omits(leave_out::session_failover)) {
      answer.session_failover = profile.session_failover;
    }
    if (!profile.omits(leave_out::failure_handling)) {
      answer.failure_handling = profile.failure_handling;
    }
  } else if (parts.kept.kind == RequestKind::event && !profile.omits(leave_out::failure_handling)) {
    answer.debiting_failure_handling = profile.debiting_failure_handling;
  }
}

void put_check_balance(const AnswerParts& parts, diameter::CreditControlAnswer& answer) {
  const Outcome outcome = balance_outcome(parts.frame);
  if (outcome == Outcome::ok) {
    answer.check_balance = diameter::CheckBalanceResult::enough_credit;
  } else if (outcome == Outcome::credit_limit_reached) {
    answer.check_balance = diameter::CheckBalanceResult::no_credit;
  }
  const bool is_told = answer.check_balance != diameter::CheckBalanceResult::none;
  answer.result_code = is_told ? ResultCode::success : result_code_of(outcome);
}

}  // namespace

const Profile& default_profile() {
  static const Profile profile;
  return profile;
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
  if ((stored.flags & ledger::answer_flag::check_balance) != 0) {
    put_check_balance(parts, answer);
  } else if (diameter::is_success(answer.result_code)) {
    put_services(parts, scratch, answer);
    put_failure_handling(parts, answer);
    put_money(parts, answer);
  }
  if (!diameter::is_protocol_error(answer.result_code)) {
    answer.failed_avps = failed_avps_of(parts, answer.result_code, scratch.failed_avps);
  }
  code = answer.result_code;
  return diameter::encode_answer(answer, out);
}

Bytes encode_unknown_subscriber(ledger::IdentityKey key, MutableBytes room) {
  std::array<char, 20> digits;
  u32 at = digits.size();
  const bool is_number =
      key.type() == ledger::IdentityType::msisdn || key.type() == ledger::IdentityType::imsi;
  u64 value = key.low;
  for (u64 left = is_number ? key.high & 0xff : 0; left != 0 && at != 0; --left) {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  diameter::AvpWriter writer(room);
  u8* const group = writer.open(diameter::avp::subscription_id);
  const u32 type = key.is_none() ? 0 : static_cast<u32>(key.type()) - 1;
  writer.put_u32(diameter::avp::subscription_id_type, type);
  writer.put_text(diameter::avp::subscription_id_data,
                  std::string_view(digits.data(), digits.size()).substr(at));
  writer.close(group);
  return Bytes(room).first(writer.size_bytes());
}

}  // namespace tollgate::app
