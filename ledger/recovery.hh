// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Recovery: from the files to the memory.
//
// It starts from a snapshot, if there is one, else from an empty ledger, copies every entry's
// patches back in the order of the journal, makes derived fields and the identity index anew, and
// tells where each stream goes on. A torn tail is cut; damage anywhere else is refused with shard,
// place and reason, and nothing is changed on disk.
//
// The newest snapshot that is whole is taken. A damaged one is passed over with a warning, as long
// as an older one, or the whole journal, is there to begin with.
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
  u64 snapshot_bytes = 0;
  std::vector<std::string> warnings;  // for people: what was passed over, and why
};

// Where reading starts, and how far the journal must reach: a snapshot knows both. Without one it
// is the beginning of the journal.
struct RecoveryStart {
  std::vector<JournalPosition> positions;
  std::vector<u64> durable_sequences;  // of each stream; empty: nothing is known
  u64 snapshot_number = 0;
};

// What long work tells now and then: what it does, how far it is, and of how much (0: unknown).
struct RecoveryStep {
  const char* doing;
  u64 bytes;
  u64 bytes_of_all;
};
using RecoveryProgress = std::function<void(const RecoveryStep& step)>;

// Loads the newest whole snapshot of `snapshot_folder` into the empty `memory` and says where
// replay starts. An empty text, or why neither a snapshot nor the journal alone is enough.
[[nodiscard]] std::string load_newest_snapshot(const JournalFolder& journal,
                                               const std::string& snapshot_folder,
                                               const LedgerMemory& memory, RecoveryStart& start,
                                               RecoveryReport& report,
                                               const RecoveryProgress& progress);

// Replays the journal into `memory` (empty, or as a snapshot left it). Entries of a shard may lie
// in several streams, if the number of charge tiles was changed: a stream whose next entry has to
// wait for those of another one waits. Streams are read and shards written by several threads;
// `progress` is called on the caller's. Returns an empty text, or why the journal is refused.
[[nodiscard]] std::string replay_journal(const JournalFolder& folder, const RecoveryStart& start,
                                         const LedgerMemory& memory, RecoveryReport& report,
                                         const RecoveryProgress& progress);

// Makes what is derived: free chains, session tables, wheels and the identity index.
[[nodiscard]] std::string rebuild_derived(const LedgerMemory& memory, IdentityIndex& index,
                                          Instant now, RecoveryReport& report);

}  // namespace tollgate::ledger
