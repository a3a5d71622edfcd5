// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/amount.hh"

#include <gtest/gtest.h>

#include "base/unit_names.hh"

namespace tollgate {
namespace {

struct ParseCase {
  std::string_view text;
  i64 count;
  Unit unit;
  std::string_view shown;
};

TEST(AmountTest, ReadsWhatPeopleWriteAndShowsItBack) {
  for (const ParseCase& row : {
           ParseCase{"10.00EUR", 10'000'000, Unit::eur, "10.00EUR"},
           ParseCase{"-1.5EUR", -1'500'000, Unit::eur, "-1.50EUR"},
           ParseCase{"0.000001EUR", 1, Unit::eur, "0.000001EUR"},
           ParseCase{"1GiB", 1'073'741'824, Unit::octets, "1073741824octets"},
           ParseCase{"1GB", 1'000'000'000, Unit::octets, "1000000000octets"},
           ParseCase{"3600s", 3'600'000, Unit::milliseconds, "3600s"},
           ParseCase{"12.5s", 12'500, Unit::milliseconds, "12.5s"},
           ParseCase{"1h", 3'600'000, Unit::milliseconds, "3600s"},
           ParseCase{"5events", 5, Unit::events, "5events"},
           ParseCase{"7 unit4097", 7, static_cast<Unit>(4097), "7unit4097"},
           ParseCase{"9223372036854.775807USD", INT64_MAX, Unit::usd, "9223372036854.775807USD"},
       }) {
    Amount amount;
    Unit unit = Unit::none;
    EXPECT_EQ(parse_amount(row.text, amount, unit), "") << row.text;
    EXPECT_EQ(amount.count, row.count) << row.text;
    EXPECT_EQ(unit, row.unit) << row.text;
    EXPECT_EQ(to_text(amount, unit), row.shown);
  }
}

TEST(AmountTest, RefusesWhatItCannotHoldExactly) {
  for (const std::string_view text :
       {"", "EUR", "10", "1.EUR", ".5EUR", "1.0000001EUR", "1..0EUR", "10.00XYZ", "0.5events",
        "9223372036854.775808EUR", "99999999999999999999EUR", "--1EUR", "1e3EUR"}) {
    Amount amount{42};
    Unit unit = Unit::none;
    EXPECT_NE(parse_amount(text, amount, unit), "") << text;
    EXPECT_EQ(amount.count, 42) << text;
  }
}

TEST(AmountTest, UnitsOfTheOperatorHaveTheNamesThatHeGivesThem) {
  EXPECT_EQ(name_unit("points 4100"), "");
  EXPECT_EQ(name_unit("Stars_2 65535"), "");
  Amount amount;
  Unit unit = Unit::none;
  for (const std::string_view text : {"7points", "7 points", "7unit4100"}) {
    EXPECT_EQ(parse_amount(text, amount, unit), "") << text;
    EXPECT_EQ(to_text(amount, unit), "7points");
  }
  EXPECT_EQ(unit_name(static_cast<Unit>(65535)), "Stars_2");
  EXPECT_EQ(unit_name(static_cast<Unit>(4101)), "unit4101");
  EXPECT_NE(parse_amount("7.5points", amount, unit), "");
  for (const std::string_view text :
       {"", "points", " 4101", "gems", "gems 4095", "gems 65536", "gems 1978", "gems -1", "gems x",
        "gems  4101", "2gems 4101", "ge-ms 4101", "a_name_of_seventee 4101", "points 4101",
        "gems 4100", "EUR 4101", "MB 4101", "octets 4101", "unit4101 4102"}) {
    EXPECT_NE(name_unit(text), "") << text;
  }
  EXPECT_EQ(unit_name(static_cast<Unit>(4101)), "unit4101");
  forget_unit_names();
  EXPECT_EQ(to_text(Amount{7}, static_cast<Unit>(4100)), "7unit4100");
  EXPECT_NE(parse_amount("7points", amount, unit), "");
}

TEST(AmountTest, RoundsByName) {
  struct Row {
    i64 value, numerator, denominator;
    i64 down, up, half_up, half_even;
  };
  for (const Row& row :
       {Row{10, 1, 4, 2, 3, 3, 2}, Row{14, 1, 4, 3, 4, 4, 4}, Row{-10, 1, 4, -2, -3, -3, -2},
        Row{9, 1, 4, 2, 3, 2, 2}, Row{8, 1, 4, 2, 2, 2, 2}}) {
    i64 result = 0;
    EXPECT_TRUE(scale(row.value, row.numerator, row.denominator, Rounding::down, result));
    EXPECT_EQ(result, row.down);
    EXPECT_TRUE(scale(row.value, row.numerator, row.denominator, Rounding::up, result));
    EXPECT_EQ(result, row.up);
    EXPECT_TRUE(scale(row.value, row.numerator, row.denominator, Rounding::half_up, result));
    EXPECT_EQ(result, row.half_up);
    EXPECT_TRUE(scale(row.value, row.numerator, row.denominator, Rounding::half_even, result));
    EXPECT_EQ(result, row.half_even);
  }
}

TEST(AmountTest, OverflowIsARefusalAndChangesNothing) {
  i64 result = 7;
  EXPECT_FALSE(scale(INT64_MAX, 2, 1, Rounding::down, result));
  EXPECT_EQ(result, 7);
  EXPECT_TRUE(scale(INT64_MAX, 2, 2, Rounding::down, result));
  EXPECT_EQ(result, INT64_MAX);
  Money sum;
  EXPECT_FALSE(add(Money::max(), {1}, sum));
  EXPECT_TRUE(add(Money{1}, {2}, sum));
  EXPECT_EQ(sum.count, 3);
}

}  // namespace
}  // namespace tollgate
