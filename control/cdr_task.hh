// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CdrTask: follows the journal's streams and hands their charging records to the CdrWriter.
//
// It reads what is durable, never beyond. A segment must stay until the checkpoint has passed it:
// the places are in the checkpoint, `oldest_needed` tells them. If the journal no longer has the
// place where reading should go on, that is said loudly and reading goes on with the oldest there
// is.
#pragma once

#include <memory>
#include <vector>

#include "control/cdr_format.hh"
#include "control/cdr_writer.hh"
#include "ledger/command.hh"
#include "ledger/journal_reader.hh"

namespace tollgate::control {

// Where the oldest segment of a stream that is still there begins.
ledger::JournalPosition oldest_position(const ledger::JournalFolder& folder, u32 stream);

class CdrTask {
 public:
  // `durable[stream]` tells how far a stream is on disk; nullptr: all that can be read is.
  // `events` gets a line for each entry that crossed a threshold, as exactly once as the records.
  CdrTask(const ledger::JournalFolder& folder, CdrWriter& writer, CdrWriter& events, CdrNames names,
          std::vector<const std::atomic<u64>*> durable);

  // Reads a bounded number of groups of each stream and writes their records. True if there may be
  // more at once. Throws FileError if the files cannot be written; what was read is not lost.
  bool step(Instant now);

  // At a stop: notes how far the records are, so that the next start begins there.
  void checkpoint() {
    events_.checkpoint(positions());
    writer_.checkpoint(positions());
  }

  // Of each stream: segments below are not needed any more.
  std::vector<u64> oldest_needed() const;
  // A stream could not be read on: then nobody knows what is in the journal.
  bool has_failed() const;
  u64 damaged_notes() const { return damaged_notes_; }

  // Somebody wants to know of commands that the journal has: called before the place behind them is
  // written into any checkpoint.
  struct CommandWatch {
    std::function<bool()> is_wanted;
    std::function<void(u64 idempotency_key, const ledger::CommandAnswer& answer)> journaled;
  };
  void watch_commands(CommandWatch watch) { watch_ = std::move(watch); }

 private:
  struct Stream {
    std::unique_ptr<ledger::JournalReader> reader;
    const std::atomic<u64>* durable = nullptr;
    bool has_failed = false;
  };
  bool read_some(u32 number);
  void take_group(u32 number, const ledger::Group& group);
  void take_command(const ledger::EntryHeader& header, Bytes entry);
  Json describe_crossings(const ledger::EntryHeader& header, Bytes words) const;
  void take_entry(u32 number, const ledger::EntryHeader& header, Bytes entry);
  std::vector<ledger::JournalPosition> positions() const;

  static constexpr u32 groups_per_step_max = 64;

  CdrWriter& writer_;
  CdrWriter& events_;
  CdrNames names_;
  std::vector<Stream> streams_;
  CommandWatch watch_;
  u64 damaged_notes_ = 0;
};

}  // namespace tollgate::control
