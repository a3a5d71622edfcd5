// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commander: one command of provisioning or an operator into one entry of the journal.
//
// Like a request, a command is looked at as a whole before its first write, answers with an
// outcome, and its answer leaves when its effects are on disk.
//
// Refusals come in the order of ledger/outcome.hh, with one exception: that a pool has no room is
// told last, since only what would be carried out needs any.
#pragma once

#include "app/charge.hh"
#include "app/session_order.hh"
#include "ledger/command.hh"

namespace tollgate::app {

class Commander {
 public:
  // `charger` ends sessions, `orders` lead to the net tiles.
  Commander(Charger& charger, OrderLinks& orders, ChargeCounters& counters)
      : charger_(charger), orders_(orders), counters_(counters) {}

  void carry_out(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                 const ledger::Command& command, bool may_move);
  // Of the command carried out last.
  ledger::Outcome outcome() const { return answer_.outcome; }

 private:
  ledger::Outcome dispatch(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                           const ledger::Command& command);
  ledger::Outcome create(ledger::Shard& shard, ledger::Operation& op,
                         const ledger::Command& command);
  ledger::Outcome remove(ledger::Shard& shard, ledger::Operation& op,
                         const ledger::Command& command);
  ledger::Outcome set(ledger::Shard& shard, ledger::Operation& op, const ledger::Command& command);
  ledger::Outcome set_identities(ledger::Shard& shard, ledger::Operation& op,
                                 const ledger::Command& command);
  ledger::Outcome top_up(ledger::Shard& shard, ledger::Operation& op,
                         const ledger::Command& command);
  ledger::Outcome adjust(ledger::Shard& shard, ledger::Operation& op,
                         const ledger::Command& command);
  ledger::Outcome transfer(ledger::Shard& shard, ledger::Operation& op,
                           const ledger::Command& command);
  ledger::Outcome refund_charge(ledger::Shard& shard, ledger::Operation& op,
                                const ledger::Command& command);
  ledger::Outcome set_payer(ledger::Shard& shard, ledger::Operation& op,
                            const ledger::Command& command);
  ledger::Outcome set_limit(ledger::Shard& shard, ledger::Operation& op,
                            const ledger::Command& command);
  // Products (charge_product.cc).
  ledger::Outcome begin_turn(ledger::Shard& shard, ledger::Operation& op,
                             const rating::Image& image, const ledger::Command& command);
  ledger::Outcome pay_fee(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                          const ledger::Command& command, bool is_taken);
  ledger::Outcome suspend_product(ledger::Shard& shard, ledger::Operation& op,
                                  const ledger::Command& command);
  ledger::Outcome resume_product(ledger::Shard& shard, ledger::Operation& op,
                                 const ledger::Command& command);
  ledger::Outcome end_product(ledger::Shard& shard, ledger::Operation& op,
                              const ledger::Command& command);
  ledger::Outcome send(ledger::Shard& shard, ledger::Operation& op, const ledger::Command& command);
  ledger::Outcome receive(ledger::Shard& shard, ledger::Operation& op,
                          const ledger::Command& command);
  ledger::Outcome end_transfer(ledger::Shard& shard, ledger::Operation& op,
                               const ledger::Command& command);
  ledger::Outcome drop_session(ledger::Shard& shard, ledger::Operation& op,
                               const rating::Image& image, const ledger::Command& command);
  ledger::Outcome order_session(const ledger::Shard& shard, const ledger::Command& command);
  void tell_balance(const ledger::Shard& shard, u32 bucket);

  Charger& charger_;
  OrderLinks& orders_;
  ChargeCounters& counters_;
  ledger::CommandAnswer answer_;
};

}  // namespace tollgate::app
