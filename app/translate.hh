// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Translation between Diameter and the ledger: the one place that knows both.
//
// Amounts change their units here: seconds of CC-Time into milliseconds, CC-Money into millionths.
// Outcomes become Result-Codes here and nowhere else.
#pragma once

#include "app/charge_request.hh"
#include "app/profile.hh"
#include "diameter/credit_control.hh"
#include "ledger/outcome.hh"
#include "rating/image.hh"

namespace tollgate::app {

diameter::ResultCode result_code_of(ledger::Outcome outcome);

// How many services a request has: its MSCCs, or one for units at command level, or none.
u32 service_count_of(const diameter::CreditControlRequest& request);

// The profile of whoever is not recognised.
const Profile& default_profile();

// Writes the services. ok, or amount_overflow if an amount does not fit the ledger.
ledger::Outcome write_services(const diameter::CreditControlRequest& request,
                               const Profile& profile, std::span<ChargeService> services);

// How many of the services report what was used after a tariff change apart (Tariff-Change-Usage).
// What was used before it, or on both sides of it, is in the services themselves, and so is all
// that an event tells.
u32 used_after_count_of(const diameter::CreditControlRequest& request);

// Writes these, behind services that are complete. ok, or amount_overflow.
ledger::Outcome write_used_after(const diameter::CreditControlRequest& request,
                                 const Profile& profile, std::span<ChargeService> services,
                                 std::span<ChargeService> used_after);

// What a ChargeRequest tells of the client's habits.
u8 habits_of(const diameter::CreditControlRequest& request, const Profile& profile);

// The identifiers of MSCCs that have more than one, for they are sent back: for each of these its
// number and their count (16 bits each), then they. Returns how many words.
inline constexpr u32 identifier_words_max =
    diameter::service_identifier_count_max + diameter::mscc_count_max;
u32 write_identifiers(const diameter::CreditControlRequest& request, std::span<u32> words);

// The key of one Subscription-Id; none if it is not of its type's form.
ledger::IdentityKey identity_key_of(const diameter::SubscriptionId& id);

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
  std::span<const u32> identifiers;  // as write_identifiers wrote them
  Bytes failed_avps;                 // of a 5030, or of a 5031 by rule
};

// Made once and used for every answer: clearing all of it each time would cost more than encoding.
struct AnswerScratch {
  std::array<diameter::AnswerMscc, ledger::services_per_request_max> mscc;
  std::array<u8, ledger::services_per_request_max * 12> failed_avps;
};

// Encodes the CCA in place. Returns its length (0: it does not fit) and tells the Result-Code.
struct AnswerParts {
  const KeptRequest& kept;
  const AnswerFrame& frame;
  const rating::Image& image;
  const diameter::OriginBlock& origin;
  const Profile& profile;
};
std::size_t encode_charge_answer(const AnswerParts& parts, AnswerScratch& scratch, MutableBytes out,
                                 diameter::ResultCode& code);

// The content of Failed-AVP for a subscriber whom nobody knows: a number as it came, else an
// example.
Bytes encode_unknown_subscriber(ledger::IdentityKey key, MutableBytes room);

}  // namespace tollgate::app
