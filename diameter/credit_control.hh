// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Credit control (RFC 8506, TS 32.299) in values: requests decoded and encoded, answers encoded and
// decoded. Application 4, command 272.
//
// Decoding is one pass without copies: a CreditControlRequest holds numbers, and views into the
// message, which must stay where it is as long as the views are used. What has to be kept until the
// answer leaves, for the message is gone by then:
//
//   header.hop_by_hop, header.end_to_end, header.is_proxiable()
//   session_id             octets, copied
//   type, number           both are sent back, on errors too
//   proxy_info             octets of all Proxy-Info AVPs, copied; rare
//   of each MSCC           rating_group and service_identifiers, sent back as they came
//
// Limits are answered, never silently cut: MSCCs, reported units, identifiers and so on beyond the
// counts below get DIAMETER_AVP_OCCURS_TOO_MANY_TIMES.
#pragma once

#include <array>
#include <optional>

#include "base/time.hh"
#include "base/types.hh"
#include "diameter/avp.hh"
#include "diameter/decode.hh"
#include "diameter/header.hh"
#include "diameter/result_code.hh"

namespace tollgate::diameter {

inline constexpr u32 mscc_count_max = 64;
inline constexpr u32 used_units_count_max = 128;          // in a message, over all its MSCCs
inline constexpr u32 service_identifier_count_max = 128;  // in a message, over all its MSCCs
inline constexpr u32 subscription_id_count_max = 8;
inline constexpr u32 proxy_info_count_max = 8;
inline constexpr u32 route_record_count_max = 16;

// CC-Request-Type
enum class RequestType : u8 { none = 0, initial = 1, update = 2, termination = 3, event = 4 };

enum class RequestedAction : u8 {
  direct_debiting = 0,
  refund_account = 1,
  check_balance = 2,
  price_enquiry = 3,
};

// CC-Money: digits times 10 to the power of exponent. Never a floating point number.
struct MoneyValue {
  i64 digits = 0;
  i32 exponent = 0;
  u32 currency_code = 0;  // ISO 4217 number; 0 if it was absent
};

// The bits of Units::kinds: which of the values are there.
inline constexpr u8 unit_time = 0x01;
inline constexpr u8 unit_total_octets = 0x02;
inline constexpr u8 unit_input_octets = 0x04;
inline constexpr u8 unit_output_octets = 0x08;
inline constexpr u8 unit_service_specific = 0x10;
inline constexpr u8 unit_money = 0x20;

// What a Requested-, Used- or Granted-Service-Unit holds.
struct Units {
  u8 kinds = 0;
  u32 time_s = 0;
  u64 total_octets = 0;
  u64 input_octets = 0;   // from the user
  u64 output_octets = 0;  // to the user
  u64 service_specific = 0;
  MoneyValue money{};

