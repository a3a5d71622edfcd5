// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SnapshotKeeper: takes snapshots of the ledger while the cores work, in a thread of low priority.
//
// One is begun when the interval is over, or when the journal has grown by as much as recovery
// should have to read; not at all if nothing has changed. The two newest are kept. It writes no
// faster than configured, so that the journal has the disk when it wants it.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "app/config.hh"
#include "app/memory.hh"
#include "ledger/snapshot_writer.hh"

namespace tollgate::app {

inline constexpr u64 snapshots_kept = 2;

class SnapshotKeeper {
 public:
  // Starts the thread.
  SnapshotKeeper(const Config& config, const ledger::JournalFolder& journal,
                 ApplianceMemory& memory);
  // Ends it; a snapshot that is under way is given up.
  ~SnapshotKeeper();
  SnapshotKeeper(const SnapshotKeeper&) = delete;
  SnapshotKeeper& operator=(const SnapshotKeeper&) = delete;

 private:
  void run();
  bool is_due(Instant now) const;
  void take_one();
  std::string check_room(u64 snapshot_bytes) const;
  void pause(const std::string& why, Instant begun);
  void finish_one(const ledger::SnapshotWriter& writer, Instant begun);
  u64 journal_bytes() const;
  ledger::SnapshotSource source();

  const Config& config_;
  ledger::JournalFolder journal_;
  ApplianceMemory& memory_;
  Clock clock_;
  Instant last_at_;
  u64 last_journal_bytes_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace tollgate::app
