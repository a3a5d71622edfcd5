// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Translation between Diameter and the ledger: the one place that knows both.
//
// Amounts change their units here: seconds of CC-Time into milliseconds, CC-Money into millionths.
// Outcomes become Result-Codes here and nowhere else.
#pragma once

#include "app/charge_request.hh"
#include "diameter/credit_control.hh"
#include "ledger/outcome.hh"
#include "rating/image.hh"

namespace tollgate::app {

diameter::ResultCode result_code_of(ledger::Outcome outcome);

// How many services a request has: its MSCCs, or one for units at command level, or none.
u32 service_count_of(const diameter::CreditControlRequest& request);

// Writes the services. ok, or amount_overflow if an amount does not fit the ledger.
ledger::Outcome write_services(const diameter::CreditControlRequest& request,
                               std::span<ChargeService> services);

// The keys to look an account up by, in the order in which they are tried: telephone numbers and
// IMSIs first, as they came. Returns how many there are.
inline constexpr u32 identity_keys_max = 4;
u32 identity_keys(const diameter::CreditControlRequest& request,
                  std::array<ledger::IdentityKey, identity_keys_max>& keys);

// What the net tile kept of a request until its answer came.
struct KeptRequest {
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  u32 number = 0;
  RequestKind kind = RequestKind::none;
  bool is_proxiable = false;
  Bytes session_id;
  Bytes proxy_info;
};

// Made once and used for every answer: clearing all of it each time would cost more than encoding.
using AnswerScratch = std::array<diameter::AnswerMscc, ledger::services_per_request_max>;

// Encodes the CCA in place. Returns its length (0: it does not fit) and tells the Result-Code.
struct AnswerParts {
  const KeptRequest& kept;
  const AnswerFrame& frame;
  const rating::Image& image;
  const diameter::OriginBlock& origin;
};
std::size_t encode_charge_answer(const AnswerParts& parts, AnswerScratch& scratch, MutableBytes out,
                                 diameter::ResultCode& code);

}  // namespace tollgate::app
