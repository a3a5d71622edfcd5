// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Ranges: what the registers of a program can hold, as far as one walk over it tells, so that its
// x86-64 code leaves out what cannot happen: sums that leave 64 bits, dividends below zero, tests
// that are decided (the `True` that a function returned to an `if`).
//
// Inputs may be any number. What a loop changes may be anything within it. A comparison with a
// constant narrows what is behind it.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "rating/python_builder.hh"

namespace tollgate::rating {

struct Range {
  i64 least = std::numeric_limits<i64>::min();
  i64 most = std::numeric_limits<i64>::max();
  std::optional<i64> hole = {};  // a number in between that it is not

  bool has(i64 number) const { return number >= least && number <= most && hole != number; }
};

// What is known of one instruction.
struct Known {
  enum class Way : u8 { either, on, away };

  bool is_reached = true;    // from the beginning, by any input, and somebody needs what it makes
  Range a;                   // of its operand a, before it
  bool can_overflow = true;  // of those that trap
  Way way = Way::either;     // of a jump: whether it is taken
  u32 target = 0;            // of a jump: past further jumps that are decided where it starts
};

// One for each instruction.
std::vector<Known> find_ranges(const ProgramBuilder& builder);

}  // namespace tollgate::rating
