// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/counters.hh"

#include <cstring>

#include "base/check.hh"

namespace tollgate {
namespace {

struct NameRow {
  char name[56];
  char sentence[136];
};
static_assert(sizeof(NameRow) % cache_line_bytes == 0);

struct BlockRow {
  char name[32];
  u64 count;
  u64 names_at;
  u64 values_at;
  u64 reserved;
};
static_assert(sizeof(BlockRow) == cache_line_bytes);

struct Table {
  u64 block_count;
  u64 reserved[7];

  BlockRow* rows() { return reinterpret_cast<BlockRow*>(this + 1); }
};
static_assert(sizeof(Table) == cache_line_bytes);

u64 values_bytes(u64 count) {
  return round_up(count * sizeof(u64), cache_line_bytes);
}

void copy_text(char* to, std::size_t room, std::string_view text) {
  check(text.size() < room, "a counter's name and sentence fit their places");
  std::memcpy(to, text.data(), text.size());
}

}  // namespace

u64 counters_footprint(const std::vector<CounterBlockSpec>& blocks) {
  u64 bytes = sizeof(Table) + blocks.size() * sizeof(BlockRow);
  for (const CounterBlockSpec& block : blocks) {
    bytes += values_bytes(block.counters.size()) + block.counters.size() * sizeof(NameRow);
  }
  return bytes;
}

void format_counters(const Segment& segment, const std::vector<CounterBlockSpec>& blocks) {
  check(segment.size() >= counters_footprint(blocks), "the segment has room for its counters");
  auto* table = segment.at<Table>(0);
  u64 at = sizeof(Table) + blocks.size() * sizeof(BlockRow);
  for (const CounterBlockSpec& block : blocks) {
    BlockRow& row = table->rows()[table->block_count++];
    copy_text(row.name, sizeof row.name, block.name);
    row.count = block.counters.size();
    row.values_at = at;
    at += values_bytes(row.count);
    row.names_at = at;
    auto* names = segment.at<NameRow>(at);
    for (const CounterName& counter : block.counters) {
      copy_text(names->name, sizeof names->name, counter.name);
      copy_text(names->sentence, sizeof names->sentence, counter.sentence);
      ++names;
    }
    at += row.count * sizeof(NameRow);
  }
}

std::span<u64> find_counters(const Segment& segment, std::string_view block) {
  auto* table = segment.at<Table>(0);
  for (u64 i = 0; i < table->block_count; ++i) {
    const BlockRow& row = table->rows()[i];
    if (block == row.name) return {segment.at<u64>(row.values_at), row.count};
  }
  return {};
}

std::vector<CounterBlock> read_counters(const Segment& segment) {
  std::vector<CounterBlock> blocks;
  auto* table = segment.at<Table>(0);
  for (u64 i = 0; i < table->block_count; ++i) {
    const BlockRow& row = table->rows()[i];
    CounterBlock& block = blocks.emplace_back(CounterBlock{row.name, {}});
    const auto* names = segment.at<NameRow>(row.names_at);
    const auto* values = segment.at<u64>(row.values_at);
    for (u64 k = 0; k < row.count; ++k) {
      block.values.push_back(
          {names[k].name, names[k].sentence, __atomic_load_n(&values[k], __ATOMIC_RELAXED)});
    }
  }
  return blocks;
}

}  // namespace tollgate
