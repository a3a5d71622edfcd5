// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A Python function as the cost curve of a rule: what it may look at and how it is asked.
//
// It knows event.quantity alone. Where, when and for whom is the matter of a rule's conditions, and
// so a session over several of them adds up as with any other price. It is asked twice for a piece,
// and up to 64 times for the largest quantity that a balance buys: therefore it is short.
#pragma once

#include "rating/facts.hh"
#include "rating/program.hh"

namespace tollgate::rating {

inline constexpr u64 price_facts = u64{1} << static_cast<u32>(Fact::quantity);
inline constexpr u32 price_steps_max = 2000;
// A function is tried out up to here when it is loaded: a tebioctet, 34 years in milliseconds.
inline constexpr i64 price_quantity_max = i64{1} << 40;

[[nodiscard]] inline ProgramOutcome run_price(const Program& program, i64 quantity, i64& cost) {
  Facts facts;
  facts[Fact::quantity] = quantity;
  const ProgramResult result = program.run(facts.value);
  cost = result.value;
  return result.outcome;
}

// Whether programs of prices run where they lie, in this thread: said by one that prices with
// images in executable memory only. Until then they are interpreted.
void run_price_programs(Program::Mapping mapping);

}  // namespace tollgate::rating
