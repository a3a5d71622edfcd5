// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CommandBook: commands that are carried out once, whatever is killed in between.
//
// A command is written into the database with its idempotency key, sent, and its outcome written
// beside it. What it changed is in the journal with that key. If control dies in between, or the
// core does not answer, the journal tells whether it was carried out (journaled), and only what is
// not there when what was under way is over (quiet.hh) is sent again. A client that brings a key
// of its own may ask again as often as it likes and gets the same answer.
//
// A transfer between shards is not over when its command is answered: it has left, and Transfers
// (transfers.hh) says what became of it. Answers to a client's key are kept for 90 days.
//
// What the database has to follow of a command (new identities, a plan, a removed account) is in
// the row's detail, so that it is done after a restart as well.
#pragma once

#include "control/context.hh"
#include "control/quiet.hh"

namespace tollgate::control {

class CommandBook {
 public:
  // {"outcome":"ok","balance":"9.50","unit":"EUR","repeated":false}; outcome may be `no_answer`.
  using Finished = std::function<void(const Json& answer)>;

  CommandBook(Context& context, const Quiet& quiet) : context_(context), quiet_(quiet) {}

  struct Order {
    std::string kind;
    AccountRow account;
    Json detail;             // for people, and for the database's part
    std::string client_key;  // may be empty
    ledger::Command command;
  };
  // `also` runs in the transaction that stores the command, with its key. Throws Refused if the
  // client's key was used for something else.
  void carry_out(Order order, const Finished& finished,
                 const std::function<void(u64 key)>& also = {});

  // Called for each command that was carried out, before its waiter is told.
  void set_observer(std::function<void(const CommandRow&)> observer) {
    observer_ = std::move(observer);
  }

  // Called for each command that is over, in the transaction that stores its outcome: what the
  // database has to follow of it. Set before begin_with_open.
  using Follower = std::function<void(const CommandRow&, ledger::Outcome)>;
  void follow(Follower follower) { follower_ = std::move(follower); }

  // At start: takes up all that was under way.
  void begin_with_open();

  // The journal has the effects of a command with this key.
  void journaled(u64 key, const ledger::CommandAnswer& answer);

  // Sends again what left no trace when all that was under way with it is over.
  void step();

  bool has_open() const { return !open_.empty(); }

  // Called when a transfer has left its source, and that is stored.
  void watch_transfers(std::function<void(const CommandRow& row)> sent) {
    transfer_sent_ = std::move(sent);
  }
  // The command of a transfer that is not over; nullptr: nobody waits for that one.
  const CommandRow* find_open(u64 key) const;
  void finish_transfer(u64 key, ledger::Outcome outcome);
  // Its client is told that there is no answer yet.
  void stop_waiting(u64 key);

 private:
  struct Open {
    CommandRow row;
    Finished finished;             // empty: nobody waits
    bool is_waiting = false;       // sent, and its time is not over
    u64 mark = 0;                  // of Quiet, when its time was over
    ledger::CommandAnswer answer;  // of a transfer that has left
  };
  void send(u64 key);
  void settle(u64 key, const ledger::CommandAnswer& answer);
  void settle_sent(Open& open, const ledger::CommandAnswer& answer);
  void finish(const CommandRow& row, const ledger::CommandAnswer& answer, const Json& told);
  void apply_identities(const CommandRow& row, const Json& detail, bool is_ok);
  void apply_removal(const CommandRow& row);

  Context& context_;
  const Quiet& quiet_;
  std::map<u64, Open> open_;  // by key
  std::function<void(const CommandRow&)> observer_;
  Follower follower_;
  std::function<void(const CommandRow& row)> transfer_sent_;
};

}  // namespace tollgate::control