  bool has(u8 kind) const { return (kinds & kind) != 0; }
};

enum class Requested : u8 {
  absent,  // report only: grant nothing
  empty,   // asked for: the server chooses how much
  units,   // asked for, so much
};

enum class TariffChangeUsage : u8 { before = 0, after = 1, indeterminate = 2, none = 0xff };

enum class ReportingReason : u8 {
  threshold = 0,
  quota_holding_time = 1,
  final_report = 2,
  quota_exhausted = 3,
  validity_time = 4,
  other_quota_type = 5,
  rating_condition_change = 6,
  forced_reauthorisation = 7,
  pool_exhausted = 8,
  unused_quota_timer = 9,
  unknown = 0xfe,  // a value that later releases may have added
  none = 0xff,
};

struct UsedUnits {
  Units units{};
  TariffChangeUsage tariff_change = TariffChangeUsage::none;
  ReportingReason reason = ReportingReason::none;
};

// One Multiple-Services-Credit-Control of a request. Its lists stand in the request's pools: see
// CreditControlRequest::used_of and service_identifiers_of.
struct RequestMscc {
  std::optional<u32> rating_group;
  Requested requested = Requested::absent;
  ReportingReason reason = ReportingReason::none;
  u8 service_identifier_first = 0;
  u8 service_identifier_count = 0;
  u8 used_first = 0;
  u8 used_count = 0;
  Units requested_units{};
};

// Subscription-Id-Type
enum class SubscriptionIdType : u32 { e164 = 0, imsi = 1, sip_uri = 2, nai = 3, private_id = 4 };

struct SubscriptionId {
  SubscriptionIdType type{};
  Bytes data;
};

// What tariffs ask of the service: the data of the AVP where it stands, empty if it is absent.
struct ServiceFacts {
  Bytes called_station_id;    // the APN
  Bytes rat_type;             // 3GPP-RAT-Type
  Bytes sgsn_mcc_mnc;         // 3GPP-SGSN-MCC-MNC: the visited network, as digits
  Bytes user_location;        // 3GPP-User-Location-Info
  Bytes calling_party;        // Calling-Party-Address, the first
  Bytes called_party;         // Called-Party-Address
  Bytes requested_party;      // Requested-Party-Address, the first
  Bytes sms_recipient;        // Address-Data of SMS' first Recipient-Address
  Bytes charging_rule_base;   // Charging-Rule-Base-Name
  Bytes role_of_node;         // Role-Of-Node: 0 originating, 1 terminating
  Bytes service_information;  // the whole group's data, for rules that look for more
};

// All of a request but its lists.
struct RequestHead {
  Header header{};
  Bytes session_id;
  Bytes origin_host;  // the first, if there are several
  Bytes origin_realm;
  Bytes destination_host;
  Bytes destination_realm;
  Bytes service_context_id;
  Bytes user_name;
  RequestType type = RequestType::none;
  u32 number = 0;
  std::optional<RequestedAction> requested_action;
  std::optional<u32> termination_cause;
  std::optional<u32> origin_state_id;
  std::optional<u32> multiple_services_indicator;
  std::optional<u32> aoc_request_type;
  std::optional<u32> service_identifier;  // at command level
  std::optional<Instant> event_timestamp;
  Bytes cc_correlation_id;
  bool supports_overload_reports = false;  // OC-Supported-Features (RFC 7683)
  ServiceFacts facts{};

  // Units at command level, for requests without MSCC; the reports are the first `used_count` of
  // the pool.
  Requested requested = Requested::absent;
  u8 used_count = 0;
  Units requested_units{};

  u32 mscc_count = 0;
  u32 subscription_id_count = 0;
  u32 proxy_info_count = 0;
  u32 route_record_count = 0;
  u32 used_pool_count = 0;
  u32 service_identifier_pool_count = 0;
};

struct CreditControlRequest : RequestHead {
  std::array<RequestMscc, mscc_count_max> mscc_pool;
  std::array<UsedUnits, used_units_count_max> used_pool;
  std::array<u32, service_identifier_count_max> service_identifier_pool;
  std::array<SubscriptionId, subscription_id_count_max> subscription_id_pool;
  std::array<Bytes, proxy_info_count_max> proxy_info_pool;      // whole AVPs, without padding
  std::array<Bytes, route_record_count_max> route_record_pool;  // data

  std::span<const RequestMscc> mscc() const { return {mscc_pool.data(), mscc_count}; }
  std::span<const UsedUnits> used_of(const RequestMscc& mscc) const {
    return {used_pool.data() + mscc.used_first, mscc.used_count};
  }
  // Reports at command level.
  std::span<const UsedUnits> used() const { return {used_pool.data(), used_count}; }
  std::span<const u32> service_identifiers_of(const RequestMscc& mscc) const {
    return {service_identifier_pool.data() + mscc.service_identifier_first,
            mscc.service_identifier_count};
  }
  std::span<const SubscriptionId> subscription_ids() const {
    return {subscription_id_pool.data(), subscription_id_count};
  }
  std::span<const Bytes> proxy_info() const { return {proxy_info_pool.data(), proxy_info_count}; }
  std::span<const Bytes> route_records() const {
    return {route_record_pool.data(), route_record_count};
  }
};

// Decodes a whole CCR, header included, which the framer and classify (dispatch.hh) have let pass.
// `request` is meant to be made once and used again: what it held is forgotten. On false, `refusal`
// says why, and `request` holds what was found up to there, which is good for a log and no more.
[[nodiscard]] bool decode_credit_control_request(Bytes message, CreditControlRequest& request,
                                                 Refusal& refusal);

// ---- Answers

// Origin-Host and Origin-Realm, encoded once at start: every answer begins with them.
class OriginBlock {
 public:
  OriginBlock() = default;
  // Both at most 255 octets.
  OriginBlock(std::string_view host, std::string_view realm);
  Bytes avps() const { return {octets_.data(), size_bytes_}; }
  std::string_view host() const { return as_text(avps().subspan(8, host_bytes_)); }

