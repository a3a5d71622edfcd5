// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Ported numbers: millions of single numbers, each with the operator that serves it now.
//
// A file has a line for each: the number, a comma, and either the digits that are put before it to
// route it (`46701234567,4699`) or the name of the zone that it is in (`46701234568,telia`). In the
// image they are one table of words with open addressing: a number costs one cache line, nearly
// always. A word is the number's key and, in the bits below it, which operator.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/hash.hh"
#include "base/types.hh"
#include "rating/lexer.hh"
#include "rating/number.hh"
#include "rating/rule.hh"

namespace tollgate::rating {

inline constexpr u32 ported_operator_bits = 12;
inline constexpr u32 ported_operators_max = (u32{1} << ported_operator_bits) - 1;
inline constexpr u32 ported_numbers_max = u32{1} << 22;
static_assert(number_key_end < u64{1} << (64 - ported_operator_bits));

// Stored. One of the two says what becomes of its numbers.
struct PortedOperator {
  u64 zone = 0;    // text_key of its name
  TextRef prefix;  // digits
};
static_assert(sizeof(PortedOperator) == 16);

// Where the table looks first for a key; it is under half full.
constexpr u64 ported_slot(u64 key) {
  return mix64(key);
}

// The operator of a number, from 1; 0: it was not ported. `slots` are a power of two, or none.
inline u32 find_ported(std::span<const u64> slots, u64 key) {
  if (slots.empty() || key >= number_key_end) return 0;
  const u64 mask = slots.size() - 1;
  for (u64 at = ported_slot(key) & mask; slots[at] != 0; at = (at + 1) & mask) {
    if (slots[at] >> ported_operator_bits == key) {
      return static_cast<u32>(slots[at] & ported_operators_max);
    }
  }
  return 0;
}

// The rest is for the compiler.
struct PortedNumbers {
  std::vector<u64> slots;
  std::vector<std::string> operators;  // digits or a name; the first is number 1
};
// The numbers of all these files. Mistakes are told at `at` with the file and line they are in.
PortedNumbers read_ported(std::span<const TariffText* const> files, Place at, Report& report);

}  // namespace tollgate::rating
