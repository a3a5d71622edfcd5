// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SessionOrders: asks gateways to report a session, or to end it (RAR and ASR).
//
//   session.reauth, session.abort   by an operator's word
//   after a top-up                  sessions that were told their last grant, or that there is
//   none,
//                                   are asked to come back for more
//   after a block                   all sessions of the account are told to end
//   after a tariff was loaded       all open sessions are asked to report, some each second, so
//                                   that what was used before is paid at the price that was told
//
// An order is a hint to the client and nothing that moves: it goes to the core once, and is not in
// the database. What clients made of it is counted by the charge tiles.
#pragma once

#include <deque>

#include "control/context.hh"

namespace tollgate::control {

class SessionOrders {
 public:
  explicit SessionOrders(Context& context) : context_(context) {}

  void add_verbs(Verbs& verbs);

  // A command of this kind was carried out for the account: see CommandBook.
  void after_command(const CommandRow& row);
  void after_tariff();

  // Sends some of what waits. True if there is more right now.
  bool step(Instant now);

 private:
  struct Found {
    u32 shard;
    std::string session_id;
  };
  void re_auth(const Json& args, const Reply& reply);
  void abort(const Json& args, const Reply& reply);
  void carry_out(const Found& found, ledger::Command command, const Reply& reply);
  std::optional<Found> find(const std::string& session_id) const;
  template <class Wanted>
  void order_all(u64 account_id, ledger::CommandKind kind, Wanted wanted);
  void order_receiver(const Json& name);
  void send(const Found& found, ledger::Command command);
  void fill_queue();

  Context& context_;
  std::deque<Found> queue_;  // to be asked to report, after a tariff
  u32 next_shard_ = ledger::shard_count;
  Instant refilled_at_;
  u32 left_this_second_ = 0;
};

}  // namespace tollgate::control
