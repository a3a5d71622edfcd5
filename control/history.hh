// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// History: the verb account.history, which explains every change of an account.
//
// The journal tells what changed (history_search.hh), the database who asked for it and why. What
// the journal no longer has is told as far as the database remembers it: commands, without amounts
// before and after.
#pragma once

#include <deque>

#include "control/context.hh"
#include "control/history_search.hh"

namespace tollgate::control {

class History {
 public:
  static constexpr u64 limit_default = 50;
  static constexpr u64 limit_max = 10'000;

  History(Context& context, const ledger::JournalFolder& journal)
      : context_(context), journal_(journal) {}

  void add_verbs(Verbs& verbs);
  // A bounded piece of the search at hand. True if there is more.
  bool step();

 private:
  struct Search {
    AccountRow account;
    u64 limit;
    std::unique_ptr<HistorySearch> search;
    Reply reply;
  };
  void begin(const Json& args, const Reply& reply);
  Json describe(const Search& search);
  Json describe(const HistoryEvent& event, u32 shard);
  Json describe_command(const HistoryEvent& event);

  static constexpr std::size_t searches_max = 8;

  Context& context_;
  ledger::JournalFolder journal_;
  std::deque<Search> searches_;
};

}  // namespace tollgate::control
