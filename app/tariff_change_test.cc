// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Tariff-Time-Change to clients that know it, and what they report before and after it. The rig's
// clock shows 11:06:40 UTC; the price falls at noon, 3200 s later, and rises again at 22:00.

#include "app/tariff_change.hh"

#include <gtest/gtest.h>

#include <random>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
band afternoon { every 12:00-22:00 }
band tea { every 16:00-17:00 }
plan p {
  currency EUR
  service data {
    rule "morning" group 1 { price 0.04EUR per 1MB }
    rule "afternoon" group 1 during afternoon { price 0.01EUR per 1MB }
    rule "pack" group 2 { pay with octets then EUR; price 0.04EUR per 1MB }
    rule "pack at noon" group 2 during afternoon { pay with octets then EUR; price 0.08EUR per 1MB }
    rule "steps" group 3 { price first 10MB 0.10EUR per 1MB then 0.05EUR per 1MB }
    rule "steps at noon" group 3 during afternoon { price 0.01EUR per 1MB }
    rule "short" group 4 { price 0.04EUR per 1MB; validity 10min }
    rule "short at noon" group 4 during afternoon { price 0.01EUR per 1MB; validity 10min }
    rule "office" group 5 during afternoon { price 0.02EUR per 1MB }
    rule "sent" group 7 { meter upload; price 0.04EUR per 1MB }
    rule "sent at noon" group 7 during afternoon { meter upload; price 0.01EUR per 1MB }
    rule "not at tea" group 6 { price 0.04EUR per 1MB }
    rule "at tea" group 6 during tea { price 0.01EUR per 1MB }
  }
  service voice {
    rule default { price 0.60EUR per 1min }
    rule default during afternoon { price 0.30EUR per 1min }
  }
}
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  EXPECT_EQ(table.run(lines), "");
}

// Held: 10 MB and three blocks at the dearer price, and two millionths for roundings.
TEST(TariffChange, is_told_and_both_sides_are_paid_at_their_price) {
  expect(R"(
    profile ergw
    show validity
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask 10MB \
      -> 2001 grant 10000000octets validity 39201s change 3200s
    balance A EUR                                -> free 9.479998 held 0.520002 used 0.00
    wait 4000s
    update S rg 1 before 4MB after 6MB ask 10MB \
      -> 2001 grant 10000000octets validity 85601s change 35200s
    again S update 1                             -> same
    restart
    again S update 1                             -> same
    balance A EUR                                -> free 9.259998 held 0.520002 used 0.22
    terminate S rg 1 used 1MB                    -> 2001
    balance A EUR                                -> free 9.77 held 0.00 used 0.23
    cdr S                                        -> normal rg 1 used 11000000octets cost 0.23EUR
  )");
}

// Of one direction as of both: granted over the edge, told, and each part at its price.
TEST(TariffChange, what_the_user_sends_is_paid_at_both_prices) {
  expect(R"(
    profile ergw
    account A plan p balance 10.00EUR
    initial S A data rg 7 ask in 10MB            -> 2001 grant in 10000000octets change 3200s
    balance A EUR                                -> free 9.479998 held 0.520002 used 0.00
    wait 4000s
    update S rg 7 before-in 4MB after-in 6MB ask in 10MB \
      -> 2001 grant in 10000000octets change 35200s
    balance A EUR                                -> free 9.259998 held 0.520002 used 0.22
    terminate S rg 7 in 1MB out 9MB              -> 2001
    balance A EUR                                -> free 9.77 held 0.00 used 0.23
  )");
}

// Just after the change: what was used before and after it is known, not guessed.
TEST(TariffChange, a_report_right_after_it_is_priced_as_it_says) {
  expect(R"(
    profile ergw
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask 10MB               -> 2001 grant 10000000octets change 3200s
    wait 3210s
    update S rg 1 before 9MB after 1MB           -> 2001
    balance A EUR                                -> free 9.63 held 0.00 used 0.37
    terminate S rg 1                             -> 2001
  )");
}

TEST(TariffChange, who_does_not_know_it_reports_at_the_edge) {
  expect(R"(
    show validity
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask 10MB               -> 2001 grant 10000000octets validity 3201s
    wait 3201s
    terminate S rg 1 used 10MB                   -> 2001
    balance A EUR                                -> free 9.60 held 0.00 used 0.40
  )");
}

// Parts that are reported without having been asked for: of the last change of the price.
TEST(TariffChange, parts_are_priced_apart_whoever_reports_them) {
  expect(R"(
    account A plan p balance 10.00EUR
    wait 3000s
    initial S A data rg 1 ask 10MB               -> 2001 grant 10000000octets
    wait 210s
    terminate S rg 1 before 4MB after 6MB        -> 2001
    balance A EUR                                -> free 9.78 held 0.00 used 0.22
    initial V A voice rg 1 ask 60s               -> 2001 grant 60s
    terminate V rg 1 before 60s after 60s        -> 2001
    balance A EUR                                -> free 8.88 held 0.00 used 1.12
  )");
}

