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

constexpr i32 money_exponent = -6;      // millionths
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

// Only of a session is it told when what was used.
bool is_after_change(const diameter::CreditControlRequest& request,
                     const diameter::UsedUnits& report) {
  return report.tariff_change == diameter::TariffChangeUsage::after &&
         (request.type == diameter::RequestType::update ||
          request.type == diameter::RequestType::termination);
}

constexpr u8 octet_parts = unit_bit::input_octets | unit_bit::output_octets;

// Whether input and output count where there is a total beside them.
bool counts_parts(const Profile& profile, u8 kinds) {
  return profile.trusts_parts && (kinds & octet_parts) == octet_parts;
}

// The octets of one report, as it tells them: reports that add up may tell them in several ways.
bool add_octets(const diameter::Units& report, const Profile& profile, i64& sum) {
  const bool has_total = report.has(diameter::unit_total_octets);
  if (has_total && !counts_parts(profile, report.kinds)) {
    return add_count(report.total_octets, sum);
  }
  return (!report.has(diameter::unit_input_octets) || add_count(report.input_octets, sum)) &&
         (!report.has(diameter::unit_output_octets) || add_count(report.output_octets, sum));
}

// The parts that a report does not tell, although it tells of octets: a sum of them is not whole.
u8 missing_parts(const diameter::Units& report) {
  return report.has(diameter::unit_total_octets) ? octet_parts & ~report.kinds : 0;
}

// Adds the reports of one side of a tariff change.
bool add_reports(const diameter::CreditControlRequest& request,
                 std::span<const diameter::UsedUnits> reports, bool is_after,
                 const Profile& profile, ChargeService& service) {
  i64 octets = 0;
  u8 missing = 0;
  for (const diameter::UsedUnits& report : reports) {
    if (is_after_change(request, report) != is_after) continue;
    missing |= missing_parts(report.units);
    if (!add_octets(report.units, profile, octets)) return false;
    if (!add_units(report.units, service.used_kinds, service.used, service.money_unit)) {
      return false;
    }
    if (report.reason == diameter::ReportingReason::final_report) service.is_final_report = 1;
  }
  service.used_kinds &= static_cast<u8>(~missing);
  constexpr u8 all_octets = octet_parts | unit_bit::total_octets;
  if (reports.size() > 1 && (service.used_kinds & all_octets) != 0) {
    service.used.total_octets = octets;
    service.used_kinds |= unit_bit::total_octets;
  } else if (counts_parts(profile, service.used_kinds)) {
    service.used_kinds &= static_cast<u8>(~unit_bit::total_octets);
  }
  return true;
}

bool write_service(const diameter::CreditControlRequest& request, const diameter::Units& asked,
                   std::span<const diameter::UsedUnits> reports, const Profile& profile,
                   ChargeService& service) {
  return add_units(asked, service.asked_kinds, service.asked, service.money_unit) &&
         add_reports(request, reports, false, profile, service);
}

// The reports of each service, in their order.
template <class Visit>
void each_reports(const diameter::CreditControlRequest& request, Visit visit) {
  if (request.mscc_count == 0) return visit(u32{0}, request.used());
  u32 number = 0;
  for (const diameter::RequestMscc& mscc : request.mscc()) visit(number++, request.used_of(mscc));
}

bool has_command_level(const diameter::CreditControlRequest& request) {
  return request.requested != diameter::Requested::absent || request.used_count != 0 ||
         request.type == diameter::RequestType::event;
}

bool is_number(diameter::SubscriptionIdType type) {
  return type == diameter::SubscriptionIdType::e164 || type == diameter::SubscriptionIdType::imsi;
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
    case Outcome::account_one_way:
      return ResultCode::end_user_service_denied;
    case Outcome::rating_failed:
    case Outcome::unit_mismatch:
    case Outcome::amount_invalid:
    case Outcome::amount_overflow:
    case Outcome::refund_too_large:
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
    case Outcome::transfer_pending:
    case Outcome::account_has_members:
    case Outcome::too_many_members:
    case Outcome::too_many_products:
    case Outcome::pool_unknown:
      break;  // of commands: no request ends so
  }
  return ResultCode::unable_to_comply;
}

u32 service_count_of(const diameter::CreditControlRequest& request) {
  if (request.mscc_count != 0) return request.mscc_count;
  return has_command_level(request) ? 1 : 0;
}

