// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Prices that are Python functions: what comes out of them, and what is refused, by name and place.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <random>

#include "rating/compile.hh"
#include "rating/diff.hh"
#include "rating/functions.hh"
#include "rating/price.hh"

namespace tollgate::rating {
namespace {

constexpr const char* tariff = R"(plan p {{
  currency EUR
  service data {{
    rule default {{
      price python "f.py" f
      {}
    }}
  }}
}}
)";

Compiled compiled_with(const std::string& body, const std::string& more = "") {
  const std::array texts = {
      TariffText{"a.tariff", fmt::format(fmt::runtime(tariff), more)},
      TariffText{"folder/f.py",
                 "from tollgate import Event\n\n\ndef f(event: Event) -> int:\n" + body + "\n"}};
  return compile(texts);
}

std::string mistakes_of(const std::string& body, const std::string& more = "") {
  const Compiled compiled = compiled_with(body, more);
  std::string all;
  for (const Diagnostic& one : compiled.diagnostics) all += to_text(one) + "\n";
  return all;
}

void expect_mistake(const std::string& all, const std::string& place, const std::string& words) {
  EXPECT_TRUE(all.starts_with(place)) << all;
  EXPECT_NE(all.find(words), std::string::npos) << all;
}

const Rule& only_rule(const Compiled& compiled) {
  const Image image(compiled.image);
  EXPECT_EQ(image.rules().size(), 1u);
  return image.rules()[0];
}

// Blocks begun of 1000, a price that falls from 50 blocks on.
constexpr const char* two_tiers =
    "    blocks = -(-event.quantity // 1000)\n    return blocks * 70 if blocks < 50 else 1000 + "
    "blocks * 50";

