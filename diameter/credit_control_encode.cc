// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// encode_answer, and what else goes into answers.
#include "base/check.hh"
#include "diameter/credit_control_put.hh"

namespace tollgate::diameter {
namespace {

// Seconds from 1900 to 1970 and from 1900 to the first moment that 32 bits cannot count.
constexpr i64 seconds_1900_to_1970 = 2'208'988'800;
constexpr i64 seconds_an_era = i64{1} << 32;

void put_final_unit(AvpWriter& writer, const FinalUnit& final_unit) {
  if (final_unit.action == FinalUnitAction::none) return;
  u8* const group = writer.open(avp::final_unit_indication);
  writer.put_u32(avp::final_unit_action, static_cast<u32>(final_unit.action));
  if (final_unit.action == FinalUnitAction::restrict_access) {
    if (!final_unit.restriction_filter.empty())
      writer.put_text(avp::restriction_filter_rule, final_unit.restriction_filter);
    if (!final_unit.filter_id.empty()) writer.put_text(avp::filter_id, final_unit.filter_id);
  }
  if (final_unit.action == FinalUnitAction::redirect) {
    u8* const server = writer.open(avp::redirect_server);
    writer.put_u32(avp::redirect_address_type, static_cast<u32>(final_unit.redirect_type));
    writer.put_text(avp::redirect_server_address, final_unit.redirect_address);
    writer.close(server);
  }
  writer.close(group);
}

void put_granted(AvpWriter& writer, const Units& granted,
                 const std::optional<Instant>& tariff_time_change) {
  if (granted.kinds == 0) return;
  u8* const group = writer.open(avp::granted_service_unit);
  if (tariff_time_change)
    writer.put_u32(avp::tariff_time_change, time_of_instant(*tariff_time_change));
  put_units(writer, granted);
  writer.close(group);
}

void put_pool(AvpWriter& writer, const PoolReference& pool) {
  u8* const group = writer.open(avp::g_s_u_pool_reference);
  writer.put_u32(avp::g_s_u_pool_identifier, pool.identifier);
  writer.put_u32(avp::cc_unit_type, static_cast<u32>(pool.type));
  put_unit_value(writer, pool.multiplier);
  writer.close(group);
}

void put_mscc(AvpWriter& writer, const AnswerMscc& mscc) {
  u8* const group = writer.open(avp::multiple_services_credit_control);
  put_granted(writer, mscc.granted, mscc.tariff_time_change);
  for (const u32 identifier : mscc.service_identifiers)
    writer.put_u32(avp::service_identifier, identifier);
  put_optional(writer, avp::rating_group, mscc.rating_group);
  if (mscc.pool) [[unlikely]]
    put_pool(writer, *mscc.pool);
  put_optional(writer, avp::validity_time, mscc.validity_time_s);
  if (mscc.result_code != ResultCode::none)
    writer.put_u32(avp::result_code, static_cast<u32>(mscc.result_code));
  put_final_unit(writer, mscc.final_unit);
  put_optional(writer, avp::time_quota_threshold, mscc.time_quota_threshold_s);
  put_optional(writer, avp::volume_quota_threshold, mscc.volume_quota_threshold_octets);
  put_optional(writer, avp::unit_quota_threshold, mscc.unit_quota_threshold);
  put_optional(writer, avp::quota_holding_time, mscc.quota_holding_time_s);
  put_optional(writer, avp::quota_consumption_time, mscc.quota_consumption_time_s);
  if (mscc.has_trigger) [[unlikely]] {
    u8* const trigger = writer.open(avp::trigger);
    for (const u32 type : mscc.trigger_types) writer.put_u32(avp::trigger_type, type);
    writer.close(trigger);
  }
  writer.close(group);
}

void put_advice(AvpWriter& writer, const MoneyValue& cost) {
  u8* const information = writer.open(avp::aoc_information);
  u8* const group = writer.open(avp::aoc_cost_information);
  u8* const sum = writer.open(avp::accumulated_cost);
  writer.put_u64(avp::value_digits, static_cast<u64>(cost.digits));
  if (cost.exponent != 0) writer.put_u32(avp::exponent, static_cast<u32>(cost.exponent));
  writer.close(sum);
  if (cost.currency_code != 0) writer.put_u32(avp::currency_code, cost.currency_code);
  writer.close(group);
  writer.close(information);
}

// What few answers have.
void put_details(AvpWriter& writer, const CreditControlAnswer& answer) {
  if (answer.cost) {
    u8* const group = writer.open(avp::cost_information);
    put_unit_value(writer, *answer.cost);
    writer.put_u32(avp::currency_code, answer.cost->currency_code);
    if (!answer.cost_unit.empty()) writer.put_text(avp::cost_unit, answer.cost_unit);
    writer.close(group);
  }
  if (answer.check_balance != CheckBalanceResult::none)
    writer.put_u32(avp::check_balance_result, static_cast<u32>(answer.check_balance));
  if (answer.advice_of_charge) put_advice(writer, *answer.advice_of_charge);
  put_optional(writer, avp::low_balance_indication, answer.low_balance);
  if (answer.remaining_balance)
    put_money(writer, avp::remaining_balance, *answer.remaining_balance);
  put_optional(writer, avp::origin_state_id, answer.origin_state_id);
  if (!answer.error_message.empty()) writer.put_text(avp::error_message, answer.error_message);
  if (!answer.failed_avps.empty()) writer.put_octets(avp::failed_avp, answer.failed_avps);
  writer.put_raw(answer.proxy_info);
}

}  // namespace

std::size_t encode_answer(const CreditControlAnswer& answer, MutableBytes out) {
  check(answer.origin != nullptr, "an answer has an origin");
  AvpWriter writer = begin_message(out);
  writer.put_octets(avp::session_id, answer.session_id);
  writer.put_u32(avp::result_code, static_cast<u32>(answer.result_code));
  writer.put_raw(answer.origin->avps());
  writer.put_u32(avp::auth_application_id, static_cast<u32>(Application::credit_control));
  if (answer.type != RequestType::none) {
    writer.put_u32(avp::cc_request_type, static_cast<u32>(answer.type));
    writer.put_u32(avp::cc_request_number, answer.number);
  }
  put_granted(writer, answer.granted, std::nullopt);
  if (answer.session_failover != SessionFailover::none)
    writer.put_u32(avp::cc_session_failover, static_cast<u32>(answer.session_failover));
  for (const AnswerMscc& mscc : answer.mscc) put_mscc(writer, mscc);
  put_final_unit(writer, answer.final_unit);
  if (answer.failure_handling != FailureHandling::none)
    writer.put_u32(avp::credit_control_failure_handling, static_cast<u32>(answer.failure_handling));
  if (answer.debiting_failure_handling != DebitingFailureHandling::none)
    writer.put_u32(avp::direct_debiting_failure_handling,
                   static_cast<u32>(answer.debiting_failure_handling));
  put_optional(writer, avp::validity_time, answer.validity_time_s);
  put_details(writer, answer);

  u8 flags = answer.is_proxiable ? flag_proxiable : u8{0};
  if (is_protocol_error(answer.result_code)) flags |= flag_error;
  return finish_message(writer,
                        {.flags = flags,
                         .command = Command::credit_control,
                         .application = Application::credit_control,
                         .hop_by_hop = answer.hop_by_hop,
                         .end_to_end = answer.end_to_end},
                        out);
}

OriginBlock::OriginBlock(std::string_view host, std::string_view realm) {
  check(host.size() <= 255, "an Origin-Host is at most 255 octets");
  check(realm.size() <= 255, "an Origin-Realm is at most 255 octets");
  AvpWriter writer(octets_);
  writer.put_text(avp::origin_host, host);
  writer.put_text(avp::origin_realm, realm);
  check(!writer.has_overflowed(), "an origin fits its block");
  size_bytes_ = static_cast<u16>(writer.size_bytes());
  host_bytes_ = static_cast<u16>(host.size());
}

std::size_t copy_proxy_info(const CreditControlRequest& request, MutableBytes out) {
  if (request.proxy_info_count == 0) return 0;
  AvpWriter writer(out);
  for (const Bytes proxy_info : request.proxy_info()) writer.put_raw(proxy_info);
  return writer.size_bytes();
}

Instant instant_of_time(u32 ntp_seconds) {
  // With the top bit clear it is the era that begins in 2036 (RFC 6733 section 4.3.1).
  const i64 era = ntp_seconds & 0x80000000 ? 0 : seconds_an_era;
  return Instant::from_seconds(era + i64{ntp_seconds} - seconds_1900_to_1970);
}

u32 time_of_instant(Instant at) {
  return static_cast<u32>(at.whole_seconds() + seconds_1900_to_1970);
}

}  // namespace tollgate::diameter
