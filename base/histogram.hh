// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Histogram: how values are spread, in fixed memory, with under one percent of error.
//
// Each power of two is cut into 128 equal steps (the idea of HdrHistogram). Recording is one shift
// and one increment. It has no pointers, so it may lie in shared memory: one writes, others read.
#pragma once

#include <array>
#include <bit>

#include "base/types.hh"

namespace tollgate {

// Of a segment that holds a Histogram.
inline constexpr u32 histogram_layout = 1;

class Histogram {
 public:
  void record(u64 value) {
    ++counts_[index_of(value)];
    ++total_;
    if (value > max_) max_ = value;
  }

  u64 total() const { return total_; }
  u64 max() const { return max_; }

  // The value that `per_million` of all recorded values do not exceed (999'000 for 99.9 %), rounded
  // up by at most 1/128. 0 if nothing was recorded.
  u64 at_per_million(u64 per_million) const {
    const u64 wanted = static_cast<u64>((u128{total_} * per_million + 999'999) / 1'000'000);
    u64 seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen < wanted || seen == 0) continue;
      const bool is_last = i + 1 == counts_.size();  // holds all that is beyond the range
      return !is_last && upper_bound(i) < max_ ? upper_bound(i) : max_;
    }
    return max_;
  }

  // Calls visit(upper, count) for each step that has values, rising: `upper` is what its values do
  // not exceed. Two readings of a growing histogram, subtracted, tell what happened between them.
  template <class Visit>
  void for_each_step(Visit visit) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) visit(upper_bound(i), counts_[i]);
    }
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }

  void clear() { *this = {}; }

 private:
  static constexpr u32 step_bits = 7;
  static constexpr u64 step_count = u64{1} << step_bits;
  static constexpr std::size_t row_count = 40;  // values up to 2^46, some 20 hours in nanoseconds

  static std::size_t index_of(u64 value) {
    if (value < step_count) return static_cast<std::size_t>(value);
    const u32 row = static_cast<u32>(std::bit_width(value)) - step_bits;
    const u64 index = row * step_count + ((value >> (row - 1)) & (step_count - 1));
    return index < row_count * step_count ? static_cast<std::size_t>(index)
                                          : row_count * step_count - 1;
  }
  static u64 upper_bound(std::size_t index) {
    if (index < step_count) return index;
    const u64 row = index / step_count;
    const u64 step = index % step_count;
    return ((step_count + step + 1) << (row - 1)) - 1;
  }

  std::array<u64, row_count * step_count> counts_{};
  u64 total_ = 0;
  u64 max_ = 0;
};

}  // namespace tollgate
