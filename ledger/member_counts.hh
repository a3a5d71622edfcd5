// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// MemberCounts: do the payers of one shard count their members rightly?
//
// A payer whose count is too low could be removed while others still name its place; the account
// that comes there next would pay for strangers. Audit and recovery look. Only families cost
// anything: others are passed by.
#pragma once

#include <algorithm>
#include <vector>

#include "ledger/records.hh"

namespace tollgate::ledger {

class MemberCounts {
 public:
  // Each account of the shard that is there, once.
  void add(u32 index, const Account& account) {
    if (account.payer != 0) payers_.push_back(account.payer);
    if (account.member_count != 0) counts_.push_back({index, account.member_count});
  }

  // fn(index of the payer, members it counts, members there are) where the two differ.
  template <class Fn>
  void for_each_difference(Fn fn) {
    std::ranges::sort(payers_);
    for (const Count& one : counts_) {
      const auto [first, end] = std::equal_range(payers_.begin(), payers_.end(), one.payer);
      const auto found = static_cast<u32>(end - first);
      if (found != one.members) fn(one.payer, one.members, found);
    }
    std::ranges::sort(counts_, {}, &Count::payer);
    for (auto first = payers_.begin(); first != payers_.end();) {
      const auto end = std::upper_bound(first, payers_.end(), *first);
      const bool is_counted = std::ranges::binary_search(counts_, *first, {}, &Count::payer);
      if (!is_counted) fn(*first, 0U, static_cast<u32>(end - first));
      first = end;
    }
  }
  bool is_good() {
    bool is_good = true;
    for_each_difference([&](u32, u32, u32) { is_good = false; });
    return is_good;
  }

 private:
  struct Count {
    u32 payer = 0;
    u32 members = 0;
  };
  std::vector<Count> counts_;  // of payers, as they say
  std::vector<u32> payers_;    // one for each member
};

}  // namespace tollgate::ledger