TEST(PricePython, CostsWhatTheFunctionSays) {
  const Compiled compiled = compiled_with(two_tiers);
  for (const Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
  const Rule& rule = only_rule(compiled);
  Money cost;
  ASSERT_EQ(price(rule, {}, Quantity{1001}, cost), Outcome::ok);
  EXPECT_EQ(cost.count, 140);
  ASSERT_EQ(price(rule, {.by_money = {1001}}, Quantity{999}, cost), Outcome::ok);
  EXPECT_EQ(cost.count, 0);
  ASSERT_EQ(price(rule, {.by_money = {49'000}}, Quantity{1}, cost), Outcome::ok);
  EXPECT_EQ(cost.count, 1000 + 50 * 50 - 49 * 70);
}

// The same that price_test proves of steps: pieces, and the largest quantity that a balance buys.
TEST(PricePython, PiecesAddUpAndTheLastGrantIsExact) {
  const Compiled compiled =
      compiled_with(two_tiers, "setup 0.000100EUR; tax 25% exclusive; cap 0.010000EUR");
  const Rule& rule = only_rule(compiled);
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const Quantity whole{static_cast<i64>(1 + random() % 200'000)};
    const Quantity first{static_cast<i64>(random() % static_cast<u64>(whole.count))};
    Money all;
    Money one;
    Money other;
    ASSERT_EQ(price(rule, {}, whole, all), Outcome::ok);
    ASSERT_EQ(price(rule, {}, first, one), Outcome::ok);
    const Quantity rest{whole.count - first.count};
    ASSERT_EQ(price(rule, {.by_money = first}, rest, other), Outcome::ok);
    EXPECT_EQ(one.count + other.count, all.count);

    const Amount balance{static_cast<i64>(random() % 9000)};
    const Charge bought =
        affordable(rule, rule.source[0],
                   {.so_far = {.by_money = first}, .wanted = rest, .available = balance});
    Amount cost;
    ASSERT_EQ(price(rule, rule.source[0], {.by_money = first}, bought.covered, cost), Outcome::ok);
    EXPECT_EQ(cost, bought.cost);
    ASSERT_LE(cost, balance);
    if (bought.covered == rest) continue;
    ASSERT_EQ(price(rule, rule.source[0], {.by_money = first}, {bought.covered.count + 1}, cost),
              Outcome::ok);
    ASSERT_GT(cost, balance);
  }
}

TEST(PricePython, WhatHasNoResultIsARefusalNotACrash) {
  // Beyond what is tried out: the product leaves 64 bits.
  const Compiled compiled = compiled_with("    return event.quantity * 4_000_000");
  const Rule& rule = only_rule(compiled);
  Money cost;
  EXPECT_EQ(price(rule, {}, Quantity{i64{1} << 42}, cost), Outcome::cost_overflow);
  const Charge bought =
      affordable(rule, rule.source[0], {.wanted = Quantity::max(), .available = Amount{8'000'001}});
  EXPECT_EQ(bought.covered.count, 2);
}

// Where it may be executed, the image's own code runs, and gives the same.
TEST(PricePython, TheCodeInTheImageGivesTheSame) {
  const Compiled compiled = compiled_with(two_tiers);
  const u64 bytes = round_up(compiled.image.size(), page_bytes);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memcpy(memory, compiled.image.data(), compiled.image.size());
  ASSERT_EQ(::mprotect(memory, bytes, PROT_READ | PROT_EXEC), 0);
  const Image image(Bytes(static_cast<const u8*>(memory), compiled.image.size()));
  std::mt19937_64 random(11);
  for (int i = 0; i < 10'000; ++i) {
    const Quantity quantity{static_cast<i64>(random() % 1'000'000)};
    Money interpreted;
    Money run;
    ASSERT_EQ(price(only_rule(compiled), {}, quantity, interpreted), Outcome::ok);
    run_price_programs(Program::Mapping::executable);
    const Outcome outcome = price(image.rules()[0], {}, quantity, run);
    run_price_programs(Program::Mapping::data);
    ASSERT_EQ(outcome, Outcome::ok);
    ASSERT_EQ(run.count, interpreted.count);
  }
  ::munmap(memory, bytes);
}

TEST(PricePython, MistakesAreToldWithTheirPlaces) {
  expect_mistake(mistakes_of("    return event.weekday"), "a.tariff:5:27: ",
                 "f of f.py returns 3 for a quantity of 0, expected 0, with weekday 3");
  expect_mistake(mistakes_of("    return event.counter(0)"),
                 "a.tariff:5:27: ", "f of f.py looks at event.counter(0), but none are named here");
  expect_mistake(mistakes_of("    return 5"), "a.tariff:5:27: ", "returns 5 for a quantity of 0");
  expect_mistake(mistakes_of("    return min(event.quantity, 100 - event.quantity) if "
                             "event.quantity else 0"),
                 "a.tariff:5:27: ", "expected that more never costs less");
  expect_mistake(mistakes_of("    return 0 - event.quantity"),
                 "a.tariff:5:27: ", "expected that more never costs less");
  expect_mistake(mistakes_of("    return 10 // (event.quantity - 7) * 0"),
                 "a.tariff:5:27: ", "ends with division_by_zero for a quantity of 7");
  expect_mistake(mistakes_of("    return event.quantity / 2"), "a.tariff:5:27: ", "folder/f.py:5:");
  expect_mistake(mistakes_of("    cost = 0\n    for i in range(3000):\n        cost += i\n    "
                             "return cost * event.quantity"),
                 "a.tariff:5:27: ", "at most 2000 in a price");
  expect_mistake(mistakes_of(two_tiers, "round down"), "a.tariff:5:", "counts no blocks");
  expect_mistake(mistakes_of(two_tiers, "restart after 10KiB"), "a.tariff:6:", "restart");
}

TEST(PricePython, NamesThatAreNotThere) {
  const std::array no_file = {TariffText{"a.tariff", fmt::format(fmt::runtime(tariff), "")}};
  const Compiled without = compile(no_file);
  ASSERT_EQ(without.diagnostics.size(), 1u);
  EXPECT_EQ(to_text(without.diagnostics[0]).find("a.tariff:5:20: there is no Python file \"f.py\""),
            0u)
      << to_text(without.diagnostics[0]);
  const std::array other = {TariffText{"a.tariff", fmt::format(fmt::runtime(tariff), "")},
                            TariffText{"f.py", "def g() -> int:\n    return 1\n"}};
  EXPECT_FALSE(compile(other).is_good());
  EXPECT_FALSE(compile(other).diagnostics.empty());
}

TEST(PricePython, AnImageWithABrokenProgramIsRefused) {
  const Compiled compiled = compiled_with(two_tiers);
  const Rule& rule = only_rule(compiled);
  const RuleFunctions& functions = functions_of(rule);
  const u64 program_at =
      static_cast<u64>(program_behind(functions, functions.price) - compiled.image.data());
  std::mt19937_64 random(3);
  u32 refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<u8> image = compiled.image;
    image[program_at + random() % (image.size() - program_at)] ^=
        static_cast<u8>(1 + random() % 255);
    seal(image);
    if (validate(image) != ImageFault::none) {
      ++refused;
      continue;
    }
    // What passes can be asked without harm.
    const Image view(image);
    Money cost;
    (void)price(view.rules()[0], {}, Quantity{static_cast<i64>(random() % 1'000'000)}, cost);
  }
  EXPECT_GT(refused, 100u);
}

TEST(PricePython, TheSampleIsGood) {
  const Compiled compiled = compile_path(TARIFF_SAMPLES "/../python");
  for (const Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
  EXPECT_EQ(compiled.example_count, 12u);
}

TEST(PricePython, ADifferenceIsSeen) {
  const Compiled before = compiled_with("    return event.quantity * 2");
  const Compiled after = compiled_with("    return event.quantity * 3");
  EXPECT_FALSE(compare(Image(before.image), Image(after.image)).empty());
  EXPECT_TRUE(compare(Image(before.image), Image(before.image)).empty());
}

}  // namespace
}  // namespace tollgate::rating
