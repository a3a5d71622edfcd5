// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Rules that count the octets of one direction.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
band afternoon { every 12:00-24:00 }
plan p {
  currency EUR
  validity 2h
  service data {
    rule "up" group 1 { meter upload; pay with octets then EUR; price 0.02EUR per 1MB
      threshold 1MB }
    rule "down" group 2 { meter download; price 0.01EUR per 1MB; grant 4MB }
    rule "both" group 3 { price 0.05EUR per 1MB }
    rule "free" group 4 free { meter upload }
    rule "exact" group 5 { meter download; price 1.00EUR per 1MB; round exact }
    rule "morning" group 6 { meter upload; price 0.01EUR per 1MB }
    rule "afternoon" group 6 during afternoon { meter download; price 0.01EUR per 1MB }
  }
}
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  EXPECT_EQ(table.run(lines), "");
}

TEST(ChargePart, only_the_octets_of_the_rules_direction_cost) {
  expect(R"(
    show threshold
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask in 5MB \
        -> 2001 grant in 5000000octets threshold 1000000octets
    balance A EUR                                -> free 9.90 held 0.10 used 0.00
    update S rg 1 in 3MB out 90MB ask any        -> 2001 grant in 10MiB threshold 1000000octets
    update S rg 1 used 7MB in 2MB out 5MB        -> 2001
    initial T A data rg 2 ask any                -> 2001 grant out 4000000octets
    update T rg 2 in 90MB out 2MB                -> 2001
    terminate T rg 2 out 1MB                     -> 2001
    terminate S                                  -> 2001
    balance A EUR                                -> free 9.87 held 0.00 used 0.13
    cdr S                                        -> normal rg 1 used 5000000octets cost 0.10EUR
    cdr T                                        -> normal rg 2 used 3000000octets cost 0.03EUR
  )");
}

TEST(ChargePart, an_allowance_of_octets_pays_and_a_short_balance_ends_it) {
  expect(R"(
    account A plan p balance 0.02EUR balance 2MB
    initial S A data rg 1 ask in 5MB             -> 2001 grant in 3000000octets final terminate
    terminate S rg 1 in 3MB out 1MB              -> 2001
    buckets A                                    -> 0.00/0.00/0.02EUR 0/0/2000000octets
  )");
}

// A wish or a report that does not tell the direction cannot be priced; of several reports each has
// to tell it.
TEST(ChargePart, who_tells_another_direction_or_the_sum_only_is_refused) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask 5MB                -> 2001 5031
    initial T A data rg 1 ask any rg 2 ask any \
        -> 2001 rg 1 grant in 10MiB rg 2 grant out 4000000octets
    update T rg 1 used 5MB                       -> 2001 5031
    update T rg 1 out 5MB                        -> 2001 5031
    update T rg 1 in 1MB used 2MB in 1MB         -> 2001
    update T rg 1 in 1MB used 1MB used 1MB       -> 2001 5031
    update T rg 2 in 5MB                         -> 2001 5031
    update T rg 2 in 5MB out 0MB                 -> 2001
    terminate T                                  -> 2001
    balance A EUR                                -> free 9.96 held 0.00 used 0.04
    initial U A data rg 3 ask any                -> 2001 grant 10MiB
    terminate U rg 3 in 1MB out 1MB              -> 2001
    balance A EUR                                -> free 9.86 held 0.00 used 0.14
  )");
}

TEST(ChargePart, what_is_free_and_what_is_debited_at_once_is_told_in_it_too) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data rg 4 ask in 5MB             -> 2001 grant in 5000000octets
    terminate S rg 4 in 5MB                      -> 2001
    event E A data debit rg 2 ask out 3MB        -> 2001 grant out 3000000octets cost 0.03EUR
    event F A data debit rg 2 ask 3MB            -> 2001 5031
    balance A EUR                                -> free 9.97 held 0.00 used 0.03
  )");
}

// Who was granted uploads has not told downloads: the report is not taken for the other's.
TEST(ChargePart, a_band_that_counts_the_other_direction_prices_no_report_of_this_one) {
  expect(R"(
    account A plan p balance 10.00EUR
    wait 3100s
    initial S A data rg 6 ask in 1MB             -> 2001 grant in 1000000octets
    wait 110s
    update S rg 6 in 1MB                         -> 2001 5031
    update S rg 6 out 1MB                        -> 2001 5031   # used before the edge
    wait 300s
    update S rg 6 out 1MB                        -> 2001
    terminate S                                  -> 2001
    balance A EUR                                -> free 9.99 held 0.00 used 0.01
  )");
}

TEST(ChargePart, a_pool_weighs_the_octets_of_one_direction) {
  expect(R"(
    profile quota_pools=true
    account A plan p balance 10.00EUR
    initial S A data rg 5 ask out 5MB \
        -> 2001 grant out 5000000octets pool 978 times 28311552e0
    update S rg 5 in 1MB out 2MB                 -> 2001
    terminate S                                  -> 2001
    balance A EUR                                -> free 8.00 held 0.00 used 2.00
  )");
}

}  // namespace
}  // namespace tollgate::app
