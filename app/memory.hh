// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ApplianceMemory: all segments of one appliance, made by the launcher, joined by everyone else.
//
//   <name>.ledger     records (ledger/layout.hh)          written by charge tiles
//   <name>.index      identities to accounts              written by control
//   <name>.tariff     the tariff image, versioned         written by control
//   <name>.links      all links                           each by its two ends
//   <name>.counters   all counters                        each by its tile
//   <name>.undo<C>    the undo log of a charge tile       written by that tile
//   <name>.journal<J> groups on their way to disk         written by that journal tile
//   <name>.latency<N> how long answers took               written by that net tile
//   <name>.peers<N>   its connections                     written by that net tile
//   <name>.trace      who is watched                      written by control
#pragma once

#include <string>
#include <vector>

#include "app/config.hh"
#include "base/histogram.hh"
#include "base/shared_memory.hh"
#include "base/status_table.hh"
#include "base/versioned_blob.hh"
#include "ledger/identity_index.hh"
#include "ledger/journal_writer.hh"
#include "ledger/layout.hh"
#include "ledger/operation.hh"
#include "ledger/trace.hh"

namespace tollgate::app {

inline constexpr u32 undo_layout = 2;
inline constexpr u32 latency_layout = histogram_layout;

class ApplianceMemory {
 public:
  // Launcher: makes all segments, empty, and does not seal them: recovery fills them first.
  [[nodiscard]] std::string create(const Config& config, u64 appliance);
  void seal();

  // Everyone else. Returns an empty text, or why not.
  [[nodiscard]] std::string join(const Config& config);

  // Removes the names at a clean stop.
  static void remove(const Config& config);

  ledger::LedgerMemory ledger() const { return ledger::LedgerMemory(ledger_.data()); }
  ledger::IdentityIndex index() const { return ledger::IdentityIndex(index_.data()); }
  VersionedBlob* tariff() const { return tariff_.at<VersionedBlob>(0); }
  const Segment& links() const { return links_; }
  const Segment& counters() const { return counters_; }
  ledger::UndoMemory* undo(u32 charge_tile) const {
    return undo_[charge_tile].at<ledger::UndoMemory>(0);
  }
  ledger::JournalMemory* journal(u32 tile) const {
    return journal_[tile].at<ledger::JournalMemory>(0);
  }
  StatusTable peers(u32 net_tile) const { return StatusTable(peers_[net_tile].data()); }
  ledger::TraceTable* trace() const { return trace_.at<ledger::TraceTable>(0); }
  Histogram* latency(u32 net_tile) const { return latency_[net_tile].at<Histogram>(0); }

 private:
  Segment ledger_;
  Segment index_;
  Segment tariff_;
  Segment links_;
  Segment counters_;
  Segment trace_;
  std::vector<Segment> undo_;
  std::vector<Segment> journal_;
  std::vector<Segment> latency_;
  std::vector<Segment> peers_;

  void resize(const Config& config);
  std::vector<Segment*> all();
};

}  // namespace tollgate::app
