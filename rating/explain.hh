// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// explain: the price of an event, step by step, in words.
//
// It calculates with the same functions as the charge core, so what it tells is what is charged.
// For tools: allocates.
#pragma once

#include <string>
#include <vector>

#include "base/amount.hh"
#include "rating/image.hh"

namespace tollgate::rating {

struct UnitAmount {
  Amount amount;
  Unit unit = Unit::none;
};

// A session to be priced: what it is, what is used, piece by piece, and what is there to pay with.
struct PriceEvent {
  std::string plan;
  std::string service_context;  // "32251@3gpp.org", or a name of the language: "data"
  u64 rating_group = RuleKey::absent;
  u64 service_identifier = RuleKey::absent;
  std::vector<UnitAmount> use;   // in the service's unit
  std::vector<UnitAmount> have;  // empty: as much money as it takes, and no allowance
};

struct Explanation {
  bool is_priced = false;  // a rule was found and all pieces could be calculated
  Verdict verdict = Verdict::charged;
  std::string rule;                // its name
  Quantity covered;                // of all pieces
  Quantity missing;                // what nothing could pay for
  Unit unit = Unit::none;          // of the two above
  std::vector<UnitAmount> cost;    // by unit, in the order of payment
  std::vector<std::string> steps;  // sentences for people
};

[[nodiscard]] Explanation explain(const Image& image, const PriceEvent& event);

}  // namespace tollgate::rating
