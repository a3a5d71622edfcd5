// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Transfers: takes transfers between shards from where they have left to where they arrive.
//
// The steps are in app/charge_transfer.cc. They can all be repeated, and what lies in the ledger
// tells which of them is next, so nothing but the outcome is stored here, and that before the step
// which makes it so:
//
//   in transit, no mark, the command is open      the target is asked to receive
//   in transit, no mark, the command is not open  it was refused, or nobody knows of it: it returns
//   in transit, and the target's mark             it has arrived: settled
//   a mark alone                                  forgotten
//
// At start, and after a step that was not answered, the whole ledger is looked through for what
// lies between, a shard at a time, when all that was under way is over (quiet.hh).
#pragma once

#include <map>
#include <vector>

#include "control/command_book.hh"

namespace tollgate::control {

class Transfers {
 public:
  Transfers(Context& context, CommandBook& book, const Quiet& quiet)
      : context_(context), book_(book), quiet_(quiet) {}

  // At start: there may be some on their way.
  void begin_with_open() { look_again(); }
  // One has left, just now.
  void sent(const CommandRow& row);
  // Looks through some shards of the ledger if that is called for.
  void step();

  u64 under_way() const { return under_way_; }

 private:
  struct Transfer {
    u64 id = 0;
    ledger::AccountRef source;
    ledger::AccountRef target;
    u64 source_id = 0;
    u64 target_id = 0;
    ledger::NewBucket bucket;
  };
  using Next = void (Transfers::*)(const Transfer&);

  void receive(const Transfer& transfer);
  void settle(const Transfer& transfer);
  void give_back(const Transfer& transfer);
  void forget(const Transfer& transfer);
  ledger::Command make_command(const Transfer& transfer, ledger::CommandKind kind) const;
  // Sends a step; `next` follows when it was carried out.
  void ask(const Transfer& transfer, ledger::CommandKind kind, Next next);
  void answered_receive(const Transfer& transfer, const ledger::CommandAnswer& answer);
  void look_again();
  void look_through(u32 shard);
  void go_on();
  void go_on_with(const Transfer& sent);
  u64 id_of(ledger::AccountRef place) const;

  Context& context_;
  CommandBook& book_;
  const Quiet& quiet_;
  u64 under_way_ = 0;
  bool is_looking_ = false;
  u64 mark_ = 0;
  u32 next_shard_ = 0;
  std::map<u64, Transfer> found_sent_;
  std::map<u64, Transfer> found_received_;
};

}  // namespace tollgate::control
