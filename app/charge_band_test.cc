// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Prices that look at the clock and at what was used before. The rig's day is 2026-11-18, and its
// clock shows 11:06:40.

#include <gtest/gtest.h>

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
  service voice {
    rule "morning" default { price 0.60EUR per 1min }
    rule "afternoon" default during afternoon { price 0.30EUR per 1min }
  }
  service data {
    rule "morning" group 1 { price 0.04EUR per 1MB }
    rule "afternoon" group 1 during afternoon { price 0.01EUR per 1MB }
    rule "tiers" group 2 { steps by used; price first 10MB 0.10EUR per 1MB then 0.05EUR per 1MB }
    rule "limit" group 3 { price 0.10EUR per 1MB; limit 0.50EUR by spent }
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

}  // namespace
}  // namespace tollgate::app
