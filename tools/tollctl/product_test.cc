// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollctl product, against a control with a fake charge tile: who may buy what, lives of products,
// and that a fee is taken once whatever dies in between.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tools/tollctl/control_fixture.hh"
#include "tools/tollctl/print.hh"

namespace tollgate::tollctl {
namespace {

using ledger::CommandKind;

constexpr std::string_view tariff = R"(
plan prepaid { currency EUR
  service data { rule default { price 0.01EUR per 1MB }
    rule default with gold { price 0.005EUR per 1MB } } }
plan other { currency EUR; bonus 10% from 20EUR; service data { rule default free } }
product gold { plans prepaid; fee 5.00EUR per month; excludes silver }
product silver { plans prepaid; fee 1.00EUR }
product extra { plans prepaid, other; fee 2.00EUR; lasts 30d; needs gold; repeatable }
product second { plans prepaid; fee 0.01EUR; lasts 1s; renews }
product ticket { plans prepaid; fee 0.50EUR; retry 1s; lasts 1s; renews }
)";

class ProductTest : public ControlTest {
 protected:
  ProductTest() : ControlTest(1000) {
    std::ofstream(appliance_.folder() + "/test.tariff") << tariff;
    start_impatient();
    call({"account", "add", "anna", "--identity", "msisdn:4670", "--plan", "prepaid", "--balance",
          "10.00EUR"});
  }

  std::string product(const std::string& verb, const std::string& name,
                      const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"product", verb, who_, name};
    words.insert(words.end(), more.begin(), more.end());
    return outcome_of(words);
  }
  Json bucket() { return call({"account", "show", who_})["buckets"][0]; }
  std::string balance() { return bucket()["balance"].get<std::string>(); }
  // The last subscription to it.
  Json subscription(const std::string& name) {
    Json last;
    const Json told = call({"product", "list", who_});
    for (const Json& one : told["products"]) {
      if (one["product"] == name) last = one;
    }
    return last;
  }
  std::string who_ = "anna";
};

TEST_F(ProductTest, WhoMayBuyWhat) {
  EXPECT_EQ(product("buy", "iron"), "product_unknown");
  EXPECT_EQ(product("buy", "extra"), "product_needs");
  EXPECT_EQ(product("suspend", "gold"), "product_not_owned");
  EXPECT_EQ(product("buy", "gold", {"--key", "k1"}), "ok");
  EXPECT_EQ(balance(), "5.00");
  EXPECT_EQ(product("buy", "gold", {"--key", "k1"}), "ok");  // the same again
  EXPECT_EQ(product("buy", "gold"), "product_owned");
  EXPECT_EQ(product("buy", "gold", {"--key", "product/1"}), "bad_request");
  EXPECT_EQ(product("buy", "silver"), "product_excluded");
  EXPECT_EQ(product("buy", "extra"), "ok");
  EXPECT_EQ(product("buy", "extra"), "ok");
  EXPECT_EQ(balance(), "1.00");
  EXPECT_EQ(product("buy", "extra"), "credit_limit_reached");
  EXPECT_EQ(call({"product", "list", "anna"})["products"].size(), 3U);
  call({"account", "set", "anna", "--plan", "other"});
  EXPECT_EQ(product("buy", "silver"), "product_not_for_plan");
}

TEST_F(ProductTest, ALifeByHand) {
  EXPECT_EQ(product("buy", "gold"), "ok");
  EXPECT_EQ(product("resume", "gold"), "product_state");
  EXPECT_EQ(product("suspend", "gold"), "ok");
  EXPECT_EQ(subscription("gold")["state"], "suspended");
  EXPECT_EQ(subscription("gold")["reason"], "operator");
  EXPECT_EQ(product("resume", "gold"), "ok");
  EXPECT_EQ(subscription("gold")["state"], "active");
  EXPECT_EQ(product("end", "gold", {"--with-turn"}), "ok");
  EXPECT_EQ(subscription("gold")["ends"], subscription("gold")["turn_ends"]);
  EXPECT_EQ(product("end", "gold"), "ok");
  EXPECT_EQ(subscription("gold")["state"], "ended");
  EXPECT_EQ(product("end", "gold"), "product_not_owned");
  EXPECT_EQ(product("buy", "gold", {"--at", "2000-01-01T00:00:00Z"}), "bad_request");
  EXPECT_EQ(product("buy", "gold", {"--at", "2100-01-01T00:00:00Z"}), "ok");
  EXPECT_EQ(subscription("gold")["state"], "bought");
  EXPECT_EQ(balance(), "5.00");
  const std::string text = products_text(call({"product", "list"}));
  EXPECT_NE(text.find("gold                 5.00EUR per month for prepaid"), std::string::npos)
      << text;
}

