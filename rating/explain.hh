// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// explain: the price of an event, step by step, in words.
//
// It calculates with the same functions as the charge core, so what it tells is what is charged.
// For tools: allocates.
#pragma once

#include <array>
#include <optional>
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
  std::optional<Instant> at;  // when it begins; needed where the price depends on it
  std::array<u64, number_roles> numbers{number_absent, number_absent, number_absent};
  // What normalising rules have said.
  std::string zone;
  Direction direction = Direction::unknown;
  Location location = Location::unknown;
  std::vector<UnitAmount> use;  // in the service's unit
  // When each piece began, after the one before it; without it time goes on without a gap, and
  // all else is used at once.
  std::vector<std::optional<Duration>> after;
  struct Counted {
    std::string counter;
    Amount amount;
    Unit unit = Unit::none;  // none: that of the counter
  };
  std::vector<Counted> counted;       // what counters stand at; others at 0
  std::vector<std::string> products;  // that the account has
  std::vector<UnitAmount> have;       // empty: as much money as it takes, and no allowance
};

struct Explanation {
  bool is_priced = false;  // a rule was found and all pieces could be calculated
  Verdict verdict = Verdict::charged;
  std::string rule;                // its name
  Quantity covered;                // of all pieces
  Quantity missing;                // what nothing could pay for
  Unit unit = Unit::none;          // of the two above
  Meter meter = Meter::volume;     // what the rule counts
  bool depends_on_time = false;    // at another moment it would be another rule
  std::vector<UnitAmount> cost;    // by unit, in the order of payment
  std::vector<std::string> steps;  // sentences for people
};

[[nodiscard]] Explanation explain(const Image& image, const PriceEvent& event);

}  // namespace tollgate::rating
