// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CdrWriter: charging records into files, each exactly once, whatever is killed in between.
//
//   NAME-00000007.jsonl        closed: never changes again
//   NAME-00000008.jsonl.open   being written
//   checkpoint.json            how far the closed files reach, in the journal and for each shard
//
// The journal is the truth, and the records in it are known by shard and sequence. Those of a shard
// come in order, so "written up to here" is one number a shard: that of the checkpoint, raised by
// what the open file has. After a crash a torn last line is cut off the open file, and reading goes
// on at the checkpoint's place in the journal; what is there already is passed over.
//
// Closing a file: sync it, then write the checkpoint that counts it as closed, then rename it. A
// crash after the checkpoint leaves the renaming to the next start.
//
// The journal is kept from the checkpoint's place on. So a checkpoint is also written whenever
// reading has come into another segment, and at a clean stop: the open file is synced, and what is
// in it is known to the next start from the file itself.
//
// Failures (disk full) are FileError; what was not written stays queued, and the call is repeated.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/time.hh"
#include "control/file.hh"
#include "control/json.hh"
#include "ledger/journal_writer.hh"
#include "ledger/limits.hh"

namespace tollgate::control {

struct CdrKey {
  u32 shard = 0;
  u64 sequence = 0;
};

// What lies in checkpoint.json.
struct CdrCheckpoint {
  u64 journal_id = 0;     // JournalFolder::appliance; of another journal nothing is known
  u64 closed_number = 0;  // the file that was closed last; 0: none
  std::array<u64, ledger::shard_count> written{};  // highest sequence in closed files
  std::vector<ledger::JournalPosition> positions;  // of each stream: where reading goes on
};

Json to_json(const CdrCheckpoint& checkpoint);
[[nodiscard]] bool from_json(const Json& json, CdrCheckpoint& checkpoint);

class CdrWriter {
 public:
  struct Options {
    std::string folder;
    std::string name;  // begins the files' names
    u64 rotation_bytes = 64_MiB;
    Duration rotation_time = Duration::seconds(3600);
    u64 journal_id = 0;
    // For tests: called after each step that a crash may follow; may throw.
    std::function<void(std::string_view step)> reached;
  };

  // Brings the folder into order after whatever happened to the one before. Throws FileError.
  CdrWriter(Options options, Instant now);

  // Where reading the journal goes on; empty: at its beginning.
  const std::vector<ledger::JournalPosition>& positions() const { return checkpoint_.positions; }

  bool is_written(const CdrKey& key) const { return key.sequence <= written_[key.shard]; }
  // The line (without its newline) is queued, unless it is written already.
  void append(const CdrKey& key, std::string_view line);

  // Writes what is queued. `positions`: all records before them were appended. Closes the file if
  // it is large or old enough.
  void flush(Instant now, const std::vector<ledger::JournalPosition>& positions);
  // Notes that all records before `positions` are in the files, without closing one.
  void checkpoint(const std::vector<ledger::JournalPosition>& positions);
  u64 closed_number() const { return checkpoint_.closed_number; }
  // Closes the file, if there is one with records.
  void close_file(const std::vector<ledger::JournalPosition>& positions);

  u64 record_count() const { return record_count_; }  // since start
  u64 open_bytes() const { return file_bytes_ + queue_.size(); }

 private:
  std::string closed_path(u64 number) const;
  std::string open_path(u64 number) const { return closed_path(number) + ".open"; }
  std::string checkpoint_path() const { return options_.folder + "/checkpoint.json"; }
  void load_checkpoint();
  void take_over_open_file(Instant now);
  void pass_segments(const std::vector<ledger::JournalPosition>& positions);
  void write_checkpoint(const CdrCheckpoint& checkpoint);
  void reached(std::string_view step) const {
    if (options_.reached) options_.reached(step);
  }

  Options options_;
  CdrCheckpoint checkpoint_;
  std::array<u64, ledger::shard_count> written_{};  // with the open file and the queue
  File file_;
  u64 file_bytes_ = 0;
  Instant opened_at_;
  std::string queue_;
  u64 record_count_ = 0;
};

// The octets of whole, readable lines at the beginning of an open file; raises `written` by them.
u64 scan_open_file(std::string_view octets, std::array<u64, ledger::shard_count>& written);

}  // namespace tollgate::control
