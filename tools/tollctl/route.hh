// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Route: which supplier carries a call for the least, by the suppliers' own tariffs. A report for
// people and for who fills routing tables; nothing is charged, and no appliance is needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/json.hh"

namespace tollgate::tollctl {

using control::Json;

struct RouteQuestion {
  std::vector<std::string> suppliers;  // tariffs: a FILE or FOLDER each; every plan is an offer
  std::string from;                    // digits, may be empty
  std::string to;
  std::string at;                // RFC 3339; empty: now
  std::string quantity = "60s";  // that is used at once
  std::string service = "voice";
};

// {"routes":[{"rank","supplier","plan","cost","currency","rule","steps":[...]}],
//  "without":[{"supplier","plan","why"}]}
//
// The cheapest first; of two that cost the same the one that was named first. Costs of several
// currencies are not compared: each currency has its own ranks, in the order of the suppliers.
// `without` are plans that sell the service but do not carry this call. Throws control::Refused if
// a tariff has mistakes, or the question has.
Json find_routes(const RouteQuestion& question);

std::string route_text(const Json& routes);

}  // namespace tollgate::tollctl
