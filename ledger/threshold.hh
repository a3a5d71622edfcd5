// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Thresholds: amounts below which somebody wants to be told of a bucket.
//
// What a bucket is worth is put_in - consumed: what is held for a session still belongs to it, so a
// grant crosses nothing. A movement that takes the worth from at least the threshold to below it
// crosses it, once; it can be crossed again only after something was put in or refunded. So nothing
// has to be remembered, and a replay finds the same crossings.
//
// Each crossing becomes a part of the movement's own journal entry (NoteKind::threshold). Whoever
// reads the journal can tell of it exactly once.
#pragma once

#include <array>
#include <type_traits>

#include "base/amount.hh"
#include "base/types.hh"

namespace tollgate::ledger {

struct Threshold {
  Unit unit = Unit::none;
  Amount below;
};

struct Thresholds {
  static constexpr u32 count_max = 8;

  std::array<Threshold, count_max> all{};
  u32 count = 0;
};

// One crossing, as it lies in the journal; a note has one or more of them.
struct ThresholdNote {
  u64 account_id = 0;
  u32 bucket = 0;
  Unit unit = Unit::none;
  u16 reserved = 0;
  Amount threshold;
  Amount before;  // what the bucket was worth
  Amount after;
};
static_assert(sizeof(ThresholdNote) == 40 && std::is_trivially_copyable_v<ThresholdNote>);

// The crossings of one operation. More than there is room for are counted and not told.
struct Crossings {
  static constexpr u32 count_max = 8;

  std::array<ThresholdNote, count_max> all{};
  u32 count = 0;
  u32 untold = 0;

  void clear() { count = untold = 0; }
  u32 number() const { return count + untold; }
  void add(const ThresholdNote& crossing) {
    if (count == count_max) {
      ++untold;
    } else {
      all[count++] = crossing;
    }
  }
};

}  // namespace tollgate::ledger
