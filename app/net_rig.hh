// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// NetRig: a net tile, a charge tile and a journal tile with real links over a network of vectors,
// for tests: octets in, octets out, and the ledger to look into. Without DPDK, and deterministic.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/charge_rig.hh"
#include "app/fake_transport.hh"
#include "app/net_tile.hh"
#include "base/amount.hh"

namespace tollgate::app {

class NetRig {
 public:
  using Octets = std::vector<u8>;
  struct Options {
    u32 pending_max = 4096;
    u32 connections_max = 256;
    std::string identity = "ocs.tollgate.example";
    std::string realm = "tollgate.example";
    std::string tariff;  // empty: the demonstration's
    std::string rules;   // of normalising; empty: none
    std::vector<dataplane::IpPrefix> allowed;
    PeerRules peer_rules;
    u32 unauthenticated_max = 64;
    u32 first_generation = 0;
    std::optional<Profile> profile;  // of every client, whatever it is recognised as
  };

  explicit NetRig(const Options& options);

  FakeTransport& transport() { return *transport_; }
  NetTile& tile() { return *tile_; }
  ChargeRig& charge() { return charge_; }
  NetCounters& counters() { return *reinterpret_cast<NetCounters*>(counters_.data()); }
  // Who is watched, and what the tile has copied of it.
  ledger::TraceTable& trace_table() { return charge_.trace_table(); }
  LinkMemory* traced() { return reinterpret_cast<LinkMemory*>(trace_link_.data()); }
  // By the name that it has in the counters' table.
  u64 counter(std::string_view name) const;

  // Adds an active account with one balance and one telephone number.
  struct Balance {
    Amount amount;
    Unit unit = Unit::eur;
  };
  ledger::AccountRef add_account(std::string_view msisdn, std::string_view plan,
                                 const Balance& balance);

  // Asks the client of an open session to report it (of one rating group, or all), or to end it.
  // Returns the outcome's name.
  std::string order(const ledger::Command& command);

  void poll() { tile_->poll({.tsc = ++tsc_, .now = charge_.now}); }
  // Requests in, charging, answers out.
  void turn();
  // Time passes in both tiles, and timers run.
  void wait(Duration time);
  // All tiles die; the ledger is made anew from the journal. Connections are lost.
  void restart();

  // The whole messages that went out on a stream, one after the other.
  std::vector<Octets> sent(dataplane::StreamId id);

 private:
  void make_tile();

  Options options_;
  ChargeRig charge_;
  diameter::HostAddress host_{.octets = {198, 18, 0, 1}};
  PageMemory index_memory_;
  ledger::IdentityIndex index_;
  ProfileTable profiles_;
  std::vector<u64> counters_;
  PageMemory latency_memory_;
  PageMemory trace_link_;
  std::unique_ptr<NetTile> tile_;
  std::unique_ptr<FakeTransport> transport_;
  u64 tsc_ = 0;
  u32 account_count_ = 0;
  u32 lives_ = 0;
};

}  // namespace tollgate::app
