// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// JournalKeeper: makes journal segments ahead of the writers, and takes back those that nobody
// needs.
//
// A segment is needed as long as replay over the older of the two newest snapshots would read it,
// and as long as the checkpoint of the charging records has not passed it. What cannot be known (a
// checkpoint that is not there or is of another journal, fewer than two snapshots) frees nothing.
#pragma once

#include <string>
#include <vector>

#include "app/config.hh"
#include "app/memory.hh"
#include "ledger/journal_segments.hh"
#include "ledger/journal_writer.hh"

namespace tollgate::app {

// Of each stream: segments below are not needed. Empty: nothing is known.
std::vector<u64> oldest_segments_needed(const ledger::JournalFolder& journal,
                                        const std::string& cdr_folder);

// Whether all charging records before these places of the journal are in files.
bool records_are_written(const ledger::JournalFolder& journal, const std::string& cdr_folder,
                         const std::vector<ledger::JournalPosition>& positions);

class JournalKeeper {
 public:
  JournalKeeper(const Config& config, const ledger::JournalFolder& journal,
                ApplianceMemory& memory);

  // A few dozen times a second. May block for as long as the disk takes.
  void run(Instant now);

 private:
  void make_ahead();
  void free_behind();

  ledger::JournalFolder journal_;
  std::string cdr_folder_;
  ApplianceMemory& memory_;
  std::vector<ledger::SegmentKeeper> keepers_;
  std::string last_why_;
  Instant freed_at_;
};

}  // namespace tollgate::app
