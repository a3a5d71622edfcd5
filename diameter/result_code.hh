// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ResultCode: the values of Result-Code (RFC 6733 section 7.1, RFC 8506 section 9).
//
// A peer may send any number, so a ResultCode need not be one of the names. The thousands tell the
// family: 1 informational, 2 success, 3 protocol error (E bit and generic grammar), 4 transient,
// 5 permanent.
#pragma once

#include "base/types.hh"

namespace tollgate::diameter {

enum class ResultCode : u32 {
  none = 0,
  success = 2001,
  limited_success = 2002,
  command_unsupported = 3001,
  unable_to_deliver = 3002,
  realm_not_served = 3003,
  too_busy = 3004,
  loop_detected = 3005,
  redirect_indication = 3006,
  application_unsupported = 3007,
  invalid_header_bits = 3008,
  invalid_avp_bits = 3009,
  unknown_peer = 3010,
  authentication_rejected = 4001,
  out_of_space = 4002,
  election_lost = 4003,
  end_user_service_denied = 4010,
  credit_control_not_applicable = 4011,
  credit_limit_reached = 4012,
  avp_unsupported = 5001,
  unknown_session_id = 5002,
  authorization_rejected = 5003,
  invalid_avp_value = 5004,
  missing_avp = 5005,
  resources_exceeded = 5006,
  contradicting_avps = 5007,
  avp_not_allowed = 5008,
  avp_occurs_too_many_times = 5009,
  no_common_application = 5010,
  unsupported_version = 5011,
  unable_to_comply = 5012,
  invalid_bit_in_header = 5013,
  invalid_avp_length = 5014,
  invalid_message_length = 5015,
  invalid_avp_bit_combo = 5016,
  no_common_security = 5017,
  user_unknown = 5030,
  rating_failed = 5031,
};

constexpr bool is_success(ResultCode code) {
  return static_cast<u32>(code) / 1000 == 2;
}
// Answered with the E bit and the generic error grammar.
constexpr bool is_protocol_error(ResultCode code) {
  return static_cast<u32>(code) / 1000 == 3;
}

}  // namespace tollgate::diameter
