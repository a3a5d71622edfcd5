// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What an account counts over its sessions, for prices that look at it: tiers of a month, the cap
// of a day (docs/tariffs.md, counters). A shared counter stands with the account's payer, in the
// same shard (purse.hh): all members count it, and so does the payer.
//
// One of a product begins anew with the command of the product's turn, not by the clock.
//
// A counter is a bucket of a unit of its own (ledger/counter_unit.hh) that no rule pays with:
// `product` is the counter's number, `consumed` what it has counted, `valid_from_s` when its period
// ends, so that it is never of use to a charge while it counts. What is counted is put in and
// debited in one, so the audit's equation holds for it as for all others, and undo, journal and
// recovery know nothing new.
//
// Where a rule has a limit by it, what a grant may cost is held in it beside the money, by the same
// holds of the quota: `reserved`. What comes back from there stays free in it, for the next.
#pragma once

#include "app/charge_context.hh"
#include "ledger/counter_unit.hh"

namespace tollgate::app {

// The session's part of `so_far`, what the rule's counters stand at now, and what its functions may
// ask of the service; that is good until the next call.
rating::UsageSoFar with_counters(const ChargeContext& context, const ChargeService& service,
                                 const rating::Rule& rule, rating::UsageSoFar so_far);

// What money has paid for and taken joins the rule's counters. too_busy, and nothing is written: no
// room for a counter that the account, or its payer, does not have yet.
struct CountedUse {
  Quantity quantity;
  Money money;
};
[[nodiscard]] ledger::Outcome count_use(const ChargeContext& context, const rating::Rule& rule,
                                        CountedUse use);

// The counters of these products begin at nothing, part of their turn.
void begin_counters(const ChargeContext& context, const rating::ProductSet& products);

// Money pays no more once the rule's counter has come so far. (At a cap it costs no more.)
inline bool has_limit(const rating::Rule& rule) {
  return rule.money_counter != 0 && rule.is_limit_cap == 0;
}

// A limit also sees what grants may cost that are out, in this session and others, until they are
// reported: for grants and events, not for the price of what was used.
void add_held(const ChargeContext& context, const rating::Rule& rule, rating::UsageSoFar& so_far);

// Where what a grant may cost is held, made if it is not there; 0: the rule has no limit. False: no
// room for it.
[[nodiscard]] bool find_limit_counter(const ChargeContext& context, const rating::Rule& rule,
                                      u32& counter);
// Holds there what money may pay for the grant; nothing is written if that is not possible.
[[nodiscard]] ledger::Outcome hold_in_counter(const ChargeContext& context,
                                              const rating::Rule& rule, u32 counter,
                                              const rating::Coverage& coverage,
                                              ledger::Quota& quota);
// On how many buckets a grant of the quota may lean yet, beside that counter.
u32 payers_left(const ledger::Quota& quota, u32 counter);

// Makes the counters of the rule that are not there. To be asked before the first debit.
[[nodiscard]] bool has_counters(const ChargeContext& context, const rating::Rule& rule);

}  // namespace tollgate::app
