// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Prices by zone and network: what a request says of numbers, and what its session remembers. The
// rig's clock shows a Wednesday, 11:06:40 UTC.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
zones world { zone national 46; zone nordic 45, 47 }
zones friends { zone club 4670111, 4670222 }
zones networks { zone home 24001; zone eu 262 }
plan p {
  currency EUR
  service voice {
    destination world
    origin friends
    rule "far" default { price 1.00EUR per 1min }
    rule "national" default to national { price 0.10EUR per 1min }
    rule "nordic" default to nordic { price 0.30EUR per 1min }
    rule "in the club" default from club to national { price 0.01EUR per 1min }
  }
  service data {
    network networks
    rule "far" default { price 1.00EUR per 1MB }
    rule "home" default in home { price 0.01EUR per 1MB }
    rule "eu" default in eu { price 0.05EUR per 1MB }
  }
}
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  EXPECT_EQ(table.run(lines), "");
}

TEST(ChargeZone, the_longest_prefix_of_the_called_number_says_the_price) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial N A voice to 46701234567 rg 1 ask 60s    -> 2001 grant 60s
    balance A EUR                                    -> free 9.90 held 0.10 used 0.00
    terminate N rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 9.90 held 0.00 used 0.10
    initial F A voice to 12125551212 rg 1 ask 60s    -> 2001 grant 60s
    terminate F rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 8.90 held 0.00 used 1.10
    initial C A voice from 46701112233 to 46701234567 rg 1 ask 60s -> 2001 grant 60s
    terminate C rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 8.89 held 0.00 used 1.11
    event E A voice debit to 4790000000 ask 60s      -> 2001 grant 60s cost 0.30EUR
    initial U A voice rg 1 ask 60s                   -> 2001 grant 60s
    terminate U rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 7.59 held 0.00 used 2.41
  )");
}

TEST(ChargeZone, a_session_remembers_the_numbers_that_it_began_with) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A voice to 4790000000 rg 1 ask 60s     -> 2001 grant 60s
    update S rg 1 used 60s ask 60s                   -> 2001 grant 60s
    balance A EUR                                    -> free 9.40 held 0.30 used 0.30
    restart
    update S rg 1 used 60s ask 60s                   -> 2001 grant 60s
    again S update 1                                 -> same
    terminate S rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 9.10 held 0.00 used 0.90
  )");
}

TEST(ChargeZone, who_moves_to_another_network_pays_its_price_from_the_next_grant_on) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data in 24001 rg 1 ask 10MB          -> 2001 grant 10000000octets
    update S in 26202 rg 1 used 10MB ask 10MB        -> 2001 grant 10000000octets
    balance A EUR                                    -> free 9.40 held 0.50 used 0.10
    update S rg 1 used 10MB ask 1MB                  -> 2001 grant 1000000octets
    balance A EUR                                    -> free 9.35 held 0.05 used 0.60
    terminate S in 310410 rg 1 used 1MB              -> 2001
    balance A EUR                                    -> free 9.35 held 0.00 used 0.65
  )");
}

TEST(ChargeZone, a_zone_that_rules_have_named_counts_where_the_tariff_knows_it) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A voice to 46701234567 zone nordic rg 1 ask 60s  -> 2001 grant 60s
    balance A EUR                                    -> free 9.70 held 0.30 used 0.00
    terminate S rg 1 used 0s                         -> 2001
    initial T A voice to 46701234567 zone mobile rg 1 ask 60s  -> 2001 grant 60s
    balance A EUR                                    -> free 9.90 held 0.10 used 0.00
    terminate T rg 1 used 0s                         -> 2001
    initial D A data in 310410 zone eu rg 1 ask 1MB  -> 2001 grant 1000000octets
    balance A EUR                                    -> free 9.95 held 0.05 used 0.00
    update D in 24001 rg 1 used 1MB ask 1MB          -> 2001 grant 1000000octets
    balance A EUR                                    -> free 9.94 held 0.01 used 0.05
  )");
}

}  // namespace
}  // namespace tollgate::app
