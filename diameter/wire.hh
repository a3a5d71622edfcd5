// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Integers in network order, at any alignment. The caller has seen to it that the octets are there.
#pragma once

#include <cstring>

#include "base/types.hh"

namespace tollgate::diameter {

inline u32 load_u32(const u8* from) {
  u32 value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap32(value);
}
inline u64 load_u64(const u8* from) {
  u64 value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}
inline void store_u32(u8* to, u32 value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
}
inline void store_u64(u8* to, u64 value) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}

// AVPs begin at multiples of four octets: the length with its padding.
constexpr std::size_t padded(std::size_t length) {
  return (length + 3) & ~std::size_t{3};
}

}  // namespace tollgate::diameter
