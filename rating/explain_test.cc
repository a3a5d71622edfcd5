// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/explain.hh"

#include <gtest/gtest.h>

#include "rating/compile.hh"

namespace tollgate::rating {
namespace {

constexpr std::string_view tariff = R"(plan p {
  currency EUR
  allowance 1MiB
  service data {
    rule "net" default {
      pay with octets then EUR
      setup 0.05EUR
      price first 200KiB 0.01EUR per 100KiB then 0.02EUR per 100KiB
      round money up to 0.05EUR
    }
    rule "closed" group 3 barred
  }
}
)";

class ExplainTest : public testing::Test {
 protected:
  ExplainTest() {
    const TariffText text{"p.tariff", std::string(tariff)};
    compiled_ = compile({&text, 1});
    for (const Diagnostic& d : compiled_.diagnostics) ADD_FAILURE() << to_text(d);
  }
  std::string steps(const PriceEvent& event) const {
    std::string all;
    for (const std::string& step : explain(Image(compiled_.image), event).steps) all += step + "\n";
    return all;
  }
  Compiled compiled_;
};

TEST_F(ExplainTest, TellsRuleBlocksAndRoundings) {
  const PriceEvent event{.plan = "p",
                         .service_context = "8.32251@3gpp.org",
                         .rating_group = 1,
                         .use = {{{307'200}, Unit::octets}, {{102'401}, Unit::octets}},
                         .have = {{{102'400}, Unit::octets}, {{200'000}, Unit::eur}}};
  EXPECT_EQ(steps(event),
            "rule p/data/net (p.tariff:5) measures volume\n"
            "it is paid with octets, then EUR\n"
            "use of 307200octets\n"
            "  102400octets paid with 102400octets of allowance\n"
            "  204800octets paid with 0.10EUR\n"
            "    from 0octets: 204800octets is 2 block(s) of 102400octets (rounded up) at 0.01EUR\n"
            "    setup fee 0.05EUR\n"
            "    what the session costs is rounded up to a multiple of 0.05EUR\n"
            "use of 102401octets\n"
            "  102401octets paid with 0.05EUR\n"
            "    from 204800octets: 102401octets is 2 block(s) of 102400octets (rounded up) at "
            "0.02EUR\n"
            "    what the session costs is rounded up to a multiple of 0.05EUR\n"
            "    0.15EUR for all 307201octets of the session, less 0.10EUR for the 204800octets "
            "before\n"
            "cost: 102400octets and 0.15EUR\n");
}

TEST_F(ExplainTest, TellsWhyThereIsNoPrice) {
  EXPECT_EQ(steps({.plan = "q", .service_context = "data"}),
            "no price: no_plan (plan q, service data)\n");
  EXPECT_EQ(steps({.plan = "p", .service_context = "data", .use = {{{1}, Unit::events}}}),
            "rule p/data/net (p.tariff:5) measures volume\n"
            "it is paid with octets, then EUR\n"
            "no price: 1events was used, but the rule measures octets\n");
}

TEST_F(ExplainTest, TellsWhatCannotBePaid) {
  const PriceEvent event{.plan = "p",
                         .service_context = "data",
                         .use = {{{102'400}, Unit::octets}},
                         .have = {{{50}, Unit::eur}}};
  EXPECT_EQ(steps(event),
            "rule p/data/net (p.tariff:5) measures volume\n"
            "it is paid with octets, then EUR\n"
            "use of 102400octets\n"
            "  102400octets cannot be paid; it would cost 0.10EUR\n"
            "cost: nothing\n");
  const Explanation barred =
      explain(Image(compiled_.image), {.plan = "p", .service_context = "data", .rating_group = 3});
  EXPECT_EQ(barred.verdict, Verdict::barred);
  EXPECT_TRUE(barred.is_priced);
}

}  // namespace
}  // namespace tollgate::rating
