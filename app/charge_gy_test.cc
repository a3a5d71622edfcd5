// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What gateways need beyond grants: several parts of one group, the last grant, who may be told
// what. Prices as in charge_table_test.cc.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

void expect(ChargeTable& table, std::string_view lines) {
  EXPECT_EQ(table.run("tariff config/tariffs\n" + std::string(lines)), "");
}
void expect(std::string_view lines) {
  ChargeTable table;
  expect(table, lines);
}

// RFC 8506 section 5.1.2, TS 32.299 6.5.7: a report beside a wish, and the two of a dual quota.
TEST(ChargeGy, two_parts_of_one_group_hold_both) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB rg 10 ask 1MiB \
        -> 2001 rg 10 grant 1MiB rg 10 grant 1MiB
    balance A EUR                                -> free 9.79 held 0.21 used 0.00   # 2 MiB: 20.48
    update S1 rg 10 ask 1MiB rg 10 used 1MiB     -> 2001 rg 10 grant 1MiB rg 10
    balance A EUR                                -> free 9.79 held 0.10 used 0.11
    update S1 rg 10 used 1MiB rg 10 used 1MiB ask 3MiB -> 2001 rg 10 rg 10 grant 3MiB
    balance A EUR                                -> free 9.38 held 0.31 used 0.31
    terminate S1 rg 10 used 1KiB rg 10 used 1KiB -> 2001 rg 10 rg 10
    balance A EUR                                -> free 9.69 held 0.00 used 0.31
    cdr S1                                       -> normal rg 10 used 3074KiB cost 0.31EUR
  )");
}

TEST(ChargeGy, a_second_grant_to_a_group_goes_on_where_the_first_ends) {
  expect(R"(
    account A plan prepaid balance 0.12EUR
    initial C1 A voice rg 1 ask 60s rg 1 ask 60s \
        -> 2001 rg 1 grant 60s rg 1 grant 12s final terminate
    balance A EUR                                -> free 0.00 held 0.12 used 0.00
    terminate C1 rg 1 used 72s                   -> 2001
    balance A EUR                                -> free 0.00 held 0.00 used 0.12
  )");
}

// RFC 8506 section 5.6: the indication comes with the last units, also when they come out even.
TEST(ChargeGy, the_last_grant_is_told_when_it_comes_out_even) {
  expect(R"(
    account A plan prepaid balance 0.10EUR
    initial S1 A data rg 10 ask 1000KiB          -> 2001 grant 1000KiB final terminate
    top-up A 0.01EUR                             -> ok balance 0.01EUR
    update S1 rg 10 used 1000KiB ask 100KiB      -> 2001 grant 100KiB final terminate
    top-up A 0.05EUR                             -> ok balance 0.05EUR
    update S1 rg 10 used 100KiB ask 400KiB       -> 2001 grant 400KiB
    update S1 rg 10 used 400KiB ask 60KiB        -> 2001 grant 60KiB        # 40 are left of it
    update S1 rg 10 used 60KiB ask 40KiB         -> 2001 grant 40KiB final terminate
    terminate S1 rg 10 used 40KiB                -> 2001
    balance A EUR                                -> free 0.00 held 0.00 used 0.16
    account B plan data-pack balance 1MiB priority 1 balance 0.02EUR
    initial S2 B data rg 10 ask 1MiB             -> 2001 grant 1MiB               # money is left
    update S2 rg 10 used 1MiB ask 1MiB \
        -> 2001 grant 1MiB final redirect http://top-up.example/
    terminate S2 rg 10 used 1MiB                 -> 2001
  )");
}

// RFC 8506 section 5.6.2: after a top-up the same session goes on.
TEST(ChargeGy, a_top_up_brings_a_session_back) {
  expect(R"(
    account A plan data-pack balance 0.02EUR
    initial S1 A data rg 10 ask 1MiB -> 2001 grant 1MiB final redirect http://top-up.example/
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 4012
    top-up A 0.06EUR                             -> ok balance 0.06EUR
    update S1 rg 10 ask 1MiB                     -> 2001 grant 1MiB
    terminate S1 rg 10 used 1MiB                 -> 2001
    balance A EUR                                -> free 0.04 held 0.00 used 0.04
  )");
}

