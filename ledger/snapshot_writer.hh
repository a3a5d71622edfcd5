// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SnapshotWriter: copies the ledger to a file while charge tiles go on working in it.
//
// It only reads the shared memory, and is driven step by step by whoever has time for it: a thread
// of the launcher, a test, the simulator. Nobody waits for it.
//
// Why such a copy is good:
//  - Where replay begins is noted before the first record is copied. An entry before that place had
//    been published, so its effects were in memory before the copy began.
//  - What changes later is in an entry behind that place, and replay puts in what the entry says.
//  - So only one thing could spoil the copy: a change that it saw and that no entry in the journal
//    tells of, because it was undone, or had not reached the disk when the machine failed.
//    Therefore the file becomes a snapshot only when, after the copy, each charge tile has ended
//    the burst that was under way, and all that was published by then is on disk; and it is thrown
//    away if a burst was rolled back meanwhile (LedgerHeader::rollback_count). The next one is
//    taken instead.
//  - Forgetting a closed session is not journaled. It frees a session in one word, and recovery
//    copes with a closed session that others have taken things from (Shard::rebuild).
//
// The file is written past the page cache under a name of its own, synced, then renamed, then the
// folder is synced. Killed at any step, it leaves the older snapshots as they were.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.hh"
#include "ledger/journal_segments.hh"
#include "ledger/journal_writer.hh"
#include "ledger/operation.hh"
#include "ledger/snapshot.hh"

namespace tollgate::ledger {

// The memory that a snapshot is taken from.
struct SnapshotSource {
  struct ChargeTile {
    const UndoMemory* undo;
    const LinkMemory* journal_link;  // on which its entries leave
    u32 stream;
  };
  LedgerMemory ledger;
  std::vector<ChargeTile> tiles;
  std::vector<const JournalMemory*> streams;
};

enum class SnapshotProgress : u8 {
  copying,    // there is more to copy: call again
  settling,   // all is copied, the journal is not that far yet: call again a little later
  finished,   // the snapshot is there
  abandoned,  // it would not have been good: see reason(), and take another one
  failed,     // the disk refused: see reason()
};

class SnapshotWriter {
 public:
  // Writes snapshot `number` of the appliance that `journal` belongs to into `folder`.
  SnapshotWriter(const JournalFolder& journal, std::string folder, u64 number,
                 SnapshotSource source);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // Does a bounded piece of work: at most one chunk is copied and written.
  [[nodiscard]] SnapshotProgress step(Instant now);

  const std::string& reason() const { return reason_; }
  u64 bytes_written() const { return bytes_written_; }
  u64 bytes_planned() const { return header_.file_bytes; }
  const SnapshotHeader& header() const { return header_; }

 private:
  enum class Phase : u8 { begin, copy, end_of_bursts, end_of_links, end_of_groups, seal, publish };

  SnapshotProgress fail(const std::string& what);
  SnapshotProgress abandon(std::string why);
  SnapshotProgress begin(Instant now);
  SnapshotProgress copy_chunk();
  bool bursts_have_ended();
  bool links_are_packed();
  bool groups_are_durable();
  SnapshotProgress seal();
  SnapshotProgress publish();

  u64 appliance_;
  std::string folder_;
  std::string temporary_;
  SnapshotSource source_;
  Phase phase_ = Phase::begin;
  SnapshotHeader header_;
  std::vector<ChunkPlan> chunks_;
  std::vector<u64> digests_;
  u64 rollback_count_ = 0;
  std::vector<u64> commit_counts_;   // of each tile, when the copy had ended
  std::vector<u64> link_positions_;  // of each tile's link: what must be packed
  std::vector<u64> group_counts_;    // of each stream: what must be durable
  std::unique_ptr<u8[], void (*)(u8*)> buffer_;
  int fd_ = -1;
  u64 bytes_written_ = 0;
  std::string reason_;
};

}  // namespace tollgate::ledger
