// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FakeAppliance: shared memory laid out as the launcher does, and a thread that plays charge and
// journal tile for commands. For tests of control and tollctl; no request is charged in it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/link_table.hh"
#include "control/control.hh"
#include "control/fake_journal.hh"
#include "ledger/layout.hh"

namespace tollgate::control {

class FakeAppliance {
 public:
  explicit FakeAppliance(u64 accounts_max = 200'000);
  FakeAppliance(const FakeAppliance&) = delete;
  FakeAppliance& operator=(const FakeAppliance&) = delete;
  ~FakeAppliance();

  ControlOptions options() const;
  const std::string& folder() const { return folder_; }
  FakeJournal& journal() { return *journal_; }
  const Segment& counters() const { return counters_; }

  // What the next commands come to; ok carries them out.
  std::atomic<ledger::Outcome> outcome = ledger::Outcome::ok;
  std::atomic<bool> is_mute = false;     // carries out, journals, but does not answer
  std::atomic<bool> is_stopped = false;  // takes nothing from its link
  std::atomic<u64> taken_count = 0;
  std::atomic<bool> refuses_transfers = false;  // their target does not take them
  // Takes nothing from its link as soon as a command of this kind comes.
  std::atomic<ledger::CommandKind> stops_before = ledger::CommandKind::none;

 private:
  void serve();
  void carry_out(const ledger::Command& command, LinkProducer& answers);
  void create(const ledger::Command& command, ledger::CommandAnswer& answer);
  void top_up(const ledger::Command& command, ledger::CommandAnswer& answer);
  void begin_turn(const ledger::Command& command, ledger::CommandAnswer& answer);
  // Steps of a transfer between shards.
  void send(const ledger::Command& command, ledger::CommandAnswer& answer);
  void receive(const ledger::Command& command, ledger::CommandAnswer& answer);
  void end_transfer(const ledger::Command& command, ledger::CommandAnswer& answer);

  std::string folder_;
  std::string memory_folder_;
  Segment ledger_;
  Segment index_;
  Segment tariff_;
  Segment links_;
  Segment counters_;
  Segment groups_;  // of the journal tile
  ledger::LedgerMemory memory_;
  std::unique_ptr<FakeJournal> journal_;
  std::atomic<bool> is_ending_ = false;
  std::thread tile_;
};

// A control that runs in a thread until it is destroyed.
class RunningControl {
 public:
  explicit RunningControl(const ControlOptions& options);
  ~RunningControl();
  RunningControl(const RunningControl&) = delete;
  RunningControl& operator=(const RunningControl&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace tollgate::control
