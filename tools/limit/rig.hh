// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Rig: the tiles of an appliance in one core of this process, with clients instead of packets.
//
// The tiles are those of the appliance (app/), in memory of the same sizes; what is missing is the
// port: requests are written into memory by clients of the same process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "app/charge_tile.hh"
#include "app/journal_tile.hh"
#include "app/memory.hh"
#include "app/net_tile.hh"
#include "app/topology.hh"
#include "ledger/journal_segments.hh"
#include "ledger/snapshot_writer.hh"
#include "tools/limit/clients.hh"

namespace tollgate::limit {

struct RigOptions {
  ClientsOptions clients;
  bool no_disk = false;  // groups are taken for written at once
};

class Rig {
 public:
  Rig(const app::Config& config, const RigOptions& options)
      : config_(config), options_(options), clients_(options.clients, core_counters_, stop_) {}
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Memory, tariff, journal and tiles. An empty text, or why not.
  [[nodiscard]] std::string prepare();
  // As control does it: commands to the shards, and with each answer the identities into the index.
  [[nodiscard]] std::string add_subscribers();
  // The same accounts, put into the memory directly: not in the journal.
  [[nodiscard]] std::string settle_subscribers(const std::function<void(u64 done)>& progress);
  // Until the clients have measured. Called again it goes on where it stood.
  void run();
  // Until all that is under way is on disk and answered.
  void drain();

  Clients& clients() { return clients_; }
  app::ApplianceMemory& memory() { return memory_; }
  const ledger::JournalFolder& journal() const { return journal_; }
  ledger::SnapshotSource snapshot_source();

 private:
  std::string prepare_journal();
  std::string load_tariff();
  void make_tiles();
  LinkMemory* link(const std::string& producer, const std::string& consumer) const {
    LinkMemory* found = find_link(memory_.links(), app::link_name(producer, consumer));
    check(found != nullptr, "the topology has a link for each pair of tiles");
    return found;
  }
  template <class Counters>
  Counters& counters_of(const std::string& block) const {
    return *reinterpret_cast<Counters*>(find_counters(memory_.counters(), block).data());
  }
  ledger::Command command_of(u32 number, Amount balance, Unit unit) const;
  void settle_one(ledger::Shard& shard, const ledger::Command& command);

  const app::Config& config_;
  RigOptions options_;
  Clock clock_;
  std::atomic<bool> stop_ = false;
  CoreCounters core_counters_{};
  Clients clients_;
  app::ApplianceMemory memory_;
  ledger::JournalFolder journal_;
  std::unique_ptr<ledger::JournalStorage> storage_;
  std::unique_ptr<app::NetTile> net_;
  std::unique_ptr<app::ChargeTile> charge_;
  std::unique_ptr<app::JournalTile> journal_tile_;
  std::atomic<bool> keeper_stop_ = false;
  std::thread keeper_;
};

}  // namespace tollgate::limit
