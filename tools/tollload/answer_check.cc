// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/answer_check.hh"

#include <array>
#include <cstring>

#include "diameter/avp.hh"
#include "diameter/avp_ids.hh"
#include "diameter/header.hh"
#include "tools/tollload/digits.hh"
#include "tools/tollload/request_template.hh"

namespace tollgate::tollload {
namespace {

namespace avp = diameter::avp;
using diameter::Avp;
using diameter::AvpCursor;
using diameter::AvpStep;
using diameter::load_u32;

constexpr u32 code_success = 2001;
constexpr u32 code_credit_limit_reached = 4012;

// What must be there, as bits.
constexpr u32 seen_session_id = 0x01;
constexpr u32 seen_result_code = 0x02;
constexpr u32 seen_origin_host = 0x04;
constexpr u32 seen_origin_realm = 0x08;
constexpr u32 seen_application = 0x10;
constexpr u32 seen_type = 0x20;
constexpr u32 seen_number = 0x40;
constexpr u32 seen_by_all =
    seen_session_id | seen_result_code | seen_origin_host | seen_origin_realm;
constexpr u32 seen_by_credit_control = seen_by_all | seen_application | seen_type | seen_number;

// The members of a CCA that are looked at.
struct Members {
  u32 seen = 0;
  Bytes session_id;
  u32 result_code = 0;
  u32 application = 0;
  u32 type = 0;
  u32 number = 0;
  Bytes mscc;
  u32 mscc_count = 0;
  bool has_final_unit = false;
};

struct MsccMembers {
  u32 result_code = 0;
  u32 rating_group = 0;
  u32 service_identifier = 0;
  bool has_rating_group = false;
  bool has_service_identifier = false;
  bool has_granted = false;
  bool has_final_unit = false;
  Bytes granted;
};

bool take_u32(const Avp& found, u32& value) {
  if (found.data_bytes() != 4) return false;
  value = found.as_u32();
  return true;
}

bool read_member(const Avp& found, Members& members) {
  switch (found.code) {
    case avp::session_id.code:
      members.session_id = found.data();
      members.seen |= seen_session_id;
      return true;
    case avp::result_code.code:
      members.seen |= seen_result_code;
      return take_u32(found, members.result_code);
    case avp::origin_host.code:
      members.seen |= seen_origin_host;
      return true;
    case avp::origin_realm.code:
      members.seen |= seen_origin_realm;
      return true;
    case avp::auth_application_id.code:
      members.seen |= seen_application;
      return take_u32(found, members.application);
    case avp::cc_request_type.code:
      members.seen |= seen_type;
      return take_u32(found, members.type);
    case avp::cc_request_number.code:
      members.seen |= seen_number;
      return take_u32(found, members.number);
    case avp::multiple_services_credit_control.code:
      members.mscc = found.data();
      ++members.mscc_count;
      return true;
    case avp::final_unit_indication.code:
      members.has_final_unit = true;
      return true;
    default:
      return true;
  }
}

bool read_members(Bytes message, Members& members) {
  AvpCursor cursor(message.subspan(diameter::header_bytes));
  Avp found;
  AvpStep step;
  while ((step = cursor.next(found)) == AvpStep::avp)
    if (found.vendor == 0 && !read_member(found, members)) return false;
  return step == AvpStep::end;
}

bool read_mscc(Bytes mscc, MsccMembers& members) {
  AvpCursor cursor(mscc);
  Avp found;
  AvpStep step;
  while ((step = cursor.next(found)) == AvpStep::avp) {
    if (found.vendor != 0) continue;
    bool is_sound = true;
    switch (found.code) {
      case avp::granted_service_unit.code:
        members.has_granted = true;
        members.granted = found.data();
        break;
      case avp::rating_group.code:
        members.has_rating_group = true;
        is_sound = take_u32(found, members.rating_group);
        break;
      case avp::service_identifier.code:
        members.has_service_identifier = true;
        is_sound = take_u32(found, members.service_identifier);
        break;
      case avp::result_code.code:
        is_sound = take_u32(found, members.result_code);
        break;
      case avp::final_unit_indication.code:
        members.has_final_unit = true;
        break;
      default:
        break;
    }
    if (!is_sound) return false;
  }
  return step == AvpStep::end;
}

u32 code_of_unit(u8 unit) {
  if (unit == diameter::unit_time) return avp::cc_time.code;
  if (unit == diameter::unit_total_octets) return avp::cc_total_octets.code;
  return avp::cc_service_specific_units.code;
}

// The amount in a Granted-Service-Unit, which must be in the unit that was asked for.
AnswerFault read_granted(Bytes granted, u8 unit, u64& amount) {
  const u32 wanted_code = code_of_unit(unit);
  bool is_found = false;
  AvpCursor cursor(granted);
  Avp found;
  AvpStep step;
  while ((step = cursor.next(found)) == AvpStep::avp) {
    if (found.vendor != 0 || found.code != wanted_code) continue;
    const bool is_long = unit != diameter::unit_time;
    if (found.data_bytes() != (is_long ? 8U : 4U)) return AnswerFault::malformed;
    amount = is_long ? found.as_u64() : found.as_u32();
    is_found = true;
  }
  if (step != AvpStep::end) return AnswerFault::malformed;
  return is_found ? AnswerFault::none : AnswerFault::grant_unit;
}

AnswerFault check_grant(const MsccMembers& mscc, const Expected& expected, AnswerFacts& facts) {
  if (expected.requested == 0)
    return mscc.has_granted ? AnswerFault::grant_unasked : AnswerFault::none;
  if (!mscc.has_granted)
    return facts.has_final_unit ? AnswerFault::none : AnswerFault::grant_missing;
  u64 amount = 0;
  const AnswerFault fault = read_granted(mscc.granted, expected.unit, amount);
  if (fault != AnswerFault::none) return fault;
  facts.granted = static_cast<u32>(std::min<u64>(amount, UINT32_MAX));
  if (expected.any_grant)
    return amount != 0 || facts.has_final_unit ? AnswerFault::none : AnswerFault::grant_amount;
  // The last slice may be smaller, and must say that it is the last.
  const bool is_right =
      amount == expected.requested || (amount < expected.requested && facts.has_final_unit);
  return is_right ? AnswerFault::none : AnswerFault::grant_amount;
}

AnswerFault check_mscc(const Members& members, const Expected& expected, AnswerFacts& facts) {
  if (members.mscc_count == 0) {
    // The answer to the last request of a session has nothing to tell of its services.
    return expected.type == RequestType::termination ? AnswerFault::none
                                                     : AnswerFault::mscc_missing;
  }
  if (members.mscc_count > 1) return AnswerFault::mscc_repeated;
  MsccMembers mscc;
  if (!read_mscc(members.mscc, mscc)) return AnswerFault::malformed;
  facts.mscc_result_code = mscc.result_code;
  facts.has_final_unit = mscc.has_final_unit || members.has_final_unit;
  if (!mscc.has_rating_group || mscc.rating_group != expected.rating_group)
    return AnswerFault::rating_group;
  if (!mscc.has_service_identifier || mscc.service_identifier != expected.service_identifier)
    return AnswerFault::service_identifier;
  if (mscc.result_code == code_credit_limit_reached) {
    facts.outcome = Outcome::refused;
    return mscc.has_granted ? AnswerFault::grant_unasked : AnswerFault::none;
  }
  if (mscc.result_code != code_success) return AnswerFault::mscc_result_code;
  facts.outcome = Outcome::success;
  return check_grant(mscc, expected, facts);
}

AnswerFault check_header(Bytes message, const Expected& expected) {
  const u8 flags = message[4];
  if ((flags & (diameter::flag_request | diameter::flag_retransmitted)) != 0)
    return AnswerFault::header_flags;
  if ((flags & diameter::flag_proxiable) == 0) return AnswerFault::header_flags;
  if (load_u32(message.data() + 8) != static_cast<u32>(diameter::Application::credit_control))
    return AnswerFault::application;
  return load_u32(message.data() + 16) == expected.end_to_end ? AnswerFault::none
                                                              : AnswerFault::end_to_end;
}

bool is_expected_session(Bytes session_id, const Expected& expected) {
  const std::size_t prefix_bytes = expected.session_prefix.size();
  if (session_id.size() != prefix_bytes + session_suffix_bytes) return false;
  const u8* const suffix = session_id.data() + prefix_bytes;
  return load_digits8(suffix) == hexadecimal8(expected.slot) &&
         load_digits8(suffix + 9) == hexadecimal8(expected.incarnation) &&
         std::memcmp(session_id.data(), expected.session_prefix.data(), prefix_bytes) == 0 &&
         suffix[8] == ';';
}

// A protocol error has the generic grammar: neither type nor number, nor services.
AnswerFault check_protocol_error(Bytes message, const AnswerFacts& facts) {
  const bool has_error_flag = (message[4] & diameter::flag_error) != 0;
  const bool is_protocol_error = facts.result_code / 1000 == 3;
  if (has_error_flag != is_protocol_error) return AnswerFault::header_flags;
  if (!is_protocol_error || facts.result_code == code_too_busy) return AnswerFault::none;
  return AnswerFault::result_code;
}

}  // namespace

const FaultText& text_of(AnswerFault fault) {
  static constexpr std::array<FaultText, answer_fault_count> table{{
      {"none", "nothing is wrong"},
      {"unknown_hop_by_hop", "no request waits for this Hop-by-Hop Identifier"},
      {"malformed", "an AVP is out of shape"},
      {"header_flags", "the header's flags do not fit an answer to this request or its result"},
      {"application", "the header's application is not credit control"},
      {"end_to_end", "the End-to-End Identifier is not the request's"},
      {"missing_avp", "an AVP that every answer has is missing"},
      {"session_id", "the Session-Id is not the request's"},
      {"request_type", "the CC-Request-Type is not the request's"},
      {"request_number", "the CC-Request-Number is not the request's"},
      {"result_code", "the Result-Code is not one of success, too busy or no credit"},
      {"mscc_missing", "there is no Multiple-Services-Credit-Control"},
      {"mscc_repeated", "there is more than one Multiple-Services-Credit-Control"},
      {"mscc_result_code",
       "the Result-Code of the service is missing or neither success nor "
       "no credit"},
      {"rating_group", "the Rating-Group is not the request's"},
      {"service_identifier", "the Service-Identifier is not the request's"},
      {"grant_missing", "nothing is granted, and no final unit says why"},
      {"grant_unit", "the grant is not in the unit that was asked for"},
      {"grant_amount", "the grant is not what was asked for, and no final unit says why"},
      {"grant_unasked", "there is a grant where none may be"},
      {"duplicate_differs", "a request sent twice got two different answers"},
  }};
  return table[static_cast<std::size_t>(fault)];
}

AnswerFault check_answer(Bytes message, const Expected& expected, AnswerFacts& facts) {
  facts = {};
  AnswerFault fault = check_header(message, expected);
  if (fault != AnswerFault::none) return fault;
  Members members;
  if (!read_members(message, members)) return AnswerFault::malformed;
  facts.result_code = members.result_code;
  if ((members.seen & seen_by_all) != seen_by_all) return AnswerFault::missing_avp;
  if (!is_expected_session(members.session_id, expected)) return AnswerFault::session_id;
  fault = check_protocol_error(message, facts);
  if (fault != AnswerFault::none) return fault;
  if (facts.result_code == code_too_busy) {
    facts.outcome = Outcome::too_busy;
    return AnswerFault::none;
  }
  if ((members.seen & seen_by_credit_control) != seen_by_credit_control)
    return AnswerFault::missing_avp;
  if (members.application != static_cast<u32>(diameter::Application::credit_control))
    return AnswerFault::application;
  if (members.type != static_cast<u32>(expected.type)) return AnswerFault::request_type;
  if (members.number != expected.number) return AnswerFault::request_number;
  if (facts.result_code == code_credit_limit_reached) {
    facts.outcome = Outcome::refused;
    return AnswerFault::none;
  }
  if (facts.result_code != code_success) return AnswerFault::result_code;
  facts.outcome = Outcome::success;
  fault = check_mscc(members, expected, facts);
  if (fault != AnswerFault::none) facts.outcome = Outcome::failed;
  return fault;
}

}  // namespace tollgate::tollload
