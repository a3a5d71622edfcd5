// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Quota pools: rating groups of one session that draw on one credit (RFC 8506 section 5.1.2).
//
// A client that knows pools adds up what its grants are worth, S = Q1*M1 + Q2*M2 + ..., and lets
// any of the groups use of the sum. A report takes C*M off it, and nothing else does: what a group
// has not used stays in the pool, for the others, also when the group itself leaves.
//
// The ledger does the same with money. The holds of all quotas of a pool are one: a report frees as
// much of them as it costs, of its own quota first, then of the others. So what is held covers what
// the client may still use, whichever groups use it:
//
//   held >= S + the most by which rounding can raise the price of each group above its multiplier
//
// The multiplier is the price of one unit, exactly; a group whose price cannot be told so (steps,
// fees, minimum and cap, counters, functions, allowances that pay first, too many digits) has a
// grant of its own. A pool is of one currency, whose number is its identifier. A pool's unit is
// 1/28311552 of a millionth of the currency: 2^20 and 3^3, so that prices per MiB and per minute
// are short decimals.
#pragma once

#include "app/quota.hh"

namespace tollgate::app {

// digits * 10^exponent, for each octet, second or event.
struct Multiplier {
  i64 digits = 0;
  i32 exponent = 0;
  friend bool operator==(const Multiplier&, const Multiplier&) = default;
};

// Of a pool of the rule's currency. False: it cannot be told exactly.
[[nodiscard]] bool find_multiplier(const rating::Rule& rule, Multiplier& multiplier);

// Where an answer keeps it: in the places of threshold and text, which a grant in a pool does not
// tell.
void put_multiplier(Multiplier multiplier, ledger::ServiceAnswer& answer);
Multiplier multiplier_of(const ledger::ServiceAnswer& answer);

// What the multiplier says that so much costs, not less. False: it is too much to be told.
[[nodiscard]] bool pool_cost(const rating::Rule& rule, Quantity quantity, Amount& cost);
// By how much rounding can raise a price above that, once.
Amount rounding_reserve(const rating::Rule& rule);

// How much more is granted to a group that wishes so much and has left so much in the pool: what is
// missing, but an eighth of the wish at least, so that a client that counts in its own way does not
// come back at once; from twice the wish on, one granule.
Quantity pool_grant_size(const rating::Rule& rule, Quantity wanted, Amount left, Quantity granule);

// A report has cost so much: the holds of the pool give it back, the quota's own first.
void free_for_report(const ChargeContext& context, ledger::Quota& quota, Amount cost);

// The quota's price can be told no more: its holds go over to another of the pool.
void leave_pool(const ChargeContext& context, ledger::Quota& quota);

// A pool without a grant that is out ends: what it holds goes back.
void end_idle_pools(const ChargeContext& context);

}  // namespace tollgate::app