// The pack pays first on both sides; the dearer price is what is held.
TEST(TariffChange, holds_what_the_dearer_side_costs) {
  expect(R"(
    profile ergw
    account A plan p balance 10.00EUR balance 4MB
    initial S A data rg 2 ask 10MB               -> 2001 grant 10000000octets change 3200s
    balance A EUR                                -> free 9.279998 held 0.720002 used 0.00
    wait 4000s
    terminate S rg 2 before 1MB after 9MB        -> 2001
    balance A EUR                                -> free 9.52 held 0.00 used 0.48
  )");
}

TEST(TariffChange, is_not_told_where_the_grant_ends_before_it_or_could_cost_more_than_is_held) {
  expect(R"(
    profile ergw
    show validity
    account A plan p balance 10.00EUR
    account B plan p balance 0.41EUR
    initial A1 A data rg 3 ask 10MB              -> 2001 grant 10000000octets validity 3201s
    initial A2 A data rg 4 ask 10MB              -> 2001 grant 10000000octets validity 600s
    initial A3 A voice rg 1 ask 60s              -> 2001 grant 60s validity 3201s
    initial B1 B data rg 1 ask 10MB \
      -> 2001 grant 10000000octets final terminate validity 3201s
  )");
}

// The edges of other rules' bands are no changes of this one's price: at 12:00 and 22:00 nothing
// changes for group 6, at 16:00 and 17:00 it does.
TEST(TariffChange, only_changes_of_this_price_count) {
  expect(R"(
    profile ergw
    account A plan p balance 10.00EUR
    initial S A data rg 6 ask 10MB               -> 2001 grant 10000000octets change 17600s
    wait 17700s
    update S rg 6 before 5MB after 5MB ask 10MB  -> 2001 grant 10000000octets change 3500s
    wait 20000s
    terminate S rg 6 before 5MB after 5MB        -> 2001
    balance A EUR                                -> free 9.50 held 0.00 used 0.50
  )");
}

// A service that is sold in the afternoon only: what is reported at its end was used before it.
TEST(TariffChange, what_is_reported_when_a_service_is_over_is_paid) {
  expect(R"(
    account A plan p balance 10.00EUR
    wait 3300s
    initial S A data rg 5 ask 10MB               -> 2001 grant 10000000octets
    wait 35905s
    update S rg 5 used 10MB ask 10MB             -> 2001 5031
    balance A EUR                                -> free 9.80 held 0.00 used 0.20
    terminate S                                  -> 2001
  )");
}

// ---- However a grant is divided at the change, it costs no more than is held for it.

rating::Rule random_rule(std::mt19937_64& random, const rating::Rule& like) {
  rating::Rule rule = like;
  rule.step[0].block = {static_cast<i64>(1 + random() % 5000)};
  rule.step[0].price = {static_cast<i64>(random() % 50'000)};
  rule.usage_rounding = static_cast<rating::BlockRounding>(random() % 5);
  rule.factor = 1 + static_cast<u32>(random() % 5);
  rule.factor_by = 1 + static_cast<u32>(random() % 5);
  rule.money_step = {static_cast<i64>(1 + random() % 10'000)};
  rule.money_rounding = static_cast<Rounding>(random() % 4);
  return rule;
}

TEST(TariffChange, AnyDivisionCostsAtMostWhatIsHeld) {
  std::mt19937_64 random(41);
  rating::Rule plain;
  plain.step_count = 1;
  plain.source_count = 1;
  plain.currency = Unit::eur;
  plain.source[0] = {.unit = Unit::eur};
  const std::array<Amount, 1> available{Amount{i64{1} << 60}};
  for (int i = 0; i < 200'000; ++i) {
    plain.setup_fee = {static_cast<i64>(random() % 2 * 1000)};
    const rating::Rule before = random_rule(random, plain);
    rating::Rule after = random_rule(random, plain);
    if (plain.setup_fee.is_positive()) {
      after.factor = before.factor;
      after.factor_by = before.factor_by;
    }
    rating::UsageSoFar so_far{.by_money = {static_cast<i64>(random() % 3 * random() % 20'000)}};
    const Quantity granted{static_cast<i64>(1 + random() % 20'000)};
    rating::Coverage held;
    ASSERT_TRUE(cover_both(before, after,
                           {.so_far = so_far, .wanted = granted, .available = available}, held));
    const Quantity first{static_cast<i64>(random() % static_cast<u64>(granted.count + 1))};
    Money cost_before;
    Money cost_after;
    ASSERT_EQ(price(before, so_far, first, cost_before), rating::Outcome::ok);
    so_far.by_money.count += first.count;
    const Quantity second{granted.count - first.count};
    ASSERT_EQ(price(after, so_far, second, cost_after), rating::Outcome::ok);
    ASSERT_LE(cost_before.count + cost_after.count, held.charge[0].cost.count)
        << "case " << i << ": " << first.count << " and " << second.count;
  }
}

}  // namespace
}  // namespace tollgate::app
