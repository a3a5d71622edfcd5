// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// EffectTrace: what a watched request did to its account, told by a charge tile (ledger/trace.hh).
//
// The account's buckets are looked at before and after; those that moved are told, with the answer.
// Only requests that a net tile has marked come here.
#pragma once

#include "app/charge_request.hh"
#include "base/link.hh"
#include "ledger/shard.hh"
#include "ledger/trace.hh"

namespace tollgate::app {

class EffectTrace {
 public:
  // No link: nothing is told.
  EffectTrace(LinkMemory* link, u64& dropped);

  void before(const ledger::Shard& shard, ChargeRequestView request);
  void after(const ledger::Shard& shard, ChargeRequestView request, const AnswerFrame& answer,
             Instant now);

  // What was told becomes visible: after the burst is whole.
  void publish();

 private:
  static u32 account_of(const ledger::Shard& shard, ChargeRequestView request);
  const ledger::TraceBucket::Figures* find_before(u32 bucket) const;

  u64& dropped_;
  bool has_link_ = false;
  bool has_told_ = false;
  LinkProducer link_;
  u32 bucket_count_ = 0;
  std::array<ledger::TraceBucket, ledger::buckets_per_account_max> buckets_;
  u32 moved_count_ = 0;
  std::array<ledger::TraceBucket, ledger::buckets_per_account_max> moved_;
};

}  // namespace tollgate::app
