// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Operator: stands for control. It makes accounts and removes them, tops up, adjusts, transfers,
// refunds, makes families, sells products, sets and drops, one command or several at a time, and
// keeps the identity index.
//
// Each command has a key and takes effect once. Its answer may be lost with a tile: then it is
// looked up in the journal, and sent again only if it is not there when all that was under way is
// over.
//
// It may forget what it had under way, as control does when it dies: commands are stored with their
// keys, and what became of a transfer between shards is found in the ledger (transfers.hh).
#pragma once

#include "tests/sim/clients.hh"
#include "tests/sim/transfers.hh"

namespace tollgate::sim {

class Operator {
 public:
  Operator(Appliance& appliance, Judge& judge, Clients& clients, Random& random)
      : appliance_(appliance),
        judge_(judge),
        clients_(clients),
        random_(random),
        transfers_(appliance, judge, random) {}

  void act(Instant now);
  void make_account();
  void receive();
  // Takes what is in the journal for answered. `is_quiet`: nothing is under way any more.
  void look_up(bool is_quiet);
  // Which step of a transfer was under way is not known any more.
  void forget() { transfers_.forget(); }
  bool is_waiting() const { return !waiting_.empty() || transfers_.is_under_way(); }

 private:
  static constexpr u32 accounts_max = 6;  // one less than the smallest shard holds

  struct Account {
    ledger::AccountRef place;
    bool is_removing = false;
  };
  void send(const ledger::Command& command);
  void finish(u32 number, Outcome outcome, ledger::AccountRef place);
  ledger::NewBucket some_bucket(Instant now);
  u32 some_shard();
  void set_terms(ledger::Command& command, Instant now);
  void set_family(ledger::Command& command, u64 other, ledger::AccountRef place);
  void set_product(ledger::Command& command, Instant now);
  static ledger::IdentityKey identity_of(u64 account);

  Appliance& appliance_;
  Judge& judge_;
  Clients& clients_;
  Random& random_;
  std::map<u64, Account> accounts_;
  std::set<u32> waiting_;
  u64 next_account_ = 1;
  Transfers transfers_;
};

}  // namespace tollgate::sim
