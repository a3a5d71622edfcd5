// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/histogram.hh"

#include <gtest/gtest.h>

#include <memory>

namespace tollgate {
namespace {

TEST(HistogramTest, QuantilesAreWithinOnePercent) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->at_per_million(500'000), 0U);
  for (u64 value = 1; value <= 1'000'000; ++value) histogram->record(value);
  for (const u64 per_million : {1'000U, 100'000U, 500'000U, 990'000U, 999'000U, 1'000'000U}) {
    const u64 seen = histogram->at_per_million(per_million);
    EXPECT_GE(seen, per_million);
    EXPECT_LE(seen, per_million + per_million / 100);
  }
  EXPECT_EQ(histogram->max(), 1'000'000U);
}

TEST(HistogramTest, SmallValuesAreExactAndHugeOnesAreKept) {
  const auto histogram = std::make_unique<Histogram>();
  for (u64 value = 0; value < 128; ++value) histogram->record(value);
  EXPECT_EQ(histogram->at_per_million(500'000), 63U);
  histogram->record(UINT64_MAX);
  EXPECT_EQ(histogram->at_per_million(1'000'000), UINT64_MAX);
  const auto sum = std::make_unique<Histogram>();
  sum->merge(*histogram);
  EXPECT_EQ(sum->total(), 129U);
}

TEST(HistogramTest, StepsTellWhatIsBetweenTwoReadings) {
  const auto histogram = std::make_unique<Histogram>();
  const auto count_of = [&](u64 wanted) {
    u64 found = 0;
    u64 before = 0;
    histogram->for_each_step([&](u64 upper, u64 count) {
      EXPECT_GT(upper, before);
      before = upper;
      if (upper >= wanted && found == 0) found = count;
    });
    return found;
  };
  for (int i = 0; i < 3; ++i) histogram->record(1'000);
  EXPECT_EQ(count_of(1'000), 3U);
  for (int i = 0; i < 4; ++i) histogram->record(1'000);
  histogram->record(50);
  EXPECT_EQ(count_of(1'000), 7U);
  EXPECT_EQ(count_of(50), 1U);
}

}  // namespace
}  // namespace tollgate
