// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The client's side: encode_request.
#include "diameter/credit_control_put.hh"

namespace tollgate::diameter {
namespace {

// Address: the family, then the octets.
void put_ipv4(AvpWriter& writer, const AvpId& id, const std::array<u8, 4>& address) {
  const std::array<u8, 6> data{0, 1, address[0], address[1], address[2], address[3]};
  writer.put_octets(id, data);
}

void put_text_if(AvpWriter& writer, const AvpId& id, std::string_view text) {
  if (!text.empty()) writer.put_text(id, text);
}

void put_octets_if(AvpWriter& writer, const AvpId& id, Bytes octets) {
  if (!octets.empty()) writer.put_octets(id, octets);
}

void put_ps_information(AvpWriter& writer, const PsInformation& ps) {
  u8* const group = writer.open(avp::ps_information);
  writer.put_u32(avp::threegpp_charging_id, ps.charging_id);
  writer.put_u32(avp::threegpp_pdp_type, ps.pdp_type);
  put_ipv4(writer, avp::pdp_address, ps.pdp_address);
  put_ipv4(writer, avp::sgsn_address, ps.sgsn_address);
  put_ipv4(writer, avp::ggsn_address, ps.ggsn_address);
  put_text_if(writer, avp::threegpp_imsi_mcc_mnc, ps.imsi_mcc_mnc);
  put_text_if(writer, avp::threegpp_ggsn_mcc_mnc, ps.ggsn_mcc_mnc);
  put_text_if(writer, avp::threegpp_nsapi, ps.nsapi);
  put_text_if(writer, avp::called_station_id, ps.called_station_id);
  put_text_if(writer, avp::threegpp_selection_mode, ps.selection_mode);
  put_text_if(writer, avp::threegpp_charging_characteristics, ps.charging_characteristics);
  put_text_if(writer, avp::threegpp_sgsn_mcc_mnc, ps.sgsn_mcc_mnc);
  put_octets_if(writer, avp::threegpp_ms_timezone, ps.ms_time_zone);
  put_text_if(writer, avp::charging_rule_base_name, ps.charging_rule_base);
  put_octets_if(writer, avp::threegpp_user_location_info, ps.user_location);
  writer.put_octets(avp::threegpp_rat_type, {&ps.rat_type, 1});
  writer.close(group);
}

void put_ims_information(AvpWriter& writer, const ImsInformation& ims) {
  u8* const group = writer.open(avp::ims_information);
  u8* const event_type = writer.open(avp::event_type);
  put_text_if(writer, avp::sip_method, ims.sip_method);
  writer.close(event_type);
  writer.put_u32(avp::role_of_node, ims.role_of_node);
  writer.put_u32(avp::node_functionality, ims.node_functionality);
  put_text_if(writer, avp::user_session_id, ims.user_session_id);
  put_text_if(writer, avp::calling_party_address, ims.calling_party);
  put_text_if(writer, avp::called_party_address, ims.called_party);
  put_text_if(writer, avp::ims_charging_identifier, ims.ims_charging_identifier);
  writer.close(group);
}

// Address-Type 1: MSISDN.
void put_sms_address(AvpWriter& writer, const AvpId& id, std::string_view msisdn) {
  u8* const group = writer.open(id);
  writer.put_u32(avp::address_type, 1);
  writer.put_text(avp::address_data, msisdn);
  writer.close(group);
}

void put_sms_information(AvpWriter& writer, const SmsInformation& sms) {
  u8* const group = writer.open(avp::sms_information);
  writer.put_u32(avp::sm_message_type, sms.message_type);
  put_sms_address(writer, avp::originator_received_address, sms.originator);
  u8* const recipient = writer.open(avp::recipient_info);
  put_sms_address(writer, avp::recipient_address_1201, sms.recipient);
  writer.close(recipient);
  writer.close(group);
}

void put_service_information(AvpWriter& writer, const ServiceInformation& service) {
  if (service.ps == nullptr && service.ims == nullptr && service.sms == nullptr) return;
  u8* const group = writer.open(avp::service_information);
  if (service.ps != nullptr) put_ps_information(writer, *service.ps);
  if (service.ims != nullptr) put_ims_information(writer, *service.ims);
  if (service.sms != nullptr) put_sms_information(writer, *service.sms);
  writer.close(group);
}

void put_requested(AvpWriter& writer, Requested requested, const Units& units) {
  if (requested == Requested::absent) return;
  u8* const group = writer.open(avp::requested_service_unit);
  if (requested == Requested::units) put_units(writer, units);
  writer.close(group);
}

void put_used(AvpWriter& writer, const UsedUnits& used) {
  u8* const group = writer.open(avp::used_service_unit);
  if (used.reason != ReportingReason::none)
    writer.put_u32(avp::reporting_reason, static_cast<u32>(used.reason));
  if (used.tariff_change != TariffChangeUsage::none)
    writer.put_u32(avp::tariff_change_usage, static_cast<u32>(used.tariff_change));
  put_units(writer, used.units);
  writer.close(group);
}

void put_mscc(AvpWriter& writer, const CreditControlRequest& request, const RequestMscc& mscc) {
  u8* const group = writer.open(avp::multiple_services_credit_control);
  put_requested(writer, mscc.requested, mscc.requested_units);
  for (const UsedUnits& used : request.used_of(mscc)) put_used(writer, used);
  for (const u32 identifier : request.service_identifiers_of(mscc))
    writer.put_u32(avp::service_identifier, identifier);
  put_optional(writer, avp::rating_group, mscc.rating_group);
  if (mscc.reason != ReportingReason::none)
    writer.put_u32(avp::reporting_reason, static_cast<u32>(mscc.reason));
  writer.close(group);
}

void put_head(AvpWriter& writer, const CreditControlRequest& request) {
  writer.put_octets(avp::session_id, request.session_id);
  writer.put_octets(avp::origin_host, request.origin_host);
  writer.put_octets(avp::origin_realm, request.origin_realm);
  writer.put_octets(avp::destination_realm, request.destination_realm);
  writer.put_u32(avp::auth_application_id, static_cast<u32>(Application::credit_control));
  writer.put_octets(avp::service_context_id, request.service_context_id);
  writer.put_u32(avp::cc_request_type, static_cast<u32>(request.type));
  writer.put_u32(avp::cc_request_number, request.number);
  put_octets_if(writer, avp::destination_host, request.destination_host);
  put_octets_if(writer, avp::user_name, request.user_name);
  put_optional(writer, avp::origin_state_id, request.origin_state_id);
  if (request.event_timestamp)
    writer.put_u32(avp::event_timestamp, time_of_instant(*request.event_timestamp));
}

}  // namespace

std::size_t encode_request(const CreditControlRequest& request, const ServiceInformation& service,
                           MutableBytes out) {
  AvpWriter writer = begin_message(out);
  put_head(writer, request);
  for (const SubscriptionId& id : request.subscription_ids()) {
    u8* const group = writer.open(avp::subscription_id);
    writer.put_u32(avp::subscription_id_type, static_cast<u32>(id.type));
    writer.put_octets(avp::subscription_id_data, id.data);
    writer.close(group);
  }
  put_optional(writer, avp::service_identifier, request.service_identifier);
  put_optional(writer, avp::termination_cause, request.termination_cause);
  put_requested(writer, request.requested, request.requested_units);
  put_optional(writer, avp::requested_action, request.requested_action);
  for (const UsedUnits& used : request.used()) put_used(writer, used);
  put_optional(writer, avp::aoc_request_type, request.aoc_request_type);
  put_optional(writer, avp::multiple_services_indicator, request.multiple_services_indicator);
  for (const RequestMscc& mscc : request.mscc()) put_mscc(writer, request, mscc);
  put_octets_if(writer, avp::cc_correlation_id, request.cc_correlation_id);
  put_service_information(writer, service);
  for (const Bytes proxy_info : request.proxy_info()) writer.put_raw(proxy_info);
  for (const Bytes host : request.route_records()) writer.put_octets(avp::route_record, host);

  Header header = request.header;
  header.flags = flag_request | (request.header.flags & (flag_proxiable | flag_retransmitted));
  header.version = protocol_version;
  header.command = Command::credit_control;
  header.application = Application::credit_control;
  return finish_message(writer, header, out);
}

}  // namespace tollgate::diameter