 private:
  std::array<u8, 528> octets_{};
  u16 size_bytes_ = 0;
  u16 host_bytes_ = 0;
};

enum class FinalUnitAction : u8 { terminate = 0, redirect = 1, restrict_access = 2, none = 0xff };

// Redirect-Address-Type
enum class RedirectAddressType : u8 { ipv4 = 0, ipv6 = 1, url = 2, sip_uri = 3 };

struct FinalUnit {
  FinalUnitAction action = FinalUnitAction::none;
  RedirectAddressType redirect_type = RedirectAddressType::url;
  std::string_view redirect_address;    // for redirect
  std::string_view restriction_filter;  // an IPFilterRule, for restrict_access
  std::string_view filter_id;           // the other way to restrict
};

// CC-Unit-Type
enum class UnitType : u8 {
  time = 0,
  money = 1,
  total_octets = 2,
  input_octets = 3,
  output_octets = 4,
  service_specific = 5,
};

// G-S-U-Pool-Reference: what one unit of that type weighs in the pool.
struct PoolReference {
  u32 identifier = 0;
  UnitType type = UnitType::time;
  MoneyValue multiplier;  // without a currency
};

// One Multiple-Services-Credit-Control of an answer.
struct AnswerMscc {
  Units granted{};  // no kinds: no Granted-Service-Unit
  std::optional<Instant> tariff_time_change;
  std::span<const u32> service_identifiers;
  std::optional<u32> rating_group;
  std::optional<PoolReference> pool;
  std::optional<u32> validity_time_s;
  ResultCode result_code = ResultCode::none;  // none: not sent
  FinalUnit final_unit{};
  std::optional<u32> time_quota_threshold_s;
  std::optional<u32> volume_quota_threshold_octets;
  std::optional<u32> unit_quota_threshold;
  std::optional<u32> quota_holding_time_s;
  std::optional<u32> quota_consumption_time_s;
  bool has_trigger = false;  // Trigger, with these; without any it disarms all
  std::span<const u32> trigger_types;
};

enum class SessionFailover : u8 { not_supported = 0, supported = 1, none = 0xff };
// Credit-Control-Failure-Handling
enum class FailureHandling : u8 { terminate = 0, go_on = 1, retry_and_terminate = 2, none = 0xff };
// Direct-Debiting-Failure-Handling
enum class DebitingFailureHandling : u8 { terminate_or_buffer = 0, go_on = 1, none = 0xff };
enum class CheckBalanceResult : u8 { enough_credit = 0, no_credit = 1, none = 0xff };

struct CreditControlAnswer {
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  bool is_proxiable = false;
  Bytes session_id;
  ResultCode result_code = ResultCode::success;
  const OriginBlock* origin = nullptr;  // never null
  RequestType type = RequestType::none;
  u32 number = 0;
  SessionFailover session_failover = SessionFailover::none;
  FailureHandling failure_handling = FailureHandling::none;
  DebitingFailureHandling debiting_failure_handling = DebitingFailureHandling::none;
  CheckBalanceResult check_balance = CheckBalanceResult::none;
  std::span<const AnswerMscc> mscc;

  // At command level: for requests without MSCC.
  Units granted{};
  std::optional<u32> validity_time_s;
  FinalUnit final_unit{};

