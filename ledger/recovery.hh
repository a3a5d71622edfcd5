// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Recovery: from the files to the memory.
//
// It starts from a snapshot, if there is one, else from an empty ledger, copies every entry's
// patches back in the order of the journal, makes derived fields and the identity index anew, and
// tells where each stream goes on. A torn tail is cut; damage anywhere else is refused with shard,
// place and reason, and nothing is changed on disk.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.hh"
#include "ledger/identity_index.hh"
#include "ledger/journal_reader.hh"
#include "ledger/layout.hh"

namespace tollgate::ledger {

struct RecoveryReport {
  std::vector<JournalPosition> positions;  // of each stream: where the writer continues
  u64 group_count = 0;
  u64 entry_count = 0;
  u64 journal_bytes = 0;
  u64 account_count = 0;
  u64 snapshot_number = 0;  // 0: there was none
};

// Puts the words of an entry into their records, and counts the pools up to them. An entry that the
// shard has had already changes nothing. Returns an empty text, or why the entry cannot be right.
[[nodiscard]] std::string apply_entry(const LedgerMemory& memory, const EntryHeader& header,
                                      Bytes entry);

// Where reading starts: snapshots give other values than the beginning of the journal.
struct RecoveryStart {
  std::vector<JournalPosition> positions;
  u64 snapshot_number = 0;
};

// Replays the journal into `memory` (empty, or as a snapshot left it). `progress` is called now and
// then with the octets read so far. Returns an empty text, or why the journal is refused.
[[nodiscard]] std::string replay_journal(const JournalFolder& folder, const RecoveryStart& start,
                                         const LedgerMemory& memory, RecoveryReport& report,
                                         const std::function<void(u64 bytes)>& progress);

// Makes what is derived: free chains, session tables, wheels and the identity index.
[[nodiscard]] std::string rebuild_derived(const LedgerMemory& memory, IdentityIndex& index,
                                          Instant now, RecoveryReport& report);

}  // namespace tollgate::ledger
