// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Products on the charge tile: turns with fees, allowances and rollover, and prices of those who
// have one. The rig's clock shows a Wednesday, 11:06:40 UTC.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
plan p {
  currency EUR
  service data {
    rule "list" default { pay with octets then EUR; price 0.10EUR per 1MB }
    rule "gold" default with gold { pay with octets then EUR; price 0.01EUR per 1MB }
    rule "silver" default with silver { pay with octets then EUR; price 0.05EUR per 1MB }
  }
  service voice {
    rule "tiers" group 2 with gold { steps by talked; price first 60s 0.10EUR per 1s then free }
    rule "limit" group 3 with gold { price 0.10EUR per 1s; limit 1EUR by talk-money }
    rule "list" default { price 0.20EUR per 1s }
  }
  counter talked seconds per product gold
  counter talk-money EUR per product gold
}
product gold { plans p; fee 5EUR per month; excludes silver; allowance 10MB rollover 4MB }
product silver { plans p; fee 3EUR per month }
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  EXPECT_EQ(table.run(lines), "");
}

TEST(ChargeProduct, who_has_a_product_pays_its_prices_from_the_next_request_on) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data rg 1 ask 10MB                   -> 2001 grant 10000000octets
    balance A EUR                                    -> free 9.00 held 1.00 used 0.00
    turn A gold prices gold fee 5.00EUR              -> ok balance 4.00EUR
    update S rg 1 used 10MB ask 10MB                 -> 2001 grant 10000000octets
    balance A EUR                                    -> free 4.80 held 0.10 used 5.10
    restart
    suspend A gold prices gold                       -> ok
    update S rg 1 used 10MB ask 10MB                 -> 2001 grant 10000000octets
    balance A EUR                                    -> free 2.90 held 1.00 used 6.10
    resume A gold prices gold                        -> ok
    terminate S rg 1 used 10MB                       -> 2001
    balance A EUR                                    -> free 3.80 held 0.00 used 6.20
    end A gold prices gold                           -> ok
    initial T A data rg 1 ask 10MB                   -> 2001 grant 10000000octets
    balance A EUR                                    -> free 2.80 held 1.00 used 6.20
    audit EUR                          -> in 10.00 free 2.80 held 1.00 used 6.20 expired 0.00
  )");
}

TEST(ChargeProduct, a_fee_is_paid_whole_or_nothing_is_done) {
  expect(R"(
    account A plan p balance 3.00EUR balance 1.50EUR priority 5 limit 0.25EUR
    turn A gold prices gold fee 5.00EUR brings 10MB  -> credit_limit_reached
    buckets A                          -> 3.00/0.00/0.00EUR 1.50/0.00/0.00EUR
    turn A gold fee 4.75EUR brings 10MB              -> ok balance -0.25EUR
    buckets A            -> 0.00/0.00/3.00EUR 10000000/0/0octets -0.25/0.00/1.75EUR
    set A state suspended                            -> ok
    turn A gold fee 0.00EUR                          -> account_suspended
    audit EUR                          -> in 4.50 free -0.25 held 0.00 used 4.75 expired 0.00
  )");
}

TEST(ChargeProduct, a_payer_pays_the_fees_of_its_members_within_their_limits) {
  expect(R"(
    account P plan p balance 20.00EUR shard 3
    account M plan p shard 3
    payer M P                                        -> ok
    allow M 6.00EUR                                  -> ok balance 6.00EUR
    turn M gold fee 5.00EUR brings 10MB              -> ok balance 15.00EUR
    turn M gold fee 5.00EUR brings 10MB              -> credit_limit_reached
    balance P EUR                                    -> free 15.00 held 0.00 used 5.00
  )");
}

TEST(ChargeProduct, what_is_left_of_a_turn_comes_along_as_far_as_it_may) {
  expect(R"(
    account A plan p balance 10.00EUR
    turn A gold brings 10MB expires 1h rollover 4MB  -> ok
    event E A data debit ask 3MB           -> 2001 grant 3000000octets cost 0.00EUR
    buckets A                          -> 7000000/0/3000000octets 10.00/0.00/0.00EUR
    wait 2h
    audit octets                       -> in 10000000 free 0 held 0 used 3000000 expired 7000000
    turn A gold brings 10MB expires 1h rollover 4MB  -> ok
    buckets A                          -> 14000000/0/3000000octets 10.00/0.00/0.00EUR
    audit octets                       -> in 17000000 free 14000000 held 0 used 3000000 expired 0
    wait 2h
    turn A gold brings 10MB expires 1h               -> ok
    buckets A                          -> 10000000/0/3000000octets 10.00/0.00/0.00EUR
  )");
}

// What a session holds of the old turn stays its own; the new turn has a bucket beside it.
TEST(ChargeProduct, a_turn_leaves_alone_what_a_session_holds) {
  expect(R"(
    account A plan p balance 10.00EUR
    turn A gold brings 10MB expires 20min               -> ok
    initial S A data rg 1 ask 4MB                    -> 2001 grant 4000000octets
    wait 30min
    turn A gold brings 10MB expires 20min               -> ok
    buckets A       -> 6000000/4000000/0octets 10000000/0/0octets 10.00/0.00/0.00EUR
    terminate S rg 1 used 4MB                        -> 2001
    buckets A       -> 6000000/0/4000000octets 10000000/0/0octets 10.00/0.00/0.00EUR
    wait 30min
    turn A gold brings 10MB expires 20min               -> ok
    buckets A       -> 10000000/0/0octets 10000000/0/4000000octets 10.00/0.00/0.00EUR
  )");
}

