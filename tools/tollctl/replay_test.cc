// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/replay.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tollgate::tollctl {
namespace {

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / "tollctl_replay_test.XXXXXX";
    std::string name = folder_.string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

constexpr const char* tariff = R"(
plan prepaid {
  currency EUR
  service data { rule group 10 { price 0.02EUR per 1MiB }; rule group 20 free }
  service sms { rule default { price 0.05EUR } }
}
)";

constexpr const char* records =
    R"({"account":"anna","plan":"prepaid","service_context":"32251@3gpp.org","services":[)"
    R"({"rating_group":10,"service_identifier":null,"unit":"octets","used":"3145728",)"
    R"("cost":"0.31","currency":"EUR"},{"rating_group":20,"service_identifier":null,)"
    R"("unit":"octets","used":"99","cost":null,"currency":null}]})"
    "\n"
    R"({"account":"bert","plan":"prepaid","service_context":"32274@3gpp.org","services":[)"
    R"({"rating_group":null,"service_identifier":null,"unit":"events","used":"2","cost":"0.10",)"
    R"("currency":"EUR"}]})"
    "\n"
    R"({"account":"cleo","plan":"gone","service_context":"32274@3gpp.org","services":[)"
    R"({"rating_group":null,"service_identifier":null,"unit":"events","used":"1","cost":"0.10",)"
    R"("currency":"EUR"}]})"
    "\nno record\n";

// 3 MiB cost 0.06 instead of 0.31; two messages cost what they did.
TEST_F(ReplayTest, TellsWhoWouldPayWhat) {
  const Json report = replay_records(write("a.jsonl", records), write("a.tariff", tariff));
  EXPECT_EQ(report["records"], 3);
  EXPECT_EQ(report["services"], 4);
  EXPECT_EQ(report["bad_lines"], 1);
  ASSERT_EQ(report["totals"].size(), 1u);
  EXPECT_EQ(report["totals"][0]["before"], "0.41");
  EXPECT_EQ(report["totals"][0]["after"], "0.16");
  EXPECT_EQ(report["totals"][0]["difference"], "-0.25");
  ASSERT_EQ(report["accounts"].size(), 1u);
  EXPECT_EQ(report["accounts"][0]["account"], "anna");
  EXPECT_EQ(report["accounts"][0]["after"], "0.06");
  EXPECT_EQ(report["unpriced"].size(), 1u);
  EXPECT_NE(replay_text(report).find("anna"), std::string::npos);
}

// A record says which products counted, who was called and where: the price depends on it.
TEST_F(ReplayTest, ProductsAndNumbersCount) {
  constexpr const char* zoned = R"(
zones world { zone nordic 47 }
product gold { plans prepaid; fee 2.00EUR }
plan prepaid {
  currency EUR
  service voice {
    destination world
    rule default { price 1.00EUR per 1min }
    rule default to nordic { price 0.30EUR per 1min }
    rule default with gold priority 1 { price 0.10EUR per 1min }
  }
}
)";
  std::string lines;
  for (const char* more :
       {"", R"(,"numbers":{"called":"4790000000"})", R"(,"products":["gold"])"}) {
    lines += std::string(R"({"account":"a","plan":"prepaid","service_context":"32260@3gpp.org",)") +
             R"("services":[{"unit":"seconds","used":"60","cost":"1.00","currency":"EUR"}])" +
             more + "}\n";
  }
  lines += R"({"account":"a","type":"fee","services":[{"unit":"events","used":"1","cost":"2.00"}]})"
           "\n";
  const Json report = replay_records(write("a.jsonl", lines), write("a.tariff", zoned));
  EXPECT_EQ(report["fees"], 1);
  EXPECT_EQ(report["unpriced"].size(), 0u) << report.dump();
  EXPECT_EQ(report["totals"][0]["before"], "3.00");
  EXPECT_EQ(report["totals"][0]["after"], "1.40");
}

// A record by one direction under a rule that counts the other or both, and back: 1 MB up, 3 MB
// down.
TEST_F(ReplayTest, OctetsOfOneDirectionAreTakenFromWhatTheClientReported) {
  std::string lines;
  for (const char* more : {R"("part":"upload","used":"1000000","input_octets":1000000,)"
                           R"("output_octets":3000000)",
                           R"("used":"4000000","input_octets":1000000,"output_octets":3000000)",
                           R"("used":"4000000","input_octets":0,"output_octets":0)"}) {
    lines += std::string(R"({"account":"a","plan":"p","service_context":"32251@3gpp.org",)") +
             R"("services":[{"unit":"octets","cost":"1.00","currency":"EUR",)" + more + "}]}\n";
  }
  const auto told = [&](const std::string& meter) {
    const Json report =
        replay_records(write("a.jsonl", lines),
                       write("a.tariff", "plan p { currency EUR; service data { rule default { " +
                                             meter + "; price 1.00EUR per 1MB } } }"));
    return report["totals"][0]["after"].get<std::string>() + " unpriced " +
           report["unpriced"].dump();
  };
  const std::string untold = R"({"the record does not tell the octets of each direction":1})";
  EXPECT_EQ(told("meter volume"), "12.00 unpriced {}");
  EXPECT_EQ(told("meter upload"), "2.00 unpriced " + untold);
  EXPECT_EQ(told("meter download"), "6.00 unpriced " + untold);
}

TEST_F(ReplayTest, MistakesAreRefused) {
  EXPECT_ANY_THROW(replay_records(write("a.jsonl", records), write("a.tariff", "plan")));
  EXPECT_ANY_THROW(replay_records((folder_ / "none").string(), write("a.tariff", tariff)));
}

}  // namespace
}  // namespace tollgate::tollctl
