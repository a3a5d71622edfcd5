// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// decode_credit_control_request: one pass over the message. What it holds is taken out in the order
// in which it comes; what it does not need is judged and left.
#include "base/check.hh"
#include "diameter/avp_ids.hh"
#include "diameter/credit_control.hh"
#include "diameter/decode.hh"

namespace tollgate::diameter {
namespace {

// Which AVPs have come: those that may come only once.
enum Seen : u32 {
  seen_session_id = 1u << 0,
  seen_origin_host = 1u << 1,
  seen_origin_realm = 1u << 2,
  seen_destination_realm = 1u << 3,
  seen_application = 1u << 4,  // in the message or in Vendor-Specific-Application-Id
  seen_service_context_id = 1u << 5,
  seen_type = 1u << 6,
  seen_number = 1u << 7,
  seen_destination_host = 1u << 8,
  seen_user_name = 1u << 9,
  seen_origin_state_id = 1u << 10,
  seen_event_timestamp = 1u << 11,
  seen_termination_cause = 1u << 12,
  seen_requested_action = 1u << 13,
  seen_multiple_services_indicator = 1u << 14,
  seen_correlation_id = 1u << 15,
  seen_requested_units = 1u << 16,
  seen_service_identifier = 1u << 17,
  seen_service_information = 1u << 18,
  seen_aoc_request_type = 1u << 19,
  seen_application_alone = 1u << 20,
};
constexpr u32 seen_mandatory = 0xff;

struct Mandatory {
  u32 seen;
  const AvpId* id;
};
constexpr std::array mandatory_members = {
    Mandatory{seen_session_id, &avp::session_id},
    Mandatory{seen_origin_host, &avp::origin_host},
    Mandatory{seen_origin_realm, &avp::origin_realm},
    Mandatory{seen_destination_realm, &avp::destination_realm},
    Mandatory{seen_application, &avp::auth_application_id},
    Mandatory{seen_service_context_id, &avp::service_context_id},
    Mandatory{seen_type, &avp::cc_request_type},
    Mandatory{seen_number, &avp::cc_request_number},
};

// The members of a request that have a place of their own, numbered densely so that telling them
// apart is one jump, where their codes would be a tree of comparisons.
enum class Member : u8 {
  other,
  session_id,
  origin_host,
  origin_realm,
  destination_realm,
  destination_host,
  auth_application_id,
  vendor_specific_application_id,
  service_context_id,
  cc_request_type,
  cc_request_number,
  multiple_services_credit_control,
  subscription_id,
  event_timestamp,
  origin_state_id,
  termination_cause,
  requested_action,
  multiple_services_indicator,
  user_name,
  cc_correlation_id,
  service_identifier,
  requested_service_unit,
  used_service_unit,
  proxy_info,
  route_record,
};
constexpr auto members_of_code = [] {
  std::array<Member, 512> members{};
  members[avp::session_id.code] = Member::session_id;
  members[avp::origin_host.code] = Member::origin_host;
  members[avp::origin_realm.code] = Member::origin_realm;
  members[avp::destination_realm.code] = Member::destination_realm;
  members[avp::destination_host.code] = Member::destination_host;
  members[avp::auth_application_id.code] = Member::auth_application_id;
  members[avp::vendor_specific_application_id.code] = Member::vendor_specific_application_id;
  members[avp::service_context_id.code] = Member::service_context_id;
  members[avp::cc_request_type.code] = Member::cc_request_type;
  members[avp::cc_request_number.code] = Member::cc_request_number;
  members[avp::multiple_services_credit_control.code] = Member::multiple_services_credit_control;
  members[avp::subscription_id.code] = Member::subscription_id;
  members[avp::event_timestamp.code] = Member::event_timestamp;
  members[avp::origin_state_id.code] = Member::origin_state_id;
  members[avp::termination_cause.code] = Member::termination_cause;
  members[avp::requested_action.code] = Member::requested_action;
  members[avp::multiple_services_indicator.code] = Member::multiple_services_indicator;
  members[avp::user_name.code] = Member::user_name;
  members[avp::cc_correlation_id.code] = Member::cc_correlation_id;
  members[avp::service_identifier.code] = Member::service_identifier;
  members[avp::requested_service_unit.code] = Member::requested_service_unit;
  members[avp::used_service_unit.code] = Member::used_service_unit;
  members[avp::proxy_info.code] = Member::proxy_info;
  members[avp::route_record.code] = Member::route_record;
  return members;
}();

// The facts of Service-Information that are noted, by their codes: all of 3GPP but the first.
enum class Fact : u8 {
  none,
  called_station_id,
  rat_type,
  sgsn_mcc_mnc,
  user_location,
  calling_party,
  called_party,
  requested_party,
  charging_rule_base,
  role_of_node,
};
constexpr auto facts_of_code = [] {
  std::array<Fact, 1280> facts{};
  facts[avp::called_station_id.code] = Fact::called_station_id;
  facts[avp::threegpp_rat_type.code] = Fact::rat_type;
  facts[avp::threegpp_sgsn_mcc_mnc.code] = Fact::sgsn_mcc_mnc;
  facts[avp::threegpp_user_location_info.code] = Fact::user_location;
  facts[avp::calling_party_address.code] = Fact::calling_party;
  facts[avp::called_party_address.code] = Fact::called_party;
  facts[avp::requested_party_address.code] = Fact::requested_party;
  facts[avp::charging_rule_base_name.code] = Fact::charging_rule_base;
  facts[avp::role_of_node.code] = Fact::role_of_node;
  return facts;
}();

ReportingReason reporting_reason(u32 value) {
  return value <= static_cast<u32>(ReportingReason::unused_quota_timer)
             ? static_cast<ReportingReason>(value)
             : ReportingReason::unknown;
}

class Decoder {
 public:
  Decoder(CreditControlRequest& request, Refusal& refusal) : out_(request), refusal_(refusal) {}

