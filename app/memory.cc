// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/memory.hh"

#include <fmt/format.h>

#include "app/peer_status.hh"
#include "app/topology.hh"

namespace tollgate::app {
namespace {

// The segments that there is one of for each tile of a kind.
struct Row {
  std::string_view word;
  TileKind kind;
  u64 bytes;
  u32 layout;
};
constexpr Row tile_rows[] = {
    {"undo", TileKind::charge, sizeof(ledger::UndoMemory), undo_layout},
    {"journal", TileKind::journal, sizeof(ledger::JournalMemory), ledger::journal_memory_layout},
    {"latency", TileKind::net, sizeof(Histogram), latency_layout},
};

Segment::Options options_of(const Config& config, const std::string& part, u64 bytes, u32 layout) {
  return {.folder = config.memory_folder,
          .name = config.name + "." + part,
          .bytes = bytes,
          .layout = layout};
}

// Calls fn(options) for every segment, in the order of the members of ApplianceMemory.
template <class Fn>
void for_each_segment(const Config& config, Fn fn) {
  const auto sizes = ledger::LedgerSizes::share_of(config.ledger_totals);
  fn(options_of(config, "ledger", ledger::LedgerMemory::footprint(sizes), ledger::ledger_layout));
  fn(options_of(config, "index", ledger::IdentityIndex::footprint(config.identities_max),
                ledger::identity_index_layout));
  fn(options_of(config, "tariff", VersionedBlob::footprint(config.tariff_bytes_max),
                VersionedBlob::layout));
  fn(options_of(config, "links", link_table_footprint(links_of(config)), link_table_layout));
  fn(options_of(config, "counters", counters_footprint(counters_of(config)), counters_layout));
  fn(options_of(config, "trace", sizeof(ledger::TraceTable), ledger::trace_layout));
  for (const Row& row : tile_rows) {
    for (u32 i = 0; i < config.tile_count(row.kind); ++i) {
      fn(options_of(config, fmt::format("{}{}", row.word, i), row.bytes, row.layout));
    }
  }
  for (u32 i = 0; i < config.tile_count(TileKind::net); ++i) {
    fn(options_of(config, fmt::format("peers{}", i), StatusTable::footprint(config.connections_max),
                  StatusTable::layout));
  }
}

}  // namespace

void ApplianceMemory::resize(const Config& config) {
  undo_.resize(config.tile_count(TileKind::charge));
  journal_.resize(config.tile_count(TileKind::journal));
  latency_.resize(config.tile_count(TileKind::net));
  peers_.resize(config.tile_count(TileKind::net));
}

// In the order of for_each_segment.
std::vector<Segment*> ApplianceMemory::all() {
  std::vector<Segment*> segments = {&ledger_, &index_, &tariff_, &links_, &counters_, &trace_};
  for (auto* list : {&undo_, &journal_, &latency_, &peers_}) {
    for (Segment& segment : *list) segments.push_back(&segment);
  }
  return segments;
}

std::string ApplianceMemory::create(const Config& config, u64 appliance) {
  resize(config);
  const std::vector<Segment*> segments = all();
  std::string why;
  std::size_t next = 0;
  for_each_segment(config, [&](const Segment::Options& options) {
    if (why.empty()) why = segments[next++]->create(options);
  });
  if (!why.empty()) return why;
  ledger::LedgerMemory::format(ledger_.data(), ledger::LedgerSizes::share_of(config.ledger_totals),
                               appliance);
  ledger::IdentityIndex::format(index_.data(), config.identities_max);
  VersionedBlob::format(tariff_.data(), config.tariff_bytes_max);
  format_link_table(links_, links_of(config));
  format_counters(counters_, counters_of(config));
  for (Segment& segment : peers_) {
    StatusTable::format(segment.data(), config.connections_max, peer_columns);
  }
  return {};
}

void ApplianceMemory::seal() {
  for (Segment* segment : all()) segment->seal();
}

std::string ApplianceMemory::join(const Config& config) {
  resize(config);
  const std::vector<Segment*> segments = all();
  std::string why;
  std::size_t next = 0;
  for_each_segment(config, [&](const Segment::Options& options) {
    if (why.empty()) why = segments[next++]->join(options, Access::read_write);
  });
  return why;
}

void ApplianceMemory::remove(const Config& config) {
  for_each_segment(config, [](const Segment::Options& options) {
    Segment::remove(options.folder, options.name);
  });
}

}  // namespace tollgate::app
