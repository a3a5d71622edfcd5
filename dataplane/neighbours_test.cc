// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/neighbours.hh"

#include <gtest/gtest.h>

namespace tollgate::dataplane {
namespace {

IpAddress address(u32 number) {
  IpAddress result{.version = IpVersion::v4};
  result.octets = {198, 18, static_cast<u8>(number >> 8), static_cast<u8>(number)};
  return result;
}

MacAddress mac(u8 last) {
  return {{2, 0, 0, 0, 0, last}};
}

TEST(Neighbours, learns_and_changes_its_mind) {
  Neighbours neighbours;
  EXPECT_EQ(neighbours.find(address(1)), nullptr);
  EXPECT_TRUE(neighbours.learn(address(1), mac(1), 10));
  EXPECT_FALSE(neighbours.learn(address(1), mac(1), 20));
  ASSERT_NE(neighbours.find(address(1)), nullptr);
  EXPECT_EQ(*neighbours.find(address(1)), mac(1));
  EXPECT_TRUE(neighbours.learn(address(1), mac(2), 30));
  EXPECT_EQ(*neighbours.find(address(1)), mac(2));
}

TEST(Neighbours, tells_ipv4_from_ipv6_with_the_same_octets) {
  Neighbours neighbours;
  IpAddress six = address(1);
  six.version = IpVersion::v6;
  neighbours.learn(address(1), mac(1), 0);
  EXPECT_EQ(neighbours.find(six), nullptr);
}

TEST(Neighbours, keeps_those_in_use_when_a_stranger_fills_the_table) {
  Neighbours neighbours;
  neighbours.learn(address(60'000), mac(9), 0);
  for (u32 i = 0; i < 50'000; ++i) {
    neighbours.learn(address(i), mac(1), i);
    neighbours.learn(address(60'000), mac(9), i);
  }
  ASSERT_NE(neighbours.find(address(60'000)), nullptr);
  EXPECT_EQ(*neighbours.find(address(60'000)), mac(9));
}

}  // namespace
}  // namespace tollgate::dataplane