  bool decode(Bytes octets) {
    AvpCursor cursor(octets);
    for (;;) {
      Avp avp;
      const AvpStep step = cursor.next(avp);
      if (step != AvpStep::avp) [[unlikely]] {
        if (step == AvpStep::end) break;
        return refuse_step(step, avp, cursor.rest(), refusal_);
      }
      if (!count_one() || !take(avp)) [[unlikely]]
        return false;
    }
    return finish();
  }

 private:
  // Calls member(avp) for each AVP of a group; what it refuses gets the group around it.
  template <class Member>
  [[gnu::always_inline]] bool walk(const Avp& group, Member&& member) {
    AvpCursor cursor(group.data());
    for (;;) {
      Avp avp;
      const AvpStep step = cursor.next(avp);
      if (step == AvpStep::avp) [[likely]] {
        if (count_one() && member(avp)) [[likely]]
          continue;
      } else if (step == AvpStep::end) {
        return true;
      } else {
        refuse_step(step, avp, cursor.rest(), refusal_);
      }
      refusal_.wrap(group);
      return false;
    }
  }

  [[gnu::always_inline]] bool count_one() {
    if (budget_.avps_left-- == 0) [[unlikely]]
      return refuse_limits(refusal_);
    return true;
  }
  [[gnu::always_inline]] bool once(u32 bit, const Avp& avp) {
    if (seen_ & bit) [[unlikely]]
      return refuse_repeated(avp, refusal_);
    seen_ |= bit;
    return true;
  }
  [[gnu::always_inline]] bool number(const Avp& avp, u32& value) {
    if (avp.data_bytes() != 4) [[unlikely]]
      return refuse_length(avp, refusal_);
    value = avp.as_u32();
    return true;
  }
  [[gnu::always_inline]] bool number(const Avp& avp, u64& value) {
    if (avp.data_bytes() != 8) [[unlikely]]
      return refuse_length(avp, refusal_);
    value = avp.as_u64();
    return true;
  }
  bool number(const Avp& avp, std::optional<u32>& value) {
    u32 got = 0;
    if (!number(avp, got)) return false;
    value = got;
    return true;
  }
  [[gnu::always_inline]] bool view(const Avp& avp, Bytes& data) {
    data = avp.data();
    return true;
  }
  // A name or identifier that must not be empty.
  [[gnu::always_inline]] bool name(const Avp& avp, Bytes& data) {
    if (avp.data_bytes() == 0) [[unlikely]]
      return refuse_value(avp, refusal_);
    data = avp.data();
    return true;
  }
  bool other(const Avp& avp, u32 depth) { return check_avp(avp, depth, budget_, refusal_); }

