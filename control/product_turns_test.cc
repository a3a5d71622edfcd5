// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The life of a subscription over months, in no time: what is done on which day, whether the fee
// can be paid or not, and when control was not there.

#include "control/product_turns.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "rating/compile.hh"

namespace tollgate::control {
namespace {

constexpr std::string_view tariff = R"(
plan p { currency EUR; service data { rule default { pay with octets then EUR
  price 0.01EUR per 1MB } rule default with monthly free } }
product monthly { plans p; fee 2EUR; fee 10EUR per month on 1; prorate half_up to 0.01EUR
  retry 2d for 20d; grace 5d; allowance 1GB }
product strict { plans p; fee 1EUR per day; retry 6h for 3d; lasts 20d }
product pack { plans p; fee 3EUR; lasts 30d; renews; allowance 1GB expires 7d
  allowance 5MB rollover 2MB }
product once { plans p; fee 3EUR; lasts 7d; allowance 1GB; repeatable }
product open { plans p; allowance 1GB }
)";

i64 second_of(std::string_view text) {
  Instant at;
  EXPECT_TRUE(parse_rfc3339(text, at)) << text;
  return at.whole_seconds();
}

class Life {
 public:
  explicit Life(std::string_view product) {
    const rating::TariffText text{"t.tariff", std::string(tariff)};
    compiled_ = rating::compile({&text, 1});
    for (const rating::Diagnostic& one : compiled_.diagnostics) {
      ADD_FAILURE() << rating::to_text(one);
    }
    image_ = rating::Image(compiled_.image);
    product_ = image_.find_product(rating::product_id(product));
    EXPECT_NE(product_, nullptr);
  }

  void buy(std::string_view at) {
    row = turns_.begin(*product_, second_of(at));
    row.state = subscription_state::bought;
  }
  void buy_at(i64 at) {
    row = turns_.begin(*product_, at);
    row.state = subscription_state::bought;
  }
  // Looks at it whenever it is due, as control does; `pays` says if the fee can be paid then.
  std::string until(std::string_view end, const std::function<bool(i64)>& pays = {}) {
    return run(row.due_s, second_of(end), pays);
  }
  // Control comes back at `from` only.
  std::string run(i64 from, i64 end, const std::function<bool(i64)>& pays) {
    std::string told;
    i64 now = from;
    for (int steps = 0; row.due_s != 0 && std::max(row.due_s, now) <= end; ++steps) {
      if (steps > 1000) return told + " endless";
      now = std::max(row.due_s, now);
      told += act(now, pays);
    }
    return told;
  }
  std::string act(i64 now, const std::function<bool(i64)>& pays) {
    const std::string day = to_rfc3339(Instant::from_seconds(now)).substr(5, 5);
    switch (turns_.due(image_, *product_, row, now)) {
      case ProductStep::none:
        ProductTurns::set_due(*product_, row);
        return {};
      case ProductStep::turn: {
        const ledger::Command command = turns_.turn(image_, *product_, row, now);
        if (pays && !pays(now)) {
          ProductTurns::turn_refused(*product_, row, now);
          return fmt::format("{} short; ", day);
        }
        std::string text = fmt::format("{} turn {}", day, row.turn);
        for (u32 i = 0; i < command.bucket_count; ++i) {
          const ledger::NewBucket& bucket = command.buckets[i];
          text += fmt::format(" {}{}", bucket.role == ledger::BucketRole::fee ? "-" : "+",
                              to_text(bucket.amount, bucket.unit));
          if (bucket.expires_s == 0) continue;
          text += " to " + to_rfc3339(Instant::from_seconds(bucket.expires_s)).substr(5, 5);
        }
        ProductTurns::turn_begun(*product_, row);
        return text + "; ";
      }
      case ProductStep::suspend:
        row.state = subscription_state::suspended;
        ProductTurns::set_due(*product_, row);
        return fmt::format("{} suspended; ", day);
      case ProductStep::end:
        row.state = subscription_state::ended;
        row.due_s = 0;
        return fmt::format("{} ended {}; ", day, row.reason);
    }
    return {};
  }

  SubscriptionRow row;

