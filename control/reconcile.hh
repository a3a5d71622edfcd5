// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Reconcile: what became of accounts that were being made when control died, or whose answer never
// came.
//
// It waits until what was under way is over (quiet.hh); then the ledger tells: an account that is
// there becomes active, with its index entries; one that is not is erased, as nobody was told that
// it exists. One pass over the ledger settles all of them.
#pragma once

#include <vector>

#include "control/context.hh"
#include "control/quiet.hh"

namespace tollgate::control {

class Reconcile {
 public:
  Reconcile(Context& context, const Quiet& quiet) : context_(context), quiet_(quiet) {}

  // At start: everything that is pending in the database.
  void begin_with_pending();
  void add(const AccountRow& account) {
    open_.push_back(account);
    mark_ = quiet_.mark();
  }
  std::size_t open_count() const { return open_.size(); }

  // Settles all open ones once what was under way is over. Call it now and then.
  bool step();

 private:
  void settle();

  Context& context_;
  const Quiet& quiet_;
  u64 mark_ = 0;  // of the one that was added last
  std::vector<AccountRow> open_;
};

}  // namespace tollgate::control
