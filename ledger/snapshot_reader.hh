// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Reading snapshots: for recovery, and for those who want to know whether one is whole.
//
// A file that is damaged, foreign, newer or older is told apart in the sentence that comes back.
// Chunks are read and checked by several threads, since a disk gives more when several ask.
#pragma once

#include <functional>
#include <string>

#include "ledger/journal_segments.hh"
#include "ledger/snapshot.hh"

namespace tollgate::ledger {

// Called now and then with the octets of the file that were read so far; from one thread.
using SnapshotProgressFn = std::function<void(u64 bytes, u64 bytes_of_all)>;

// Reads and checks the header of snapshot `number`. An empty text, or what is wrong with the file.
[[nodiscard]] std::string read_snapshot_header(const std::string& folder, u64 number,
                                               const JournalFolder& journal,
                                               SnapshotHeader& header);

// Reads every chunk and checks it. An empty text, or what is wrong.
[[nodiscard]] std::string verify_snapshot(const std::string& folder, const SnapshotHeader& header,
                                          const SnapshotProgressFn& progress);

// The same, and puts the records into `memory`, which is an empty ledger at least as large. If it
// returns a text, the memory is an empty ledger again.
[[nodiscard]] std::string load_snapshot(const std::string& folder, const SnapshotHeader& header,
                                        const LedgerMemory& memory,
                                        const SnapshotProgressFn& progress);

}  // namespace tollgate::ledger
