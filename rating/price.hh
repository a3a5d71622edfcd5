// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// price, reverse, affordable, cover: a rule and a quantity to an amount, and back, exactly.
//
// Every source of a rule has a cost curve F: F(q) is what it has paid in this session when it has
// paid for a quantity q in all. F(0) is 0, F never falls, and every rounding happens inside F:
// usage to blocks first, then (setup fee + blocks) times the factor of discount and tax to the
// rule's money_step; what comes out is kept between the minimum and the cap, and changed to the
// currency of the source with that one's own rounding. A piece of usage costs the difference
// F(before + piece) - F(before). A usage counter moves the place on the curve from the session to
// the account: F then begins where the counter stands. A money counter ends what may be taken.
// So these hold for every rule, and are tested so:
//
//   pieces    the prices of the pieces of a session add up to the price of the whole, however cut
//   exact     price(reverse(balance)) <= balance, and one more of the quantity costs more than it
//   monotone  more never costs less
//   refusal   a result that does not fit into 64 bits is an outcome with a name, never a wrap
//
// The one thing a session has to remember of a rule is therefore UsageSoFar: what money has paid
// for and what allowances (all other units) have paid for. The two are counted apart: a block, a
// `first` step and the setup fee begin with the first unit that money pays for, so that an
// allowance can be used up to its last octet and money starts on a fresh block.
//
// A charge core does for one request:
//
//   const Rule* rule = nullptr;
//   if (image.find_rule({...}, now, rule) != Found::rule) -> RATING_FAILED
//   // 1. Book what was used. available[i] = what the buckets of source i's unit hold for this
//   //    session and have free, in total; the ledger takes `cost` from them by priority.
//   Coverage used = cover(*rule, {.so_far = s, .wanted = reported, .available = available});
//   //    used.missing is what nobody could pay for: price() tells what it would cost.
//   // 2. Reserve the next grant, in the client's own granule (1000 for whole seconds).
//   Coverage next = cover(*rule, {.so_far = used.after, .wanted = grant_size(rule->grant, asked),
//                                 .available = what is left, .granule = {1000}});
//   //    reserve next.charge[i].cost; next.missing positive -> final unit; covered zero -> refuse.
#pragma once

#include <array>
#include <span>

#include "base/amount.hh"
#include "rating/rule.hh"

namespace tollgate::rating {

struct PriceFacts;

// What a session has used under a rule and paid for: kept by the session, starts at zero. Beside it
// what the account's counters say, where the rule has some (Rule::usage_counter, money_counter).
struct UsageSoFar {
  Quantity by_money;
  Quantity by_allowance;
  Quantity counted;  // by the usage counter, this session's part included
  Money spent;       // by the money counter, likewise
  // What functions of the rule may ask (functions.hh); nothing: all of it is 0.
  const PriceFacts* facts = nullptr;
};

enum class Outcome : u8 {
  ok,
  quantity_negative,  // a quantity below zero is no usage
  quantity_overflow,  // more used in one session than 64 bits count
  cost_overflow,      // the session would cost more than 64 bits count
  no_price,           // the rule states no price in money: only allowances pay for it
};
std::string_view to_text(Outcome outcome);

// What `quantity` more costs this source. `cost` is written only if the outcome is ok.
[[nodiscard]] Outcome price(const Rule& rule, const PaymentSource& source, UsageSoFar so_far,
                            Quantity quantity, Amount& cost);

// The same for the rule's own money, whether or not money is among its sources.
[[nodiscard]] Outcome price(const Rule& rule, UsageSoFar so_far, Quantity quantity, Money& cost);

// The largest quantity that `available` of the source buys now. Quantity::max() - so_far if there
// is no end to it (a price of zero).
[[nodiscard]] Quantity reverse(const Rule& rule, const PaymentSource& source, UsageSoFar so_far,
                               Amount available);

struct Charge {
  Quantity covered;  // so much is paid for ...
  Amount cost;       // ... by so much of the source's unit
};

struct Ask {
  UsageSoFar so_far;
  Quantity wanted;
  Amount available;     // of the source's unit; below zero counts as zero
  Quantity granule{1};  // what is covered is a multiple of this, unless it is all of `wanted`
};

// How much of ask.wanted this source can pay for, and what that costs. cost <= available.
[[nodiscard]] Charge affordable(const Rule& rule, const PaymentSource& source, const Ask& ask);

// What was paid for joins what the session remembers. `covered` comes from a Charge, or from a
// price() whose outcome was ok.
[[nodiscard]] UsageSoFar advance(const PaymentSource& source, UsageSoFar so_far, Quantity covered);
// The same, with what it cost: for rules with a money counter.
[[nodiscard]] UsageSoFar advance(const PaymentSource& source, UsageSoFar so_far,
                                 const Charge& charge);

struct Wish {
  UsageSoFar so_far;
  Quantity wanted;
  std::span<const Amount> available;  // one for each of rule.sources(), in their order
  Quantity granule{1};
};

struct Coverage {
  Quantity covered;                          // by all sources together
  Quantity missing;                          // wanted - covered
  UsageSoFar after;                          // so_far once `covered` is used
  std::array<Charge, sources_max> charge{};  // charge[i] is the part of rule.sources()[i]
};

// Shares ask.wanted among the sources in their order: each pays for as much as it can of what those
// before it left. A free rule covers all at no cost; a barred rule covers nothing.
[[nodiscard]] Coverage cover(const Rule& rule, const Wish& wish);

}  // namespace tollgate::rating
