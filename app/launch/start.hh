// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Starting an appliance: from files to memory, before any core runs.
#pragma once

#include <string>

#include "app/config.hh"
#include "app/memory.hh"
#include "control/control.hh"
#include "dataplane/eal.hh"
#include "ledger/journal_segments.hh"
#include "ledger/recovery.hh"

namespace tollgate::app {

// Folders, the lock that keeps a second appliance away, segments, recovery with progress on
// standard error. Every sentence that comes back says what to do; nothing on disk is damaged.
class Start {
 public:
  explicit Start(const Config& config) : config_(config) {}
  ~Start();
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;

  [[nodiscard]] std::string run();

  ApplianceMemory& memory() { return memory_; }
  const ledger::JournalFolder& journal() const { return journal_; }

 private:
  std::string make_folders() const;
  std::string lock();
  std::string bind_state_to_journal() const;
  std::string recover();
  std::string check_tile_count(const ledger::RecoveryReport& report) const;
  std::string recover_ledger(ledger::RecoveryReport& report);

  const Config& config_;
  int lock_fd_ = -1;
  ledger::JournalFolder journal_;
  ApplianceMemory memory_;
};

// The EAL of a process of this appliance.
dataplane::EalOptions eal_options(const Config& config, dataplane::ProcessRole role, u32 lcore);

control::ControlOptions control_options(const Config& config);

}  // namespace tollgate::app