  std::optional<MoneyValue> cost;               // Cost-Information
  std::string_view cost_unit;                   // beside it: "per minute"
  std::optional<MoneyValue> advice_of_charge;   // AoC-Information: what it has cost so far
  std::optional<MoneyValue> remaining_balance;  // Remaining-Balance
  std::optional<bool> low_balance;              // Low-Balance-Indication
  std::optional<u32> origin_state_id;
  std::string_view error_message;
  Bytes failed_avps;  // content of Failed-AVP; empty: none
  Bytes proxy_info;   // Proxy-Info AVPs of the request, one after the other, each padded
};

// Writes the answer and returns its length; 0 if it does not fit into `out`, which then holds
// nothing of use. A result code of the 3xxx family sets the E bit.
[[nodiscard]] std::size_t encode_answer(const CreditControlAnswer& answer, MutableBytes out);

// Copies the Proxy-Info AVPs of a request, padded, one after the other: what an answer sends back.
// Returns their length; 0 if there are none or they do not fit.
std::size_t copy_proxy_info(const CreditControlRequest& request, MutableBytes out);

// ---- The client's side: the load generator and tests.

// Service-Information > PS-Information of a gateway. Empty texts and absent values are not sent.
struct PsInformation {
  u32 charging_id = 0;
  u32 pdp_type = 0;  // 0 IPv4, 2 IPv6
  std::array<u8, 4> pdp_address{};
  std::array<u8, 4> sgsn_address{};
  std::array<u8, 4> ggsn_address{};
  std::string_view imsi_mcc_mnc;
  std::string_view ggsn_mcc_mnc;
  std::string_view sgsn_mcc_mnc;
  std::string_view called_station_id;
  std::string_view charging_characteristics;
  std::string_view selection_mode;
  std::string_view nsapi;
  Bytes user_location;
  Bytes ms_time_zone;
  u8 rat_type = 0;
  std::string_view charging_rule_base;
};

// Service-Information > IMS-Information of a call.
struct ImsInformation {
  u32 node_functionality = 6;  // application server
  u32 role_of_node = 0;        // originating
  std::string_view sip_method;
  std::string_view user_session_id;
  std::string_view calling_party;
  std::string_view called_party;
  std::string_view ims_charging_identifier;
};

// Service-Information > SMS-Information of a short message.
struct SmsInformation {
  std::string_view originator;  // MSISDN
  std::string_view recipient;   // MSISDN
  u32 message_type = 0;         // SUBMISSION
};

struct ServiceInformation {
  const PsInformation* ps = nullptr;
  const ImsInformation* ims = nullptr;
  const SmsInformation* sms = nullptr;
};

// Writes `request` as a CCR: everything it holds but its facts, which stand in `service`. The
// request's header gives the two identifiers and the T and P flags.
[[nodiscard]] std::size_t encode_request(const CreditControlRequest& request,
                                         const ServiceInformation& service, MutableBytes out);

// A CCA as a client reads it.
struct ReceivedMscc {
  std::optional<u32> rating_group;
  std::optional<u32> service_identifier;  // the first
  u32 service_identifier_count = 0;
  ResultCode result_code = ResultCode::none;
  bool has_granted = false;
  Units granted{};
  std::optional<Instant> tariff_time_change;
  std::optional<PoolReference> pool;
  std::optional<u32> validity_time_s;
  std::optional<u32> time_quota_threshold_s;
  std::optional<u32> volume_quota_threshold_octets;
  std::optional<u32> quota_holding_time_s;
  FinalUnitAction final_unit = FinalUnitAction::none;
  Bytes redirect_address;
};

struct ReceivedAnswer {
  Header header{};
  Bytes session_id;
  Bytes origin_host;
  Bytes origin_realm;
  ResultCode result_code = ResultCode::none;
  RequestType type = RequestType::none;
  std::optional<u32> number;
  std::optional<u32> application_id;
  bool has_granted = false;
  Units granted{};  // at command level
  std::optional<u32> validity_time_s;
  FinalUnitAction final_unit = FinalUnitAction::none;
  std::optional<MoneyValue> cost;
  std::optional<MoneyValue> remaining_balance;
  std::optional<MoneyValue> advice_of_charge;
  std::optional<bool> low_balance;
  std::optional<u32> session_failover;
  std::optional<u32> failure_handling;
  CheckBalanceResult check_balance = CheckBalanceResult::none;
  Bytes failed_avps;
  Bytes error_message;
  u32 proxy_info_count = 0;
  u32 mscc_count = 0;
  std::array<ReceivedMscc, mscc_count_max> mscc_pool;

  std::span<const ReceivedMscc> mscc() const { return {mscc_pool.data(), mscc_count}; }
};

enum class AnswerFault : u8 {
  none,
  malformed,    // an AVP that is out of shape, of a wrong size, or unknown with M
  missing_avp,  // Session-Id, Result-Code, Origin-Host or Origin-Realm; in answers without the E
                // bit also Auth-Application-Id, CC-Request-Type or CC-Request-Number
  too_many_mscc,
};

[[nodiscard]] AnswerFault decode_answer(Bytes message, ReceivedAnswer& answer);

// ---- Time (RFC 6733 section 4.3.1): seconds since 1900, whose first era ends in February 2036.
Instant instant_of_time(u32 ntp_seconds);
u32 time_of_instant(Instant at);

}  // namespace tollgate::diameter
