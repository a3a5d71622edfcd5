// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The words that every other file is written in: integers by width, the cache line, sizes.
//
// A raw integer names its unit at the end of its name: `_bytes`, `_count`, `_index`, `_max`, `_ns`.
// An amount of money, octets, time or events is never a raw integer: see base/amount.hh,
// base/time.hh.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tollgate {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using u128 = unsigned __int128;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using i128 = __int128;

// Bytes that somebody else owns: of a packet, a file, a ring. Never kept after the call.
using Bytes = std::span<const u8>;
using MutableBytes = std::span<u8>;

// The unit in which cores exchange memory. What two cores write stands on different lines.
inline constexpr std::size_t cache_line_bytes = 64;
inline constexpr std::size_t page_bytes = 4096;

consteval u64 operator""_KiB(unsigned long long count) {
  return count << 10;
}
consteval u64 operator""_MiB(unsigned long long count) {
  return count << 20;
}
consteval u64 operator""_GiB(unsigned long long count) {
  return count << 30;
}

constexpr bool is_power_of_two(u64 value) {
  return value != 0 && (value & (value - 1)) == 0;
}

// The smallest multiple of `unit` (a power of two) that is not below `value`.
constexpr u64 round_up(u64 value, u64 unit) {
  return (value + unit - 1) & ~(unit - 1);
}

// The smallest power of two that is not below `value`; `value` is at most 2^63.
constexpr u64 next_power_of_two(u64 value) {
  u64 power = 1;
  while (power < value) power <<= 1;
  return power;
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

}  // namespace tollgate
