// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Messages for tests, fuzzers and benches: a gateway's CCRs and an answer, full and realistic.
#pragma once

#include <vector>

#include "diameter/avp_ids.hh"
#include "diameter/credit_control.hh"

namespace tollgate::diameter::samples {

using Message = std::vector<u8>;

inline const std::array<u8, 13> user_location{0x82, 0x42, 0xf0, 0x10, 0x1e, 0x61, 0x42,
                                              0xf0, 0x10, 0x00, 0x12, 0xd6, 0x87};
inline const std::array<u8, 2> time_zone{0x40, 0x00};

inline PsInformation ps_information() {
  PsInformation ps;
  ps.charging_id = 0x1a2b3c4d;
  ps.pdp_address = {10, 45, 0, 17};
  ps.sgsn_address = {198, 18, 0, 8};
  ps.ggsn_address = {198, 18, 0, 2};
  ps.ggsn_mcc_mnc = "24001";
  ps.sgsn_mcc_mnc = "24001";
  ps.called_station_id = "internet";
  ps.charging_characteristics = "0800";
  ps.selection_mode = "0";
  ps.nsapi = "5";
  ps.user_location = user_location;
  ps.ms_time_zone = time_zone;
  ps.rat_type = 6;
  ps.charging_rule_base = "default";
  return ps;
}

// The head that all have; the texts are literals, so the views stay.
inline void set_head(CreditControlRequest& request, RequestType type, u32 number) {
  static_cast<RequestHead&>(request) = RequestHead{};
  request.header.flags = flag_proxiable;
  request.header.hop_by_hop = 0x11223344;
  request.header.end_to_end = 0x55667788;
  request.session_id = as_bytes("pgw1.tollgate.example;1761850000;42");
  request.origin_host = as_bytes("pgw1.tollgate.example");
  request.origin_realm = as_bytes("tollgate.example");
  request.destination_host = as_bytes("ocs.tollgate.example");
  request.destination_realm = as_bytes("tollgate.example");
  request.service_context_id = as_bytes("32251@3gpp.org");
  request.type = type;
  request.number = number;
  request.event_timestamp = Instant::from_seconds(1'795'000'000);
  request.subscription_id_count = 2;
  request.subscription_id_pool[0] = {SubscriptionIdType::e164, as_bytes("46701234567")};
  request.subscription_id_pool[1] = {SubscriptionIdType::imsi, as_bytes("240010123456789")};
}

inline RequestMscc& add_mscc(CreditControlRequest& request, u32 rating_group) {
  RequestMscc& mscc = request.mscc_pool[request.mscc_count++];
  mscc = {};
  mscc.rating_group = rating_group;
  mscc.used_first = static_cast<u8>(request.used_pool_count);
  mscc.service_identifier_first = static_cast<u8>(request.service_identifier_pool_count);
  return mscc;
}

inline void add_used(CreditControlRequest& request, RequestMscc& mscc, const UsedUnits& used) {
  request.used_pool[request.used_pool_count++] = used;
  ++mscc.used_count;
}

inline void add_service_identifier(CreditControlRequest& request, RequestMscc& mscc, u32 value) {
  request.service_identifier_pool[request.service_identifier_pool_count++] = value;
  ++mscc.service_identifier_count;
}

inline Message encode(const CreditControlRequest& request, const ServiceInformation& service) {
  Message message(16384);
  message.resize(encode_request(request, service, message));
  return message;
}

// A CCR-U of a data session: one MSCC with what was used and what is wanted, full PS-Information.
inline Message data_update(u32 mscc_count = 1) {
  static CreditControlRequest request;
  set_head(request, RequestType::update, 7);
  request.multiple_services_indicator = 1;
  for (u32 index = 0; index < mscc_count; ++index) {
    RequestMscc& mscc = add_mscc(request, 100 + index);
    mscc.requested = Requested::units;
    mscc.requested_units.kinds = unit_total_octets;
    mscc.requested_units.total_octets = 10'000'000;
    UsedUnits used;
    used.units.kinds = unit_total_octets | unit_input_octets | unit_output_octets;
    used.units.total_octets = 9'000'000;
    used.units.input_octets = 1'000'000;
    used.units.output_octets = 8'000'000;
    used.reason = ReportingReason::threshold;
    add_used(request, mscc, used);
    add_service_identifier(request, mscc, 1);
  }
  const PsInformation ps = ps_information();
  return encode(request, {.ps = &ps});
}

inline Message voice_initial() {
  static CreditControlRequest request;
  set_head(request, RequestType::initial, 0);
  request.service_context_id = as_bytes("32260@3gpp.org");
  request.multiple_services_indicator = 1;
  RequestMscc& mscc = add_mscc(request, 200);
  mscc.requested = Requested::empty;
  const ImsInformation ims{.sip_method = "INVITE",
                           .user_session_id = "3c26700c1adb@198.18.0.9",
                           .calling_party = "tel:+46701234567",
                           .called_party = "tel:+46709876543",
                           .ims_charging_identifier = "icid-1"};
  return encode(request, {.ims = &ims});
}

inline Message sms_event() {
  static CreditControlRequest request;
  set_head(request, RequestType::event, 0);
  request.service_context_id = as_bytes("32274@3gpp.org");
  request.requested_action = RequestedAction::direct_debiting;
  request.requested = Requested::units;
  request.requested_units.kinds = unit_service_specific;
  request.requested_units.service_specific = 1;
  const SmsInformation sms{.originator = "46701234567", .recipient = "46709876543"};
  return encode(request, {.sms = &sms});
}

// What answers data_update.
inline Message data_answer() {
  static const OriginBlock origin("ocs.tollgate.example", "tollgate.example");
  AnswerMscc mscc;
  mscc.granted.kinds = unit_total_octets;
  mscc.granted.total_octets = 10'000'000;
  mscc.rating_group = 100;
  mscc.validity_time_s = 3600;
  mscc.result_code = ResultCode::success;
  CreditControlAnswer answer;
  answer.session_id = as_bytes("pgw1.tollgate.example;1761850000;42");
  answer.origin = &origin;
  answer.type = RequestType::update;
  answer.number = 7;
  answer.mscc = {&mscc, 1};
  Message message(1024);
  message.resize(encode_answer(answer, message));
  return message;
}

}  // namespace tollgate::diameter::samples
