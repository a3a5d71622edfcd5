// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Hashes and checksums.
//
// crc32c guards what is written to disk (Castagnoli polynomial, RFC 3720 B.4; the processor has an
// instruction for it). hash64 and hash128 place keys in tables and stand for texts too long for a
// record; they are keyed multiply-and-fold hashes in the manner of wyhash, good and quick, and no
// cryptography: where a foreign text decides about money, the text itself is compared as well.
#pragma once

#include "base/types.hh"

namespace tollgate {

// The CRC32C of `bytes`, continuing from `seed` (0 for the first piece).
u32 crc32c(Bytes bytes, u32 seed = 0);

u64 hash64(Bytes bytes, u64 seed = 0);

struct Hash128 {
  u64 low = 0;
  u64 high = 0;
  friend constexpr bool operator==(Hash128, Hash128) = default;
};
Hash128 hash128(Bytes bytes, u64 seed = 0);

// One 64-bit number to another that is spread over all bits; a bijection.
constexpr u64 mix64(u64 x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  return x;
}

}  // namespace tollgate
