// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// LinkTable: all links of an appliance in one segment, found by name.
//
// A link is named producer_consumer, with the number of a tile behind the word where there are
// several: "net0_charge1", "charge1_journal0", "control_charge0". The launcher lays the table out
// once from the topology; every process joins the segment and looks up the links of its own tiles.
#pragma once

#include <string>
#include <vector>

#include "base/link.hh"
#include "base/shared_memory.hh"

namespace tollgate {

struct LinkSpec {
  std::string name;        // at most 47 characters
  u64 capacity_bytes = 0;  // a power of two
  std::string reason;      // why this depth: for people who read the topology
};

inline constexpr u32 link_table_layout = 1;

// Octets that a segment needs for these links.
u64 link_table_footprint(const std::vector<LinkSpec>& links);

// Lays them out, empty, in a new segment of at least that size.
void format_link_table(const Segment& segment, const std::vector<LinkSpec>& links);

// The link of that name, or nullptr.
LinkMemory* find_link(const Segment& segment, std::string_view name);

struct LinkState {
  std::string name;
  u64 capacity_bytes;
  u64 waiting_bytes;
  u64 full_count;
};
std::vector<LinkState> read_link_states(const Segment& segment);

}  // namespace tollgate
