// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/request_template.hh"

#include <fmt/format.h>

#include <initializer_list>
#include <memory>

#include "base/check.hh"
#include "diameter/avp.hh"
#include "diameter/avp_ids.hh"
#include "tools/tollload/digits.hh"

namespace tollgate::tollload {
namespace {

namespace avp = diameter::avp;
using diameter::Avp;
using diameter::AvpCursor;
using diameter::AvpId;
using diameter::AvpStep;
using diameter::store_u32;
using diameter::store_u64;

// Any moment: it is patched.
constexpr Instant example_time = Instant::from_seconds(1'700'000'000);
constexpr std::array<u8, 8> user_location{0x01, 0x42, 0xf0, 0x10, 0x00, 0x2a, 0x01, 0x07};
constexpr std::array<u8, 2> time_zone{0x40, 0x00};

// The place of the data of the AVP at the end of `path`; of several, the one that `skip` tells.
// 0 if there is none.
u32 find_place(Bytes message, std::initializer_list<AvpId> path, u32 skip = 0) {
  Bytes level = message.subspan(diameter::header_bytes);
  Avp found;
  for (const AvpId& id : path) {
    AvpCursor cursor(level);
    u32 left = &id == path.begin() ? skip : 0;
    bool is_found = false;
    while (!is_found && cursor.next(found) == AvpStep::avp) is_found = found.is(id) && left-- == 0;
    if (!is_found) return 0;
    level = found.data();
  }
  return static_cast<u32>(level.data() - message.data());
}

std::string text_of_subscriber(u64 number) {
  return fmt::format("{}", number);
}

diameter::Units units_of(Service service, u32 amount) {
  diameter::Units units;
  units.kinds = text_of(service).unit;
  units.time_s = amount;
  units.total_octets = amount;
  units.service_specific = amount;
  return units;
}

void fill_mscc(Service service, const ServiceUse& use, RequestType type,
               diameter::CreditControlRequest& request) {
  diameter::RequestMscc& mscc = request.mscc_pool[0];
  mscc = {.rating_group = use.rating_group, .service_identifier_count = 1};
  request.mscc_count = 1;
  request.service_identifier_pool[0] = use.service_identifier;
  request.service_identifier_pool_count = 1;
  if (type != RequestType::termination) {
    mscc.requested = diameter::Requested::units;
    mscc.requested_units = units_of(service, use.requested);
  }
  if (type == RequestType::initial || type == RequestType::event) return;

  mscc.used_count = 1;
  diameter::UsedUnits& used = request.used_pool[0];
  used = {.units = units_of(service, 0)};
  // A gateway tells the directions beside the total.
  if (service == Service::data)
    used.units.kinds |= diameter::unit_input_octets | diameter::unit_output_octets;
  request.used_pool_count = 1;
  mscc.reason = type == RequestType::termination ? diameter::ReportingReason::final_report
                                                 : diameter::ReportingReason::validity_time;
}

// The services' own groups. The texts outlive the call.
struct Information {
  std::string msisdn;
  diameter::PsInformation ps{.charging_id = 1,
                             .pdp_address = {10, 64, 0, 1},
                             .sgsn_address = {192, 0, 2, 1},
                             .ggsn_address = {192, 0, 2, 2},
                             .imsi_mcc_mnc = "24001",
                             .ggsn_mcc_mnc = "24001",
                             .sgsn_mcc_mnc = "24001",
                             .called_station_id = "internet",
                             .charging_characteristics = "0800",
                             .selection_mode = "0",
                             .nsapi = "5",
                             .user_location = user_location,
                             .ms_time_zone = time_zone,
                             .rat_type = 6,
                             .charging_rule_base = "default"};
  diameter::ImsInformation ims{.sip_method = "INVITE",
                               .user_session_id = "a84b4c76e66710@ims.tollload.example",
                               .calling_party = {},
                               .called_party = "tel:+46850000000",
                               .ims_charging_identifier = "0a1b2c3d4e5f6071"};
  diameter::SmsInformation sms{.originator = {}, .recipient = "46731000000"};
};

diameter::ServiceInformation service_information(Service service, const Information& all) {
  switch (service) {
    case Service::data:
      return {.ps = &all.ps};
    case Service::voice:
      return {.ims = &all.ims};
    case Service::sms:
      return {.sms = &all.sms};
  }
  return {};
}

void fill_head(const Identities& identities, Service service, RequestType type,
               diameter::CreditControlRequest& request) {
  request.header.flags = diameter::flag_request | diameter::flag_proxiable;
  request.origin_realm = as_bytes(identities.realm);
  request.destination_realm = as_bytes(identities.destination_realm);
  request.destination_host = as_bytes(identities.destination_host);
  request.service_context_id = as_bytes(text_of(service).context);
  request.type = type;
  request.event_timestamp = example_time;
  request.origin_state_id = identities.run_number;
  if (type == RequestType::initial) request.multiple_services_indicator = 1;
  if (type == RequestType::termination) request.termination_cause = 1;  // DIAMETER_LOGOUT
  if (type == RequestType::event)
    request.requested_action = diameter::RequestedAction::direct_debiting;
}

}  // namespace

std::string host_of(const Identities& identities, u32 connection_index) {
  check(connection_index < host_number_end, "a host's number has four digits");
  if (!identities.hosts_are_numbered) return identities.host;
  const std::size_t label_bytes = std::min(identities.host.find('.'), identities.host.size());
  return fmt::format("{}{:04}{}", identities.host.substr(0, label_bytes), connection_index,
                     identities.host.substr(label_bytes));
}

u32 host_digits(u32 connection_index) {
  return static_cast<u32>(decimal8(connection_index) >> 32);
}

std::string session_prefix_of(const Identities& identities, u32 connection_index) {
  return fmt::format("{};{:08x};", host_of(identities, connection_index), identities.run_number);
}

std::string session_id_of(const Identities& identities, u32 connection_index, u32 slot,
                          u32 incarnation) {
  return fmt::format("{}{:08x};{:08x}", session_prefix_of(identities, connection_index), slot,
                     incarnation);
}

RequestTemplate::RequestTemplate(const Identities& identities, Service service,
                                 const ServiceUse& use, RequestType type)
    : hosts_are_numbered_(identities.hosts_are_numbered) {
  const auto request = std::make_unique<diameter::CreditControlRequest>();
  const std::string host = host_of(identities, 0);
  const std::string session_id = session_id_of(identities, 0, 0, 0);
  const std::string imsi = text_of_subscriber(identities.first_imsi);
  Information information;
  information.msisdn = text_of_subscriber(identities.first_msisdn);
  const std::string calling_party = "tel:+" + information.msisdn;
  information.ims.calling_party = calling_party;
  information.sms.originator = information.msisdn;

  fill_head(identities, service, type, *request);
  request->session_id = as_bytes(session_id);
  request->origin_host = as_bytes(host);
  request->subscription_id_count = 2;
  request->subscription_id_pool[0] = {diameter::SubscriptionIdType::e164,
                                      as_bytes(information.msisdn)};
  request->subscription_id_pool[1] = {diameter::SubscriptionIdType::imsi, as_bytes(imsi)};
  fill_mscc(service, use, type, *request);

  octets_.resize(4096);
  octets_.resize(
      diameter::encode_request(*request, service_information(service, information), octets_));
  check(!octets_.empty(), "a request fits 4096 octets");
  std::memcpy(&head_, octets_.data(), sizeof head_);
  find_places(identities);
  find_usage(service);
}

void RequestTemplate::find_places(const Identities& identities) {
  const auto place = [this](std::initializer_list<AvpId> path, u32 skip = 0) {
    return find_place(octets_, path, skip);
  };
  const u32 session_id = place({avp::session_id});
  const u32 origin_host = place({avp::origin_host});
  const auto prefix_bytes = static_cast<u32>(session_prefix_of(identities, 0).size());
  places_.slot = session_id + prefix_bytes;
  places_.incarnation = places_.slot + 9;
  if (hosts_are_numbered_) {
    const auto label_bytes =
        static_cast<u32>(std::min(identities.host.find('.'), identities.host.size()));
    places_.host_digits = {session_id + label_bytes, origin_host + label_bytes};
  }
  places_.number = place({avp::cc_request_number});
  places_.event_time = place({avp::event_timestamp});
  places_.charging_id =
      place({avp::service_information, avp::ps_information, avp::threegpp_charging_id});

  const auto last8 = [](u32 at, u64 number) {
    return at == 0 ? 0 : at + static_cast<u32>(text_of_subscriber(number).size()) - 8;
  };
  places_.msisdn[0] =
      last8(place({avp::subscription_id, avp::subscription_id_data}), identities.first_msisdn);
  places_.imsi =
      last8(place({avp::subscription_id, avp::subscription_id_data}, 1), identities.first_imsi);
  u32 other = place({avp::service_information, avp::ims_information, avp::calling_party_address});
  if (other != 0) other += 5;  // behind "tel:+"
  if (other == 0)
    other = place({avp::service_information, avp::sms_information, avp::originator_received_address,
                   avp::address_data});
  places_.msisdn[1] = last8(other, identities.first_msisdn);
}

void RequestTemplate::find_usage(Service service) {
  const auto place = [this](const AvpId& id) {
    return find_place(octets_, {avp::multiple_services_credit_control, avp::used_service_unit, id});
  };
  used_is_long_ = service != Service::voice;
  places_.used = place(service == Service::voice  ? avp::cc_time
                       : service == Service::data ? avp::cc_total_octets
                                                  : avp::cc_service_specific_units);
  places_.used_input = place(avp::cc_input_octets);
  places_.used_output = place(avp::cc_output_octets);
}

void RequestTemplate::write(const RequestFields& fields, u8* out) const {
  std::memcpy(out, octets_.data(), octets_.size());
  store_digits8(out + places_.slot, hexadecimal8(fields.slot));
  store_digits8(out + places_.incarnation, hexadecimal8(fields.incarnation));
  if (hosts_are_numbered_)
    for (const u32 at : places_.host_digits)
      std::memcpy(out + at, &fields.host_digits, sizeof fields.host_digits);
  store_u32(out + places_.number, fields.number);
  store_u32(out + places_.event_time, fields.event_time);
  store_u32(out + places_.charging_id, fields.slot);
  const u64 msisdn = decimal8(fields.msisdn_low);
  for (const u32 at : places_.msisdn) store_digits8(out + at, msisdn);
  store_digits8(out + places_.imsi, decimal8(fields.imsi_low));
  if (used_is_long_) {
    const u32 input = fields.used / 8;
    store_u64(out + places_.used, fields.used);
    store_u64(out + places_.used_input, input);
    store_u64(out + places_.used_output, fields.used - input);
  } else {
    store_u32(out + places_.used, fields.used);
  }
  // The header at last: see Places.
  std::memcpy(out, &head_, sizeof head_);
  if (fields.is_retransmitted) out[4] = static_cast<u8>(out[4] | diameter::flag_retransmitted);
  store_u32(out + 12, fields.hop_by_hop);
  store_u32(out + 16, fields.end_to_end);
}

}  // namespace tollgate::tollload
