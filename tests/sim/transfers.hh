// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Transfers: drives what has left one shard to where it arrives, as control does, and forgets in
// the middle of it.
//
// Stored, and so known after any crash, are the commands and what came of them. Which step is next
// tells the ledger, when nothing is under way any more; see control/transfers.hh.
#pragma once

#include "tests/sim/judge.hh"

namespace tollgate::sim {

class Transfers {
 public:
  Transfers(Appliance& appliance, Judge& judge, Random& random)
      : appliance_(appliance), judge_(judge), random_(random) {}

  // A command between shards was stored, and is sent; then it was carried out or refused.
  void begin(const ledger::Command& first);
  void sent(u64 id);
  void refused(u64 id) { stored_.erase(id); }
  // True if it was the answer to a step.
  bool on_answer(u32 number, Outcome outcome);
  void forget();
  // If something was forgotten, and what was under way then is over, goes on with what is found.
  // `is_quiet`: all that was sent before the last quiet moment has come to its end.
  void look_through(bool is_quiet);
  bool is_under_way() const { return is_looking_ || !stored_.empty() || !waiting_.empty(); }

 private:
  struct Stored {
    ledger::Command first;
    bool has_left = false;
  };
  using CommandKind = ledger::CommandKind;
  void send(const ledger::Command& first, CommandKind kind);
  void go_on(u32 number, Outcome outcome);
  bool has_lost_an_answer() const;
  void go_on_with_found();

  Appliance& appliance_;
  Judge& judge_;
  Random& random_;
  std::map<u64, Stored> stored_;            // by key, until its outcome is known
  std::map<u32, ledger::Command> waiting_;  // steps by number, with their first command
  std::set<u32> forgotten_;                 // steps that are still under way
  std::set<u32> was_waiting_;               // at the last quiet moment
  bool is_looking_ = false;
};

}  // namespace tollgate::sim