 private:
  rating::Compiled compiled_;
  rating::Image image_;
  const rating::Product* product_ = nullptr;
  ProductTurns turns_;
};

TEST(ProductTurnsTest, AMonthlyFeeBeginsWithItsShare) {
  Life life("monthly");
  life.buy("2026-11-21T00:00:00Z");  // ten of thirty days: 2 EUR + 3.33 EUR
  EXPECT_EQ(life.until("2027-02-10T00:00:00Z"),
            "11-21 turn 0 -5.33EUR +1000000000octets to 12-01; "
            "12-01 turn 1 -10.00EUR +1000000000octets to 01-01; "
            "01-01 turn 2 -10.00EUR +1000000000octets to 02-01; "
            "02-01 turn 3 -10.00EUR +1000000000octets to 03-01; ");
}

TEST(ProductTurnsTest, WhoCannotPayHasGraceThenNothingThenIsThroughWithIt) {
  Life life("monthly");
  life.buy("2026-11-01T00:00:00Z");
  EXPECT_EQ(life.until("2026-11-30T00:00:00Z"),
            "11-01 turn 0 -12.00EUR +1000000000octets to 12-01; ");
  EXPECT_EQ(life.until("2027-03-01T00:00:00Z", [](i64) { return false; }),
            "12-01 short; 12-03 short; 12-05 short; 12-06 suspended; 12-07 short; 12-09 short; "
            "12-11 short; 12-13 short; 12-15 short; 12-17 short; 12-19 short; "
            "12-21 ended unpaid; ");
}

TEST(ProductTurnsTest, WhoPaysLateHasTheRestOfTheTurn) {
  Life life("monthly");
  life.buy("2026-11-01T00:00:00Z");
  EXPECT_EQ(life.until("2026-11-30T00:00:00Z"),
            "11-01 turn 0 -12.00EUR +1000000000octets to 12-01; ");
  EXPECT_EQ(life.until("2027-01-02T00:00:00Z",
                       [](i64 now) { return now >= second_of("2026-12-08T00:00:00Z"); }),
            "12-01 short; 12-03 short; 12-05 short; 12-06 suspended; 12-07 short; "
            "12-09 turn 1 -10.00EUR +1000000000octets to 01-01; "
            "01-01 turn 2 -10.00EUR +1000000000octets to 02-01; ");
  EXPECT_EQ(life.row.state, subscription_state::active);
}

// Without grace it is suspended at once; turns that nobody paid are not caught up on.
TEST(ProductTurnsTest, UnpaidDaysAreNotCharged) {
  Life life("strict");
  life.buy("2026-11-01T12:00:00Z");
  EXPECT_EQ(life.until("2026-11-05T00:00:00Z",
                       [](i64 now) {
                         return now < second_of("2026-11-02T00:00:00Z") ||
                                now > second_of("2026-11-04T15:00:00Z");
                       }),
            "11-01 turn 0 -1.00EUR; 11-02 short; 11-02 suspended; 11-02 short; 11-03 short; "
            "11-03 short; 11-03 short; 11-03 short; 11-04 short; 11-04 short; 11-04 short; "
            "11-04 turn 3 -1.00EUR; ");
}

// What went by while control was not there is paid, each turn; what it would have brought has
// expired.
TEST(ProductTurnsTest, DaysThatControlMissedAreCharged) {
  Life life("strict");
  life.buy("2026-11-01T12:00:00Z");
  EXPECT_EQ(life.until("2026-11-02T00:00:00Z"), "11-01 turn 0 -1.00EUR; ");
  EXPECT_EQ(life.run(second_of("2026-11-04T15:00:00Z"), second_of("2026-11-05T15:00:00Z"), {}),
            "11-04 turn 1 -1.00EUR; 11-04 turn 2 -1.00EUR; 11-04 turn 3 -1.00EUR; "
            "11-05 turn 4 -1.00EUR; ");
}

TEST(ProductTurnsTest, ALifeEnds) {
  Life once("once");
  once.buy("2026-11-01T12:00:00Z");
  EXPECT_EQ(once.until("2027-11-01T00:00:00Z"),
            "11-01 turn 0 -3.00EUR +1000000000octets to 11-08; 11-08 ended over; ");
  Life strict("strict");
  strict.buy("2026-11-01T12:00:00Z");
  const std::string told = strict.until("2027-11-01T00:00:00Z");
  EXPECT_TRUE(told.ends_with("11-20 turn 19 -1.00EUR; 11-21 ended over; ")) << told;
  Life open("open");
  open.buy("2026-11-01T12:00:00Z");
  EXPECT_EQ(open.until("2027-11-01T00:00:00Z"), "11-01 turn 0 +1000000000octets; ");
  EXPECT_EQ(open.row.due_s, 0);
}

TEST(ProductTurnsTest, WhatRenewsBeginsAnewUntilItIsToldNotTo) {
  Life life("pack");
  life.buy("2026-11-01T12:00:00Z");
  EXPECT_EQ(life.until("2026-12-15T00:00:00Z"),
            "11-01 turn 0 -3.00EUR +1000000000octets to 11-08 +5000000octets to 12-01 "
            "+2000000octets; "
            "12-01 turn 0 -3.00EUR +1000000000octets to 12-08 +5000000octets to 12-31 "
            "+2000000octets; ");
  life.row.is_ending = 1;
  EXPECT_EQ(life.until("2027-11-01T00:00:00Z"), "12-31 ended over; ");
}

// Bought at any hour of two years, looked at at any time: the fees of a year are those of its
// turns, and none is taken twice.
TEST(ProductTurnsTest, EveryTurnIsBegunOnce) {
  for (i64 hour = 0; hour < 24 * 730; hour += 997) {
    Life life("strict");
    life.buy_at(second_of("2026-01-01T00:00:00Z") + hour * 3600);
    const std::string told = life.until("2029-01-01T00:00:00Z");
    std::size_t count = 0;
    for (std::size_t at = 0; (at = told.find("-1.00EUR", at)) != std::string::npos; ++at) ++count;
    EXPECT_EQ(count, 20U) << told;
  }
}

}  // namespace
}  // namespace tollgate::control
