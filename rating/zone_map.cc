// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/zone_map.hh"

#include <algorithm>
#include <tuple>

#include "base/check.hh"

namespace tollgate::rating {
namespace {

struct Open {
  u64 end;
  u32 zone;
};

// Appends a stretch; what begins where the one before begins replaces it, and what has its zone
// joins it.
void append(std::vector<u64>& leaves, u64 start, u32 zone) {
  if (!leaves.empty() && leaves.back() >> zone_bits == start) leaves.pop_back();
  if (!leaves.empty() && (leaves.back() & zones_max) == zone) return;
  leaves.push_back(zone_leaf(start, zone));
}

}  // namespace

BuiltZones build_zones(std::vector<ZonePrefix> prefixes) {
  // Outer intervals first: of two that begin at one place, the shorter prefix.
  std::ranges::sort(prefixes, {}, [](const ZonePrefix& prefix) {
    return std::tuple(prefix.start, prefix.digits);
  });
  BuiltZones built;
  append(built.leaves, 0, 0);
  std::vector<Open> open;
  const auto close_until = [&](u64 start) {
    while (!open.empty() && open.back().end <= start) {
      const u64 end = open.back().end;
      open.pop_back();
      if (end < number_key_end) append(built.leaves, end, open.empty() ? 0 : open.back().zone);
    }
  };
  for (const ZonePrefix& prefix : prefixes) {
    check(prefix.digits >= 1 && prefix.digits <= number_digits_max, "a prefix has digits");
    check(prefix.zone >= 1 && prefix.zone <= zones_max, "a prefix has a zone");
    close_until(prefix.start);
    append(built.leaves, prefix.start, prefix.zone);
    open.push_back({prefix.start + number_power(number_digits_max - prefix.digits), prefix.zone});
  }
  close_until(number_key_end);

  while (built.digits < zone_index_digits_max &&
         number_power(built.digits) < built.leaves.size() * 2) {
    ++built.digits;
  }
  const u64 places = number_power(built.digits);
  const u64 divisor = number_power(number_digits_max - built.digits);
  built.index.resize(places + 1);
  u32 leaf = 0;
  for (u64 place = 0; place <= places; ++place) {
    while (leaf < built.leaves.size() && built.leaves[leaf] >> zone_bits < place * divisor) ++leaf;
    built.index[place] = leaf;
  }
  built.index[places] = static_cast<u32>(built.leaves.size());
  return built;
}

}  // namespace tollgate::rating
