// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RuleLowering, continued: functions as price and discount, and what they may ask.

#include <fmt/format.h>

#include <algorithm>

#include "rating/lower_rule.hh"

namespace tollgate::rating {

// The one step stands for "there is a price"; what it says is not looked at.
void RuleLowering::lower_python() {
  rule_.step_count = 1;
  rule_.step[0] = {};
  if (text_.round) {
    report_.add(text_.price_at, "found 'round' and a price by a function, which counts no blocks",
                "the function rounds as it likes, in whole numbers; 'round money' is possible");
  }
  if (text_.restart) {
    report_.add(text_.restart->at, "found 'restart' and a price by a function",
                "the function can begin anew: event.quantity % 10");
  }
}

// The innermost of rule, service and plan.
const DiscountText* RuleLowering::discount_text() const {
  for (const TermsText* terms : {&text_.terms, &scope_.service.terms, &scope_.plan.terms}) {
    if (terms->discount) return &*terms->discount;
  }
  return nullptr;
}

void RuleLowering::lower_functions() {
  const DiscountText* discount = discount_text();
  functions_ = {};
  if (text_.python && rule_.meter != Meter::money) {
    functions_.price = add_function(*text_.python, 0, functions_.price_counter);
    price_text_ = &*text_.python;
  }
  const bool has_price = rule_.step_count != 0;
  if (discount != nullptr && discount->amount && has_price &&
      is_price(*discount->amount, "a discount")) {
    functions_.off = {discount->amount->count};
  }
  if (discount != nullptr && discount->python && has_price) {
    functions_.discount =
        add_function(*discount->python, discount_parameters, functions_.discount_counter);
    discount_text_ = &*discount->python;
  }
  if (functions_.price == 0 && functions_.discount == 0 && functions_.off.is_zero()) return;
  if ((functions_.facts_used & calendar_facts) != 0) {
    functions_.clock = scope_.world.clock(scope_.plan);
  }
  rule_.functions = builder_.add_functions(functions_);
}

u32 RuleLowering::add_function(const PythonText& text, u32 parameters, std::span<u16> counters) {
  const PythonFunctions::Compiled made = scope_.python.program_of(text, parameters);
  functions_.facts_used |= made.facts_used;
  if ((made.facts_used >> static_cast<u32>(Fact::zone) & 1) != 0) find_zone_map(text);
  name_counters(text, made.facts_used, counters);
  return made.number;
}

// event.zone is that of the called number, where the service or its plan looks it up; else that of
// the network.
void RuleLowering::find_zone_map(const PythonText& text) {
  if (functions_.zone_map != 0) return;
  for (const NumberRole role : {NumberRole::destination, NumberRole::network}) {
    const auto number = static_cast<std::size_t>(role);
    const std::optional<NameText>& name =
        scope_.service.maps[number] ? scope_.service.maps[number] : scope_.plan.maps[number];
    if (!name) continue;
    const World::Map* map = scope_.world.find_map(*name);
    if (map != nullptr) functions_.zone_map = map->number;
    functions_.zone_role = static_cast<u8>(role);
    return;
  }
  report_.add(text.function.at,
              fmt::format("{} of {} looks at event.zone, but nothing says which zones numbers are "
                          "looked up in",
                          text.function.text, text.file.text),
              "add to the service: destination NAME, or network NAME");
}

// A counter that this rule moves would make a piece cost something else than the same piece of a
// whole.
void RuleLowering::name_counters(const PythonText& text, u64 facts_used, std::span<u16> counters) {
  if (text.counters.size() > counters.size()) {
    report_.add(text.counters[counters.size()].at,
                fmt::format("found more than {} counters of a function", counters.size()));
    return;
  }
  std::size_t at = 0;
  for (const NameText& name : text.counters) {
    const PlanScope::Counter* counter = find_counter(name, Unit::none);
    if (counter == nullptr) return;
    if (counter->number == rule_.usage_counter || counter->number == rule_.money_counter) {
      report_.add(name.at,
                  fmt::format("found counter '{}', which this rule moves itself: then pieces of a "
                              "session would not cost what the whole costs",
                              name.text),
                  "with 'steps by' a counter event.quantity is where it stands; 'cap' and 'limit' "
                  "bound what is paid");
    }
    counters[at++] = static_cast<u16>(counter->number);
  }
  for (; at < counters.size(); ++at) {
    if ((facts_used >> (static_cast<u32>(Fact::counter0) + at) & 1) == 0) continue;
    report_.add(text.function.at,
                fmt::format("{} of {} looks at event.counter({}), but {} are named here",
                            text.function.text, text.file.text, at,
                            text.counters.empty() ? "none" : std::to_string(text.counters.size())),
                fmt::format("name counters of the plan: python \"{}\" {} by NAME", text.file.text,
                            text.function.text));
  }
}

}  // namespace tollgate::rating
