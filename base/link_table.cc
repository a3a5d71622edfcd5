// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/link_table.hh"

#include <cstring>

#include "base/check.hh"

namespace tollgate {
namespace {

struct Row {
  char name[48];
  u64 offset;
  u64 capacity_bytes;
};
static_assert(sizeof(Row) == cache_line_bytes);

struct Table {
  u64 count;
  u64 reserved[7];

  Row* rows() { return reinterpret_cast<Row*>(this + 1); }
};
static_assert(sizeof(Table) == cache_line_bytes);

u64 rows_end(u64 count) {
  return sizeof(Table) + count * sizeof(Row);
}

Table* table_of(const Segment& segment) {
  return segment.at<Table>(0);
}

}  // namespace

u64 link_table_footprint(const std::vector<LinkSpec>& links) {
  u64 bytes = rows_end(links.size());
  for (const LinkSpec& link : links) bytes += LinkMemory::footprint(link.capacity_bytes);
  return bytes;
}

void format_link_table(const Segment& segment, const std::vector<LinkSpec>& links) {
  check(segment.size() >= link_table_footprint(links), "the segment has room for its links");
  Table* table = table_of(segment);
  u64 offset = rows_end(links.size());
  for (const LinkSpec& link : links) {
    check(link.name.size() < sizeof(Row::name), "a link's name fits its row");
    Row& row = table->rows()[table->count++];
    std::memcpy(row.name, link.name.c_str(), link.name.size() + 1);
    row.offset = offset;
    row.capacity_bytes = link.capacity_bytes;
    LinkMemory::format(segment.data() + offset, link.capacity_bytes);
    offset += LinkMemory::footprint(link.capacity_bytes);
  }
}

LinkMemory* find_link(const Segment& segment, std::string_view name) {
  Table* table = table_of(segment);
  for (u64 i = 0; i < table->count; ++i) {
    const Row& row = table->rows()[i];
    if (name == row.name) return segment.at<LinkMemory>(row.offset);
  }
  return nullptr;
}

std::vector<LinkState> read_link_states(const Segment& segment) {
  std::vector<LinkState> states;
  Table* table = table_of(segment);
  for (u64 i = 0; i < table->count; ++i) {
    const Row& row = table->rows()[i];
    const auto* link = segment.at<LinkMemory>(row.offset);
    const u64 head = link->head.load(std::memory_order_acquire);
    const u64 tail = link->tail.load(std::memory_order_acquire);
    states.push_back({row.name, row.capacity_bytes, tail > head ? tail - head : 0,
                      link->full_count.load(std::memory_order_relaxed)});
  }
  return states;
}

}  // namespace tollgate
