// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Prices that look at the clock and at what was used before. The rig's day is 2026-11-18, and its
// clock shows 11:06:40.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
band afternoon { every 12:00-24:00 }
plan p {
  currency EUR
  validity 2h
  counter used octets per day
  counter spent EUR per day
  counter capped EUR per day
  counter together octets per month shared
  counter spent-together EUR per month shared
  service voice {
    rule "morning" default { price 0.60EUR per 1min }
    rule "afternoon" default during afternoon { price 0.30EUR per 1min }
  }
  service data {
    rule "morning" group 1 { price 0.04EUR per 1MB }
    rule "afternoon" group 1 during afternoon { price 0.01EUR per 1MB }
    rule "tiers" group 2 { steps by used; price first 10MB 0.10EUR per 1MB then 0.05EUR per 1MB }
    rule "limit" group 3 { price 0.10EUR per 1MB; limit 0.50EUR by spent }
    rule "cap" group 6 { price 0.10EUR per 1MB; cap 0.50EUR by capped }
    rule "family tiers" group 4 { steps by together
      price first 10MB 0.10EUR per 1MB then 0.05EUR per 1MB }
    rule "family limit" group 5 { price 0.10EUR per 1MB; limit 0.50EUR by spent-together }
  }
}
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  EXPECT_EQ(table.run(lines), "");
}

TEST(ChargeBand, a_grant_is_valid_to_the_edge_and_a_call_is_cut_there) {
  expect(R"(
    show validity
    account A plan p balance 10.00EUR
    initial C1 A voice rg 1 ask 60s              -> 2001 grant 60s validity 3201s
    terminate C1 rg 1 used 0s                    -> 2001
    wait 3170s
    initial C2 A voice rg 1 ask 60s              -> 2001 grant 60s validity 31s
    wait 60s
    update C2 rg 1 used 60s ask 60s              -> 2001 grant 60s validity 7200s
    balance A EUR                                -> free 9.10 held 0.30 used 0.60
    wait 60s
    terminate C2 rg 1 used 60s                   -> 2001
    balance A EUR                                -> free 9.10 held 0.00 used 0.90
  )");
}

TEST(ChargeBand, volume_that_is_reported_at_the_edge_was_used_before_it) {
  expect(R"(
    account A plan p balance 10.00EUR
    wait 3100s
    initial S1 A data rg 1 ask 5MB               -> 2001 grant 5000000octets
    wait 110s
    update S1 rg 1 used 5MB ask 5MB              -> 2001 grant 5000000octets
    balance A EUR                                -> free 9.75 held 0.05 used 0.20
    wait 300s
    terminate S1 rg 1 used 5MB                   -> 2001
    balance A EUR                                -> free 9.75 held 0.00 used 0.25
  )");
}

TEST(ChargeBand, tiers_go_on_over_sessions_and_begin_anew_the_next_day) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S1 A data rg 2 ask 8MB               -> 2001 grant 8000000octets
    terminate S1 rg 2 used 8MB                   -> 2001
    balance A EUR                                -> free 9.20 held 0.00 used 0.80
    initial S2 A data rg 2 ask 4MB               -> 2001 grant 4000000octets
    balance A EUR                                -> free 8.90 held 0.30 used 0.80
    restart
    terminate S2 rg 2 used 4MB                   -> 2001
    balance A EUR                                -> free 8.90 held 0.00 used 1.10
    wait 13h
    initial S3 A data rg 2 ask 1MB               -> 2001 grant 1000000octets
    terminate S3 rg 2 used 1MB                   -> 2001
    balance A EUR                                -> free 8.80 held 0.00 used 1.20
  )");
}

TEST(ChargeBand, a_limit_of_the_day_ends_the_last_grant) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S1 A data rg 3 ask 3MB               -> 2001 grant 3000000octets
    terminate S1 rg 3 used 3MB                   -> 2001
    initial S2 A data rg 3 ask 3MB               -> 2001 grant 2000000octets final terminate
    terminate S2 rg 3 used 2MB                   -> 2001
    initial S3 A data rg 3 ask 3MB               -> 2001 4012
    terminate S3 rg 3                            -> 2001
    wait 13h
    initial S4 A data rg 3 ask 3MB               -> 2001 grant 3000000octets
    terminate S4 rg 3 used 1MB                   -> 2001
    balance A EUR                                -> free 9.40 held 0.00 used 0.60
  )");
}