TEST(ChargeGy, every_identifier_is_sent_back) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 si 7 si 8 si 9 ask 1MiB rg 20 si 1 ask any \
        -> 2001 rg 10 si 7 identifiers 3 grant 1MiB rg 20 si 1 grant 100MiB
    terminate S1                                 -> 2001
  )");
}

// RFC 8506 section 9.2: 5031 comes with what could not be rated.
TEST(ChargeGy, what_failed_is_named) {
  expect(R"(
    show failed
    account A plan prepaid balance 10.00EUR
    initial S1 A 32999@3gpp.org rg 77 ask any    -> 2001 5031 failed rg 77
    initial S2 A 32999@3gpp.org ask 1MiB         -> 5031 failed rg 0
    initial S3 A data rg 10 ask 60s rg 20 ask any rg 5 si 6 ask any \
        -> 2001 rg 10 5031 rg 20 grant 100MiB rg 5 si 6 5031 failed rg 10 failed rg 5
    update S3 rg 10 ask 1MiB                     -> 2001 grant 1MiB
  )");
}

TEST(ChargeGy, failure_handling_is_told_at_the_beginning) {
  expect(R"(
    show handling
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB failover 1 handling 0
    update S1 rg 10 ask 1MiB                     -> 2001 grant 1MiB
    profile ergw
    initial S2 A data rg 10 ask 1MiB             -> 2001 grant 1MiB failover 1 handling 2
  )");
}

TEST(ChargeGy, money_is_told_to_who_asks) {
  ChargePolicy policy;
  policy.low_balances[0] = {.currency = Unit::eur, .below = {9'500'000}};
  ChargeTable table(ChargeRig::small, policy);
  expect(table, R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data aoc rg 10 ask 1MiB         -> 2001 grant 1MiB so-far 0.00EUR
    update S1 aoc rg 10 used 1MiB ask 1MiB       -> 2001 grant 1MiB so-far 0.11EUR
    update S1 rg 10 used 5MiB ask 1MiB           -> 2001 grant 1MiB low
    again S1 update 2                            -> same
    terminate S1 aoc                             -> 2001
  )");
}

TEST(ChargeGy, a_validity_ends_with_the_bucket_that_pays) {
  expect(R"(
    show validity
    account A plan prepaid balance 1.00EUR expires 90s balance 1.00EUR priority 5
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB validity 90s
    wait 100s
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 grant 1MiB validity 600s
  )");
}

TEST(ChargeGy, validities_are_spread) {
  ChargePolicy policy;
  policy.validity_jitter_percent = 10;
  ChargeTable table(ChargeRig::small, policy);
  expect(table, "show validity\naccount A plan prepaid balance 10.00EUR\n");
  std::map<std::string, u32> seen;
  for (u32 i = 0; i < 20; ++i) {
    const std::string told = table.tell("initial S" + std::to_string(i) + " A data rg 10 ask 1MiB");
    const u32 validity_s = static_cast<u32>(std::stoul(told.substr(told.rfind(' ') + 1)));
    EXPECT_GE(validity_s, 540u);
    EXPECT_LE(validity_s, 600u);
    ++seen[told];
    table.tell("wait 1s");
  }
  EXPECT_GT(seen.size(), 5u);
}

// What is closed gives way to what comes, in sessions and in extensions.
TEST(ChargeGy, answers_are_forgotten_for_room) {
  ChargeTable table({.accounts = 4, .buckets = 8, .sessions = 200, .extensions = 100});
  expect(table, "account A plan prepaid balance 100.00EUR\n");
  for (u32 i = 0; i < 60; ++i) {
    const std::string name = "S" + std::to_string(i);
    ASSERT_EQ(table.tell("initial " + name + " A data rg 10 ask 1MiB rg 20 ask any rg 11 ask any"),
              "2001 rg 10 grant 1MiB rg 20 grant 100MiB rg 11 5031");
    ASSERT_EQ(table.tell("terminate " + name + " rg 10 used 1MiB rg 20 rg 11"),
              "2001 rg 10 rg 20 rg 11 5031");
  }
  expect(table, "balance A EUR -> free 93.40 held 0.00 used 6.60\n");
}

}  // namespace
}  // namespace tollgate::app
