// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Operator: stands for control. It makes accounts and removes them, tops up, adjusts, transfers,
// sets and drops, one command or several at a time, and keeps the identity index.
//
// Each command has a key and takes effect once. Its answer may be lost with a tile: then it is
// looked up in the journal, and sent again only if it is not there when all that was under way is
// over.
#pragma once

#include "tests/sim/clients.hh"

namespace tollgate::sim {

class Operator {
 public:
  Operator(Appliance& appliance, Judge& judge, Clients& clients, Random& random)
      : appliance_(appliance), judge_(judge), clients_(clients), random_(random) {}

  void act(Instant now);
  void make_account();
  void receive();
  // Takes what is in the journal for answered. `is_quiet`: nothing is under way any more.
  void look_up(bool is_quiet);
  bool is_waiting() const { return !waiting_.empty(); }

 private:
  static constexpr u32 accounts_max = 6;  // one less than the smallest shard holds

  struct Account {
    ledger::AccountRef place;
    bool is_removing = false;
  };
  void send(const ledger::Command& command);
  void finish(u32 number, Outcome outcome, ledger::AccountRef place);
  ledger::NewBucket some_bucket(Instant now);
  static ledger::IdentityKey identity_of(u64 account);

  Appliance& appliance_;
  Judge& judge_;
  Clients& clients_;
  Random& random_;
  std::map<u64, Account> accounts_;
  std::set<u32> waiting_;
  u64 next_account_ = 1;
};

}  // namespace tollgate::sim