Outcome write_services(const diameter::CreditControlRequest& request, const Profile& profile,
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
    } else if (profile.default_rating_group) {
      service.rating_group = *profile.default_rating_group;
      service.flags |= ledger::service_flag::has_rating_group;
      service.flags |= ledger::service_flag::is_implied_group;
    }
    if (mscc.service_identifier_count != 0) {
      service.service_identifier = request.service_identifiers_of(mscc)[0];
      service.flags |= ledger::service_flag::has_service_identifier;
    }
    service.wanted = wanted_of(mscc.requested);
    if (mscc.reason == diameter::ReportingReason::final_report) service.is_final_report = 1;
    if (!write_service(request, mscc.requested_units, request.used_of(mscc), profile, service)) {
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
  return write_service(request, request.requested_units, request.used(), profile, service)
             ? Outcome::ok
             : Outcome::amount_overflow;
}

u32 used_after_count_of(const diameter::CreditControlRequest& request) {
  const std::span<const diameter::UsedUnits> all{request.used_pool.data(), request.used_pool_count};
  const auto is_after = [&](const diameter::UsedUnits& report) {
    return is_after_change(request, report);
  };
  if (std::ranges::none_of(all, is_after)) [[likely]]
    return 0;
  u32 count = 0;
  each_reports(request, [&](u32, std::span<const diameter::UsedUnits> reports) {
    count += std::ranges::any_of(reports, is_after) ? 1 : 0;
  });
  return count;
}

Outcome write_used_after(const diameter::CreditControlRequest& request, const Profile& profile,
                         std::span<ChargeService> services, std::span<ChargeService> used_after) {
  bool fits = true;
  u32 written = 0;
  each_reports(request, [&](u32 number, std::span<const diameter::UsedUnits> reports) {
    if (std::ranges::none_of(reports,
                             [&](const auto& one) { return is_after_change(request, one); }))
      return;
    check(written < used_after.size(), "used_after_count_of has counted them");
    ChargeService& before = services[number];
    ChargeService& after = used_after[written++];
    after = before;
    after.wanted = Wanted::nothing;
    after.asked_kinds = 0;
    after.used_kinds = 0;
    after.asked = {};
    after.used = {};
    before.priced_flags |= ChargeService::is_before_change;
    after.priced_flags |= ChargeService::is_after_change;
    fits = fits && add_reports(request, reports, true, profile, after);
    before.is_final_report |= after.is_final_report;
  });
  return fits ? Outcome::ok : Outcome::amount_overflow;
}

u8 habits_of(const diameter::CreditControlRequest& request, const Profile& profile) {
  u8 habits = 0;
  if (profile.denies_whole) habits |= habit::whole_denial;
  if (profile.tells_remaining) habits |= habit::tell_remaining;
  if (profile.knows_tariff_change) habits |= habit::knows_tariff_change;
  if (profile.knows_pools) habits |= habit::knows_pools;
  if (profile.free_service == Profile::FreeService::not_applicable) habits |= habit::free_ends;
  // AoC-Request-Type 0 says that none is wanted.
  const bool wants_advice = request.aoc_request_type.value_or(0) != 0;
  if (wants_advice && !profile.omits(leave_out::advice_of_charge)) habits |= habit::tell_advice;
  return habits;
}

u32 write_identifiers(const diameter::CreditControlRequest& request, std::span<u32> words) {
  u32 count = 0;
  u32 number = 0;
  for (const diameter::RequestMscc& mscc : request.mscc()) {
    const std::span<const u32> all = request.service_identifiers_of(mscc);
    if (all.size() > 1 && count + 1 + all.size() <= words.size()) {
      words[count++] = number << 16 | static_cast<u32>(all.size());
      for (const u32 identifier : all) words[count++] = identifier;
    }
    ++number;
  }
  return count;
}

ledger::IdentityKey identity_key_of(const diameter::SubscriptionId& id) {
  switch (id.type) {
    case diameter::SubscriptionIdType::e164:
      return number_key(ledger::IdentityType::msisdn, as_text(id.data));
    case diameter::SubscriptionIdType::imsi:
      return number_key(ledger::IdentityType::imsi, as_text(id.data));
    case diameter::SubscriptionIdType::sip_uri:
      return ledger::uri_key(as_text(id.data));
    case diameter::SubscriptionIdType::nai:
      return text_key(ledger::IdentityType::nai, as_text(id.data));
    case diameter::SubscriptionIdType::private_id:
      return text_key(ledger::IdentityType::private_id, as_text(id.data));
  }
  return {};
}

u32 identity_keys(const diameter::CreditControlRequest& request,
                  std::array<ledger::IdentityKey, identity_keys_max>& keys) {
  u32 count = 0;
  const auto keep = [&](ledger::IdentityKey key) {
    if (!key.is_none() && count < identity_keys_max) keys[count++] = key;
  };
  for (const diameter::SubscriptionId& id : request.subscription_ids()) {
    if (is_number(id.type)) keep(identity_key_of(id));
  }
  for (const diameter::SubscriptionId& id : request.subscription_ids()) {
    if (!is_number(id.type)) keep(identity_key_of(id));
  }
  return count;
}

}  // namespace tollgate::app
