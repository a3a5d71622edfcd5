// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// EffectTrace: what a watched request did to its account, told by a charge tile (ledger/trace.hh);
// and what a command or a timer did to it.
//
// The account's buckets are looked at before and after; those that moved are told, with the answer.
// Of requests only those that a net tile has marked come here.
#pragma once

#include "app/armed_traces.hh"
#include "app/charge_request.hh"
#include "base/link.hh"
#include "ledger/shard.hh"
#include "ledger/trace.hh"

namespace tollgate::app {

class EffectTrace {
 public:
  // No link: nothing is told. No table: of requests only.
  EffectTrace(LinkMemory* link, const ledger::TraceTable* table, u64& dropped);

  // In each housekeeping: what is armed now.
  void refresh(Instant now) { (void)armed_.refresh(now); }

  // As the Charger finds it: a session's own, else the one that the request was sent to.
  static u32 account_of(const ledger::Shard& shard, ChargeRequestView request);

  // Who watches a session's end by no request, or what a command speaks of: a bit for each.
  u8 watchers(const ledger::Shard& shard, u32 session) const;
  u8 watchers(const ledger::Shard& shard, const ledger::Command& command) const;
  static u32 account_of(const ledger::Shard& shard, const ledger::Command& command);

  struct Mark {
    ledger::AnswerTag tag;
    u8 traces = 0;
    ledger::TraceCause cause = ledger::TraceCause::request;
    ledger::CommandKind command = ledger::CommandKind::none;
    Instant at;
  };
  void before(const ledger::Shard& shard, u32 account);
  // `answer`: the octets of a ledger::Answer with all its services.
  void after(const ledger::Shard& shard, u32 account, Bytes answer, const Mark& mark);
  // The same where nobody is answered.
  void after(const ledger::Shard& shard, u32 account, ledger::Outcome outcome, const Mark& mark);

  // What was told becomes visible: after the burst is whole.
  void publish();

 private:
  const ledger::TraceBucket::Figures* find_before(u32 bucket) const;

  u64& dropped_;
  bool has_link_ = false;
  bool has_told_ = false;
  ArmedTraces armed_;
  LinkProducer link_;
  u32 bucket_count_ = 0;
  std::array<ledger::TraceBucket, ledger::buckets_per_account_max> buckets_;
  u32 moved_count_ = 0;
  std::array<ledger::TraceBucket, ledger::buckets_per_account_max> moved_;
};

}  // namespace tollgate::app