// Grants that are out beside each other come to no more than the limit, whatever becomes of them.
TEST(ChargeBand, a_limit_sees_what_is_out_in_other_sessions) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S1 A data rg 3 ask 3MB               -> 2001 grant 3000000octets
    initial S2 A data rg 3 ask 3MB               -> 2001 grant 2000000octets final terminate
    initial S3 A data rg 3 ask 3MB               -> 2001 4012
    event E1 A data debit rg 3 ask 1MB           -> 2001 4012
    balance A EUR                                -> free 9.50 held 0.50 used 0.00
    update S1 rg 3 used 1MB ask 3MB              -> 2001 grant 2000000octets final terminate
    update S3 rg 3 ask 3MB                       -> 2001 4012
    restart
    terminate S1 rg 3 used 1MB                   -> 2001
    update S3 rg 3 ask 3MB                       -> 2001 grant 1000000octets final terminate
    terminate S2 rg 3 used 2MB                   -> 2001
    terminate S3 rg 3 used 1MB                   -> 2001
    balance A EUR                                -> free 9.50 held 0.00 used 0.50
    initial S4 A data rg 3 ask 1MB               -> 2001 4012
    terminate S4                                 -> 2001
    audit EUR                         -> in 10.00 free 9.50 held 0.00 used 0.50 expired 0.00
  )");
}

// What comes back from a grant counts no more, nor does what ends by itself; who uses more than he
// was granted is paid for, and others get less.
TEST(ChargeBand, what_is_out_comes_back_to_the_limit) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S1 A data rg 3 ask 5MB               -> 2001 grant 5000000octets final terminate
    terminate S1 rg 3                            -> 2001
    initial S2 A data rg 3 ask 4MB               -> 2001 grant 4000000octets
    wait 5h
    initial S3 A data rg 3 ask 4MB               -> 2001 grant 4000000octets
    initial S4 A data rg 3 ask 4MB               -> 2001 grant 1000000octets final terminate
    update S3 rg 3 used 6MB                      -> 2001
    terminate S4 rg 3 used 1MB                   -> 2001
    terminate S3 rg 3                            -> 2001
    balance A EUR                                -> free 9.30 held 0.00 used 0.70
    initial S5 A data rg 3 ask 1MB               -> 2001 4012
    wait 13h
    initial S6 A data rg 3 ask 9MB               -> 2001 grant 5000000octets final terminate
    terminate S6 rg 3 used 1MB                   -> 2001
    event E1 A data debit rg 3 ask 4MB           -> 2001 grant 4000000octets cost 0.40EUR
    event E2 A data debit rg 3 ask 1MB           -> 2001 4012
  )");
}

// A cap needs none of it: beyond it nothing costs anything, and each grant holds what it may cost.
TEST(ChargeBand, sessions_beside_each_other_pay_a_cap_once) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S1 A data rg 6 ask 8MB               -> 2001 grant 8000000octets
    initial S2 A data rg 6 ask 8MB               -> 2001 grant 8000000octets
    balance A EUR                                -> free 9.00 held 1.00 used 0.00
    terminate S1 rg 6 used 3MB                   -> 2001
    terminate S2 rg 6 used 8MB                   -> 2001
    balance A EUR                                -> free 9.50 held 0.00 used 0.50
    initial S3 A data rg 6 ask 8MB               -> 2001 grant 8000000octets
    balance A EUR                                -> free 9.50 held 0.00 used 0.50
    terminate S3 rg 6 used 8MB                   -> 2001
  )");
}

TEST(ChargeBand, a_family_sees_what_is_out_of_all_its_members) {
  expect(R"(
    account P plan p balance 10.00EUR
    account M plan p
    account N plan p
    payer M P                                    -> ok
    payer N P                                    -> ok
    initial S1 M data rg 5 ask 3MB               -> 2001 grant 3000000octets
    initial S2 N data rg 5 ask 3MB               -> 2001 grant 2000000octets final terminate
    initial S3 P data rg 5 ask 3MB               -> 2001 4012
    terminate S1 rg 5 used 1MB                   -> 2001
    update S3 rg 5 ask 3MB                       -> 2001 grant 2000000octets final terminate
    terminate S2 rg 5 used 2MB                   -> 2001
    terminate S3 rg 5 used 2MB                   -> 2001
    balance P EUR                                -> free 9.50 held 0.00 used 0.50
  )");
}

