// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FakeJournal: writes a journal stream as a journal tile would, one group a call. For tests.
#pragma once

#include <string>
#include <vector>

#include "ledger/command.hh"
#include "ledger/journal_segments.hh"
#include "ledger/journal_writer.hh"

namespace tollgate::control {

class FakeJournal {
 public:
  // Makes the folder, or goes on in one that this process made.
  FakeJournal(const std::string& path, u32 stream_count);

  const ledger::JournalFolder& folder() const { return folder_; }

  // An entry with the note of a finished session; the next sequence of the shard.
  std::vector<u8> charging_entry(u32 shard, std::string_view session_id, u64 account_id);
  // An entry that crossed a threshold.
  std::vector<u8> threshold_entry(u32 shard, u64 account_id);
  // One with a command and its answer.
  std::vector<u8> command_entry(const ledger::Command& command,
                                const ledger::CommandAnswer& answer);

  // Writes one group with these entries, and syncs it.
  void write_group(u32 stream, const std::vector<std::vector<u8>>& entries);

 private:
  std::vector<u8> make_entry(ledger::EntryKind kind, u32 shard,
                             const std::vector<std::pair<ledger::NoteKind, Bytes>>& notes);

  ledger::JournalFolder folder_;
  std::vector<ledger::JournalPosition> positions_;
  u64 sequences_[ledger::shard_count] = {};
};

}  // namespace tollgate::control
