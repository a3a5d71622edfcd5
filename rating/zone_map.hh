// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ZoneMap: the zone of a number by its longest prefix, for a million prefixes and more.
//
// Prefixes are intervals of number_key. Laid flat they are a row of disjoint stretches, each with
// its zone; one stretch is one word: where it begins, and the zone. An index by the first digits
// of the number says which few words to look at. So a number costs one word of the index and one
// or two cache lines of the row, however many prefixes there are.
//
// Zone 0 is every number that no prefix fits. The records lie in the image (image.hh). A zone can
// also be named, by what normalised the event: zone_id.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/types.hh"
#include "rating/number.hh"
#include "rating/rule.hh"

namespace tollgate::rating {

inline constexpr u32 zone_bits = 12;
inline constexpr u32 zones_max = (u32{1} << zone_bits) - 1;  // of one map
inline constexpr u32 zone_index_digits_max = 6;              // 7 MB of index for a million prefixes

struct ZoneMap {
  u32 index_first = 0;  // into the image's zone index: 11^digits + 1 words
  u32 leaves_first = 0;
  u32 leaf_count = 0;
  u32 zones_first = 0;  // into the image's names of zones; zone 1 is the first
  u32 zone_count = 0;
  u32 digits = 0;   // that the index looks at
  u64 divisor = 0;  // 11^(15 - digits): key / divisor is the place in the index
  TextRef name;
};

constexpr u64 zone_leaf(u64 start, u32 zone) {
  return start << zone_bits | zone;
}

// A map's tables, where they lie.
struct ZoneTables {
  std::span<const u32> index;
  std::span<const u64> leaves;
  u64 divisor = 1;
};

inline void prefetch_zone_index(const ZoneTables& map, u64 key) {
  if (key < number_key_end) __builtin_prefetch(&map.index[key / map.divisor]);
}

// The zone of a number; 0 if it has none, or if there is no number.
inline u32 zone_of(const ZoneTables& map, u64 key) {
  if (key >= number_key_end) return 0;
  const u64 at = key / map.divisor;
  u32 first = map.index[at];
  u32 count = map.index[at + 1] - first;
  const u64 last_leaf = zone_leaf(key, zones_max);  // of those that begin here or before
  while (count != 0) {
    const u32 half = count / 2;
    const bool is_before = map.leaves[first + half] <= last_leaf;
    first += is_before ? half + 1 : 0;
    count = is_before ? count - half - 1 : half;
  }
  return static_cast<u32>(map.leaves[first - 1] & zones_max);
}

// The number of a zone's name, out of its text_key (charge_event.hh). 0 is no zone.
constexpr u32 zone_id(u64 text_key) {
  return static_cast<u32>(text_key) | u32{text_key != 0 ? 1u : 0u};
}
// A map's names in the order of their zone_id, each with its zone.
constexpr u64 zone_key(u32 id, u32 zone) {
  return u64{id} << 32 | zone;
}
// The zone of that name; 0 if the map has none.
inline u32 zone_named(std::span<const u64> keys, u32 id) {
  const auto found = std::lower_bound(keys.begin(), keys.end(), zone_key(id, 0));
  return found != keys.end() && *found >> 32 == id ? static_cast<u32>(*found) : 0;
}

// Prefixes to tables; for the compiler.
struct ZonePrefix {
  u64 start = 0;   // number_key of its digits
  u32 digits = 0;  // how many
  u32 zone = 0;    // from 1
};

struct BuiltZones {
  std::vector<u32> index;
  std::vector<u64> leaves;
  u32 digits = 0;
};
// No two of `prefixes` are the same.
BuiltZones build_zones(std::vector<ZonePrefix> prefixes);

}  // namespace tollgate::rating
