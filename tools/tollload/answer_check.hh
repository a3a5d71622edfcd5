// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// check_answer: is this the answer that the request must get?
//
// One quick walk over an answer compares all that a client relies on: header, Session-Id, type and
// number, result, and the grant. A server that answers fast but wrongly is found by the load
// itself, not by a look into its accounts afterwards.
#pragma once

#include <string_view>

#include "base/types.hh"
#include "tools/tollload/service.hh"

namespace tollgate::tollload {

inline constexpr u32 code_too_busy = 3004;  // DIAMETER_TOO_BUSY, RFC 6733 7.1.3

// What is wrong with an answer; in the order in which it is looked for.
enum class AnswerFault : u8 {
  none,
  unknown_hop_by_hop,
  malformed,
  header_flags,
  application,
  end_to_end,
  missing_avp,
  session_id,
  request_type,
  request_number,
  result_code,
  mscc_missing,
  mscc_repeated,
  mscc_result_code,
  rating_group,
  service_identifier,
  grant_missing,
  grant_unit,
  grant_amount,
  grant_unasked,
  duplicate_differs,
};
inline constexpr std::size_t answer_fault_count =
    static_cast<std::size_t>(AnswerFault::duplicate_differs) + 1;

struct FaultText {
  std::string_view name;
  std::string_view sentence;
};
const FaultText& text_of(AnswerFault fault);

// What a request asked for, as its answer must show.
struct Expected {
  u32 end_to_end = 0;
  Bytes session_prefix;  // all but the last session_suffix_bytes of the Session-Id
  u32 slot = 0;
  u32 incarnation = 0;
  RequestType type{};
  u32 number = 0;
  u32 rating_group = 0;
  u32 service_identifier = 0;
  u8 unit = 0;             // diameter::unit_...
  u32 requested = 0;       // 0: nothing may be granted
  bool any_grant = false;  // a server that grants by its own mind: any amount above zero will do
};

// What became of a request.
enum class Outcome : u8 {
  success,
  too_busy,  // 3004: nothing has happened
  refused,   // no credit (4012), at command level or for the service
  failed,    // any other code: always a fault as well
};

struct AnswerFacts {
  Outcome outcome = Outcome::failed;
  u32 result_code = 0;  // of the command; 0 if it is absent
  u32 mscc_result_code = 0;
  u32 granted = 0;
  bool has_final_unit = false;

  // The code that tells the outcome.
  u32 deciding_code() const {
    return result_code == 2001 && mscc_result_code != 0 ? mscc_result_code : result_code;
  }
};

// `message` is a whole CCA. 3004 and 4012 are no faults; all other codes but 2001 are.
[[nodiscard]] AnswerFault check_answer(Bytes message, const Expected& expected, AnswerFacts& facts);

}  // namespace tollgate::tollload
