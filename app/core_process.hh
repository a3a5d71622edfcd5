// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CoreProcess: one core of the topology with its tiles, from joining the memory to the last answer.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "app/charge_tile.hh"
#include "app/config.hh"
#include "app/journal_tile.hh"
#include "app/memory.hh"
#include "app/net_tile.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::app {

class CoreProcess {
 public:
  CoreProcess(const Config& config, u32 core) : config_(config), core_(core) {}

  // The EAL is up already if the core has a net tile; `port` is then open or joined.
  [[nodiscard]] std::string prepare(dataplane::Port& port);

  bool has_net() const;

  // Runs until `stop`, says good-bye to the peers, drains, returns.
  void run(const std::atomic<bool>& stop);

 private:
  std::string prepare_net(u32 number, dataplane::Port& port);
  std::string prepare_journal(u32 number);
  void prepare_charge(u32 number);
  bool is_done();
  LinkMemory* link(const std::string& producer, const std::string& consumer) const;
  std::vector<LinkMemory*> links(const std::string& producer, TileKind consumer) const;
  std::vector<LinkMemory*> links(TileKind producer, const std::string& consumer) const;

  template <class Counters>
  Counters& counters_of(const std::string& block) const {
    return *reinterpret_cast<Counters*>(find_counters(memory_.counters(), block).data());
  }

  // What is behind diameter::LocalNode.
  struct Node {
    std::string product_name;
    std::vector<diameter::HostAddress> addresses;
  };

  const Config& config_;
  u32 core_;
  Clock clock_;
  ApplianceMemory memory_;
  Node node_;
  std::unique_ptr<NetTile> net_;
  std::unique_ptr<dataplane::TcpTransport> transport_;
  std::vector<std::unique_ptr<ChargeTile>> charges_;
  std::vector<std::unique_ptr<ledger::IoUringStorage>> storages_;
  std::vector<std::unique_ptr<JournalTile>> journals_;
  bool is_stopping_ = false;
  Instant stop_deadline_;
};

}  // namespace tollgate::app
