// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// JournalTile: entries in, groups to disk, answers out (ledger/journal_writer.hh does the work).
//
//   in   charge<C>_journal<this>
//   out  journal<this>_net<N>     the waiter's tag, then a ledger::Answer with all its services
//        journal<this>_control    the waiter's tag, then a ledger::CommandAnswer
#pragma once

#include <vector>

#include "base/counters.hh"
#include "base/link.hh"
#include "base/tile.hh"
#include "ledger/command.hh"
#include "ledger/journal_writer.hh"

namespace tollgate::app {

inline constexpr CounterName journal_counter_names[] = {
    {"groups_written", "groups of entries that are on disk"},
    {"entries_written", "entries that are on disk"},
    {"bytes_written", "octets of groups that are on disk"},
    {"answers_released", "answers given out after their effects were on disk"},
    {"release_waits", "times that a taker of answers had no room"},
    {"room_waits", "times that no group or segment was free"},
    {"write_failures", "writes that failed: the stream has stopped"},
    {"commit_ticks", "processor ticks from submitting a group to its completion, summed"},
};
static_assert(std::size(journal_counter_names) * sizeof(u64) == sizeof(ledger::JournalCounters));

struct JournalTileOptions {
  std::vector<LinkMemory*> charge_links;
  std::vector<LinkMemory*> net_links;  // by number of net tile
  LinkMemory* control_link = nullptr;
  ledger::WriteSizes write_sizes;
};

class JournalTile {
 public:
  JournalTile(const JournalTileOptions& options, ledger::JournalMemory& memory,
              ledger::JournalStorage& storage, ledger::JournalCounters& counters);

  u32 poll(const Turn& turn);
  void housekeep(const Turn& turn);
  bool is_idle() const { return writer_.is_idle(); }
  // Before it stops: true when all is on disk, and a group behind it says so.
  bool is_sealed(Instant now) { return writer_.is_idle() && writer_.seal(read_tsc(), now); }

 private:
  bool release(ledger::AnswerTag tag, Bytes answer);

  static constexpr Duration idle_before_seal = Duration::seconds(1);

  ledger::JournalWriter writer_;
  Instant idle_since_;
  std::vector<LinkProducer> nets_;
  LinkProducer control_;
};

}  // namespace tollgate::app
