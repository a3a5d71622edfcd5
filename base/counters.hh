// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Counters: what every tile counts, in one segment that anyone may read.
//
// A tile declares its counters once, as a constexpr table of name and sentence; the place in the
// table is the number that the code counts by. The launcher lays out a block for each tile; the
// names lie beside the values, so that tools show them without knowing the tile. One tile writes a
// block, with plain increments; readers see each value whole and hurt nobody.
#pragma once

#include <string>
#include <vector>

#include "base/shared_memory.hh"
#include "base/types.hh"

namespace tollgate {

struct CounterName {
  std::string_view name;      // "frames_received": no unit means pieces
  std::string_view sentence;  // what it counts, for documentation and tools
};

struct CounterBlockSpec {
  std::string name;  // of the tile: "net0"; at most 31 characters
  std::span<const CounterName> counters;
};

inline constexpr u32 counters_layout = 1;

u64 counters_footprint(const std::vector<CounterBlockSpec>& blocks);
void format_counters(const Segment& segment, const std::vector<CounterBlockSpec>& blocks);

// The values of the block of that name; an empty span if there is none.
std::span<u64> find_counters(const Segment& segment, std::string_view block);

struct CounterValue {
  std::string name;
  std::string sentence;
  u64 value;
};
struct CounterBlock {
  std::string name;
  std::vector<CounterValue> values;
};
std::vector<CounterBlock> read_counters(const Segment& segment);

}  // namespace tollgate
