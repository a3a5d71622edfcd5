// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// VoucherMisses: who has tried codes that no voucher has.
//
// Codes are long, but people guess. After so many wrong codes within an hour an account redeems
// nothing until an hour has passed since the last of them; trying on makes it longer. A right code
// forgets what was wrong before. Kept in memory only, and a fixed number of accounts: control is
// not restarted by those who guess, and when more accounts guess than fit, the one whose last miss
// is oldest is forgotten.
#pragma once

#include <list>
#include <unordered_map>

#include "base/time.hh"
#include "base/types.hh"

namespace tollgate::control {

class VoucherMisses {
 public:
  static constexpr u32 misses_max = 5;
  static constexpr Duration window = Duration::seconds(3600);
  static constexpr std::size_t accounts_max = 100'000;

  void note(u64 account_id, Instant now) {
    const auto known = by_account_.find(account_id);
    u32 count = 1;
    if (known != by_account_.end()) {
      if (now - known->second->last < window) count = known->second->count + 1;
      in_order_.erase(known->second);
    } else if (by_account_.size() >= accounts_max) {
      by_account_.erase(in_order_.front().account_id);
      in_order_.pop_front();
    }
    in_order_.push_back({.account_id = account_id, .count = count, .last = now});
    by_account_[account_id] = std::prev(in_order_.end());
  }

  void forget(u64 account_id) {
    const auto known = by_account_.find(account_id);
    if (known == by_account_.end()) return;
    in_order_.erase(known->second);
    by_account_.erase(known);
  }

  // Until when the account redeems nothing; a moment that is over, or the first one, if it may.
  Instant blocked_until(u64 account_id) const {
    const auto known = by_account_.find(account_id);
    if (known == by_account_.end() || known->second->count < misses_max) return {};
    return known->second->last + window;
  }

 private:
  struct Misses {
    u64 account_id;
    u32 count;
    Instant last;
  };
  std::list<Misses> in_order_;  // of the last miss, oldest first
  std::unordered_map<u64, std::list<Misses>::iterator> by_account_;
};

}  // namespace tollgate::control
