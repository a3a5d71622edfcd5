// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/hash.hh"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace tollgate {
namespace {

// RFC 3720 B.4 and the check value of the polynomial.
TEST(Crc32cTest, KnownValues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c(std::vector<u8>(32, 0)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::vector<u8>(32, 0xff)), 0x62a8ab43U);
}

TEST(Crc32cTest, LongInputEqualsTheSamePiecewise) {
  std::vector<u8> bytes(20'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i * 31 + (i >> 8));
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{1}, std::size_t{3071}, std::size_t{9000}}) {
    // A piece of under three lanes takes the simple way, so the two ways check each other.
    u32 piecewise = 0;
    for (std::size_t at = cut; at < bytes.size(); at += 997) {
      const std::size_t size = std::min<std::size_t>(997, bytes.size() - at);
      piecewise = crc32c(Bytes(bytes).subspan(at, size), piecewise);
    }
    EXPECT_EQ(crc32c(Bytes(bytes).subspan(cut)), piecewise) << cut;
  }
}

TEST(HashTest, EveryLengthAndEveryBitCounts) {
  std::set<u64> seen;
  std::string text(80, 'a');
  for (std::size_t length = 0; length <= text.size(); ++length) {
    seen.insert(hash64(as_bytes(std::string_view(text).substr(0, length))));
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = text;
      other[at] = static_cast<char>(other[at] ^ (1 << bit));
      const Hash128 hash = hash128(as_bytes(other));
      seen.insert(hash.low);
      seen.insert(hash.high);
    }
  }
  EXPECT_EQ(seen.size(), 81U + 80U * 8U * 2U);
  EXPECT_NE(hash64(as_bytes("x"), 1), hash64(as_bytes("x"), 2));
}

}  // namespace
}  // namespace tollgate
