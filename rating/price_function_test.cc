// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Discounts by function and by amount, and functions that look at who, where, when and at counters.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "rating/compile.hh"
#include "rating/diff.hh"
#include "rating/explain.hh"
#include "rating/price.hh"

namespace tollgate::rating {
namespace {

constexpr std::string_view functions = R"(from tollgate import Event


def third_off(event: Event, price: int) -> int:
    return price - price // 3


def by_size(event: Event, price: int) -> int:
    return price if event.quantity < 5000 else price // 2 + 100


def by_number(event: Event) -> int:
    if event.called == 46701234567:
        return event.quantity
    if event.zone == "nordic":
        return 3 * event.quantity
    return (5 if event.calling == 46700000001 else 7) * event.quantity


def by_network(event: Event) -> int:
    block = 20 if event.network == 26201 else 10
    if event.location == "roaming" and event.direction == "terminating":
        block = 0
    return (block + event.rating_group + event.service_identifier) * event.quantity


def by_clock(event: Event) -> int:
    price = 2 if event.hour >= 20 or event.hour < 6 else 4
    if event.month == 12 and event.day == 24 or event.weekday == 6:
        price = 1
    return price * event.quantity


def by_counter(event: Event) -> int:
    return (1 if event.counter(0) >= 1000 else 2) * event.quantity + event.quantity * min(
        10, event.counter(1))
)";

constexpr std::string_view frame = R"(timezone "Europe/Stockholm"
zones numbers {{ zone nordic 46, 47 }}
plan p {{
  currency EUR
  counter used octets per month
  counter sent events per month
  counter spent EUR per day
  {}
  service data {{ default group 10; rule default {{ {} }} }}
}}
)";

Compiled compiled_with(const std::string& rule, const std::string& plan = "") {
  const std::array texts = {
      TariffText{"a.tariff", fmt::format(fmt::runtime(frame), plan, rule)},
      TariffText{"folder/f.py", std::string(functions)},
  };
  return compile(texts);
}

std::string mistakes_of(const std::string& rule, const std::string& plan = "",
                        const std::string& python = std::string(functions)) {
  const std::array texts = {
      TariffText{"a.tariff", fmt::format(fmt::runtime(frame), plan, rule)},
      TariffText{"folder/f.py", python},
  };
  std::string all;
  for (const Diagnostic& one : compile(texts).diagnostics) all += to_text(one) + "\n";
  return all;
}

void expect_mistake(const std::string& all, const std::string& place, const std::string& words) {
  EXPECT_TRUE(all.starts_with(place)) << all;
  EXPECT_NE(all.find(words), std::string::npos) << all;
}

