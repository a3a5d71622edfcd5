// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The client's side: decode_answer. An answer is not answered, so a fault is a word and no refusal.
#include "diameter/avp_ids.hh"
#include "diameter/credit_control.hh"
#include "diameter/decode.hh"

namespace tollgate::diameter {
namespace {

bool number(const Avp& avp, u32& value) {
  if (avp.data_bytes() != 4) return false;
  value = avp.as_u32();
  return true;
}

bool number(const Avp& avp, u64& value) {
  if (avp.data_bytes() != 8) return false;
  value = avp.as_u64();
  return true;
}

bool number(const Avp& avp, std::optional<u32>& value) {
  u32 got = 0;
  if (!number(avp, got)) return false;
  value = got;
  return true;
}

// A number that is an enumerator of one octet.
template <class Enum>
bool enumerator(const Avp& avp, Enum& value) {
  u32 got = 0;
  if (!number(avp, got)) return false;
  value = static_cast<Enum>(got);
  return got < 0xff || sizeof(Enum) > 1;
}

// Whether a member that nobody here asks for is sound.
bool other(const Avp& avp) {
  WalkBudget budget;
  Refusal refusal;
  return check_avp(avp, 1, budget, refusal);
}

template <class Member>
bool walk(Bytes octets, Member&& member) {
  AvpCursor cursor(octets);
  Avp avp;
  for (;;) {
    const AvpStep step = cursor.next(avp);
    if (step == AvpStep::end) return true;
    if (step != AvpStep::avp || !member(avp)) return false;
  }
}

bool read_unit_value(const Avp& group, MoneyValue& money) {
  return walk(group.data(), [&](const Avp& member) {
    u64 digits = 0;
    u32 exponent = 0;
    if (member.is(avp::value_digits)) {
      if (!number(member, digits)) return false;
      money.digits = static_cast<i64>(digits);
      return true;
    }
    if (!member.is(avp::exponent)) return other(member);
    if (!number(member, exponent)) return false;
    money.exponent = static_cast<i32>(exponent);
    return true;
  });
}

bool read_money(const Avp& group, MoneyValue& money) {
  return walk(group.data(), [&](const Avp& avp) {
    if (avp.is(avp::currency_code)) return number(avp, money.currency_code);
    if (!avp.is(avp::unit_value)) return other(avp);
    return read_unit_value(avp, money);
  });
}

// AoC-Information > AoC-Cost-Information: what has been charged, and the currency.
bool read_advice(const Avp& group, MoneyValue& money) {
  return walk(group.data(), [&](const Avp& information) {
    if (!information.is(avp::aoc_cost_information)) return other(information);
    return walk(information.data(), [&](const Avp& avp) {
      if (avp.is(avp::currency_code)) return number(avp, money.currency_code);
      if (!avp.is(avp::accumulated_cost)) return other(avp);
      return read_unit_value(avp, money);
    });
  });
}

bool read_granted(const Avp& group, Units& units) {
  return walk(group.data(), [&](const Avp& avp) {
    const auto take = [&](u8 kind, auto& value) {
      units.kinds |= kind;
      return number(avp, value);
    };
    if (avp.is(avp::cc_time)) return take(unit_time, units.time_s);
    if (avp.is(avp::cc_total_octets)) return take(unit_total_octets, units.total_octets);
    if (avp.is(avp::cc_input_octets)) return take(unit_input_octets, units.input_octets);
    if (avp.is(avp::cc_output_octets)) return take(unit_output_octets, units.output_octets);
    if (avp.is(avp::cc_service_specific_units))
      return take(unit_service_specific, units.service_specific);
    if (!avp.is(avp::cc_money)) return other(avp);
    units.kinds |= unit_money;
    return read_money(avp, units.money);
  });
}

bool read_final_unit(const Avp& group, FinalUnitAction& action, Bytes* redirect_address) {
  return walk(group.data(), [&](const Avp& avp) {
    if (avp.is(avp::final_unit_action)) return enumerator(avp, action);
    Avp address;
    if (avp.is(avp::redirect_server) && redirect_address != nullptr &&
        find_first(avp.data(), avp::redirect_server_address, address))
      *redirect_address = address.data();
    return other(avp);
  });
}

bool read_pool(const Avp& group, PoolReference& pool) {
  return walk(group.data(), [&](const Avp& avp) {
    if (avp.is(avp::g_s_u_pool_identifier)) return number(avp, pool.identifier);
    if (avp.is(avp::cc_unit_type)) return enumerator(avp, pool.type);
    return avp.is(avp::unit_value) ? read_unit_value(avp, pool.multiplier) : other(avp);
  });
}

bool read_mscc(const Avp& group, ReceivedMscc& mscc) {
  return walk(group.data(), [&](const Avp& avp) {
    if (avp.is(avp::rating_group)) return number(avp, mscc.rating_group);
    if (avp.is(avp::g_s_u_pool_reference)) return read_pool(avp, mscc.pool.emplace());
    if (avp.is(avp::result_code)) return enumerator(avp, mscc.result_code);
    if (avp.is(avp::validity_time)) return number(avp, mscc.validity_time_s);
    if (avp.is(avp::time_quota_threshold)) return number(avp, mscc.time_quota_threshold_s);
    if (avp.is(avp::volume_quota_threshold)) return number(avp, mscc.volume_quota_threshold_octets);
    if (avp.is(avp::quota_holding_time)) return number(avp, mscc.quota_holding_time_s);
    if (avp.is(avp::service_identifier) && ++mscc.service_identifier_count != 0)
      return mscc.service_identifier ? avp.data_bytes() == 4 : number(avp, mscc.service_identifier);
    if (avp.is(avp::final_unit_indication))
      return read_final_unit(avp, mscc.final_unit, &mscc.redirect_address);
    if (!avp.is(avp::granted_service_unit)) return other(avp);
    mscc.has_granted = true;
    Avp change;
    if (find_first(avp.data(), avp::tariff_time_change, change)) {
      u32 at = 0;
      if (!number(change, at)) return false;
      mscc.tariff_time_change = instant_of_time(at);
    }
    return read_granted(avp, mscc.granted);
  });
}

bool read_optional_money(const Avp& avp, std::optional<MoneyValue>& money) {
  return read_money(avp, money.emplace());
}

bool read_member(const Avp& avp, ReceivedAnswer& answer) {
  if (avp.is(avp::result_code)) return enumerator(avp, answer.result_code);
  if (avp.is(avp::cc_request_type)) return enumerator(avp, answer.type);
  if (avp.is(avp::cc_request_number)) return number(avp, answer.number);
  if (avp.is(avp::auth_application_id)) return number(avp, answer.application_id);
  if (avp.is(avp::validity_time)) return number(avp, answer.validity_time_s);
  if (avp.is(avp::check_balance_result)) return enumerator(avp, answer.check_balance);
  if (avp.is(avp::cost_information)) return read_optional_money(avp, answer.cost);
  if (avp.is(avp::remaining_balance)) return read_optional_money(avp, answer.remaining_balance);
  if (avp.is(avp::aoc_information)) return read_advice(avp, answer.advice_of_charge.emplace());
  if (avp.is(avp::low_balance_indication)) {
    u32 value = 0;
    if (!number(avp, value)) return false;
    answer.low_balance = value != 0;
    return true;
  }
  if (avp.is(avp::cc_session_failover)) return number(avp, answer.session_failover);
  if (avp.is(avp::credit_control_failure_handling)) return number(avp, answer.failure_handling);
  if (avp.is(avp::final_unit_indication)) return read_final_unit(avp, answer.final_unit, nullptr);
  if (avp.is(avp::granted_service_unit)) {
    answer.has_granted = true;
    return read_granted(avp, answer.granted);
  }
  if (avp.is(avp::session_id)) answer.session_id = avp.data();
  if (avp.is(avp::origin_host)) answer.origin_host = avp.data();
  if (avp.is(avp::origin_realm)) answer.origin_realm = avp.data();
  if (avp.is(avp::error_message)) answer.error_message = avp.data();
  if (avp.is(avp::proxy_info)) ++answer.proxy_info_count;
  if (avp.is(avp::failed_avp)) {
    // It holds what we sent wrong: not to be judged.
    answer.failed_avps = avp.data();
    return true;
  }
  return other(avp);
}

void forget(ReceivedAnswer& answer) {
  answer.session_id = answer.origin_host = answer.origin_realm = {};
  answer.result_code = ResultCode::none;
  answer.type = RequestType::none;
  answer.number.reset();
  answer.application_id.reset();
  answer.has_granted = false;
  answer.granted = {};
  answer.validity_time_s.reset();
  answer.final_unit = FinalUnitAction::none;
  answer.cost.reset();
  answer.remaining_balance.reset();
  answer.advice_of_charge.reset();
  answer.low_balance.reset();
  answer.session_failover.reset();
  answer.failure_handling.reset();
  answer.check_balance = CheckBalanceResult::none;
  answer.failed_avps = answer.error_message = {};
  answer.proxy_info_count = answer.mscc_count = 0;
}

}  // namespace

AnswerFault decode_answer(Bytes message, ReceivedAnswer& answer) {
  forget(answer);
  answer.header = read_header(message);
  bool has_too_many = false;
  const bool is_sound = walk(message.subspan(header_bytes), [&](const Avp& avp) {
    if (!avp.is(avp::multiple_services_credit_control)) return read_member(avp, answer);
    has_too_many = answer.mscc_count == mscc_count_max;
    if (has_too_many) return false;
    ReceivedMscc& mscc = answer.mscc_pool[answer.mscc_count++];
    mscc = {};
    return read_mscc(avp, mscc);
  });
  if (has_too_many) return AnswerFault::too_many_mscc;
  if (!is_sound) return AnswerFault::malformed;
  if (answer.session_id.empty() || answer.result_code == ResultCode::none ||
      answer.origin_host.empty() || answer.origin_realm.empty())
    return AnswerFault::missing_avp;
  if (answer.header.is_error()) return AnswerFault::none;
  const bool has_head =
      answer.application_id && answer.type != RequestType::none && answer.number.has_value();
  return has_head ? AnswerFault::none : AnswerFault::missing_avp;
}

}  // namespace tollgate::diameter
