// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TraceTap: where a net tile copies the messages that somebody watches (ledger/trace.hh).
//
// The tile asks `is_idle` for each message, a comparison of its own memory; only while something is
// armed is a message looked through for its Session-Id and Subscription-Id. A session without a
// subscriber in its message is found in the shard of the account that is watched.
#pragma once

#include "app/armed_traces.hh"
#include "app/connection.hh"
#include "base/link.hh"
#include "ledger/shard.hh"
#include "ledger/trace.hh"

namespace tollgate::app {

struct TraceTapOptions {
  ledger::TraceTable* table = nullptr;  // none: nothing is ever watched
  LinkMemory* link = nullptr;
  u32 tile = 0;
  u16 listen_port = 3868;
  std::span<const diameter::HostAddress> local;  // outlives the tap
};

class TraceTap {
 public:
  struct Counts {
    u64& traced;
    u64& dropped;
  };
  TraceTap(const TraceTapOptions& options, const Counts& counts);

  // In each housekeeping: what is armed now.
  void refresh(Instant now);

  bool is_idle() const { return armed_.is_none(); }

  // A bit for each trace that wants this message.
  u8 match(Bytes message, std::span<const ledger::Shard> shards) const;
  // The same for traces of peers. While the peer has not said its name, the message may.
  u8 match_peer(const Connection& connection, Bytes message) const;

  struct Copy {
    ledger::TraceKind kind = ledger::TraceKind::received;
    u8 traces = 0;
    ledger::AnswerTag tag;
    Instant at;
  };
  void copy(const Copy& what, const Connection& connection, Bytes message);

 private:
  bool is_wanted(const ledger::TraceWanted& wanted, u32 hash, std::string_view session_id,
                 std::span<const ledger::Shard> shards) const;
  u8 match_subscriber(Bytes subscription_id) const;

  TraceTapOptions options_;
  Counts counts_;
  LinkProducer link_;
  ArmedTraces armed_;
  bool has_peers_ = false;
  std::array<dataplane::IpAddress, ledger::traces_max> addresses_;  // of peers named so
};

}  // namespace tollgate::app
