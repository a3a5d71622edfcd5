// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What becomes of open sessions when another tariff is loaded: `sessions keep` and `change`.

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

// Both plans at one price; each version ends its sessions at a page of its own.
void load(ChargeTable& table, const std::string& price, const std::string& more = "") {
  table.rig().load_tariff_text(more + R"(
plan kept { currency EUR; sessions keep; final redirect "http://)" +
                               price + R"(.example/"
  service data { rule default { price )" +
                               price + R"(EUR per 1MB } } }
plan open { currency EUR; sessions change
  service data { rule default { price )" +
                               price + R"(EUR per 1MB } } }
)");
}

void expect(ChargeTable& table, std::string_view lines) {
  EXPECT_EQ(table.run(lines), "");
}

TEST(TariffKeep, AsItsPlanSays) {
  ChargeTable table;
  load(table, "0.10");
  expect(table, R"(
    account K plan kept balance 10.00EUR
    account O plan open balance 10.00EUR
    initial K1 K data rg 1 ask 1MB               -> 2001 grant 1000000octets
    initial O1 O data rg 1 ask 1MB               -> 2001 grant 1000000octets
  )");
  load(table, "0.50");
  expect(table, R"(
    update K1 rg 1 used 1MB ask 1MB              -> 2001 grant 1000000octets
    again K1 update 1                            -> same
    update O1 rg 1 used 1MB ask 1MB              -> 2001 grant 1000000octets
    balance K EUR                                -> free 9.80 held 0.10 used 0.10
    balance O EUR                                -> free 9.00 held 0.50 used 0.50
    initial K2 K data rg 1 ask 1MB               -> 2001 grant 1000000octets
    terminate K2 rg 1 used 1MB                   -> 2001
    balance K EUR                                -> free 9.30 held 0.10 used 0.60
    restart
    terminate K1 rg 1 used 1MB                   -> 2001
    balance K EUR                                -> free 9.30 held 0.00 used 0.70
  )");
}

TEST(TariffKeep, GoesOverWhenItsVersionIsGone) {
  ChargeTable table;
  load(table, "0.10");
  expect(table, R"(
    account K plan kept balance 10.00EUR
    initial K1 K data rg 1 ask 1MB               -> 2001 grant 1000000octets
  )");
  load(table, "0.20");
  load(table, "0.30");
  expect(table, R"(
    update K1 rg 1 used 1MB ask 1MB              -> 2001 grant 1000000octets
    balance K EUR                                -> free 9.80 held 0.10 used 0.10
  )");
  load(table, "0.40");
  expect(table, R"(
    update K1 rg 1 used 1MB ask 1MB              -> 2001 grant 1000000octets
    balance K EUR                                -> free 9.10 held 0.40 used 0.50
  )");
}

// Where it ends is found in the present tariff by its text, or not at all.
TEST(TariffKeep, TheRedirectIsThatOfItsVersion) {
  ChargeTable table;
  load(table, "0.10");
  expect(table, R"(
    account K plan kept balance 0.30EUR
    initial K1 K data rg 1 ask 1MB               -> 2001 grant 1000000octets
  )");
  load(table, "0.50", R"(
plan other { currency EUR; final redirect "http://first.example/"
  service data { rule default { price 1EUR per 1MB } } }
plan another { currency EUR; final redirect "http://0.10.example/"
  service data { rule default { price 1EUR per 1MB } } }
)");
  expect(table, R"(
    update K1 rg 1 used 1MB ask 2MB \
      -> 2001 grant 2000000octets final redirect http://0.10.example/
  )");
  load(table, "0.60");
  expect(table, R"(
    update K1 rg 1 used 1MB ask 2MB              -> 2001 grant 1000000octets final terminate
  )");
}

}  // namespace
}  // namespace tollgate::app