// Tiers and limits by what payer and members have used, whoever comes first; who leaves counts
// alone.
TEST(ChargeBand, a_family_counts_together_at_its_payer) {
  expect(R"(
    account P plan p balance 10.00EUR
    account M plan p
    account N plan p
    payer M P                                    -> ok
    payer N P                                    -> ok
    initial S1 M data rg 4 ask 8MB               -> 2001 grant 8000000octets
    terminate S1 rg 4 used 8MB                   -> 2001
    balance P EUR                                -> free 9.20 held 0.00 used 0.80
    initial S2 N data rg 4 ask 4MB               -> 2001 grant 4000000octets
    balance P EUR                                -> free 8.90 held 0.30 used 0.80
    terminate S2 rg 4 used 4MB                   -> 2001
    restart
    initial S3 P data rg 4 ask 1MB               -> 2001 grant 1000000octets
    terminate S3 rg 4 used 1MB                   -> 2001
    balance P EUR                                -> free 8.85 held 0.00 used 1.15
    initial S4 M data rg 5 ask 3MB               -> 2001 grant 3000000octets
    terminate S4 rg 5 used 3MB                   -> 2001
    initial S5 N data rg 5 ask 3MB               -> 2001 grant 2000000octets final terminate
    terminate S5 rg 5 used 2MB                   -> 2001
    initial S6 P data rg 5 ask 3MB               -> 2001 4012
    initial S7 M data rg 3 ask 3MB               -> 2001 grant 3000000octets   # its own counter
    terminate S6                                 -> 2001
    terminate S7                                 -> 2001
    balance P EUR                                -> free 8.35 held 0.00 used 1.65
    payer M none                                 -> ok
    top-up M 1.00EUR                             -> ok balance 1.00EUR
    initial S8 M data rg 4 ask 1MB               -> 2001 grant 1000000octets
    terminate S8 rg 4 used 1MB                   -> 2001
    balance M EUR                                -> free 0.90 held 0.00 used 0.10
    set P state suspended                        -> ok
    initial S9 N data rg 4 ask 1MB               -> 2001 4012
    terminate S9                                 -> 2001
  )");
}

// Whatever sessions of an account do beside each other, as long as they use no more than they were
// granted: what is counted and what is out never come to more than the limit.
TEST(ChargeBand, no_sessions_together_go_beyond_a_limit) {
  constexpr i64 limit_mb = 5;
  std::mt19937 random(5);
  const auto pick = [&](i64 from, i64 to) {
    return std::uniform_int_distribution<i64>(from, to)(random);
  };
  for (int round = 0; round < 20; ++round) {
    ChargeTable table;
    table.rig().load_tariff_text(std::string(tariff));
    ASSERT_EQ(table.run("account A plan p balance 90.00EUR"), "");
    std::map<i64, i64> granted_mb;  // by session, of those that are open
    i64 used_mb = 0;
    for (int step = 0; step < 40; ++step) {
      const i64 session = pick(1, 4);
      const bool is_open = granted_mb.contains(session);
      const i64 used = is_open ? pick(0, granted_mb[session]) : 0;
      const i64 wanted = pick(1, 3);
      used_mb += used;
      i64 left = limit_mb - used_mb;
      granted_mb[session] = 0;
      for (const auto& [number, out] : granted_mb) left -= out;
      ASSERT_GE(left, 0);
      const i64 granted = std::min(left, wanted);
      granted_mb[session] = granted;
      const std::string verb = is_open ? fmt::format("update S{} rg 3 used {}MB", session, used)
                                       : fmt::format("initial S{} A data rg 3", session);
      ASSERT_EQ(table.run(fmt::format(
                    "{} ask {}MB -> 2001 {}", verb, wanted,
                    granted == 0 ? "4012"
                                 : fmt::format("grant {}octets{}", granted * 1'000'000,
                                               granted == left ? " final terminate" : ""))),
                "");
      if (pick(0, 9) == 0) {
        ASSERT_EQ(table.run("restart"), "");
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::app
