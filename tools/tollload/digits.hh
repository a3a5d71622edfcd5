// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Eight digits at once: numbers into texts of fixed length, without a loop or a branch.
//
// A request holds two subscriber numbers and a Session-Id that differ from message to message. Each
// is written as one 64-bit store, so that making a message costs its copy and little more.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "base/types.hh"

namespace tollgate::tollload {

inline constexpr u32 digits8_end = 100'000'000;

// The eight ASCII digits of `value` (below digits8_end), the first in the lowest octet.
inline u64 decimal8(u32 value) {
  const u64 fours = value / 10'000 | u64{value % 10'000} << 32;
  const u64 hundreds = ((fours * 10'486) >> 20) & 0x0000007f0000007f;
  const u64 twos = hundreds | (fours - hundreds * 100) << 16;
  const u64 tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return (tens | (twos - tens * 10) << 8) + 0x3030303030303030;
}

// The eight ASCII digits of `value` in base 16, lower case, the first in the lowest octet.
inline u64 hexadecimal8(u32 value) {
  const u64 nibbles = __builtin_bswap64(_pdep_u64(value, 0x0f0f0f0f0f0f0f0f));
  const u64 is_letter = ((nibbles + 0x0606060606060606) >> 4) & 0x0101010101010101;
  return nibbles + 0x3030303030303030 + is_letter * ('a' - '0' - 10);
}

inline void store_digits8(u8* to, u64 digits) {
  std::memcpy(to, &digits, sizeof digits);
}
inline u64 load_digits8(const u8* from) {
  u64 digits;
  std::memcpy(&digits, from, sizeof digits);
  return digits;
}

}  // namespace tollgate::tollload
