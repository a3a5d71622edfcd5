// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Appliance: the real tiles, with real links and real memory, on a simulated disk and network.
//
//   net tiles --> charge tiles --> journal tile --> net tiles, operator
//
// Each tile is a process of its own that can be killed and started again over the memory that it
// left; `lose_power` takes the memory as well and recovers from the files. A Tap reads along on a
// link without being a consumer of it, so that the simulation knows what was carried out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/charge_tile.hh"
#include "app/journal_tile.hh"
#include "app/net_tile.hh"
#include "ledger/recovery.hh"
#include "tests/sim/disk.hh"
#include "tests/sim/kill_switch.hh"
#include "tests/sim/network.hh"
#include "tests/sim/pages.hh"

namespace tollgate::sim {

enum class TileKind : u8 { net, charge, journal };
struct TileName {
  TileKind kind;
  u32 number;
};

class Appliance {
 public:
  struct Shape {
    u32 net_count = 1;
    u32 charge_count = 1;
  };
  Appliance(const Shape& shape, SimDisk& disk, Random& random, const VersionedBlob& tariff);
  ~Appliance();

  // All memory is new and empty, the journal is replayed, the tiles start. An empty text, or why
  // the journal was refused: then nothing runs.
  [[nodiscard]] std::string recover(Instant now);
  // All memory is lost, and what was in flight is somehow on disk or not.
  void lose_power();
  bool has_power() const { return ledger_.data() != nullptr; }

  bool is_up(const TileName& tile) const;
  void start(const TileName& tile, Instant now);
  void stop(const TileName& tile);  // killed between two turns
  u32 poll(const TileName& tile, const Turn& turn);
  void housekeep(const TileName& tile, const Turn& turn);
  // Kills the tile inside its next turn, or while it starts. False if it survived, because it did
  // not write to the page that was chosen.
  bool poll_killed(const TileName& tile, const Turn& turn);
  bool housekeep_killed(const TileName& tile, const Turn& turn);
  bool start_killed(const TileName& tile, Instant now);

  const Shape& shape() const { return shape_; }
  ledger::LedgerMemory memory() const { return ledger::LedgerMemory(ledger_.data()); }
  ledger::IdentityIndex& index() { return index_; }
  ledger::JournalMemory& journal() {
    return *reinterpret_cast<ledger::JournalMemory*>(journal_.data());
  }
  SimStorage* storage() { return storage_.get(); }
  SimTransport* transport(u32 net) { return transports_[net].get(); }
  const ledger::RecoveryReport& report() const { return report_; }

  // Frames that were published since the last call.
  std::vector<Bytes> tap_requests(u32 net, u32 charge);
  std::vector<Bytes> tap_entries(u32 charge);
  std::vector<Bytes> tap_net_answers(u32 net);
  // The operator's end: these are taken from the link.
  std::vector<Bytes> take_command_answers();
  void send_command(const ledger::Command& command);

  // Of the journaled words of a shard's accounts, buckets and open sessions.
  u64 hash_of_shard(u32 number) const;

  static constexpr ledger::LedgerSizes sizes{
      .accounts = 8, .buckets = 160, .sessions = 512, .extensions = 2048};

 private:
  LinkMemory* link(std::size_t place) const {
    return reinterpret_cast<LinkMemory*>(links_[place].data());
  }
  std::size_t net_charge(u32 net, u32 charge) const { return net * shape_.charge_count + charge; }
  std::size_t first_entry_link() const {
    return std::size_t{shape_.net_count} * shape_.charge_count;
  }
  std::size_t control_charge(u32 charge) const { return first_entry_link() + charge; }
  std::size_t charge_journal(u32 charge) const {
    return first_entry_link() + shape_.charge_count + charge;
  }
  std::size_t journal_net(u32 net) const {
    return first_entry_link() + 2 * shape_.charge_count + net;
  }
  std::size_t journal_control() const { return journal_net(shape_.net_count); }
  std::size_t link_count() const { return journal_control() + 1; }
  std::vector<Bytes> tap(std::size_t place);
  void lay_out();
  void start_net(u32 number);
  void start_charge(u32 number, Instant now);
  void start_journal();
  KillSwitch::Aim choose_aim(const TileName& tile);
  // The tile was killed inside: nothing of it may run any more, not even its destructor.
  void abandon(const TileName& tile);

  Shape shape_;
  SimDisk& disk_;
  Random& random_;
  const VersionedBlob& tariff_;
  diameter::HostAddress host_{.octets = {198, 18, 0, 1}};
  Pages ledger_;
  Pages index_memory_;
  ledger::IdentityIndex index_;
  Pages journal_;
  std::vector<Pages> undo_;
  std::vector<Pages> links_;
  std::vector<LinkConsumer> taps_;
  LinkConsumer answers_;
  std::vector<LinkProducer> commands_;
  ledger::RecoveryReport report_;
  u32 generation_ = 0;
  app::ChargeCounters charge_counters_{};
  ledger::JournalCounters journal_counters_{};
  std::vector<u64> net_counters_;
  Pages latency_;
  std::vector<std::unique_ptr<app::NetTile>> nets_;
  std::vector<std::unique_ptr<SimTransport>> transports_;
  std::vector<std::unique_ptr<app::ChargeTile>> charges_;
  std::unique_ptr<SimStorage> storage_;
  std::unique_ptr<app::JournalTile> journal_tile_;
};

}  // namespace tollgate::sim
