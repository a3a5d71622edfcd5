// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/zone_map.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace tollgate::rating {
namespace {

class Zones {
 public:
  explicit Zones(const std::map<std::string, u32>& prefixes) : prefixes_(prefixes) {
    std::vector<ZonePrefix> list;
    for (const auto& [digits, zone] : prefixes) {
      list.push_back({number_key(digits), static_cast<u32>(digits.size()), zone});
    }
    built_ = build_zones(std::move(list));
  }
  u32 find(std::string_view number) const {
    const ZoneTables tables{built_.index, built_.leaves,
                            number_power(number_digits_max - built_.digits)};
    return zone_of(tables, number_key(number));
  }
  // The slow and obvious way.
  u32 search(std::string_view number) const {
    for (std::size_t length = number.size(); length > 0; --length) {
      const auto known = prefixes_.find(std::string(number.substr(0, length)));
      if (known != prefixes_.end()) return known->second;
    }
    return 0;
  }

 private:
  std::map<std::string, u32> prefixes_;
  BuiltZones built_;
};

TEST(ZoneMapTest, TheLongestPrefixWins) {
  const Zones zones({{"46", 1}, {"467", 2}, {"46705", 3}, {"47", 1}, {"1", 4}, {"999", 5}});
  EXPECT_EQ(zones.find("46812345678"), 1U);
  EXPECT_EQ(zones.find("+4670123"), 2U);
  EXPECT_EQ(zones.find("46705"), 3U);
  EXPECT_EQ(zones.find("4670"), 2U);
  EXPECT_EQ(zones.find("46"), 1U);
  EXPECT_EQ(zones.find("4"), 0U);
  EXPECT_EQ(zones.find("48"), 0U);
  EXPECT_EQ(zones.find("15551234567"), 4U);
  EXPECT_EQ(zones.find("999999999999999999"), 5U);
  EXPECT_EQ(zones.find(""), 0U);
  EXPECT_EQ(zones.find("anna"), 0U);
}

TEST(ZoneMapTest, NoPrefixAtAll) {
  const Zones zones({});
  EXPECT_EQ(zones.find("46"), 0U);
}

TEST(ZoneMapTest, AsTheObviousSearchDoesIt) {
  std::mt19937_64 random(7);
  const auto digits = [&](std::size_t most) {
    std::string text;
    const std::size_t length = 1 + random() % most;
    while (text.size() < length) text += static_cast<char>('0' + random() % (random() % 9 + 1));
    return text;
  };
  for (int round = 0; round < 30; ++round) {
    std::map<std::string, u32> prefixes;
    const std::size_t count = std::size_t{1} << (round % 13);
    while (prefixes.size() < count) {
      prefixes[digits(9)] = 1 + static_cast<u32>(random() % 300);
    }
    const Zones zones(prefixes);
    for (int i = 0; i < 2000; ++i) {
      const std::string number = digits(15);
      ASSERT_EQ(zones.find(number), zones.search(number)) << number;
    }
    for (const auto& [prefix, zone] : prefixes) ASSERT_EQ(zones.find(prefix), zone) << prefix;
  }
}

}  // namespace
}  // namespace tollgate::rating