const Rule& only_rule(const Compiled& compiled) {
  for (const Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
  static const Rule nothing;
  return compiled.is_good() ? Image(compiled.image).rules()[0] : nothing;
}

i64 cost_of(const Compiled& compiled, PriceEvent event) {
  for (const Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
  event.plan = "p";
  event.service_context = "data";
  if (event.use.empty()) event.use = {{{1000}, Unit::octets}};
  const Explanation told = explain(Image(compiled.image), event);
  EXPECT_TRUE(told.is_priced);
  return told.cost.empty() ? -1 : told.cost[0].amount.count;
}

i64 price_of(const Rule& rule, UsageSoFar so_far, i64 quantity) {
  Money cost;
  EXPECT_EQ(price(rule, so_far, Quantity{quantity}, cost), Outcome::ok);
  return cost.count;
}

// discounts

TEST(PriceFunction, ADiscountIsTakenOffFeeAndStepsBeforeTheTax) {
  const Compiled compiled = compiled_with(
      "setup 0.000100EUR; price 0.000200EUR per 1kB; discount python \"f.py\" third_off;"
      "tax 25% exclusive");
  const Rule& rule = only_rule(compiled);
  EXPECT_EQ(price_of(rule, {}, 1), 250);     // 300 - 100, and a quarter more
  EXPECT_EQ(price_of(rule, {}, 1001), 418);  // 500 - 166 = 334, x 1.25 = 417.5, up
  EXPECT_EQ(price_of(rule, {.by_money = {1}}, 1000), 168);
}

TEST(PriceFunction, AnAmountIsTakenOffOnceASession) {
  const Compiled compiled =
      compiled_with("price 0.000200EUR per 1kB; discount 0.000500EUR; tax 25% exclusive");
  const Rule& rule = only_rule(compiled);
  EXPECT_EQ(price_of(rule, {}, 2000), 0);
  EXPECT_EQ(price_of(rule, {}, 3000), 125);
  EXPECT_EQ(price_of(rule, {.by_money = {3000}}, 1000), 250);
  const Charge bought = affordable(
      rule, rule.source[0], {.so_far = {}, .wanted = Quantity::max(), .available = Amount{0}});
  EXPECT_EQ(bought.covered.count, 2000);
}

TEST(PriceFunction, TheInnermostDiscountCounts) {
  const std::string plan = "discount python \"f.py\" third_off";
  EXPECT_EQ(price_of(only_rule(compiled_with("price 0.000300EUR per 1kB", plan)), {}, 1), 200);
  EXPECT_EQ(
      price_of(only_rule(compiled_with("price 0.000300EUR per 1kB; discount 50%", plan)), {}, 1),
      150);
  EXPECT_EQ(
      price_of(only_rule(compiled_with("price 0.000300EUR per 1kB; discount 0.000010EUR", plan)),
               {}, 1),
      290);
}

// Whatever is put on it: pieces add up, and the last grant is exact.
TEST(PriceFunction, PiecesAddUpAndTheLastGrantIsExact) {
  const std::array rules = {
      "price 0.000700EUR per 1kB; discount python \"f.py\" third_off; tax 25% exclusive",
      "price first 2kB 0.000900EUR per 100B then 0.000007EUR per 3B; round exact; "
      "discount python \"f.py\" third_off; round money half_even to 0.000010EUR",
      "setup 0.000050EUR; price 0.000100EUR per 100B; discount 0.000333EUR; minimum 0.000040EUR",
      "price python \"f.py\" by_network; discount python \"f.py\" third_off; cap 0.050000EUR",
      "price 0.000007EUR per 3B; round exact; discount 0.000333EUR; tax 25% exclusive",
  };
  std::mt19937_64 random(7);
  for (const char* text : rules) {
    const Compiled compiled = compiled_with(text);
    const Rule& rule = only_rule(compiled);
    PriceFacts facts;
    facts.facts[Fact::network] = 26201;
    for (int i = 0; i < 3000; ++i) {
      const i64 whole = static_cast<i64>(1 + random() % 20'000);
      const i64 first = static_cast<i64>(random() % static_cast<u64>(whole));
      const UsageSoFar so_far{.by_money = {first}, .facts = &facts};
      const i64 all = price_of(rule, {.facts = &facts}, whole);
      ASSERT_EQ(price_of(rule, {.facts = &facts}, first) + price_of(rule, so_far, whole - first),
                all)
          << text << " " << first << " " << whole;
      const Amount balance{static_cast<i64>(random() % 20'000)};
      const Charge bought =
          affordable(rule, rule.source[0],
                     {.so_far = so_far, .wanted = {whole - first}, .available = balance});
      ASSERT_EQ(price_of(rule, so_far, bought.covered.count), bought.cost.count);
      ASSERT_LE(bought.cost, balance);
      if (bought.covered.count == whole - first) continue;
      ASSERT_GT(price_of(rule, so_far, bought.covered.count + 1), balance.count) << text;
    }
  }
}

TEST(PriceFunction, ADiscountBeyondThePriceOrBelowNothingIsRefused) {
  const auto with = [](const std::string& body) {
    return mistakes_of(
        "price 0.000700EUR per 1kB; discount python \"f.py\" f", "",
        "from tollgate import Event\n\n\ndef f(event: Event, price: int) -> int:\n" + body + "\n");
  };
  expect_mistake(with("    return price + 1"), "a.tariff:9:", "returns 701 for a price of 700");
  expect_mistake(with("    return price - 800"), "a.tariff:9:", "returns -100 for a price of 700");
  expect_mistake(with("    return price if price < 7000 else 0"),
                 "a.tariff:9:", "expected that more never costs less");
  expect_mistake(with("    return price - 0 * (1 // (event.quantity - 300))"),
                 "a.tariff:9:", "ends with division_by_zero for a quantity of 300");
  expect_mistake(with("    return price * 10_000_000_000 // 20_000_000_000"),
                 "a.tariff:9:", "ends with overflow");
  EXPECT_EQ(with("    return max(price - 800, 0)"), "");
  const std::string two =
      mistakes_of("price 0.000700EUR per 1kB; discount python \"f.py\" by_clock");
  expect_mistake(two, "a.tariff:9:", "folder/f.py:");
  expect_mistake(mistakes_of("price 0.000700EUR per 1kB; discount python \"f.py\" by_size"),
                 "a.tariff:9:", "expected that more never costs less");
}

// what functions see

TEST(PriceFunction, NumbersAndZones) {
  const Compiled compiled = compiled_with("price python \"f.py\" by_number", "destination numbers");
  EXPECT_EQ(cost_of(compiled, {}), 7000);
  EXPECT_EQ(cost_of(compiled, {.numbers = {number_key("46700000001"), number_absent, 0}}), 5000);
  EXPECT_EQ(cost_of(compiled, {.numbers = {0, number_key("4790000000"), 0}}), 3000);
  EXPECT_EQ(cost_of(compiled, {.numbers = {0, number_key("46701234567"), 0}}), 1000);
  EXPECT_EQ(cost_of(compiled, {.zone = "nordic"}), 3000);
  EXPECT_EQ(Image(compiled.image).roles_asked(), 3u);
}

TEST(PriceFunction, NetworksGroupsAndWays) {
  const Compiled compiled = compiled_with("price python \"f.py\" by_network");
  EXPECT_EQ(cost_of(compiled, {}), 10'000);
  EXPECT_EQ(cost_of(compiled, {.numbers = {0, 0, number_key("26201")}}), 20'000);
  EXPECT_EQ(cost_of(compiled, {.rating_group = 3, .service_identifier = 4}), 17'000);
  EXPECT_EQ(cost_of(compiled, {.direction = Direction::terminating, .location = Location::roaming}),
            0);
  EXPECT_EQ(Image(compiled.image).roles_asked(), way_asked | 4u);
}

TEST(PriceFunction, TheClockIsThatOfTheBeginningInThePlansTimeZone) {
  const Compiled compiled = compiled_with("price python \"f.py\" by_clock");
  const auto at = [&](std::string_view moment) {
    PriceEvent event;
    Instant begin;
    EXPECT_TRUE(parse_rfc3339(moment, begin));
    event.at = begin;
    event.use = {{{500}, Unit::octets}, {{500}, Unit::octets}};
    event.after = {std::nullopt, Duration::seconds(7200)};
    return cost_of(compiled, event);
  };
  EXPECT_EQ(at("2026-11-25T18:30:00Z"), 4000);  // 19:30, and 21:30 for the second piece
  EXPECT_EQ(at("2026-11-25T19:30:00Z"), 2000);
  EXPECT_EQ(at("2026-07-15T18:30:00Z"), 2000);  // summer: 20:30
  EXPECT_EQ(at("2026-12-23T23:30:00Z"), 1000);  // Christmas Eve already
  EXPECT_EQ(at("2026-11-22T12:00:00Z"), 1000);  // a Sunday
}

TEST(PriceFunction, CountersThatOthersMove) {
  const Compiled compiled = compiled_with("price python \"f.py\" by_counter by used, sent");
  EXPECT_EQ(cost_of(compiled, {}), 2000);
  EXPECT_EQ(cost_of(compiled, {.counted = {{"used", {1000}}}}), 1000);
  EXPECT_EQ(cost_of(compiled, {.counted = {{"used", {999}}, {"sent", {3}}}}), 5000);
}

TEST(PriceFunction, WhatCannotBeExactIsRefusedWithItsPlace) {
  expect_mistake(mistakes_of("steps by used; price python \"f.py\" by_counter by used, sent"),
                 "a.tariff:9:", "found counter 'used', which this rule moves itself");
  expect_mistake(
      mistakes_of("limit 5EUR by spent; price python \"f.py\" by_counter by sent, spent"),
      "a.tariff:9:", "found counter 'spent', which this rule moves itself");
  expect_mistake(mistakes_of("price python \"f.py\" by_counter by used"),
                 "a.tariff:9:", "looks at event.counter(1), but 1 are named here");
  expect_mistake(mistakes_of("price python \"f.py\" by_counter by used, sant"), "a.tariff:9:",
                 "found 'sant', expected a counter of the plan (hint: did you mean 'sent'?)");
  expect_mistake(mistakes_of("price python \"f.py\" by_number"),
                 "a.tariff:9:", "looks at event.zone, but nothing says which zones");
}

// Two networks in one session: the piece after the move costs what the curve of the new one says
// from where the session stands, and nothing is paid twice.
TEST(PriceFunction, WhoMovesPaysTheDifferenceOfTheNewCurve) {
  const Compiled compiled = compiled_with("price python \"f.py\" by_network");
  const Rule& rule = only_rule(compiled);
  PriceFacts home;
  PriceFacts abroad;
  abroad.facts[Fact::network] = 26201;
  EXPECT_EQ(price_of(rule, {.facts = &home}, 100), 1000);
  EXPECT_EQ(price_of(rule, {.by_money = {100}, .facts = &abroad}, 100), 2000);
  EXPECT_EQ(price_of(rule, {.by_money = {200}, .facts = &home}, 1), 10);
}

TEST(PriceFunction, StepsAreExplained) {
  const Compiled compiled = compiled_with(
      "price python \"f.py\" by_network; discount python \"f.py\" third_off; tax 25% exclusive");
  PriceEvent event{.plan = "p", .service_context = "data", .use = {{{100}, Unit::octets}}};
  std::string all;
  for (const std::string& step : explain(Image(compiled.image), event).steps) all += step + "\n";
  EXPECT_NE(all.find("a Python function says that 100octets cost 0.001EUR in all"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("a Python function leaves 0.000667EUR of 0.001EUR for 100octets"),
            std::string::npos)
      << all;
}

TEST(PriceFunction, ADifferenceOfDiscountsIsSeen) {
  const Compiled plain = compiled_with("price 0.01EUR per 1MB");
  const Compiled less = compiled_with("price 0.01EUR per 1MB; discount 0.10EUR");
  const Compiled other = compiled_with("price 0.01EUR per 1MB; discount python \"f.py\" third_off");
  EXPECT_FALSE(compare(Image(plain.image), Image(less.image)).empty());
  EXPECT_FALSE(compare(Image(less.image), Image(other.image)).empty());
  EXPECT_TRUE(compare(Image(other.image), Image(other.image)).empty());
}

TEST(PriceFunction, AnImageWithBrokenFunctionsIsRefused) {
  const Compiled compiled =
      compiled_with("price python \"f.py\" by_clock; discount python \"f.py\" third_off");
  const Rule& rule = only_rule(compiled);
  const auto at =
      static_cast<u64>(reinterpret_cast<const u8*>(&functions_of(rule)) - compiled.image.data());
  std::mt19937_64 random(3);
  u32 refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<u8> image = compiled.image;
    const u64 place =
        i % 2 == 0 ? at + random() % sizeof(RuleFunctions) : at + random() % (image.size() - at);
    image[place] ^= static_cast<u8>(1 + random() % 255);
    seal(image);
    if (validate(image) != ImageFault::none) {
      ++refused;
      continue;
    }
    const Image view(image);
    PriceFacts facts;
    view.fill_facts(view.rules()[0], {}, Instant::from_seconds(1'764'000'000), facts);
    Money cost;
    (void)price(view.rules()[0], {.facts = &facts},
                Quantity{static_cast<i64>(random() % 1'000'000)}, cost);
  }
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace tollgate::rating
