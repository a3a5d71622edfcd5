// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/topology.hh"

#include <fmt/format.h>

#include "app/charge_tile.hh"
#include "app/journal_tile.hh"
#include "app/net_counters.hh"
#include "ledger/command.hh"

namespace tollgate::app {
namespace {

constexpr CounterName core_counter_names[] = {
    {"turns", "turns of the loop"},
    {"busy_turns", "turns with work in them"},
    {"busy_ticks", "processor ticks in busy turns"},
    {"yields", "times that the loop let others run"},
    {"work", "pieces of work that the tiles found"},
    {"tile0_ticks", "processor ticks in polls of the core's first tile that found work"},
    {"tile1_ticks", "the same of its second tile"},
    {"tile2_ticks", "the same of its third tile"},
    {"tile3_ticks", "the same of its fourth tile"},
};
static_assert(std::size(core_counter_names) * sizeof(u64) == sizeof(CoreCounters));

// One kind of link: from every tile of one kind to every tile of another.
struct LinkRow {
  std::string_view producer;
  std::string_view consumer;
  u64 capacity_bytes;
  std::string_view reason;
};

// clang-format off
//         producer   consumer   capacity  why this depth
// A ring is written round and round, so its size is what it takes of the cache: deep enough for
// what a turn brings, and no deeper. What does not fit is refused as too busy, and counted.
constexpr LinkRow link_rows[] = {
    LinkRow{"net",     "charge",  512_KiB, "some 2 000 requests: a few turns of the net tile"},
    LinkRow{"charge",  "journal", 1_MiB,   "some 2 800 entries; the groups hold four times more"},
    LinkRow{"charge",  "net",     64_KiB,  "some 200 RARs and ASRs: taken each millisecond"},
    LinkRow{"journal", "net",     512_KiB, "some 6 000 answers: those of several groups"},
    LinkRow{"control", "charge",  1_MiB,   "some 2 000 commands: what an import keeps in flight"},
    LinkRow{"journal", "control", 256_KiB, "an answer for each of them"},
    LinkRow{"net",     "control", 512_KiB, "messages of who is watched: some 600, or 8 of 64 KiB"},
    LinkRow{"charge",  "control", 128_KiB, "what these did to accounts: some 600"},
};
// clang-format on
static_assert(512_KiB / 4 >= 2 * ledger::entry_bytes_max, "the largest entry fits its link");
static_assert(1_MiB / 4 >= sizeof(ledger::Command), "a command fits its link");

// "net0", "net1" ... of a row's word; control stands alone.
std::vector<std::string> names_of(std::string_view word, const Config& config) {
  if (word == "control") return {"control"};
  const TileKind kind = word == "net"      ? TileKind::net
                        : word == "charge" ? TileKind::charge
                                           : TileKind::journal;
  std::vector<std::string> names;
  for (u32 i = 0; i < config.tile_count(kind); ++i) names.push_back(to_text(TileName{kind, i}));
  return names;
}

}  // namespace

std::string link_name(const std::string& producer, const std::string& consumer) {
  return fmt::format("{}_{}", producer, consumer);
}

std::vector<LinkSpec> links_of(const Config& config) {
  std::vector<LinkSpec> links;
  for (const LinkRow& row : link_rows) {
    for (const std::string& producer : names_of(row.producer, config)) {
      for (const std::string& consumer : names_of(row.consumer, config)) {
        // The control_charge link is known to control as control_charge<C>, the answers as
        // journal<J>_control.
        links.push_back({.name = link_name(producer, consumer),
                         .capacity_bytes = row.capacity_bytes,
                         .reason = std::string(row.reason)});
      }
    }
  }
  return links;
}

std::vector<CounterBlockSpec> counters_of(const Config& config) {
  std::vector<CounterBlockSpec> blocks;
  for (u32 i = 0; i < config.cores.size(); ++i) {
    blocks.push_back({fmt::format("core{}", i), core_counter_names});
    for (const TileName& tile : config.cores[i].tiles) {
      switch (tile.kind) {
        case TileKind::net:
          blocks.push_back({to_text(tile), net_block_names()});
          break;
        case TileKind::charge:
          blocks.push_back({to_text(tile), charge_counter_names});
          break;
        case TileKind::journal:
          blocks.push_back({to_text(tile), journal_counter_names});
          break;
      }
    }
  }
  return blocks;
}

std::string describe(const Config& config) {
  std::string text;
  for (u32 i = 0; i < config.cores.size(); ++i) {
    const CoreConfig& core = config.cores[i];
    text +=
        fmt::format("core{}  {:8}", i, core.cpu < 0 ? "any cpu" : fmt::format("cpu {}", core.cpu));
    for (const TileName& tile : core.tiles) text += " " + to_text(tile);
    text += "\n";
  }
  for (const LinkSpec& link : links_of(config)) {
    text += fmt::format("{:20} {:5} KiB  {}\n", link.name, link.capacity_bytes >> 10, link.reason);
  }
  return text;
}

}  // namespace tollgate::app
