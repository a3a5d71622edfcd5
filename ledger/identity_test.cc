// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity.hh"

#include <gtest/gtest.h>

#include <set>

namespace tollgate::ledger {
namespace {

struct Row {
  const char* text;
  const char* canonical;  // nullptr: refused
  IdentityType type = IdentityType::none;
};

TEST(IdentityTest, EveryFormOfAnIdentityIsRead) {
  constexpr IdentityType msisdn = IdentityType::msisdn;
  constexpr IdentityType sip = IdentityType::sip;
  const Row rows[] = {
      {"msisdn:46701234567", "msisdn:46701234567", msisdn},
      {"MSISDN:46701234567", "msisdn:46701234567", msisdn},
      {"msisdn:+46701234567", "msisdn:46701234567", msisdn},
      {"+46701234567", "msisdn:46701234567", msisdn},
      {"tel:+46701234567", "msisdn:46701234567", msisdn},
      {"tel:+46701234567;phone-context=x", "msisdn:46701234567", msisdn},
      {"sip:+46701234567@ims.example;user=phone", "msisdn:46701234567", msisdn},
      {"sips:+46701234567@ims.example", "msisdn:46701234567", msisdn},
      {"sip:+46701234567;postd=22@ims.example", "msisdn:46701234567", msisdn},
      {"msisdn:007", "msisdn:007", msisdn},
      {"msisdn:123456789012345678", "msisdn:123456789012345678", msisdn},
      {"imsi:240011234567890", "imsi:240011234567890", IdentityType::imsi},
      {"sip:alice@example.com", "sip:alice@example.com", sip},
      {"sip:Alice@Example.COM;transport=tcp", "sip:Alice@example.com", sip},
      {"sips:alice@example.com?subject=x", "sip:alice@example.com", sip},
      {"sip:alice;day=tuesday@example.com", "sip:alice;day=tuesday@example.com", sip},
      {"sip:46701234567@example.com", "sip:46701234567@example.com", sip},
      {"nai:user@Realm.example", "nai:user@realm.example", IdentityType::nai},
      {"private:user@realm", "private:user@realm", IdentityType::private_id},
      {"", nullptr},
      {"46701234567", nullptr},
      {"msisdn:", nullptr},
      {"msisdn:+", nullptr},
      {"msisdn:++46", nullptr},
      {"msisdn:46 70", nullptr},
      {"msisdn:46701234567x", nullptr},
      {"msisdn:1234567890123456789", nullptr},
      {"+", nullptr},
      {"+46:123", nullptr},
      {"tel:", nullptr},
      {"tel:alice", nullptr},
      {"imsi:24001x", nullptr},
      {"sip:", nullptr},
      {"sip:;transport=tcp", nullptr},
      {"nai:", nullptr},
      {"private:", nullptr},
      {"mailto:alice@example.com", nullptr},
  };
  for (const Row& row : rows) {
    IdentityKey key{1, 2};
    std::string canonical = "untouched";
    const std::string why = parse_identity(row.text, key, canonical);
    if (row.canonical == nullptr) {
      EXPECT_NE(why.find("expected msisdn:DIGITS"), std::string::npos) << row.text;
      EXPECT_NE(why.find(row.text), std::string::npos) << "the message names what was written";
      EXPECT_EQ(canonical, "untouched") << row.text;
      EXPECT_EQ(key, (IdentityKey{1, 2})) << row.text;
      continue;
    }
    EXPECT_EQ(why, "") << row.text;
    EXPECT_EQ(canonical, row.canonical) << row.text;
    EXPECT_EQ(key.type(), row.type) << row.text;
    IdentityKey again;
    EXPECT_EQ(parse_identity(canonical, again, canonical), "");
    EXPECT_EQ(again, key) << "the canonical spelling has the same key: " << row.text;
    EXPECT_EQ(canonical, row.canonical);
    if (row.type == msisdn || row.type == IdentityType::imsi) {
      EXPECT_EQ(to_text(key), row.canonical);
    }
  }
}

TEST(IdentityTest, NumbersNeverShareAKey) {
  std::set<std::pair<u64, u64>> seen;
  std::size_t count = 0;
  const auto take = [&](std::string_view digits) {
    for (const IdentityType type : {IdentityType::msisdn, IdentityType::imsi}) {
      const IdentityKey key = number_key(type, digits);
      ASSERT_FALSE(key.is_none()) << digits;
      seen.insert({key.low, key.high});
      ++count;
    }
  };
  for (int length = 1; length <= 18; ++length) {
    for (const char digit : {'0', '1', '9'})
      take(std::string(static_cast<std::size_t>(length), digit));
  }
  for (int i = 0; i < 10'000; ++i) take("0" + std::to_string(i));
  for (int i = 0; i < 10'000; ++i) take("4670" + std::to_string(i));
  EXPECT_GE(seen.size() + 8, count) << "0, 1, 9 and 00, 01, 09 were taken twice";
}

TEST(IdentityTest, TextsAreComparedByCaseBeforeTheAtSignOnly) {
  const IdentityKey key = text_key(IdentityType::sip, "Alice@Example.com");
  EXPECT_EQ(key, text_key(IdentityType::sip, "Alice@EXAMPLE.COM"));
  EXPECT_NE(key, text_key(IdentityType::sip, "alice@Example.com"));
  EXPECT_NE(key, text_key(IdentityType::nai, "Alice@Example.com"));
  EXPECT_TRUE(text_key(IdentityType::nai, std::string(257, 'a')).is_none());
  EXPECT_FALSE(text_key(IdentityType::nai, std::string(256, 'a')).is_none());
}

TEST(IdentityTest, AUriIsKnownByTheNumberThatItCarries) {
  const IdentityKey number = number_key(IdentityType::msisdn, "46701234567");
  EXPECT_EQ(uri_key("tel:+46701234567"), number);
  EXPECT_EQ(uri_key("sip:+46701234567@ims.example;user=phone"), number);
  EXPECT_EQ(uri_key("SIP:+46701234567"), number);
  EXPECT_NE(uri_key("sip:46701234567@ims.example"), number);
  EXPECT_TRUE(uri_key("").is_none());
  EXPECT_TRUE(uri_key("alice@example.com").is_none());
  EXPECT_TRUE(uri_key("sip:").is_none());
}

}  // namespace
}  // namespace tollgate::ledger
