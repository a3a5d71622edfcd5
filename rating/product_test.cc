// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Products: the calendar of their turns, what a tariff may say of them, and the rules of who has
// one.

#include "rating/product.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rating/compile.hh"
#include "rating/diff.hh"
#include "rating/image.hh"

namespace tollgate::rating {
namespace {

Instant moment(std::string_view text) {
  Instant at;
  EXPECT_TRUE(parse_rfc3339(text, at)) << text;
  return at;
}

struct TurnRow {
  Period period;
  u8 day;
  std::string_view bought;
  u32 number;
  std::string_view begins;
};

TEST(ProductTest, TurnsByHand) {
  TimeZones zones;
  const TimeZone* stockholm = zones.find("Europe/Stockholm");
  ASSERT_NE(stockholm, nullptr);
  for (const TurnRow& row : {
           // as it was bought: the hour on the wall stays, over the change of clocks on 29 March
           TurnRow{Period::day, 0, "2026-03-28T12:00:00+01:00", 1, "2026-03-29T12:00:00+02:00"},
           TurnRow{Period::week, 0, "2026-03-25T12:00:00+01:00", 1, "2026-04-01T12:00:00+02:00"},
           // a month without that day has its last one, and the day comes back afterwards
           TurnRow{Period::month, 0, "2026-01-31T14:05:00+01:00", 1, "2026-02-28T14:05:00+01:00"},
           TurnRow{Period::month, 0, "2026-01-31T14:05:00+01:00", 2, "2026-03-31T14:05:00+02:00"},
           TurnRow{Period::month, 0, "2028-01-31T14:05:00+01:00", 1, "2028-02-29T14:05:00+01:00"},
           TurnRow{Period::month, 0, "2026-01-31T14:05:00+01:00", 12, "2027-01-31T14:05:00+01:00"},
           // on a day: its local midnight, the first time after it was bought
           TurnRow{Period::month, 1, "2026-11-22T10:00:00+01:00", 1, "2026-12-01T00:00:00+01:00"},
           TurnRow{Period::month, 1, "2026-11-01T00:00:00+01:00", 1, "2026-12-01T00:00:00+01:00"},
           TurnRow{Period::month, 25, "2026-11-22T10:00:00+01:00", 1, "2026-11-25T00:00:00+01:00"},
           TurnRow{Period::month, 25, "2026-11-22T10:00:00+01:00", 2, "2026-12-25T00:00:00+01:00"},
           TurnRow{Period::month, 31, "2026-02-10T10:00:00+01:00", 1, "2026-02-28T00:00:00+01:00"},
           TurnRow{Period::month, 32, "2026-02-28T10:00:00+01:00", 1, "2026-03-31T00:00:00+02:00"},
           TurnRow{Period::month, 32, "2026-02-28T10:00:00+01:00", 2, "2026-04-30T00:00:00+02:00"},
           TurnRow{Period::week, 1, "2026-11-22T10:00:00+01:00", 1, "2026-11-23T00:00:00+01:00"},
           TurnRow{Period::week, 7, "2026-11-22T10:00:00+01:00", 1, "2026-11-29T00:00:00+01:00"},
           TurnRow{Period::week, 7, "2026-11-22T10:00:00+01:00", 3, "2026-12-13T00:00:00+01:00"},
       }) {
    Product product;
    product.period = row.period;
    product.day = row.day;
    EXPECT_EQ(turn_begin(product, *stockholm, moment(row.bought), row.number), moment(row.begins))
        << row.bought << " turn " << row.number;
  }
  EXPECT_EQ(turn_begin({}, *stockholm, moment("2026-11-22T10:00:00Z"), 1), Instant::never());
}

// Whatever the month and the day: turns follow each other, none is skipped, none comes twice.
TEST(ProductTest, TurnsFollowEachOther) {
  TimeZones zones;
  const TimeZone* zone = zones.find("Europe/Stockholm");
  for (const Period period : {Period::day, Period::week, Period::month}) {
    const i64 longest = period == Period::day    ? 25
                        : period == Period::week ? 7 * 24 + 1
                                                 : 31 * 24 + 1;
    const u32 days = period == Period::day ? 0 : period == Period::week ? 7 : 32;
    for (u32 day = 0; day <= days; ++day) {
      Product product;
      product.period = period;
      product.day = static_cast<u8>(day);
      for (i64 hours = 0; hours < 24 * 400; hours += 37) {
        const Instant bought = moment("2026-01-01T00:00:00Z") + Duration::seconds(hours * 3600);
        Instant before = bought;
        for (u32 number = 1; number < 5; ++number) {
          const Instant next = turn_begin(product, *zone, bought, number);
          ASSERT_GT(next, before) << day << " " << hours << " " << number;
          ASSERT_LE(next - before, Duration::seconds(longest * 3600)) << day << " " << hours;
          before = next;
        }
      }
    }
  }
}

TEST(ProductTest, AShortFirstTurnCostsItsShare) {
  TimeZones zones;
  const TimeZone* utc = zones.find("UTC");
  Product product;
  product.period = Period::month;
  product.day = 1;
  product.fee = {2'000'000};
  product.recurring_fee = {30'000'000};
  const Instant bought = moment("2026-11-21T00:00:00Z");  // ten of thirty days are left
  EXPECT_EQ(turn_fee(product, *utc, bought, 0).count, 32'000'000);
  product.flags = Product::is_prorated;
  EXPECT_EQ(turn_fee(product, *utc, bought, 0).count, 12'000'000);
  EXPECT_EQ(turn_fee(product, *utc, bought, 1).count, 30'000'000);
  product.recurring_fee = {10'000'000};
  product.proration_step = {10'000};
  EXPECT_EQ(turn_fee(product, *utc, bought, 0).count, 2'000'000 + 3'340'000);
  product.proration = Rounding::down;
  EXPECT_EQ(turn_fee(product, *utc, bought, 0).count, 2'000'000 + 3'330'000);
}

std::string mistakes(std::string_view text) {
  const TariffText file{"t", std::string(text)};
  std::string all;
  for (const Diagnostic& diagnostic : compile({&file, 1}).diagnostics) {
    all += fmt::format("{}:{} {}\n", diagnostic.line, diagnostic.column, diagnostic.message);
  }
  return all;
}

struct Row {
  std::string_view text;
  std::string_view mistakes;
};

TEST(ProductTest, ProductsThatCannotBe) {
  constexpr std::string_view plan =
      "plan p { currency EUR; service sms { rule default { price 0.10EUR } } }\n"
      "plan q { currency USD; service sms { rule default { price 0.10USD } } }\n";
  for (const Row& row : {
           Row{"product x { plans p; fee 1EUR per month on last; prorate up to 0.01EUR }", ""},
           Row{"product x { fee 1EUR }", "3:9 product 'x' is for no plan\n"},
           Row{"product x { plans r }", "3:19 found 'r', expected the name of a plan\n"},
           Row{"product x { plans p, q }",
               "3:22 found plan 'q' in USD, expected one in EUR as the first\n"},
           Row{"product x { plans p; fee 1USD }",
               "3:26 found USD, expected EUR, the currency of its plans\n"},
           Row{"product x { plans p; fee 1EUR; fee 2EUR }",
               "3:36 found a second one-time fee in this product\n"},
           Row{"product x { plans p; fee 1EUR per month on 32 }",
               "3:44 found 32, expected a day from 1 to 31, or last\n"},
           Row{"product x { plans p; fee 1EUR per day on 1 }",
               "3:42 found '1', expected the end of the statement: a day begins as bought\n"},
           Row{"product x { plans p; fee 1EUR per month; prorate up }",
               "3:50 found 'prorate', but no turn of this product is a short one\n"},
           Row{"product x { plans p; fee 1EUR; renews }",
               "3:39 found 'renews' in a product that does not end by itself\n"},
           Row{"product x { plans p; fee 1EUR per day; repeatable }",
               "3:51 found 'repeatable' in a product that goes on by itself\n"},
           Row{"product x { plans p; allowance 1GiB }",
               "3:32 found an allowance of octets that no rule of a plan of product 'x' pays "
               "with\n"},
           Row{"product x { plans p; allowance 1EUR rollover 1s }",
               "3:46 found seconds, expected EUR as the allowance\n"},
           Row{"product x { plans p; needs y }", "3:28 found 'y', expected a product\n"},
           Row{"product x { plans p; needs y }\nproduct y { plans p; needs z }\n"
               "product z { plans p }",
               ""},
           Row{"product x { plans p; needs y }\nproduct y { plans p; needs x }",
               "3:28 found 'y', which needs 'x' itself: nobody could buy the first of them\n"
               "4:28 found 'x', which needs 'y' itself: nobody could buy the first of them\n"},
           Row{"product x { plans p; needs y }\nproduct y { plans p; needs z }\n"
               "product z { plans p; needs y }",
               "4:28 found 'z', which needs 'y' itself: nobody could buy the first of them\n"
               "5:28 found 'y', which needs 'z' itself: nobody could buy the first of them\n"},
           Row{"product x { plans p; needs x }", "3:28 found 'x' in itself\n"},
           Row{"product x { plans p; needs y }\nproduct y { plans p; excludes x }",
               "3:28 found 'y', which cannot be had beside 'x': nobody could buy 'x'\n"},
           Row{"product x { plans p; needs y }\nproduct y { plans q }",
               "3:28 found 'y', which is for none of the plans of 'x'\n"},
           Row{"product x { plans p }\nproduct x { plans p }", "4:9 found product 'x' twice\n"},
           Row{"product x { plans p; includes y }\nproduct y { plans p; includes z }\n"
               "product z { plans p }",
               "3:31 found 'y', which is a package itself\n"},
       }) {
    EXPECT_EQ(mistakes(fmt::format("{}{}", plan, row.text)), row.mistakes) << row.text;
  }
}

TEST(ProductTest, RulesWithProductsThatCannotBe) {
  for (const Row& row : {
           Row{"rule default with gold, silver free; rule default with gold { price 1EUR per 1MB }",
               ""},
           Row{"rule default with iron free", "3:19 found 'iron', expected a product\n"},
           Row{"rule default with other free",
               "3:19 found product 'other', which is not for plan 'p'\n"},
           Row{"rule default with gold free; rule default with silver barred",
               "3:35 found a rule and the one at t:3 that fit the same request, and neither is "
               "the more particular\n"},
       }) {
    EXPECT_EQ(
        mistakes(fmt::format("{}plan p {{ currency EUR; service data {{\n{}\n}} }} product "
                             "other {{ plans q }} plan q {{ currency EUR; service sms {{ "
                             "rule default free }} }}",
                             "product gold { plans p } product silver { plans p }\n", row.text)),
        row.mistakes)
        << row.text;
  }
}

// The tariff of the tests below: gold and silver have prices, plain has not, both is a package.
constexpr std::string_view sample =
    "plan p { currency EUR; service data {\n"
    "  rule default { pay with octets then EUR; price 0.10EUR per 1MB }\n"
    "  rule default with gold { price 0.05EUR per 1MB }\n"
    "  rule default with silver { price 0.07EUR per 1MB }\n"
    "} }\n"
    "product gold { plans p; fee 5EUR per month; allowance 1GiB rollover 500MiB; excludes silver "
    "}\n"
    "product silver { plans p; fee 3EUR; lasts 30d; renews }\n"
    "product plain { plans p; allowance 1GiB expires 7d; repeatable }\n"
    "product both { plans p; fee 6EUR per month on 1; includes gold, plain }\n";

TEST(ProductTest, WhoHasAProductHasItsRules) {
  EXPECT_EQ(
      mistakes(fmt::format(
          "{}{}", sample,
          "example \"gold\" { plan p; service data; with gold; use 2MB; expect cost 0.10EUR }\n"
          "example \"none\" { plan p; service data; use 2MB; expect cost 0.20EUR }\n"
          "example \"plain\" { plan p; service data; with plain; use 2MB; expect cost "
          "0.20EUR }\n"
          "example \"package\" { plan p; service data; with both; use 2MB; expect cost "
          "0.10EUR }\n"
          "example \"no such\" { plan p; service data; with iron; expect free }\n")),
      "14:9 example \"no such\" has 'iron', which is no product\n");
}

TEST(ProductTest, TheImageHasWhatWasWritten) {
  const TariffText file{"t", std::string(sample)};
  const Compiled compiled = compile({&file, 1});
  ASSERT_TRUE(compiled.is_good());
  EXPECT_EQ(validate(compiled.image), ImageFault::none);
  const Image image(compiled.image);
  const Product* both = image.find_product(product_id("both"));
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(image.text(both->name), "both");
  EXPECT_EQ(both->day, 1);
  EXPECT_EQ(both->recurring_fee.count, 6'000'000);
  ASSERT_EQ(image.numbers(both->prices).size(), 1U);  // plain has no rules
  EXPECT_EQ(image.numbers(both->prices)[0], product_id("gold"));
  const auto allowances = image.allowances(*both);
  ASSERT_EQ(allowances.size(), 2U);
  EXPECT_EQ(allowances[0].rollover.count, 500 << 20);
  EXPECT_EQ(allowances[1].lifetime, Duration::seconds(7 * 86'400));
  const Product* gold = image.find_product(product_id("gold"));
  ASSERT_EQ(image.numbers(gold->excludes).size(), 1U);
  EXPECT_EQ(image.numbers(gold->plans)[0], plan_id("p"));
}

// The highest step that a top-up reaches; several of one step count together.
TEST(ProductTest, BonusesByHand) {
  const TariffText file{
      "t",
      "plan p { currency EUR; service data { rule default { pay with octets then EUR\n"
      "price 0.01EUR per 1MB } }\n"
      "bonus 500MB from 10EUR expires 7d; bonus 12.5% from 20EUR; bonus 1GB from 20EUR priority 3 "
      "}"};
  const Compiled compiled = compile({&file, 1});
  ASSERT_TRUE(compiled.is_good()) << to_text(compiled.diagnostics[0]);
  const Image image(compiled.image);
  const Plan& plan = image.plans()[0];
  EXPECT_TRUE(image.bonuses(plan, {9'999'999}).empty());
  const auto ten = image.bonuses(plan, {10'000'000});
  ASSERT_EQ(ten.size(), 1U);
  EXPECT_EQ(ten[0].amount.count, 500'000'000);
  EXPECT_EQ(ten[0].lifetime, Duration::seconds(7 * 86'400));
  const auto twenty = image.bonuses(plan, {20'000'007});
  ASSERT_EQ(twenty.size(), 2U);
  EXPECT_EQ(twenty[0].amount.count, 2'500'000);  // 2.500000875, rounded down
  EXPECT_EQ(twenty[1].amount.count, 1'000'000'000);
  EXPECT_EQ(twenty[1].priority, 3);
  EXPECT_EQ(mistakes("plan p { currency EUR; bonus 1GB from 5USD; bonus 5% to 5EUR\n"
                     "service data { rule default free } }"),
            "1:30 found a bonus of octets that no rule of the plan pays with\n"
            "1:39 found 5.00USD, expected a top-up in EUR\n"
            "1:54 found 'to', expected from and a top-up\n");
}

TEST(ProductTest, DifferencesAreToldForItsPlans) {
  const auto image_of = [](std::string_view product) {
    const TariffText file{"t", fmt::format("plan p {{ currency EUR; bonus 10% from 5EUR; service "
                                           "data {{ rule default free }} }}\n{}",
                                           product)};
    return compile({&file, 1}).image;
  };
  const auto before = image_of("product x { plans p; fee 1EUR }\nproduct y { plans p }");
  const auto after = image_of("product x { plans p; fee 2EUR }\nproduct z { plans p }");
  std::string told;
  for (const Difference& one : compare(Image(before), Image(after))) {
    told += fmt::format("{} {}: {} -> {}\n", one.plan, one.what, one.before.substr(0, 20),
                        one.after.substr(0, 20));
  }
  EXPECT_EQ(told,
            "p product x: plans p; fee 1.00EUR -> plans p; fee 2.00EUR\n"
            "p product y: plans p; fee 0.00EUR -> \n"
            "p product z:  -> plans p; fee 0.00EUR\n");
}

// Every set of products, in every place of the account's record, leads to its rule.
TEST(ProductTest, SetsAreFoundWhereverTheyStand) {
  const TariffText file{"t", std::string(sample)};
  const Compiled compiled = compile({&file, 1});
  ASSERT_TRUE(compiled.is_good());
  const Image image(compiled.image);
  const auto block_price = [&](ProductSet products) {
    RuleKey key{plan_id("p"), context_key("32251@3gpp.org"), 1};
    key.products = products;
    const Rule* rule = nullptr;
    return image.find_rule(key, {}, rule) == Found::rule ? rule->step[0].price.count : -1;
  };
  EXPECT_EQ(block_price({}), 100'000);
  for (u32 place = 0; place < priced_products_max; ++place) {
    ProductSet one{};
    one[place] = product_id("gold");
    EXPECT_EQ(block_price(one), 50'000);
    one[place] = product_id("silver");
    EXPECT_EQ(block_price(one), 70'000);
    one[place] = product_id("of another tariff");
    EXPECT_EQ(block_price(one), 100'000);
    one[(place + 1) % priced_products_max] = product_id("silver");
    EXPECT_EQ(block_price(one), 70'000);
  }
}

}  // namespace
}  // namespace tollgate::rating
