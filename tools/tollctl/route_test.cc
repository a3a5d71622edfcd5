// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/route.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "control/protocol.hh"

namespace tollgate::tollctl {
namespace {

class RouteTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tollctl_route.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("a.tariff", R"(
zones world { zone nordic 47; zone oslo 4722 }
band night { every 20:00-06:00 }
plan alfa {
  currency EUR
  service voice {
    destination world
    rule default to nordic { price 0.030EUR per 60s }
    rule default to oslo { price 0.012EUR per 1s }
    rule default to nordic during night { price 0.010EUR per 60s }
  }
}
)");
    write("b.tariff", R"(
zones world { zone norway 47 }
plan bravo {
  currency EUR
  service voice {
    destination world
    rule default to norway { price 0.0004EUR per 1s }
    rule default barred
  }
}
plan dollars {
  currency USD
  service voice { rule default { price 0.001USD per 1s } }
}
)");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  Json ask(const std::string& to, const std::string& at, const std::string& quantity = "60s") {
    return find_routes({.suppliers = {folder_ / "a.tariff", folder_ / "b.tariff"},
                        .from = "46701234567",
                        .to = to,
                        .at = at,
                        .quantity = quantity});
  }
  static std::string order(const Json& told) {
    std::string all;
    for (const Json& one : told["routes"]) {
      all += one["rank"].dump() + " " + one["plan"].get<std::string>() + " " +
             one["cost"].get<std::string>() + "; ";
    }
    return all;
  }
  std::filesystem::path folder_;
};

// Costs of two currencies are not compared: each has ranks of its own, whatever is asked.
TEST_F(RouteTest, EachCurrencyHasItsOwnOrder) {
  write("c.tariff", R"(
plan echo { currency USD; service voice { rule default { price 0.0005USD per 1s } } }
plan both {
  currency EUR
  exchange 1USD 0.92EUR
  service voice { rule default { pay with EUR then USD; price 0.0006EUR per 1s } }
}
)");
  const Json told = find_routes({.suppliers = {folder_ / "b.tariff", folder_ / "c.tariff"},
                                 .from = "46701234567",
                                 .to = "4790000000",
                                 .at = "2026-11-25T12:00:00Z",
                                 .quantity = "60s"});
  EXPECT_EQ(order(told), "1 bravo 0.024; 2 both 0.036; 1 echo 0.03; 2 dollars 0.06; ");
  const Json barred = find_routes({.suppliers = {folder_ / "b.tariff", folder_ / "c.tariff"},
                                   .from = "46701234567",
                                   .to = "4990000000",
                                   .at = "2026-11-25T12:00:00Z",
                                   .quantity = "60s"});
  EXPECT_EQ(order(barred), "1 echo 0.03; 2 dollars 0.06; 1 both 0.036; ");
}

TEST_F(RouteTest, TheCheapestComesFirst) {
  const Json day = ask("4790000000", "2026-11-25T12:00:00Z");
  EXPECT_EQ(order(day), "1 bravo 0.024; 2 alfa 0.03; 1 dollars 0.06; ") << day.dump();
  EXPECT_EQ(day["routes"][0]["rule"], "bravo/voice/default to norway");
  const Json night = ask("4790000000", "2026-11-25T22:00:00Z");
  EXPECT_EQ(order(night), "1 alfa 0.01; 2 bravo 0.024; 1 dollars 0.06; ");
  const Json oslo = ask("4722000000", "2026-11-25T12:00:00Z");
  EXPECT_EQ(order(oslo), "1 bravo 0.024; 2 alfa 0.72; 1 dollars 0.06; ");
  const Json second = ask("4790000000", "2026-11-25T22:00:00Z", "1s");
  EXPECT_EQ(order(second), "1 bravo 0.0004; 2 alfa 0.01; 1 dollars 0.001; ");
}

TEST_F(RouteTest, WhoDoesNotCarryItIsToldWithTheReason) {
  const Json told = ask("12125551212", "2026-11-25T12:00:00Z");
  EXPECT_EQ(order(told), "1 dollars 0.06; ");
  ASSERT_EQ(told["without"].size(), 2u);
  EXPECT_EQ(told["without"][0]["plan"], "alfa");
  EXPECT_NE(told["without"][0]["why"].get<std::string>().find("no_rule"), std::string::npos);
  EXPECT_EQ(told["without"][1]["why"], "barred: bravo/voice/default");
  EXPECT_NE(route_text(told).find("dollars"), std::string::npos);
}

TEST_F(RouteTest, ABadQuestionIsRefused) {
  EXPECT_THROW((void)ask("telephone", ""), control::Refused);
  EXPECT_THROW((void)ask("47", "tomorrow"), control::Refused);
  EXPECT_THROW((void)ask("47", "", "60 apples"), control::Refused);
  write("b.tariff", "plan");
  EXPECT_THROW((void)ask("47", ""), control::Refused);
}

}  // namespace
}  // namespace tollgate::tollctl
