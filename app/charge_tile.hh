// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeTile: the one writer of its shards.
//
//   in   net<N>_charge<this>    ChargeRequest frames
//        control_charge<this>   ledger::Command frames
//   out  charge<this>_net<N>      session_order.hh
//        charge<this>_journal<J>  journal entries, each with the answer in it
//        charge<this>_control     ledger/trace.hh
//
// It works in bursts: all requests of a burst are looked at, then their sessions and accounts are
// fetched, then their buckets, and only then are they charged, so that the memory of one is on its
// way while another is at work. A burst is one commit towards the journal.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "app/charge.hh"
#include "app/charge_command.hh"
#include "app/session_order.hh"
#include "app/session_sweep.hh"
#include "app/tariff_reader.hh"
#include "app/trace_effects.hh"
#include "base/counters.hh"
#include "base/link.hh"
#include "base/tile.hh"
#include "base/versioned_blob.hh"
#include "ledger/journal_writer.hh"
#include "rating/program.hh"

namespace tollgate::app {

// What is counted, and behind it what clients were told, by the names of outcomes.
template <std::size_t count>
constexpr auto with_outcomes(const CounterName (&own)[count]) {
  std::array<CounterName, count + ledger::outcome_table.size() - 1> all;
  std::copy(std::begin(own), std::end(own), all.begin());
  for (std::size_t row = 1; row < ledger::outcome_table.size(); ++row) {
    all[count + row - 1] = {ledger::outcome_table[row].name, ledger::outcome_table[row].sentence};
  }
  return all;
}

inline constexpr std::array charge_counter_names = with_outcomes({
    {"requests", "credit-control requests taken"},
    {"repeated", "requests that had been answered before and got the stored answer"},
    {"initial", "INITIAL requests carried out"},
    {"update", "UPDATE requests carried out"},
    {"termination", "TERMINATION requests carried out"},
    {"event", "EVENT requests carried out"},
    {"sessions_expired", "sessions ended because their client forgot them"},
    {"commands", "commands of provisioning and operators carried out"},
    {"orders", "Re-Auth- and Abort-Session-Requests handed to net tiles"},
    {"orders_taken", "those that their clients agreed to"},
    {"orders_refused", "those that their clients refused, or by their profile do not take"},
    {"orders_unknown", "those whose clients did not know the session: it was ended"},
    {"orders_silent", "those that were never answered"},
    {"orders_without_way", "those whose clients are not connected"},
    {"refused_no_room", "requests refused because the journal has no room"},
    {"refused_too_busy", "requests refused because a pool of records is full"},
    {"bursts", "bursts with work in them"},
    {"sweeps_dropped", "sessions of restarted clients that are left to their timers, for no room"},
    {"drop_trace_full", "effects not told to who watches, because he is too slow"},
    {"thresholds_crossed", "buckets that fell below a threshold"},
});
static_assert(std::size(charge_counter_names) * sizeof(u64) == sizeof(ChargeCounters));

struct ChargeTileOptions {
  u32 tile = 0;
  u32 tile_count = 1;  // shard s belongs to tile s % tile_count
  ChargePolicy policy;
  std::vector<LinkMemory*> net_links;
  LinkMemory* control_link = nullptr;
  LinkMemory* journal_link = nullptr;
  std::vector<LinkMemory*> order_links;             // by number of net tile; may be none
  LinkMemory* trace_link = nullptr;                 // effects on who is watched; may be none
  const ledger::TraceTable* trace_table = nullptr;  // who is; may be none
  const VersionedBlob* tariff = nullptr;
  rating::Program::Mapping tariff_mapping = rating::Program::Mapping::data;
  const ledger::JournalMemory* journal = nullptr;  // whether it has room
  ledger::UndoMemory* undo = nullptr;
};

class ChargeTile {
 public:
  // Joins what a predecessor left: an unfinished burst is rolled back first.
  ChargeTile(const ChargeTileOptions& options, const ledger::LedgerMemory& memory, Instant now,
             ChargeCounters& counters);

  u32 poll(const Turn& turn);
  void housekeep(const Turn& turn);

  // True if nothing waits on any of its links.
  bool is_idle() const;

 private:
  static constexpr u32 burst_max = 32;
  static constexpr u32 bursts_per_poll_max = 8;  // of one link, before the others have their turn

  struct Item {
    ChargeRequestView request;
    ledger::Shard* shard;
    u32 session;
    u32 bucket;  // of its account, the last that was fetched; 0: there is no other
  };
  // Of one account before its request is looked at; more are found when they are needed.
  static constexpr u32 buckets_fetched = 3;
  ledger::Shard& shard(u32 number);
  bool owns(u32 shard_number) const { return shard_number % options_.tile_count == options_.tile; }
  u32 poll_requests(const Turn& turn);
  u32 charge_burst(LinkConsumer& link, const Turn& turn);
  void charge_watched(const Item& item, ledger::Operation& op, bool may_move);
  void on_order_answer(const Item& item, const Turn& turn);
  u32 take_burst(LinkConsumer& link);
  void fetch_sessions();
  void fetch_buckets();
  void fetch_next_buckets();
  u32 poll_commands(const Turn& turn);
  void turn_wheels(const Turn& turn);
  void sweep(const Turn& turn);
  bool end_session(ledger::Shard& owner, u32 session, ledger::TraceCause cause, Instant now);
  void carry_out(ledger::Shard& owner, ledger::Operation& op, const ledger::Command& command);
  bool journal_has_room() const {
    return options_.journal->has_room.load(std::memory_order_relaxed) != 0;
  }

  ChargeTileOptions options_;
  ledger::LedgerMemory memory_;
  ChargeCounters& counters_;
  LinkProducer journal_;
  ledger::Burst burst_;
  Charger charger_;
  OrderLinks orders_;
  Commander commander_;
  std::vector<LinkConsumer> nets_;
  LinkConsumer control_;
  std::vector<std::unique_ptr<ledger::Shard>> shards_;  // by number; those of others are empty
  TariffReader tariff_;
  bool has_polled_ = false;
  u32 item_count_ = 0;
  u32 next_shard_ = 0;
  SessionSweep sweep_;
  EffectTrace trace_;
  std::array<Item, burst_max> items_;
};

}  // namespace tollgate::app
