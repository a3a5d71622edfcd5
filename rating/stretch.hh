// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// first_stretch: the part of a piece of usage that one rule prices.
//
// Time is used without a gap from a known moment on, so it is known how much of it lies before the
// next edge of a time band: a call is cut there, to the millisecond. Volume and events are priced
// where they began; a client that was told Tariff-Time-Change (Match::until) reports what lies
// before and after the edge apart, and each is priced at its own moment.
//
// At an edge the session goes on: what was used so far counts for first and next steps and for
// blocks, a block that was begun before the edge is paid, and the setup fee is not taken again.
//
//   for (Quantity left = used; ;) {
//     Match match;
//     if (image.find(key, at, match) != Found::rule) -> RATING_FAILED
//     const Stretch stretch = first_stretch(match, at, left);
//     ... cover(*match.rule, {.so_far = so_far, .wanted = stretch.quantity, ...})
//     left.count -= stretch.quantity.count;
//     if (left.is_zero()) break;
//     at = stretch.end;
//   }
//
// The same loop over what a client asks for finds the last grant over several bands exactly: what
// one stretch leaves of the balance pays for the next.
#pragma once

#include <algorithm>

#include "rating/image.hh"

namespace tollgate::rating {

struct Stretch {
  Quantity quantity;
  Instant end;  // where the next one begins; for volume and events: where this one began
};

inline Stretch first_stretch(const Match& match, Instant at, Quantity left) {
  if (match.rule == nullptr || match.rule->meter != Meter::time) return {left, at};
  constexpr i64 ns_per_ms = 1'000'000;
  constexpr i64 ms_max = INT64_MAX / ns_per_ms;
  if (match.until != Instant::never()) {
    // Up to the edge; a millisecond that the edge divides belongs before it.
    const i64 before_edge = std::max((match.until.ns - at.ns + ns_per_ms - 1) / ns_per_ms, i64{1});
    left.count = std::min(left.count, before_edge);
  }
  if (left.count > ms_max - at.ns / ns_per_ms) return {left, Instant::never()};
  return {left, at + Duration::milliseconds(left.count)};
}

}  // namespace tollgate::rating
