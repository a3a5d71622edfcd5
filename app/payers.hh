// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Payers: the buckets that may pay for a service, and how much each can pay now.
//
// They are looked for source by source, as the rule has them, and in each source purse by purse
// (purse.hh), each in its account's order of payment.
#pragma once

#include <array>

#include "app/charge_context.hh"
#include "base/check.hh"
#include "rating/price.hh"

namespace tollgate::app {

struct Payer {
  u32 bucket;
  u32 source;
  i64 available;  // in the unit of the source; an Amount would be cleared
};

struct Payers {
  Payers() {}  // of the places only the first `count` are ever looked at: they are not cleared

  static constexpr u32 payers_max = 64;
  std::array<Payer, payers_max> payer;
  u32 count = 0;
  std::array<Amount, rating::sources_max> available{};  // sums by source
  u32 last_money = 0;   // the bucket that may go below zero; 0: there is none
  bool is_cut = false;  // more buckets could pay than were wanted
};

// The buckets that the last grant leaned on: what was used under it may be taken from them although
// they have expired since. Of a pool these are those of all its quotas.
struct HeldBuckets {
  HeldBuckets() {}  // nothing is cleared: most have one bucket

  std::array<u32, 2 * ledger::buckets_per_account_max> bucket;
  u32 count = 0;

  void add(const ledger::Quota& quota) {
    for (u32 i = 0; i < quota.hold_count; ++i) {
      if (!has(quota.hold_bucket[i])) bucket[count++] = quota.hold_bucket[i];
    }
  }
  bool has(u32 index) const {
    for (u32 i = 0; i < count; ++i) {
      if (bucket[i] == index) return true;
    }
    return false;
  }
};

// `payers_wanted` bounds how many buckets a grant may lean on.
Payers find_payers(const ChargeContext& context, const rating::Rule& rule, u32 payers_wanted,
                   const HeldBuckets& held = {});

// Takes `cost` of one source from its buckets, in order, by `take(bucket, amount)`.
template <class Take>
ledger::Outcome take_from(const Payers& payers, u32 source, Amount cost, Take take) {
  Amount left = cost;
  for (u32 i = 0; i < payers.count && left.is_positive(); ++i) {
    const Payer& payer = payers.payer[i];
    if (payer.source != source) continue;
    const Amount part{payer.available < left.count ? payer.available : left.count};
    const ledger::Outcome outcome = take(payer.bucket, part);
    if (outcome != ledger::Outcome::ok) return outcome;
    left.count -= part.count;
  }
  check(left.is_zero(), "a source pays no more than it has");
  return ledger::Outcome::ok;
}

}  // namespace tollgate::app
