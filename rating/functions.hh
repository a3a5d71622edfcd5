// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RuleFunctions: what a rule says beyond its own record: Python functions as its price and its
// discount, and a discount of an amount. PriceFacts: what those functions may ask.
//
// A price function is the cost curve of price.hh: for event.quantity, all that the session has
// used, what it has cost in all. A discount function takes what fee and price say in all and gives
// back what is left of it. Everything else that they may ask stands still while a session goes on
// (who, what, where, when it began) or is moved by others (counters of other rules): so pieces add
// up, and the largest quantity that a balance buys is found by trying, as they are never below
// what less would cost. Where it does change (another network), a piece costs what the curve says
// from then on between where the session stands and where it gets to, as between two rules.
#pragma once

#include "rating/facts.hh"
#include "rating/program.hh"
#include "rating/rule.hh"

namespace tollgate::rating {

inline constexpr u64 price_facts = (u64{1} << fact_count) - 1;
inline constexpr u64 counter_fact_bits = u64{0xff} << static_cast<u32>(Fact::counter0);
inline constexpr u32 price_steps_max = 2000;
inline constexpr u32 discount_parameters = 1;  // the price before it
// A function is tried out up to here when it is loaded: a tebioctet, 34 years in milliseconds.
inline constexpr i64 price_quantity_max = i64{1} << 40;

// Stored, as Rule is.
struct RuleFunctions {
  // So many octets behind this record its programs begin; 0: there is none.
  u32 price = 0;
  u32 discount = 0;
  Money off;           // taken off what fee and price say in all, down to nothing
  u64 facts_used = 0;  // by either
  u32 clock = 0;       // timeline of the plan's time zone: index + 1, 0: nobody asks
  u32 zone_map = 0;    // in which event.zone is looked up: index + 1, likewise
  u16 price_counter[counter_facts] = {};  // event.counter(n) is this one: index + 1
  u16 discount_counter[counter_facts] = {};
  u8 zone_role = 0;  // NumberRole: of which number event.zone is
  u8 zero[7] = {};

  bool asks(Fact fact) const { return (facts_used >> static_cast<u32>(fact) & 1) != 0; }
};
static_assert(sizeof(RuleFunctions) == 72);

// The functions of a rule that has some, where it lies in its image.
inline const RuleFunctions& functions_of(const Rule& rule) {
  return *reinterpret_cast<const RuleFunctions*>(reinterpret_cast<const u8*>(&rule) +
                                                 rule.functions);
}
inline const u8* program_behind(const RuleFunctions& functions, u32 distance) {
  return reinterpret_cast<const u8*>(&functions) + distance;
}

// As they are for one request. Image::fill_facts writes all but the counters.
struct PriceFacts {
  Facts facts;                                        // the counters as the price knows them,
  std::array<i64, counter_facts> discount_counter{};  // and as the discount does
};

// Which of an image's counters the functions ask for: visit(number, where the value goes).
template <class Visit>
void visit_counters(const RuleFunctions& functions, PriceFacts& facts, Visit visit) {
  if ((functions.facts_used & counter_fact_bits) == 0) return;
  for (u32 i = 0; i < counter_facts; ++i) {
    i64& of_price = facts.facts.value[static_cast<u32>(Fact::counter0) + i];
    if (functions.price_counter[i] != 0) visit(functions.price_counter[i], of_price);
    if (functions.discount_counter[i] != 0) {
      visit(functions.discount_counter[i], facts.discount_counter[i]);
    }
  }
}

// What the functions of a rule say for a quantity: for tools and for trying them out.
struct FunctionResult {
  ProgramOutcome outcome = ProgramOutcome::ok;  // of the first function that has no result
  bool is_of_discount = false;                  // it was the discount
  bool is_beyond = false;                       // fee and price do not fit into 64 bits
  i64 said = 0;                                 // by the price function alone
  i64 price = 0;                                // fee and price, in all
  i64 discounted = 0;                           // what the discount makes of it
};
[[nodiscard]] FunctionResult ask_functions(const Rule& rule, const PriceFacts& facts,
                                           Quantity quantity);

// Whether programs of prices run where they lie, in this thread: said by one that prices with
// images in executable memory only. Until then they are interpreted.
void run_price_programs(Program::Mapping mapping);

}  // namespace tollgate::rating