  [[gnu::always_inline]] bool take(const Avp& avp);
  bool take_3gpp(const Avp& avp);
  bool take_type(const Avp& avp);
  bool take_requested_action(const Avp& avp);
  bool take_application(const Avp& avp);
  bool take_vendor_application(const Avp& avp);
  bool take_event_timestamp(const Avp& avp);
  bool take_subscription_id(const Avp& avp, u32 depth);
  bool take_proxy_info(const Avp& avp);
  bool take_route_record(const Avp& avp);
  bool take_command_units(const Avp& avp);
  bool take_mscc(const Avp& avp);
  bool take_mscc_member(const Avp& avp, RequestMscc& mscc, u32& seen);
  bool take_requested(const Avp& avp, u32 depth, Requested& requested, Units& units);
  bool take_used(const Avp& avp, u32 depth, u8& count);
  bool take_unit(const Avp& avp, u32 depth, Units& units);
  bool take_money(const Avp& avp, u32 depth, MoneyValue& money);
  bool take_unit_value(const Avp& avp, u32 depth, MoneyValue& money);
  bool take_service(const Avp& group, u32 depth);
  bool take_service_group(const Avp& avp, u32 depth);
  void note_fact(const Avp& avp);
  bool finish();

  CreditControlRequest& out_;
  Refusal& refusal_;
  WalkBudget budget_;
  u32 seen_ = 0;
  Avp command_units_;
  Avp first_mscc_;
};

inline bool Decoder::take(const Avp& avp) {
  if (avp.vendor != 0) return take_3gpp(avp);
  switch (avp.code < members_of_code.size() ? members_of_code[avp.code] : Member::other) {
    case Member::session_id:
      return once(seen_session_id, avp) && name(avp, out_.session_id);
    case Member::origin_host:
      // Some clients send their own name twice: the first counts.
      if (seen_ & seen_origin_host) return true;
      return once(seen_origin_host, avp) && name(avp, out_.origin_host);
    case Member::origin_realm:
      if (seen_ & seen_origin_realm) return true;
      return once(seen_origin_realm, avp) && name(avp, out_.origin_realm);
    case Member::destination_realm:
      return once(seen_destination_realm, avp) && view(avp, out_.destination_realm);
    case Member::destination_host:
      return once(seen_destination_host, avp) && view(avp, out_.destination_host);
    case Member::auth_application_id:
      return once(seen_application_alone, avp) && take_application(avp);
    case Member::vendor_specific_application_id:
      return take_vendor_application(avp);
    case Member::service_context_id:
      return once(seen_service_context_id, avp) && view(avp, out_.service_context_id);
    case Member::cc_request_type:
      return once(seen_type, avp) && take_type(avp);
    case Member::cc_request_number:
      return once(seen_number, avp) && number(avp, out_.number);
    case Member::multiple_services_credit_control:
      return take_mscc(avp);
    case Member::subscription_id:
      return take_subscription_id(avp, 1);
    case Member::event_timestamp:
      return once(seen_event_timestamp, avp) && take_event_timestamp(avp);
    case Member::origin_state_id:
      return once(seen_origin_state_id, avp) && number(avp, out_.origin_state_id);
    case Member::termination_cause:
      return once(seen_termination_cause, avp) && number(avp, out_.termination_cause);
    case Member::requested_action:
      return once(seen_requested_action, avp) && take_requested_action(avp);
    case Member::multiple_services_indicator:
      return once(seen_multiple_services_indicator, avp) &&
             number(avp, out_.multiple_services_indicator);
    case Member::user_name:
      return once(seen_user_name, avp) && view(avp, out_.user_name);
    case Member::cc_correlation_id:
      return once(seen_correlation_id, avp) && view(avp, out_.cc_correlation_id);
    case Member::service_identifier:
      return once(seen_service_identifier, avp) && number(avp, out_.service_identifier);
    case Member::requested_service_unit:
    case Member::used_service_unit:
      return take_command_units(avp);
    case Member::proxy_info:
      return take_proxy_info(avp);
    case Member::route_record:
      return take_route_record(avp);
    case Member::other:
      out_.supports_overload_reports |= avp.code == avp::oc_supported_features.code;
      break;
  }
  return other(avp, 1);
}

bool Decoder::take_3gpp(const Avp& avp) {
  if (avp.is(avp::service_information)) {
    if (!once(seen_service_information, avp)) return false;
    out_.facts.service_information = avp.data();
    return take_service(avp, 1);
  }
  if (avp.is(avp::aoc_request_type))
    return once(seen_aoc_request_type, avp) && number(avp, out_.aoc_request_type);
  return other(avp, 1);
}

bool Decoder::take_type(const Avp& avp) {
  u32 value = 0;
  if (!number(avp, value)) return false;
  if (value < 1 || value > 4) return refuse_value(avp, refusal_);
  out_.type = static_cast<RequestType>(value);
  return true;
}

bool Decoder::take_requested_action(const Avp& avp) {
  u32 value = 0;
  if (!number(avp, value)) return false;
  if (value > 3) return refuse_value(avp, refusal_);
  out_.requested_action = static_cast<RequestedAction>(value);
  return true;
}

bool Decoder::take_application(const Avp& avp) {
  u32 value = 0;
  if (!number(avp, value)) return false;
  // It must say what the header says.
  if (value != static_cast<u32>(Application::credit_control)) return refuse_value(avp, refusal_);
  seen_ |= seen_application;
  return true;
}

bool Decoder::take_vendor_application(const Avp& avp) {
  return walk(
      avp, [this](const Avp& member) __attribute__((always_inline)) {
        return member.is(avp::auth_application_id) ? take_application(member) : other(member, 2);
      });
}

bool Decoder::take_event_timestamp(const Avp& avp) {
  u32 value = 0;
  if (!number(avp, value)) return false;
  out_.event_timestamp = instant_of_time(value);
  return true;
}

bool Decoder::take_subscription_id(const Avp& avp, u32 depth) {
  if (out_.subscription_id_count == subscription_id_count_max)
    return refuse_repeated(avp, refusal_);
  SubscriptionId& id = out_.subscription_id_pool[out_.subscription_id_count];
  bool has_type = false;
  bool has_data = false;
  const bool is_sound = walk(
      avp, [&](const Avp& member) __attribute__((always_inline)) {
        if (member.is(avp::subscription_id_type)) {
          u32 value = 0;
          if (has_type) return refuse_repeated(member, refusal_);
          has_type = true;
          if (!number(member, value)) return false;
          id.type = static_cast<SubscriptionIdType>(value);
          return true;
        }
        if (!member.is(avp::subscription_id_data)) return other(member, depth + 1);
        if (has_data) return refuse_repeated(member, refusal_);
        has_data = true;
        return view(member, id.data);
      });
  if (!is_sound) return false;
  if (!has_type || !has_data) [[unlikely]] {
    refuse_missing(has_type ? avp::subscription_id_data : avp::subscription_id_type, refusal_);
    refusal_.wrap(avp);
    return false;
  }
  ++out_.subscription_id_count;
  return true;
}

bool Decoder::take_proxy_info(const Avp& avp) {
  if (!other(avp, 1)) return false;
  if (out_.proxy_info_count == proxy_info_count_max) return refuse_repeated(avp, refusal_);
  out_.proxy_info_pool[out_.proxy_info_count++] = avp.whole();
  return true;
}

bool Decoder::take_route_record(const Avp& avp) {
  if (out_.route_record_count == route_record_count_max) return refuse_repeated(avp, refusal_);
  out_.route_record_pool[out_.route_record_count++] = avp.data();
  return true;
}

bool Decoder::take_command_units(const Avp& avp) {
  command_units_ = avp;
  if (avp.is(avp::used_service_unit)) return take_used(avp, 1, out_.used_count);
  return once(seen_requested_units, avp) &&
         take_requested(avp, 1, out_.requested, out_.requested_units);
}

bool Decoder::take_mscc(const Avp& avp) {
  if (out_.mscc_count == mscc_count_max) return refuse_repeated(avp, refusal_);
  if (out_.mscc_count == 0) first_mscc_ = avp;
  RequestMscc& mscc = out_.mscc_pool[out_.mscc_count++];
  mscc = {};
  mscc.used_first = static_cast<u8>(out_.used_pool_count);
  mscc.service_identifier_first = static_cast<u8>(out_.service_identifier_pool_count);
  u32 seen = 0;
  return walk(
      avp, [&](const Avp& member)
               __attribute__((always_inline)) { return take_mscc_member(member, mscc, seen); });
}

bool Decoder::take_mscc_member(const Avp& avp, RequestMscc& mscc, u32& seen) {
  enum : u32 { seen_group = 1, seen_requested = 2 };
  if (avp.vendor != 0) {
    // Repeated reasons are allowed here (TS 32.299): the first counts.
    if (!avp.is(avp::reporting_reason)) return other(avp, 2);
    u32 value = 0;
    if (!number(avp, value)) return false;
    if (mscc.reason == ReportingReason::none) mscc.reason = reporting_reason(value);
    return true;
  }
  switch (avp.code) {
    case avp::rating_group.code:
      if (seen & seen_group) return refuse_repeated(avp, refusal_);
      seen |= seen_group;
      return number(avp, mscc.rating_group);
    case avp::service_identifier.code: {
      if (out_.service_identifier_pool_count == service_identifier_count_max)
        return refuse_repeated(avp, refusal_);
      u32& slot = out_.service_identifier_pool[out_.service_identifier_pool_count++];
      ++mscc.service_identifier_count;
      return number(avp, slot);
    }
    case avp::requested_service_unit.code:
      if (seen & seen_requested) return refuse_repeated(avp, refusal_);
      seen |= seen_requested;
      return take_requested(avp, 2, mscc.requested, mscc.requested_units);
    case avp::used_service_unit.code:
      return take_used(avp, 2, mscc.used_count);
    default:
      return other(avp, 2);
  }
}

bool Decoder::take_requested(const Avp& avp, u32 depth, Requested& requested, Units& units) {
  if (!walk(
          avp, [&](const Avp& member)
                   __attribute__((always_inline)) { return take_unit(member, depth + 1, units); }))
    return false;
  requested = units.kinds == 0 ? Requested::empty : Requested::units;
  return true;
}

bool Decoder::take_used(const Avp& avp, u32 depth, u8& count) {
  if (out_.used_pool_count == used_units_count_max) return refuse_repeated(avp, refusal_);
  UsedUnits& used = out_.used_pool[out_.used_pool_count++];
  used = {};
  ++count;
  return walk(
      avp, [&](const Avp& member) __attribute__((always_inline)) {
        u32 value = 0;
        if (member.is(avp::reporting_reason)) {
          if (!number(member, value)) return false;
          used.reason = reporting_reason(value);
          return true;
        }
        if (member.is(avp::tariff_change_usage)) {
          if (!number(member, value)) return false;
          if (value > 2) return refuse_value(member, refusal_);
          used.tariff_change = static_cast<TariffChangeUsage>(value);
          return true;
        }
        return take_unit(member, depth + 1, used.units);
      });
}

bool Decoder::take_unit(const Avp& avp, u32 depth, Units& units) {
  u8 kind = 0;
  u64* value = nullptr;
  if (avp.vendor != 0) return other(avp, depth);
  switch (avp.code) {
    case avp::cc_time.code:
      kind = unit_time;
      break;
    case avp::cc_total_octets.code:
      kind = unit_total_octets;
      value = &units.total_octets;
      break;
    case avp::cc_input_octets.code:
      kind = unit_input_octets;
      value = &units.input_octets;
      break;
    case avp::cc_output_octets.code:
      kind = unit_output_octets;
      value = &units.output_octets;
      break;
    case avp::cc_service_specific_units.code:
      kind = unit_service_specific;
      value = &units.service_specific;
      break;
    case avp::cc_money.code:
      kind = unit_money;
      break;
    default:
      return other(avp, depth);
  }
  if (units.kinds & kind) return refuse_repeated(avp, refusal_);
  units.kinds |= kind;
  if (value != nullptr) return number(avp, *value);
  return kind == unit_time ? number(avp, units.time_s) : take_money(avp, depth, units.money);
}

bool Decoder::take_money(const Avp& avp, u32 depth, MoneyValue& money) {
  bool has_value = false;
  const bool is_sound = walk(
      avp, [&](const Avp& member) __attribute__((always_inline)) {
        if (member.is(avp::currency_code)) return number(member, money.currency_code);
        if (!member.is(avp::unit_value)) return other(member, depth + 1);
        if (has_value) return refuse_repeated(member, refusal_);
        has_value = true;
        return take_unit_value(member, depth + 1, money);
      });
  if (!is_sound) return false;
  if (has_value) return true;
  refuse_missing(avp::unit_value, refusal_);
  refusal_.wrap(avp);
  return false;
}

bool Decoder::take_unit_value(const Avp& avp, u32 depth, MoneyValue& money) {
  bool has_digits = false;
  const bool is_sound = walk(
      avp, [&](const Avp& member) __attribute__((always_inline)) {
        if (member.is(avp::exponent)) {
          u32 value = 0;
          if (!number(member, value)) return false;
          money.exponent = static_cast<i32>(value);
          return true;
        }
        if (!member.is(avp::value_digits)) return other(member, depth + 1);
        has_digits = true;
        u64 value = 0;
        if (!number(member, value)) return false;
        money.digits = static_cast<i64>(value);
        return true;
      });
  if (!is_sound) return false;
  if (has_digits) return true;
  refuse_missing(avp::value_digits, refusal_);
  refusal_.wrap(avp);
  return false;
}

// Service-Information and the groups in it: judged as a whole, a few facts noted.
bool Decoder::take_service(const Avp& group, u32 depth) {
  if (depth >= avp_depth_max) return refuse_limits(refusal_);
  return walk(
      group, [ this, depth ](const Avp& avp) __attribute__((always_inline)) {
        const AvpShape shape = shape_of(avp.code, avp.vendor);
        if (!has_right_size(shape, avp.data_bytes())) [[unlikely]]
          return ignore_or_refuse(avp, shape, refusal_);
        if (shape == AvpShape::grouped) return take_service_group(avp, depth + 1);
        if (avp.code < facts_of_code.size() && facts_of_code[avp.code] != Fact::none)
          note_fact(avp);
        return true;
      });
}

bool Decoder::take_service_group(const Avp& avp, u32 depth) {
  if (avp.is(avp::subscription_id)) return take_subscription_id(avp, depth);
  if (!take_service(avp, depth)) return false;
  Avp data;
  if (avp.is(avp::recipient_address_1201) && out_.facts.sms_recipient.empty() &&
      find_first(avp.data(), avp::address_data, data))
    out_.facts.sms_recipient = data.data();
  return true;
}

void Decoder::note_fact(const Avp& avp) {
  Bytes* fact = nullptr;
  switch (facts_of_code[avp.code]) {
    case Fact::none:
      return;
    case Fact::called_station_id:
      fact = &out_.facts.called_station_id;
      break;
    case Fact::rat_type:
      fact = &out_.facts.rat_type;
      break;
    case Fact::sgsn_mcc_mnc:
      fact = &out_.facts.sgsn_mcc_mnc;
      break;
    case Fact::user_location:
      fact = &out_.facts.user_location;
      break;
    case Fact::calling_party:
      fact = &out_.facts.calling_party;
      break;
    case Fact::called_party:
      fact = &out_.facts.called_party;
      break;
    case Fact::requested_party:
      fact = &out_.facts.requested_party;
      break;
    case Fact::charging_rule_base:
      fact = &out_.facts.charging_rule_base;
      break;
    case Fact::role_of_node:
      fact = &out_.facts.role_of_node;
      break;
  }
  const u32 vendor = avp.code == avp::called_station_id.code ? 0 : vendor_3gpp;
  if (avp.vendor == vendor && fact->empty()) *fact = avp.data();
}

bool Decoder::finish() {
  if ((seen_ & seen_mandatory) != seen_mandatory) [[unlikely]] {
    for (const Mandatory& member : mandatory_members) {
      if ((seen_ & member.seen) == 0) return refuse_missing(*member.id, refusal_);
    }
  }
  if (out_.type == RequestType::event && !out_.requested_action)
    return refuse_missing(avp::requested_action, refusal_);
  if (out_.mscc_count != 0 && command_units_.at != nullptr) [[unlikely]] {
    refusal_.set(ResultCode::contradicting_avps);
    refusal_.add_offender(command_units_);
    refusal_.add_offender(first_mscc_);
    return false;
  }
  return true;
}

}  // namespace

bool decode_credit_control_request(Bytes message, CreditControlRequest& request, Refusal& refusal) {
  static_cast<RequestHead&>(request) = RequestHead{};
  request.header = read_header(message);
  return Decoder(request, refusal).decode(message.subspan(header_bytes));
}

}  // namespace tollgate::diameter
