// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/price.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace tollgate::rating {
namespace {

constexpr i64 cent = 10'000;

PaymentSource money() {
  PaymentSource source;
  source.unit = Unit::eur;
  return source;
}

PaymentSource octets() {
  PaymentSource source;
  source.unit = Unit::octets;
  return source;
}

// 0.01 EUR a block of 100.
Rule per_hundred() {
  Rule rule;
  rule.currency = Unit::eur;
  rule.source_count = 1;
  rule.source[0] = money();
  rule.step_count = 1;
  rule.step[0] = {.start = {}, .block = {100}, .price = {cent}, .cost_before = {}};
  return rule;
}

// first 60 000 ms 0.10 EUR, then 0.01 EUR per 1000 ms; setup fee 0.05 EUR.
Rule call() {
  Rule rule = per_hundred();
  rule.meter = Meter::time;
  rule.unit = Unit::milliseconds;
  rule.setup_fee = {5 * cent};
  rule.step_count = 2;
  rule.step[0] = {.start = {}, .block = {60'000}, .price = {10 * cent}, .cost_before = {}};
  rule.step[1] = {.start = {60'000}, .block = {1'000}, .price = {cent}, .cost_before = {10 * cent}};
  return rule;
}

i64 price_of(const Rule& rule, UsageSoFar so_far, i64 quantity) {
  Amount cost{-1};
  EXPECT_EQ(price(rule, rule.source[0], so_far, {quantity}, cost), Outcome::ok);
  return cost.count;
}

TEST(PriceTest, BlocksStepsAndTheSetupFee) {
  EXPECT_EQ(price_of(per_hundred(), {}, 0), 0);
  EXPECT_EQ(price_of(per_hundred(), {}, 1), cent);
  EXPECT_EQ(price_of(per_hundred(), {}, 100), cent);
  EXPECT_EQ(price_of(per_hundred(), {}, 101), 2 * cent);
  EXPECT_EQ(price_of(per_hundred(), {.by_money = {1}}, 99), 0);  // the block is paid already
  EXPECT_EQ(price_of(call(), {}, 1), 15 * cent);
  EXPECT_EQ(price_of(call(), {}, 60'000), 15 * cent);
  EXPECT_EQ(price_of(call(), {}, 61'000), 16 * cent);
  EXPECT_EQ(price_of(call(), {.by_money = {60'000}}, 1'000), cent);
}

TEST(PriceTest, EveryRoundingOfUsageByHand) {
  struct Row {
    BlockRounding rounding;
    i64 of_149, of_150, of_151, of_250;
  };
  for (const Row& row :
       {Row{BlockRounding::down, 1, 1, 1, 2}, Row{BlockRounding::up, 2, 2, 2, 3},
        Row{BlockRounding::half_up, 1, 2, 2, 3}, Row{BlockRounding::half_even, 1, 2, 2, 2}}) {
    Rule rule = per_hundred();
    rule.usage_rounding = row.rounding;
    EXPECT_EQ(price_of(rule, {}, 149), row.of_149 * cent);
    EXPECT_EQ(price_of(rule, {}, 150), row.of_150 * cent);
    EXPECT_EQ(price_of(rule, {}, 151), row.of_151 * cent);
    EXPECT_EQ(price_of(rule, {}, 250), row.of_250 * cent);
  }
}

TEST(PriceTest, ExactPricesRoundMoneyOnceForTheWholeSession) {
  Rule rule = per_hundred();
  rule.usage_rounding = BlockRounding::exact;
  rule.money_step = {cent};
  rule.money_rounding = Rounding::half_up;
  EXPECT_EQ(price_of(rule, {}, 49), 0);
  EXPECT_EQ(price_of(rule, {}, 50), cent);
  EXPECT_EQ(price_of(rule, {.by_money = {49}}, 1), cent);
  EXPECT_EQ(price_of(rule, {.by_money = {50}}, 99), 0);
  EXPECT_EQ(price_of(rule, {.by_money = {50}}, 100), cent);
}

TEST(PriceTest, DiscountTaxMinimumAndCapByHand) {
  Rule rule = per_hundred();
  rule.factor = 9;  // 10% less, then 25% more: 9/8
  rule.factor_by = 8;
  EXPECT_EQ(price_of(rule, {}, 800), 9 * cent);
  rule.money_step = {cent};
  EXPECT_EQ(price_of(rule, {}, 100), 2 * cent);  // 1.125 cents, rounded up
  rule.minimum = {5 * cent};
  rule.cap = {10 * cent};
  EXPECT_EQ(price_of(rule, {}, 0), 0);
  EXPECT_EQ(price_of(rule, {}, 100), 5 * cent);
  EXPECT_EQ(price_of(rule, {.by_money = {100}}, 300), 0);  // 4.5 cents, still the minimum
  EXPECT_EQ(price_of(rule, {}, 5'000'000), 10 * cent);
  EXPECT_EQ(reverse(rule, money(), {}, {5 * cent - 1}).count, 0);
  EXPECT_EQ(reverse(rule, money(), {}, {5 * cent}).count, 400);
  EXPECT_EQ(reverse(rule, money(), {}, {10 * cent}), Quantity::max());
}

TEST(PriceTest, EveryTenthIsFree) {
  Rule rule = per_hundred();
  rule.unit = Unit::events;
  rule.step_count = 2;
  rule.step[0] = {.start = {}, .block = {1}, .price = {cent}, .cost_before = {}};
  rule.step[1] = {.start = {9}, .block = {1}, .price = {}, .cost_before = {9 * cent}};
  rule.cycle = {10};
  rule.cycle_cost = {9 * cent};
  EXPECT_EQ(price_of(rule, {}, 9), 9 * cent);
  EXPECT_EQ(price_of(rule, {}, 10), 9 * cent);
  EXPECT_EQ(price_of(rule, {}, 31), 28 * cent);
  EXPECT_EQ(price_of(rule, {.by_money = {9}}, 1), 0);
  EXPECT_EQ(reverse(rule, money(), {}, {9 * cent}).count, 10);
  EXPECT_EQ(reverse(rule, money(), {}, {18 * cent}).count, 20);
}

TEST(PriceTest, CountersMoveTheStepsAndEndThePrice) {
  Rule rule = call();
  rule.usage_counter = 1;  // the month's first minute is over after 59 s
  const UsageSoFar month{.counted = {59'000}};
  EXPECT_EQ(price_of(rule, {}, 1000), 15 * cent);
  EXPECT_EQ(price_of(rule, month, 1000), 5 * cent);  // the begun minute is paid; the fee is not
  EXPECT_EQ(price_of(rule, month, 3000), 7 * cent);
  rule.money_counter = 1;
  rule.counted_limit = {100 * cent};
  const UsageSoFar late{.counted = {60'000}, .spent = {90 * cent}};
  EXPECT_EQ(reverse(rule, money(), late, {1'000'000}).count, 5'000);
  rule.is_limit_cap = 1;
  EXPECT_EQ(price_of(rule, late, 3'600'000), 10 * cent);
}

TEST(PriceTest, AnotherCurrencyPaysAtItsRate) {
  Rule rule = per_hundred();
  PaymentSource dollars = money();
  dollars.unit = Unit::usd;
  dollars.amount = {100};  // 1.00 USD for 0.92 EUR
  dollars.block = {92};
  Amount cost;
  EXPECT_EQ(price(rule, dollars, {}, {100}, cost), Outcome::ok);
  EXPECT_EQ(cost.count, 10'870);  // 0.01 / 0.92 = 0.0108696, rounded up to a millionth
  EXPECT_EQ(reverse(rule, dollars, {}, {10'869}).count, 0);
  EXPECT_EQ(reverse(rule, dollars, {}, {10'870}).count, 100);
}

TEST(PriceTest, RefusesByName) {
  Amount cost{7};
  Rule rule = per_hundred();
  EXPECT_EQ(price(rule, rule.source[0], {}, {-1}, cost), Outcome::quantity_negative);
  EXPECT_EQ(price(rule, rule.source[0], {.by_money = {1}}, Quantity::max(), cost),
            Outcome::quantity_overflow);
  EXPECT_EQ(price(rule, rule.source[0], {}, Quantity::max(), cost), Outcome::cost_overflow);
  rule.step_count = 0;
  EXPECT_EQ(price(rule, rule.source[0], {}, {1}, cost), Outcome::no_price);
  EXPECT_EQ(cost.count, 7);
}

TEST(PriceTest, TheLastGrantIsExact) {
  const Rule rule = per_hundred();
  EXPECT_EQ(reverse(rule, money(), {}, {5 * cent}).count, 500);
  EXPECT_EQ(reverse(rule, money(), {}, {5 * cent - 1}).count, 400);
  EXPECT_EQ(reverse(rule, money(), {.by_money = {30}}, {0}).count, 70);
  EXPECT_EQ(reverse(rule, money(), {}, {-1}).count, 0);
  EXPECT_EQ(reverse(call(), money(), {}, {15 * cent - 1}).count, 0);
  EXPECT_EQ(reverse(call(), money(), {}, {15 * cent}).count, 60'000);
  EXPECT_EQ(reverse(call(), money(), {}, {17 * cent}).count, 62'000);
}

TEST(PriceTest, AGranuleCutsAndItsCostIsCalculatedAnew) {
  const Rule rule = per_hundred();
  const Charge charge = affordable(
      rule, money(), {.so_far = {}, .wanted = {5000}, .available = {5 * cent}, .granule = {300}});
  EXPECT_EQ(charge.covered.count, 300);
  EXPECT_EQ(charge.cost.count, 3 * cent);
}

TEST(CoverTest, AllowanceToItsLastOctetThenMoneyOnAFreshBlock) {
  Rule rule = per_hundred();
  rule.source[0] = octets();
  rule.source[1] = money();
  rule.source_count = 2;
  const std::array<Amount, 2> available{Amount{150}, Amount{2 * cent}};
  const Coverage got = cover(rule, {.so_far = {}, .wanted = {500}, .available = available});
  EXPECT_EQ(got.charge[0].covered.count, 150);
  EXPECT_EQ(got.charge[0].cost.count, 150);
  EXPECT_EQ(got.charge[1].covered.count, 200);
  EXPECT_EQ(got.charge[1].cost.count, 2 * cent);
  EXPECT_EQ(got.covered.count, 350);
  EXPECT_EQ(got.missing.count, 150);
  EXPECT_EQ(got.after.by_allowance.count, 150);
  EXPECT_EQ(got.after.by_money.count, 200);
}

TEST(CoverTest, FreeCoversAllAndBarredNothing) {
  Rule rule;
  rule.verdict = Verdict::free;
  EXPECT_EQ(cover(rule, {.so_far = {}, .wanted = {9}, .available = {}}).covered.count, 9);
  rule.verdict = Verdict::barred;
  EXPECT_EQ(cover(rule, {.so_far = {}, .wanted = {9}, .available = {}}).missing.count, 9);
}

TEST(GrantTest, SizeAndThresholdKeepTheirBounds) {
  GrantPolicy policy{};
  policy.size = {100};
  policy.smallest = {10};
  policy.largest = {1000};
  policy.threshold_permille = 200;
  EXPECT_EQ(grant_size(policy, {}).count, 100);
  EXPECT_EQ(grant_size(policy, {5}).count, 10);
  EXPECT_EQ(grant_size(policy, {5000}).count, 1000);
  EXPECT_EQ(grant_threshold(policy, {1000}).count, 200);
  policy.threshold_permille = 0;
  policy.threshold = {50};
  EXPECT_EQ(grant_threshold(policy, {40}).count, 0);
}

// Generated rules. Small numbers find the edges; large ones find the overflows.
class Generator {
 public:
  explicit Generator(u64 seed) : random_(seed) {}

  i64 between(i64 least, i64 most) {
    return std::uniform_int_distribution<i64>(least, most)(random_);
  }
  // Any magnitude alike: as many of 10 as of 10 million millions.
  i64 any_size(i64 most) {
    const i64 bits = between(0, 62);
    return std::min(between(0, (i64{1} << bits)), most);
  }
  i64 amount(i64 most_small, i64 most) {
    return between(0, 3) == 0 ? any_size(most) : between(0, std::min(most_small, most));
  }

  Rule rule() {
    Rule made;
    made.currency = Unit::eur;
    made.usage_rounding = static_cast<BlockRounding>(between(0, 4));
    made.money_rounding = static_cast<Rounding>(between(0, 3));
    if (between(0, 1) == 0) made.money_step = {1 + amount(30, price_max - 1)};
    if (between(0, 1) == 0) made.setup_fee = {amount(50, price_max)};
    made.source_count = 1;
    made.source[0] = money();
    made.step_count = static_cast<u8>(between(1, steps_max));
    i128 start = 0;
    i128 cost = 0;
    for (u32 i = 0; i < made.step_count; ++i) {
      Step& step = made.step[i];
      step = {.start = {static_cast<i64>(start)},
              .block = {1 + amount(12, block_max - 1)},
              .price = {amount(20, price_max)},
              .cost_before = {static_cast<i64>(cost)}};
      const i64 blocks = between(1, 5);
      start += i128{blocks} * step.block.count;
      cost += i128{blocks} * step.price.count;
      if (start > step_start_max || cost > cost_before_max)
        made.step_count = static_cast<u8>(i + 1);
    }
    if (between(0, 2) == 0) cycle(made);
    if (between(0, 2) == 0) factor(made);
    if (between(0, 2) == 0) count(made);
    if (made.usage_counter == 0 && between(0, 2) == 0) bounds(made);
    if (made.money_counter == 0 && between(0, 4) == 0) {
      made.source[0].unit = Unit::usd;
      made.source[0].block = {1 + amount(12, exchange_max - 1)};
      made.source[0].amount = {1 + amount(12, exchange_max - 1)};
      made.source[0].rounding = static_cast<BlockRounding>(between(0, 3));
    }
    return made;
  }
  UsageSoFar so_far() {
    const i64 used = amount(100, INT64_MAX);
    return {{used}, {used}, {amount(100, INT64_MAX)}, {amount(100, price_max)}};
  }
  PaymentSource source(const Rule& rule) {
    if (between(0, 3) != 0) return rule.source[0];
    PaymentSource made = octets();
    made.block = {1 + amount(12, block_max - 1)};
    made.amount = {1 + amount(12, price_max - 1)};
    made.rounding = static_cast<BlockRounding>(between(0, 4));
    return made;
  }

 private:
  void cycle(Rule& made) {
    const Step& last = made.step[made.step_count - 1];
    const i64 blocks = between(1, 5);
    const i128 end = last.start.count + i128{blocks} * last.block.count;
    const i128 cost = last.cost_before.count + i128{blocks} * last.price.count;
    if (end > step_start_max || cost > cost_before_max) return;
    made.cycle = {static_cast<i64>(end)};
    made.cycle_cost = {static_cast<i64>(cost)};
  }
  void factor(Rule& made) {
    if (made.usage_rounding == BlockRounding::exact) {
      for (const Step& step : made.steps()) {
        if (step.block.count > exact_block_max) return;
      }
    }
    const i64 factor = 1 + amount(20, factor_max - 1);
    const i64 by = 1 + amount(20, factor_max - 1);
    made.factor = static_cast<u32>(factor / std::gcd(factor, by));
    made.factor_by = static_cast<u32>(by / std::gcd(factor, by));
  }
  void count(Rule& made) {
    made.usage_counter = static_cast<u16>(between(0, 1));
    made.money_counter = static_cast<u16>(between(0, 1));
    if (made.money_counter == 0) return;
    made.counted_limit = {1 + amount(200, price_max - 1)};
    made.is_limit_cap = static_cast<u8>(between(0, 1));
  }
  void bounds(Rule& made) {
    if (between(0, 1) == 0) made.minimum = {amount(100, price_max)};
    if (between(0, 1) == 0) made.cap = {made.minimum.count + amount(200, price_max)};
    if (i128{made.cap.count} * made.factor_by > i128{INT64_MAX} * made.factor) made.cap = {};
  }

  std::mt19937_64 random_;
};

// Where on its curve a session stands, and what its limit lets it take.
i64 place_of(const Rule& rule, const PaymentSource& source, UsageSoFar so_far) {
  if (!source.is_money()) return so_far.by_allowance.count;
  return rule.usage_counter != 0 ? so_far.counted.count : so_far.by_money.count;
}
i64 bound_of(const Rule& rule, const PaymentSource& source, UsageSoFar so_far, i64 available) {
  if (!source.is_money() || rule.money_counter == 0 || rule.is_limit_cap != 0) return available;
  return std::min(available, std::max(rule.counted_limit.count - so_far.spent.count, i64{0}));
}

constexpr int cases = 300'000;

// The slow and obvious inverse: halve the interval and ask price().
i64 search_reverse(const Rule& rule, const PaymentSource& source, UsageSoFar so_far, i64 used,
                   i64 available) {
  const auto fits = [&](i64 quantity) {
    Amount cost;
    return price(rule, source, so_far, {quantity}, cost) == Outcome::ok && cost.count <= available;
  };
  i64 low = 0;
  i64 high = INT64_MAX - used;
  while (low < high) {
    const i64 middle = low + (high - low) / 2 + (high - low) % 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

TEST(PropertyTest, ReverseIsTheLargestThatFits) {
  Generator generator(1);
  int limited = 0;
  for (int i = 0; i < cases; ++i) {
    const Rule rule = generator.rule();
    const PaymentSource source = generator.source(rule);
    const UsageSoFar so_far = generator.so_far();
    const i64 used = place_of(rule, source, so_far);
    Amount cost;
    if (price(rule, source, so_far, {0}, cost) != Outcome::ok) continue;
    const i64 asked = generator.amount(200, INT64_MAX);
    const i64 available = bound_of(rule, source, so_far, asked);
    const i64 got = reverse(rule, source, so_far, {asked}).count;
    ASSERT_EQ(price(rule, source, so_far, {got}, cost), Outcome::ok) << i;
    ASSERT_LE(cost.count, available) << i;
    if (got < INT64_MAX - used) {
      ++limited;
      const Outcome more = price(rule, source, so_far, {got + 1}, cost);
      ASSERT_TRUE(more == Outcome::cost_overflow || cost.count > available) << i;
    }
    if (i % 16 == 0) {
      ASSERT_EQ(got, search_reverse(rule, source, so_far, used, available)) << i;
    }
  }
  EXPECT_GT(limited, cases / 2);
}

TEST(PropertyTest, PiecesCostWhatTheWholeCosts) {
  Generator generator(2);
  for (int i = 0; i < cases; ++i) {
    const Rule rule = generator.rule();
    const PaymentSource source = generator.source(rule);
    const i64 whole = generator.amount(200, INT64_MAX);
    UsageSoFar so_far = generator.so_far();
    so_far.by_money = so_far.by_allowance = {};
    Amount cost_of_whole;
    if (price(rule, source, so_far, {whole}, cost_of_whole) != Outcome::ok) continue;
    i64 left = whole;
    i64 sum = 0;
    for (int piece = 0; left > 0; ++piece) {
      const i64 size = piece == 4 ? left : generator.between(0, left);
      Amount cost;
      ASSERT_EQ(price(rule, source, so_far, {size}, cost), Outcome::ok) << i;
      ASSERT_GE(cost.count, 0) << i;
      sum += cost.count;
      so_far = advance(source, so_far, Charge{{size}, cost});
      left -= size;
    }
    ASSERT_EQ(sum, cost_of_whole.count) << i;
  }
}

TEST(PropertyTest, MoreNeverCostsLess) {
  Generator generator(3);
  for (int i = 0; i < cases; ++i) {
    const Rule rule = generator.rule();
    const PaymentSource source = generator.source(rule);
    const i64 a = generator.amount(200, INT64_MAX);
    const i64 b = generator.amount(200, INT64_MAX);
    Amount less;
    Amount more;
    const UsageSoFar so_far = generator.so_far();
    const Outcome of_less = price(rule, source, so_far, {std::min(a, b)}, less);
    const Outcome of_more = price(rule, source, so_far, {std::max(a, b)}, more);
    if (of_more != Outcome::ok) continue;
    ASSERT_EQ(of_less, Outcome::ok) << i;
    ASSERT_LE(less.count, more.count) << i;
  }
}

TEST(PropertyTest, WhatIsCoveredAddsUpAndFits) {
  Generator generator(4);
  for (int i = 0; i < cases; ++i) {
    Rule rule = generator.rule();
    rule.source[1] = rule.source[0];
    rule.source[0] = octets();
    rule.source[0].block = {1 + generator.amount(5, block_max - 1)};
    rule.source_count = 2;
    const std::array<Amount, 2> available{Amount{generator.amount(200, INT64_MAX)},
                                          Amount{generator.amount(200, INT64_MAX)}};
    const Quantity granule{generator.between(1, 10)};
    const i64 wanted = generator.amount(500, INT64_MAX);
    const Coverage got =
        cover(rule, {.so_far = {}, .wanted = {wanted}, .available = available, .granule = granule});
    ASSERT_EQ(got.covered.count + got.missing.count, wanted) << i;
    ASSERT_EQ(got.charge[0].covered.count + got.charge[1].covered.count, got.covered.count) << i;
    ASSERT_EQ(got.after.by_allowance, got.charge[0].covered) << i;
    ASSERT_EQ(got.after.by_money, got.charge[1].covered) << i;
    for (std::size_t k = 0; k < 2; ++k) {
      ASSERT_LE(got.charge[k].cost, available[k]) << i;
      Amount cost;
      ASSERT_EQ(price(rule, rule.source[k], {}, got.charge[k].covered, cost), Outcome::ok) << i;
      ASSERT_EQ(cost, got.charge[k].cost) << i;
    }
    if (got.missing.is_positive()) {
      ASSERT_EQ(got.charge[0].covered.count % granule.count, 0) << i;
    }
  }
}

}  // namespace
}  // namespace tollgate::rating