TEST(ChargeProduct, what_a_suspended_product_brought_pays_for_nothing) {
  expect(R"(
    account A plan p balance 10.00EUR
    turn A gold brings 10MB expires 30d              -> ok
    suspend A gold                                   -> ok
    event E A data debit ask 3MB                     -> 2001 grant 3000000octets cost 0.30EUR
    resume A gold                                    -> ok
    event F A data debit ask 3MB           -> 2001 grant 3000000octets cost 0.00EUR
    end A gold                                       -> ok
    event G A data debit ask 3MB                     -> 2001 grant 3000000octets cost 0.30EUR
    audit octets                       -> in 10000000 free 0 held 0 used 3000000 expired 7000000
  )");
}

// Tiers and limits of a product: each turn begins them anew, also in the middle of a session.
TEST(ChargeProduct, counters_of_a_product_begin_anew_with_each_turn) {
  expect(R"(
    account A plan p balance 90.00EUR
    initial L A voice rg 2 ask 50s                   -> 2001 grant 50s
    terminate L rg 2 used 50s                        -> 2001
    balance A EUR                                    -> free 80.00 held 0.00 used 10.00
    turn A gold prices gold                          -> ok
    initial S A voice rg 2 ask 50s                   -> 2001 grant 50s
    update S rg 2 used 50s ask 50s                   -> 2001 grant 50s
    balance A EUR                                    -> free 74.00 held 1.00 used 15.00
    restart
    turn A gold prices gold fee 1.00EUR              -> ok balance 73.00EUR
    update S rg 2 used 50s ask 50s                   -> 2001 grant 50s
    balance A EUR                                    -> free 68.00 held 1.00 used 21.00
    terminate S rg 2 used 30s                        -> 2001
    balance A EUR                                    -> free 68.00 held 0.00 used 22.00
    initial T A voice rg 3 ask 20s                   -> 2001 grant 10s final terminate
    terminate T rg 3 used 10s                        -> 2001
    initial U A voice rg 3 ask 20s                   -> 2001 4012
    turn A gold prices gold fee 99.00EUR             -> credit_limit_reached
    update U rg 3 ask 20s                            -> 2001 4012
    turn A gold prices gold                          -> ok
    update U rg 3 ask 20s                            -> 2001 grant 10s final terminate
    terminate U rg 3 used 5s                         -> 2001
    suspend A gold prices gold                       -> ok
    initial V A voice rg 3 ask 20s                   -> 2001 grant 20s
    terminate V rg 3 used 20s                        -> 2001
    resume A gold prices gold                        -> ok
    initial W A voice rg 3 ask 20s                   -> 2001 grant 5s final terminate
    terminate W rg 3 used 5s                         -> 2001
    balance A EUR                                    -> free 62.00 held 0.00 used 28.00
    end A gold prices gold                           -> ok
    initial X A voice rg 2 ask 1s                    -> 2001 grant 1s
    terminate X rg 2 used 1s                         -> 2001
    turn A gold prices gold                          -> ok
    initial Y A voice rg 3 ask 20s                   -> 2001 grant 10s final terminate
    terminate Y rg 3                                 -> 2001
    balance A EUR                                    -> free 61.80 held 0.00 used 28.20
    audit EUR                         -> in 90.00 free 61.80 held 0.00 used 28.20 expired 0.00
  )");
}

TEST(ChargeProduct, a_bonus_comes_with_its_top_up_or_not_at_all) {
  expect(R"(
    account A plan p balance 1.00EUR
    top-up A 20.00EUR bonus 2.00EUR expires 30d bonus 5MB expires 1d -> ok balance 21.00EUR
    buckets A     -> 5000000/0/0octets 2.00/0.00/0.00EUR 21.00/0.00/0.00EUR
    top-up A 20.00EUR bonus 2.00EUR expires 30d      -> ok balance 41.00EUR
    buckets A     -> 5000000/0/0octets 4.00/0.00/0.00EUR 41.00/0.00/0.00EUR
    top-up A 20.00EUR bonus 0.00EUR                  -> amount_invalid
    top-up A 20.00EUR bonus 9223372036854.00EUR      -> amount_overflow
    buckets A     -> 5000000/0/0octets 4.00/0.00/0.00EUR 41.00/0.00/0.00EUR
    audit EUR                          -> in 45.00 free 45.00 held 0.00 used 0.00 expired 0.00
  )");
}

TEST(ChargeProduct, a_fifth_product_with_prices_is_refused) {
  expect(R"(
    account A plan p balance 10.00EUR
    turn A x prices a prices b prices c              -> ok
    turn A y prices b prices d fee 1.00EUR           -> ok balance 9.00EUR
    turn A z prices e fee 1.00EUR                    -> too_many_products
    end A x prices a                                 -> ok
    turn A z prices e fee 1.00EUR                    -> ok balance 8.00EUR
    resume A x prices a                              -> too_many_products
    turn A z fee 1.00EUR fee 1.00EUR                 -> amount_invalid
    turn A z rollover 1MB                            -> amount_invalid
    turn A z fee 1MB                                 -> amount_invalid
  )");
}

}  // namespace
}  // namespace tollgate::app
