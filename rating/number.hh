// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// number_key: the digits of a telephone number or of a network (PLMN), as one integer that prefixes
// can be compared with.
//
// Fifteen digits, the longest number of E.164, fill it from the left, each as a digit of base 11
// from 1 to 10, so that a number that ends is not taken for one that goes on with noughts. All
// numbers that begin with 46 lie in [46, 46 and 11^13 more): a prefix is an interval, and the
// longest prefix of a number is the innermost interval around it.
#pragma once

#include <string_view>

#include "base/types.hh"

namespace tollgate::rating {

inline constexpr u32 number_digits_max = 15;
inline constexpr u64 number_absent = ~u64{0};

inline constexpr u64 number_base = 11;
constexpr u64 number_power(u32 exponent) {
  u64 power = 1;
  for (u32 i = 0; i < exponent; ++i) power *= number_base;
  return power;
}
inline constexpr u64 number_key_end = number_power(number_digits_max);

// The key of the digits that `text` begins with; a '+' before them is passed over, further digits
// than fifteen do not count. number_absent if there is no digit.
constexpr u64 number_key(std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  u64 key = 0;
  u32 digits = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || digits == number_digits_max) break;
    key = key * number_base + static_cast<u64>(c - '0') + 1;
    ++digits;
  }
  return digits == 0 ? number_absent : key * number_power(number_digits_max - digits);
}

// The digits of a key as one decimal number; 0: there is no number.
constexpr u64 number_digits(u64 key) {
  if (key >= number_key_end) return 0;
  u64 digits = 0;
  for (u64 power = number_key_end / number_base; power != 0; power /= number_base) {
    const u64 digit = key / power;
    if (digit == 0) break;
    digits = digits * 10 + digit - 1;
    key %= power;
  }
  return digits;
}

// A key of at most nine digits in 32 bits, as it is kept with a session; 0: there is none.
inline constexpr u32 short_digits_max = 9;
constexpr u32 short_number(u64 key) {
  if (key >= number_key_end) return 0;
  return static_cast<u32>(key / number_power(number_digits_max - short_digits_max));
}
static_assert(number_power(short_digits_max) <= u64{1} << 32);
// The key again; no number is looked up like one that no prefix fits.
constexpr u64 long_number(u32 short_number) {
  return short_number * number_power(number_digits_max - short_digits_max);
}

}  // namespace tollgate::rating
