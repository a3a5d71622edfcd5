// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// compare: what differs between two tariffs, for whom.
//
// Plans and rules are known by their names, as in charging records. For a rule that both have, each
// of its statements that differs is told as it was and as it is, and what some usual quantities
// cost under the two. For zones: how many numbers' prefixes changed their zone. For tools:
// allocates.
#pragma once

#include <string>
#include <vector>

#include "rating/image.hh"

namespace tollgate::rating {

struct Difference {
  std::string plan;    // for whom; empty: for all that use the zones
  std::string what;    // a rule's name, "zones world", "buckets"
  std::string before;  // empty: it is new
  std::string after;   // empty: it is gone
};

[[nodiscard]] std::vector<Difference> compare(const Image& before, const Image& after);

// What a rule says, a statement each: "price first 60s 0.10EUR per 60s", "round up", ...
[[nodiscard]] std::vector<std::string> describe(const Image& image, const Rule& rule);

}  // namespace tollgate::rating
