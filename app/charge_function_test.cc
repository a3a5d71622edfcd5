// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Functions as prices and discounts where money moves: what they see of a session, of its numbers
// and of counters. The rig's day is 2026-11-18, and its clock shows 11:06:40 UTC.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
timezone "Europe/Stockholm"
zones networks { zone home 24001; zone eu 262 }
plan p {
  currency EUR
  counter sent events per day
  counter paid EUR per day
  counter family events per day shared
  service data {
    network networks
    rule default { price python "f.py" by_network; validity 2h }
  }
  service voice {
    rule default { price python "f.py" by_clock }
  }
  service sms {
    rule default { price 0.10EUR per 1event; steps by sent; discount python "f.py" halved }
    rule identifier 8 { price 0.10EUR per 1event; steps by family }
    rule identifier 9 { price 0.20EUR per 1event; discount python "f.py" loyal by family }
    rule identifier 7 { price 0.20EUR per 1event; discount python "f.py" loyal by sent }
  }
}
)";

constexpr std::string_view functions = R"(from tollgate import Event

CENT = 10_000


def by_network(event: Event) -> int:
    mega = -(-event.quantity // 1_000_000)
    price = 1 if event.zone == "home" else 5 if event.zone == "eu" else 100
    if event.location == "roaming":
        price += 10
    return mega * price * CENT


def by_clock(event: Event) -> int:
    minutes = -(-event.quantity // 60_000)
    return minutes * (30 if event.hour < 13 else 20) * CENT


def halved(event: Event, price: int) -> int:
    return price // 2


def loyal(event: Event, price: int) -> int:
    return price // 2 if event.counter(0) >= 2 else price
)";

void expect(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff), std::string(functions));
  EXPECT_EQ(table.run(lines), "");
}

TEST(ChargeFunction, who_moves_to_another_network_pays_no_octet_twice) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data in 24001 rg 1 ask 10MB          -> 2001 grant 10000000octets
    balance A EUR                                    -> free 9.90 held 0.10 used 0.00
    update S in 26202 rg 1 used 10MB ask 10MB        -> 2001 grant 10000000octets
    balance A EUR                                    -> free 9.40 held 0.50 used 0.10
    restart
    update S rg 1 used 4500kB ask 10MB               -> 2001 grant 10000000octets
    balance A EUR                                    -> free 9.15 held 0.50 used 0.35
    terminate S in 24001 rg 1 used 500kB             -> 2001
    balance A EUR                                    -> free 9.65 held 0.00 used 0.35
  )");
}

TEST(ChargeFunction, the_last_grant_is_what_the_function_leaves_for_the_balance) {
  expect(R"(
    account A plan p balance 0.43EUR
    initial S A data in 26202 rg 1 ask 10MB          -> 2001 grant 8000000octets final terminate
    terminate S rg 1 used 8MB                        -> 2001
    balance A EUR                                    -> free 0.03 held 0.00 used 0.40
  )");
}

TEST(ChargeFunction, what_rules_said_of_the_place_is_remembered) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial S A data from 46701 in 24001 location roaming rg 1 ask 1MB \
      -> 2001 grant 1000000octets
    update S rg 1 used 1MB ask 1MB                   -> 2001 grant 1000000octets
    restart
    terminate S rg 1 used 1MB                        -> 2001
    balance A EUR                                    -> free 9.78 held 0.00 used 0.22
  )");
}

// 12:06 in Stockholm when the first call begins, and 13:36 when the second does.
TEST(ChargeFunction, the_clock_is_that_of_the_sessions_beginning) {
  expect(R"(
    account A plan p balance 10.00EUR
    initial C A voice rg 1 ask 60s                   -> 2001 grant 60s
    wait 5400s
    update C rg 1 used 60s ask 60s                   -> 2001 grant 60s
    initial D A voice rg 1 ask 60s                   -> 2001 grant 60s
    balance A EUR                                    -> free 9.20 held 0.50 used 0.30
    terminate C rg 1 used 60s                        -> 2001
    terminate D rg 1 used 60s                        -> 2001
    balance A EUR                                    -> free 9.20 held 0.00 used 0.80
  )");
}

TEST(ChargeFunction, counters_of_other_rules_are_seen_where_they_stand) {
  expect(R"(
    account A plan p balance 10.00EUR
    event A1 A sms debit si 7 ask 1event                  -> 2001 grant 1event cost 0.20EUR
    event A2 A sms debit ask 1event                  -> 2001 grant 1event cost 0.05EUR
    event A3 A sms debit si 7 ask 1event                  -> 2001 grant 1event cost 0.20EUR
    event A4 A sms debit ask 1event                  -> 2001 grant 1event cost 0.05EUR
    event A5 A sms debit si 7 ask 1event                  -> 2001 grant 1event cost 0.10EUR
    event P A sms price si 7 ask 2event                   -> 2001 cost 0.20EUR
    balance A EUR                                    -> free 9.40 held 0.00 used 0.60
  )");
}

// A function sees what the whole family has counted, whoever of it is charged.
TEST(ChargeFunction, a_shared_counter_is_seen_by_all_of_a_family) {
  expect(R"(
    account P plan p balance 10.00EUR
    account M plan p
    account N plan p
    payer M P                                        -> ok
    payer N P                                        -> ok
    event A1 M sms debit si 8 ask 1event             -> 2001 grant 1event cost 0.10EUR
    event A2 N sms debit si 9 ask 1event             -> 2001 grant 1event cost 0.20EUR
    event A3 N sms debit si 8 ask 1event             -> 2001 grant 1event cost 0.10EUR
    event A4 P sms debit si 9 ask 1event             -> 2001 grant 1event cost 0.10EUR
    event A5 M sms debit si 9 ask 1event             -> 2001 grant 1event cost 0.10EUR
    payer M none                                     -> ok
    top-up M 1.00EUR                                 -> ok balance 1.00EUR
    event A6 M sms debit si 9 ask 1event             -> 2001 grant 1event cost 0.20EUR
    event A7 N sms debit si 9 ask 1event             -> 2001 grant 1event cost 0.10EUR
    balance P EUR                                    -> free 9.30 held 0.00 used 0.70
  )");
}

}  // namespace
}  // namespace tollgate::app
