// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/hash.hh"

#include <immintrin.h>

#include <array>
#include <cstring>

namespace tollgate {
namespace {

u64 load64(const u8* at) {
  u64 value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The last `count` (0 to 8) octets as a number.
u64 load_tail(const u8* at, std::size_t count) {
  u64 value = 0;
  std::memcpy(&value, at, count);
  return value;
}

u64 fold(u64 a, u64 b) {
  const u128 product = u128{a} * b;
  return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
}

constexpr u64 secret_a = 0xa0761d6478bd642fULL;
constexpr u64 secret_b = 0xe7037ed1a0b428dbULL;
constexpr u64 secret_c = 0x8ebc6af09c88c6e3ULL;

// Three streams of the CRC instruction run side by side over blocks of this size; its result takes
// three cycles and one can start each cycle. They are joined by tables of x^(8n) mod P.
constexpr std::size_t lane_bytes = 1024;

constexpr u32 crc_step(u32 crc) {
  return (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
}

// shift_table[k][b]: what octet b at place k of a CRC becomes after lane_bytes zero octets.
using ShiftTable = std::array<std::array<u32, 256>, 4>;
ShiftTable make_shift_table() {
  ShiftTable table{};
  std::array<u32, 32> of_bit{};
  for (u32 bit = 0; bit < 32; ++bit) {
    u32 crc = u32{1} << bit;
    for (std::size_t i = 0; i < lane_bytes * 8; ++i) crc = crc_step(crc);
    of_bit[bit] = crc;
  }
  for (u32 place = 0; place < 4; ++place) {
    for (u32 octet = 0; octet < 256; ++octet) {
      u32 sum = 0;
      for (u32 bit = 0; bit < 8; ++bit) {
        if ((octet >> bit & 1) != 0) sum ^= of_bit[place * 8 + bit];
      }
      table[place][octet] = sum;
    }
  }
  return table;
}
const ShiftTable shift_table = make_shift_table();

u32 shift_lane(u32 crc) {
  return shift_table[0][crc & 0xff] ^ shift_table[1][crc >> 8 & 0xff] ^
         shift_table[2][crc >> 16 & 0xff] ^ shift_table[3][crc >> 24];
}

}  // namespace

u32 crc32c(Bytes bytes, u32 seed) {
  const u8* at = bytes.data();
  std::size_t left = bytes.size();
  u64 crc = ~seed;
  while (left >= 3 * lane_bytes) {
    u64 second = 0;
    u64 third = 0;
    for (std::size_t i = 0; i < lane_bytes; i += 8) {
      crc = _mm_crc32_u64(crc, load64(at + i));
      second = _mm_crc32_u64(second, load64(at + lane_bytes + i));
      third = _mm_crc32_u64(third, load64(at + 2 * lane_bytes + i));
    }
    crc = shift_lane(static_cast<u32>(crc)) ^ second;
    crc = shift_lane(static_cast<u32>(crc)) ^ third;
    at += 3 * lane_bytes;
    left -= 3 * lane_bytes;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, load64(at));
  for (; left > 0; ++at, --left) crc = _mm_crc32_u8(static_cast<u32>(crc), *at);
  return ~static_cast<u32>(crc);
}

Hash128 hash128(Bytes bytes, u64 seed) {
  const u8* at = bytes.data();
  std::size_t left = bytes.size();
  u64 a = seed ^ secret_a;
  u64 b = seed ^ secret_b;
  for (; left >= 16; at += 16, left -= 16) {
    const u64 x = load64(at);
    const u64 y = load64(at + 8);
    a = fold(x ^ secret_b ^ a, y ^ secret_c);
    b = fold(y ^ secret_a ^ b, x ^ secret_c ^ a);
  }
  const u64 x = left >= 8 ? load64(at) : load_tail(at, left);
  const u64 y = left > 8 ? load_tail(at + 8, left - 8) : 0;
  const u64 length = bytes.size();
  a = fold(x ^ secret_b ^ a, y ^ secret_c ^ length);
  b = fold(y ^ secret_a ^ b ^ length, x ^ secret_b ^ a);
  return {mix64(a ^ secret_c), mix64(b ^ a)};
}

u64 hash64(Bytes bytes, u64 seed) {
  return hash128(bytes, seed).low;
}

}  // namespace tollgate
