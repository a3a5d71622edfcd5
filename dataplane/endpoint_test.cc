// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/endpoint.hh"

#include <gtest/gtest.h>

namespace tollgate::dataplane {
namespace {

struct EndpointCase {
  std::string_view text;
  std::string_view shown;  // empty: refused
};

TEST(Endpoint, reads_and_shows_texts) {
  constexpr EndpointCase cases[] = {
      {"198.18.0.1", "198.18.0.1:3868"},
      {"198.18.0.1:1", "198.18.0.1:1"},
      {"2001:db8::1", "[2001:db8::1]:3868"},
      {"[2001:db8::1]", "[2001:db8::1]:3868"},
      {"[2001:db8:0::1]:65535", "[2001:db8::1]:65535"},
      {"::", "[::]:3868"},
      {"198.18.0.1:65536", ""},
      {"198.18.0.1:", ""},
      {"198.18.0.256", ""},
      {"198.18.0", ""},
      {"[2001:db8::1", ""},
      {"[2001:db8::1]3868", ""},
      {"host.example", ""},
      {"", ""},
  };
  for (const EndpointCase& one : cases) {
    Endpoint endpoint;
    const bool is_read = parse(one.text, 3868, endpoint);
    EXPECT_EQ(is_read, !one.shown.empty()) << one.text;
    if (is_read) {
      EXPECT_EQ(to_text(endpoint), one.shown);
    }
  }
}

TEST(IpPrefix, holds_the_addresses_of_its_net) {
  IpPrefix net;
  ASSERT_TRUE(parse("198.18.4.0/22", net));
  IpAddress address;
  ASSERT_TRUE(parse("198.18.7.255", address));
  EXPECT_TRUE(net.contains(address));
  ASSERT_TRUE(parse("198.18.8.0", address));
  EXPECT_FALSE(net.contains(address));
  ASSERT_TRUE(parse("::1", address));
  EXPECT_FALSE(net.contains(address));
  EXPECT_EQ(to_text(net), "198.18.4.0/22");
  EXPECT_FALSE(parse("198.18.4.0/33", net));
  EXPECT_FALSE(parse("198.18.4.0/", net));
  ASSERT_TRUE(parse("2001:db8::1", net));
  EXPECT_EQ(net.length_bits, 128u);
  ASSERT_TRUE(parse("0.0.0.0/0", net));
  ASSERT_TRUE(parse("8.8.8.8", address));
  EXPECT_TRUE(net.contains(address));
}

TEST(MacAddress, reads_and_shows_texts) {
  MacAddress mac;
  ASSERT_TRUE(parse("02:00:5E:10:00:ff", mac));
  EXPECT_EQ(to_text(mac), "02:00:5e:10:00:ff");
  EXPECT_FALSE(parse("02:00:5e:10:00", mac));
  EXPECT_FALSE(parse("02-00-5e-10-00-ff", mac));
  EXPECT_FALSE(parse("02:00:5e:10:00:gg", mac));
}

}  // namespace
}  // namespace tollgate::dataplane