TEST_F(ProductTest, ATopUpBringsTheBonusOfItsPlan) {
  EXPECT_EQ(call({"topup", "anna", "20.00EUR"})["balance"], "30.00");
  call({"account", "set", "anna", "--plan", "other"});
  EXPECT_EQ(call({"topup", "anna", "20.00EUR", "--key", "t1"})["balance"], "52.00");
  EXPECT_EQ(call({"topup", "anna", "20.00EUR", "--key", "t1"})["balance"], "52.00");
  EXPECT_EQ(call({"topup", "anna", "19.99EUR"})["balance"], "71.99");
}

// A product that lasts a second and renews pays its fee second by second. Control dies while the
// charge tile has a turn before it, and once before it hears of one: what was paid is what was
// begun.
TEST_F(ProductTest, AFeeIsTakenOnceWhateverDies) {
  const Json sold = call({"product", "buy", "anna", "second"});
  Instant bought;
  ASSERT_TRUE(parse_rfc3339(sold["products"][0]["begins"].get<std::string>(), bought));
  for (int round = 0; round < 2; ++round) {
    const u64 taken = appliance_.taken_count;
    if (round == 0) appliance_.stops_before = CommandKind::product_turn;
    if (round == 1) appliance_.is_mute = true;
    if (round == 1) {
      EXPECT_TRUE(comes([&] { return appliance_.taken_count > taken; }));
    }
    if (round == 0) ::usleep(1'200'000);  // one is likely to wait there; it need not
    control_.reset();
    appliance_.is_mute = false;
    appliance_.stops_before = CommandKind::none;
    start_impatient();
    EXPECT_TRUE(comes([&] { return appliance_.taken_count > taken + 1; }));
  }
  EXPECT_TRUE(comes([&] { return product("end", "second") == "ok"; }));
  EXPECT_EQ(subscription("second")["state"], "ended");
  // Each renewal moves its beginning by the second that it lasts.
  Instant begins;
  ASSERT_TRUE(parse_rfc3339(subscription("second")["begins"].get<std::string>(), begins));
  const i64 turns = (begins - bought).whole_seconds() + 1;
  Amount consumed;
  Unit unit = Unit::none;
  ASSERT_EQ(parse_amount(bucket()["consumed"].get<std::string>() + "EUR", consumed, unit), "");
  EXPECT_EQ(consumed.count, turns * 10'000);
  EXPECT_GE(turns, 3);
}

TEST_F(ProductTest, WhoIsShortIsSuspendedAndGoesOnAfterATopUp) {
  who_ = "carl";
  call({"account", "add", who_, "--identity", "msisdn:4671", "--plan", "prepaid", "--balance",
        "0.60EUR"});
  EXPECT_EQ(product("buy", "ticket"), "ok");
  EXPECT_TRUE(comes([&] { return subscription("ticket")["state"] == "suspended"; }));
  EXPECT_EQ(subscription("ticket")["reason"], "unpaid");
  EXPECT_FALSE(subscription("ticket")["unpaid_since"].is_null());
  EXPECT_EQ(outcome_of({"topup", who_, "100.00EUR"}), "ok");
  EXPECT_TRUE(comes([&] { return subscription("ticket")["state"] == "active"; }));
  EXPECT_TRUE(subscription("ticket")["unpaid_since"].is_null());
}

}  // namespace
}  // namespace tollgate::tollctl
